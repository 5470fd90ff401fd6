// How sure each channel is of an event, and both together: two bars and one number.

import { h } from "../dom.js";
import { partsOf } from "./names.js";

export const CHANNELS = ["sound", "video"];

/** @param event {score, channels, contributions} */
export function channelBars(words, { channels = {}, contributions = {} }) {
  const { t, percent } = words;
  const parts = partsOf(contributions);
  return h(
    "dl",
    { class: "ev-channels" },
    CHANNELS.map((name) => {
      const value = channels[name];
      const isKnown = value !== undefined;
      const part = parts?.[name];
      const title = part === undefined ? null : t("guard.part", { share: percent(part) });
      return h(
        "div",
        { class: "ev-channel", title, data: { channel: name, known: isKnown ? "yes" : "no" }, vars: { share: value ?? 0 } },
        h("dt", { text: t(`guard.channel.${name}`) }),
        h("dd", {}, h("span", { class: "ev-bar", "aria-hidden": "true" }), h("output", { text: isKnown ? percent(value) : "–" })),
      );
    }),
  );
}
