// The sentence in large words, each a button; and, for the chosen word, what else might have come.

import { fill, h } from "../dom.js";
import { movesLittle } from "../theme.js";
import { probabilityText } from "./answer.js";

const WORD_MS = 130; // between two words when a sentence appears

/**
 * @param hover called with the place of a word, or -1 when none is pointed at
 * @param choose called with the place of a word
 * @returns {element, show(words, chosen, {given, slowly}), mark(place)}
 */
export function sentenceView(app, { hover, choose }) {
  const { t } = app.words;
  const line = h("p", { class: "said", role: "group", "aria-label": t("caption.sentence"), data: { name: "sentence" } });
  let timer = 0;

  function wordButton(word, place, chosen, given) {
    return h(
      "button",
      {
        type: "button",
        class: "said-word",
        "aria-pressed": String(place === chosen),
        "aria-label": word.end ? t("caption.end") : null,
        title: place < given ? t("caption.given") : null,
        data: { place: String(place), probability: String(word.probability), given: place < given ? "yes" : "no" },
        vars: { filled: word.probability },
        on: {
          click: () => choose(place),
          pointerenter: () => hover(place),
          pointerleave: () => hover(-1),
          focus: () => hover(place),
          blur: () => hover(-1),
        },
      },
      word.text,
    );
  }

  return {
    element: line,
    /** @param given how many words were given to begin with */
    show(words, chosen, { given = 0, slowly = false } = {}) {
      clearInterval(timer);
      const buttons = words.map((word, place) => wordButton(word, place, chosen, given));
      fill(line, buttons);
      const still = movesLittle();
      line.dataset.complete = "yes";
      if (!slowly || still) return;
      delete line.dataset.complete;
      let shown = given;
      buttons.forEach((button, place) => button.classList.toggle("to-come", place >= shown));
      timer = setInterval(() => {
        buttons[shown]?.classList.remove("to-come");
        shown += 1;
        if (shown < buttons.length) return;
        clearInterval(timer);
        line.dataset.complete = "yes";
      }, WORD_MS);
    },
    mark(place) {
      for (const button of line.children) button.classList.toggle("looked-at", Number(button.dataset.place) === place);
    },
    close: () => clearInterval(timer),
  };
}

/** What might have come in the place of a word, likeliest first; pressing one lets the sentence go on from it. */
export function othersView(app, choose) {
  const { words } = app;
  const { t } = words;
  const title = h("h2", { data: { name: "others-title" } });
  const list = h("ol", { class: "labels others", "aria-label": t("caption.others") });
  return {
    element: h("section", { class: "others-box" }, title, list),
    show(word, place) {
      title.textContent = word.end ? t("caption.others-end") : t("caption.others-of", { n: place + 1 });
      const rows = [{ text: word.text, probability: word.probability, now: true }, ...word.others];
      rows.sort((a, b) => b.probability - a.probability);
      const most = Math.max(...rows.map(({ probability }) => probability), 1e-6);
      fill(
        list,
        rows.map(({ text, probability, now = false }) =>
          h(
            "li",
            {},
            h(
              "button",
              {
                type: "button",
                class: "label-row",
                "aria-pressed": String(now),
                data: { word: text, probability: String(probability) },
                vars: { share: probability, of: probability / most },
                on: { click: () => !now && choose(place, text) },
              },
              h("span", { class: "label-name", text: text === "." ? t("caption.end") : text }),
              h("output", { class: "label-score", text: probabilityText(words, probability) }),
              h("span", { class: "label-bar", "aria-hidden": "true" }),
            ),
          ),
        ),
      );
    },
  };
}
