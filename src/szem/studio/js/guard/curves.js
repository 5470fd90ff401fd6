// A film's scores over time: sound above the middle, picture below it, and the events as blocks under both.

import { fill, h, s } from "../dom.js";
import { kindName } from "./names.js";

const [WIDTH, HEIGHT] = [1000, 200];
const MIDDLE = HEIGHT / 2;

/** A curve as a filled path on one side of the middle: `side` −1 is up. Pure. */
export function areaPath(times, values, duration, side) {
  if (times.length === 0) return "";
  const x = (k) => ((Math.min(times[k], duration) / duration) * WIDTH).toFixed(1);
  const y = (k) => (MIDDLE + side * values[k] * (MIDDLE - 4)).toFixed(1);
  let path = `M${x(0)} ${MIDDLE}`;
  for (let k = 0; k < times.length; k++) path += `L${x(k)} ${y(k)}`;
  return `${path}L${x(times.length - 1)} ${MIDDLE}Z`;
}

/** Rows for blocks that must not lie on each other: the row of each. Pure. */
export function rowsOf(spans, least) {
  const ends = [];
  return spans.map(([from, to]) => {
    let row = ends.findIndex((end) => end <= from);
    if (row < 0) row = ends.push(0) - 1;
    ends[row] = Math.max(to, from + least);
    return row;
  });
}

/** @param jump called with seconds; choose called with an event */
export function curvesView(app, { jump, choose }) {
  const { t } = app.words;
  const sound = s("path", { class: "curve-sound" });
  const video = s("path", { class: "curve-video" });
  const motion = s("path", { class: "curve-motion" });
  const middle = s("path", { class: "curve-middle", d: `M0 ${MIDDLE}H${WIDTH}` });
  const svg = s(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "curves", role: "img", "aria-label": t("guard.curves") },
    motion,
    sound,
    video,
    middle,
  );
  const blocks = h("div", { class: "curve-blocks" });
  const needle = h("div", { class: "lip-needle", "aria-hidden": "true" });
  const soon = h("div", { class: "curve-soon", "aria-hidden": "true" });
  const area = h("div", { class: "curve-area", data: { name: "curves" } }, svg, blocks, soon, needle);
  const key = (name) => h("span", { class: "curve-key", data: { channel: name } }, t(`guard.channel.${name}`));
  const element = h("figure", { class: "curve-figure" }, area, h("figcaption", {}, key("sound"), key("video"), key("motion")));
  let duration = 1;

  const jumpTo = (event) => {
    const { left, width } = area.getBoundingClientRect();
    jump(Math.min(1, Math.max(0, (event.clientX - left) / width)) * duration);
  };
  area.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.target.closest("button")) return;
    area.setPointerCapture(event.pointerId);
    jumpTo(event);
  });
  area.addEventListener("pointermove", (event) => area.hasPointerCapture(event.pointerId) && jumpTo(event));

  return {
    element,
    /** @param film as the server tells of it; null: none */
    show(film) {
      duration = Math.max(film?.duration_s ?? film?.time_s ?? 1, 0.1);
      const { time_s: times = [], ...curves } = film?.curves ?? {};
      sound.setAttribute("d", areaPath(times, curves.sound ?? [], duration, -1));
      video.setAttribute("d", areaPath(times, curves.video ?? [], duration, 1));
      motion.setAttribute("d", areaPath(times, (curves.motion ?? []).map((v) => Math.min(1, v * 4)), duration, 1));
      const events = film?.events ?? [];
      const rows = rowsOf(events.map(({ start_s, end_s }) => [start_s, end_s]), duration * 0.09);
      area.style.setProperty("--rows", String(Math.max(2, ...rows.map((row) => row + 1))));
      fill(
        blocks,
        events.map((event, k) =>
          h(
            "button",
            {
              type: "button",
              class: "curve-block",
              tabindex: "-1", // the list beside it is for the keyboard
              title: kindName(app.words, event.kind),
              data: { wanted: event.rules?.length ? "yes" : "no" },
              vars: { from: event.start_s / duration, to: Math.min(1, event.end_s / duration), row: rows[k] },
              on: { click: () => choose(event) },
            },
            h("span", { text: kindName(app.words, event.kind) }),
          ),
        ),
      );
      soon.style.setProperty("--at", String(film ? film.progress : 0));
      soon.hidden = !film || film.state === "done";
    },
    at: (seconds) => needle.style.setProperty("--at", String(Math.min(1, seconds / duration))),
  };
}
