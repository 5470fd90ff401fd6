// The sentence, each word with a bar: how much the picture changes without it. Words that were never learned are marked.

import { fill, h } from "../dom.js";
import { barsOf } from "./answer.js";

/** @returns {element, show(influence, unknown)} */
export function influenceView(app) {
  const { t, percent } = app.words;
  const line = h("ol", { class: "influence", "aria-label": t("draw.words"), data: { name: "influence" } });
  return {
    element: line,
    show(influence, unknown) {
      line.dataset.words = String(influence.length);
      const strange = new Set(unknown);
      fill(
        line,
        barsOf(influence).map(({ word, fraction, of }) => {
          const known = !strange.has(word.toLowerCase());
          return h(
            "li",
            { class: "influence-word", data: { word, known: known ? "yes" : "no", share: String(fraction) }, vars: { of } },
            h("span", { lang: "en", text: word }),
            h("output", { text: known ? percent(fraction) : t("draw.word-unknown") }),
          );
        }),
      );
    },
  };
}
