// The kept events over time: for each how sure the sound is (up) and how sure the picture is (down).

import { fill, h } from "../dom.js";
import { kindName, momentText } from "./names.js";

/** Where marks of time go between two moments, in milliseconds: about `most` of them, at round distances. Pure. */
export function ticksBetween(from, to, most = 6) {
  const MINUTE = 60_000;
  const steps = [1 / 60, 1 / 12, 0.25, 1, 5, 15, 30, 60, 180, 360, 720, 1440, 2880, 10_080, 43_200].map((n) => n * MINUTE);
  const step = steps.find((one) => (to - from) / one <= most) ?? (to - from) / most;
  const shift = new Date(from).getTimezoneOffset() * MINUTE; // round in local time
  const ticks = [];
  for (let at = Math.ceil((from - shift) / step) * step + shift; at <= to; at += step) ticks.push(at);
  return { step, ticks };
}

/** @param choose called with an event */
export function stripView(app, choose) {
  const { words } = app;
  const { t } = words;
  const bars = h("div", { class: "strip-bars" });
  const axis = h("div", { class: "strip-axis", "aria-hidden": "true" });
  const element = h(
    "figure",
    { class: "strip", data: { name: "strip" } },
    h("div", { class: "strip-names", "aria-hidden": "true" }, h("span", { text: t("guard.channel.sound") }), h("span", { text: t("guard.channel.video") })),
    h("div", { class: "strip-area", role: "group", "aria-label": t("guard.strip") }, bars, axis),
  );

  return {
    element,
    show(events) {
      const starts = events.map(({ started }) => Date.parse(started));
      const [least, most] = [Math.min(...starts), Math.max(...starts)];
      const room = Math.max((most - least) * 0.02, 1000);
      const [from, to] = events.length ? [least - room, most + room] : [Date.now() - 3_600_000, Date.now()];
      fill(
        bars,
        events.map((event, k) =>
          h("button", {
            type: "button",
            class: "strip-bar",
            tabindex: "-1", // the cards below are for the keyboard
            "aria-label": `${kindName(words, event.kind)}, ${momentText(words, event.started)}`,
            title: `${kindName(words, event.kind)} · ${momentText(words, event.started)}`,
            data: { id: event.id, mark: event.mark ?? "" },
            vars: {
              at: (starts[k] - from) / (to - from),
              heard: event.channels?.sound ?? 0,
              watched: event.channels?.video ?? 0,
            },
            on: { click: () => choose(event) },
          }),
        ),
      );
      const { step, ticks } = ticksBetween(from, to);
      const day = step >= 24 * 3_600_000;
      const format = day
        ? { month: "short", day: "numeric" }
        : { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(step < 60_000 ? { second: "2-digit" } : {}) };
      fill(
        axis,
        ticks.map((at) =>
          h("span", { vars: { at: (at - from) / (to - from) }, text: new Date(at).toLocaleString(words.code, format) }),
        ),
      );
    },
  };
}
