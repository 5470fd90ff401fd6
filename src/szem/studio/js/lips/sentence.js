// The words that were read, large, each lit while it is said; or in their place why there are none.

import { fill, h, icon } from "../dom.js";
import { probabilityText } from "../caption/answer.js";
import { wordAt } from "./answer.js";
import { reasonText } from "./reasons.js";

/**
 * @param choose called with a word that is pressed
 * @returns {element, show(reading), at(seconds, playing)}
 */
export function sentenceView(app, choose) {
  const { words } = app;
  const { t } = words;
  const line = h("div", { class: "said lip-words", role: "group", "aria-label": t("lips.sentence"), lang: "en", data: { name: "lip-words" } });
  let now = [];

  function wordButton(word, place) {
    const share = probabilityText(words, word.confidence);
    return h(
      "button",
      {
        type: "button",
        class: "said-word",
        title: t("lips.word", { from: words.number(word.start_s, 2), to: words.number(word.end_s, 2), share }),
        data: { place: String(place), word: word.text },
        vars: { filled: word.confidence },
        on: { click: () => choose(word) },
      },
      h("span", { text: word.text }),
      h("small", { text: share }),
    );
  }

  function refusal(reading) {
    return h(
      "div",
      { class: "no-reading", lang: words.code },
      icon("warn"),
      h(
        "div",
        {},
        h("strong", { text: t("lips.none") }),
        h("p", { text: reasonText(reading.reason, words) }),
        reading.guess
          ? h("p", { class: "lip-guess" }, t("lips.guess"), " ", h("q", { lang: "en", text: reading.guess }))
          : null,
      ),
    );
  }

  return {
    element: line,
    show(reading) {
      now = reading?.words ?? [];
      line.dataset.state = !reading ? "empty" : now.length > 0 ? "read" : "none";
      fill(line, !reading ? h("p", { class: "lip-wait", lang: words.code, text: t("lips.empty") }) : now.length > 0 ? now.map(wordButton) : refusal(reading));
    },
    /** While it plays, words to come are only hinted at. */
    at(seconds, playing) {
      if (now.length === 0) return;
      const place = wordAt(now, seconds);
      for (const [k, button] of [...line.children].entries()) {
        button.classList.toggle("looked-at", k === place);
        button.classList.toggle("later", playing && seconds < now[k].start_s);
      }
    },
  };
}
