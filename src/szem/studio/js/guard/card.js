// One event that was kept: its picture, what and when, how sure each channel is, and what a person says of it.

import { button } from "../controls.js";
import { fill, h, icon, whenSeen } from "../dom.js";
import { fetchBlob } from "../server.js";
import { channelBars } from "./channels.js";
import { kindName, momentText, thingName } from "./names.js";

/**
 * @param mark async, called with (event, mark, note); gives the event as it is then kept
 * @returns a list item with close(), which lets its picture and clip go
 */
export function eventCard(app, event, { mark }) {
  const { words } = app;
  const { t, number, percent } = words;
  const name = kindName(words, event.kind);
  let now = event;
  const media = h("div", { class: "ev-media" });
  const urls = new Set(); // of files that came with the key, which no src can send
  let seen = null;
  const note = h("input", {
    type: "text",
    maxlength: "300",
    placeholder: t("guard.note"),
    "aria-label": t("guard.note"),
    on: { change: () => say(now.mark, note.value) },
  });
  const choices = ["right", "wrong"].map((value) =>
    button({
      text: t(`guard.mark.${value}`),
      name: `mark-${value}`,
      press: () => say(now.mark === value ? "" : value, note.value),
    }),
  );
  const noteLine = h("div", { class: "ev-note" }, note);
  const seconds = event.duration_s >= 0.1 ? t("guard.seconds", { n: number(event.duration_s, event.duration_s < 10 ? 1 : 0) }) : "";
  const about = [event.label ? thingName(words, event.label) : "", event.place ?? "", event.rule ? t("guard.rule-of", { name: event.rule }) : ""];
  const element = h(
    "li",
    { class: "ev-card", id: `event-${event.id}`, tabindex: "-1", data: { id: event.id, kind: event.kind } },
    media,
    h(
      "div",
      { class: "ev-head" },
      h("h3", { text: name }),
      h("output", { class: "ev-score", title: t("guard.score"), text: percent(event.score) }),
    ),
    h(
      "p",
      { class: "ev-about" },
      h("span", {}, h("strong", { text: event.source }), ` · ${momentText(words, event.started)}`),
      h("span", { text: [seconds, ...about, event.open ? t("guard.open") : ""].filter(Boolean).join(" · ") }),
    ),
    channelBars(words, event),
    h("div", { class: "ev-marks", role: "group", "aria-label": t("guard.mark") }, choices),
    noteLine,
  );
  still();
  paint();

  /** The picture, with the box on it; a press plays the clip in its place. */
  function still() {
    const { width = 16, height = 9 } = event.frame ?? {};
    media.style.setProperty("--aspect", String(Math.min(2, Math.max(1.2, width / height))));
    const box = event.box_xyxy?.map((v, k) => v / (k % 2 ? height : width));
    const picture = event.picture
      ? h("img", { alt: t("guard.picture-of", { kind: name }), decoding: "async" })
      : h("span", { class: "ev-no-picture" }, icon(event.channels?.sound !== undefined ? "sound" : "camera"), h("small", { text: t("guard.no-picture") }));
    const frame = h(
      "div",
      { class: "ev-frame", vars: { aspect: width / height } },
      picture,
      box && event.picture
        ? h("i", { class: "ev-box", vars: { x: box[0], y: box[1], w: box[2] - box[0], h: box[3] - box[1] } })
        : null,
    );
    seen?.close();
    if (event.picture) {
      seen = whenSeen(picture, () => load(event.picture, picture).catch(() => {}));
      seen.ask();
    }
    if (!event.clip) return fill(media, frame);
    return fill(
      media,
      h(
        "button",
        { type: "button", class: "ev-play", "aria-label": t("guard.play", { kind: name }), data: { name: "play-clip" }, on: { click: play } },
        frame,
        h("span", { class: "ev-play-sign" }, icon("play")),
      ),
    );
  }

  async function play() {
    const video = h("video", { controls: true, playsinline: true, class: "ev-clip", data: { name: "clip" }, "aria-label": name });
    const gone = () => {
      still();
      media.append(h("p", { class: "ev-fault", role: "alert", text: t("guard.clip-gone") }));
    };
    video.addEventListener("error", gone);
    fill(media, video);
    video.focus();
    try {
      await load(event.clip, video);
      video.play().catch(() => {});
    } catch {
      gone();
    }
  }

  /** Show a file of the event in an element. */
  async function load(path, shown) {
    const url = URL.createObjectURL(await fetchBlob(path));
    urls.add(url);
    shown.src = url;
  }

  async function say(value, text) {
    for (const choice of choices) choice.disabled = true;
    const next = await mark(now, value, text);
    for (const choice of choices) choice.disabled = false;
    if (next) now = next;
    paint();
  }

  function paint() {
    element.dataset.mark = now.mark ?? "";
    for (const [k, value] of ["right", "wrong"].entries()) choices[k].setAttribute("aria-pressed", String(now.mark === value));
    note.disabled = !now.mark;
    note.value = now.mark_note ?? "";
  }

  element.close = () => {
    seen?.close();
    for (const url of urls) URL.revokeObjectURL(url);
    urls.clear();
  };

  return element;
}
