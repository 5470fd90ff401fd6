// One word or phrase read from the lips of anybody: the likeliest, the runner-up, and plainly whether it is sure.

import { fill, h } from "../dom.js";
import { reasonText } from "./reasons.js";

export const WORDS = ["begin", "choose", "connection", "hello", "navigation", "next", "previous", "start", "stop", "web"];
export const PHRASES = [
  "excuse me",
  "good bye",
  "have a good time",
  "how are you",
  "I am sorry",
  "I love this game",
  "nice to meet you",
  "stop navigation",
  "thank you",
  "you are welcome",
];
/** How often the likeliest is right, for people never learned from: docs/lipread.md. */
const RIGHT = { high: 0.81, low: 0.46 };

const plain = (text) => text.toLowerCase();

/**
 * @param said called with the word that is going to be said, after it is pressed
 * @returns {element, prompt(), show(answer, spoken)}
 */
export function singleView(app, said) {
  const { words } = app;
  const { t, percent } = words;
  let prompt = "hello";
  const result = h("div", { class: "word-result", "aria-live": "polite", data: { name: "word-result" } });
  const list = (name, all) =>
    h(
      "div",
      { class: "word-group" },
      h("h3", { text: t(`lips.single.${name}`) }),
      h(
        "div",
        { class: "word-chips", role: "group", "aria-label": t(`lips.single.${name}`), lang: "en" },
        all.map((text) =>
          h("button", { type: "button", class: "word-chip", text, "aria-pressed": String(text === prompt), on: { click: () => choose(text) } }),
        ),
      ),
    );
  const chips = h("div", { class: "word-lists" }, list("words", WORDS), list("phrases", PHRASES));
  const element = h(
    "div",
    { class: "word-side" },
    h("h2", { text: t("lips.sentence") }),
    result,
    h("h2", { text: t("lips.single.say") }),
    h("p", { class: "section-text", text: t("lips.single.say.text") }),
    chips,
  );

  function choose(text) {
    prompt = text;
    for (const chip of chips.querySelectorAll("button")) chip.setAttribute("aria-pressed", String(chip.textContent === text));
    said(text);
  }

  function row({ name, score }, place) {
    return h(
      "li",
      { class: "word-row", data: { word: name }, vars: { filled: score } },
      h("span", { lang: "en", text: shown(name) }),
      h("output", { text: percent(score) }),
      place === 1 ? h("small", { text: t("lips.single.second") }) : null,
    );
  }

  /** What is read; `spoken` is what the visitor said they would say, empty where nobody knows. */
  function show(answer, spoken) {
    if (!answer) return void fill(result, h("p", { class: "section-text", text: t("lips.single.wait") }));
    const [first] = answer.labels;
    if (!first) {
      fill(result, h("p", { class: "word-none" }, h("strong", { text: `${t("lips.none")}: ` }), reasonText(answer.reason, words)));
      return;
    }
    const share = percent(answer.is_confident ? RIGHT.high : RIGHT.low);
    fill(
      result,
      h("p", { class: "word-best", data: { sure: answer.is_confident ? "yes" : "no" } }, h("span", { lang: "en", text: shown(first.name) }), h("output", { text: percent(first.score) })),
      h("p", { class: "sure", data: { doubt: answer.is_confident ? "no" : "yes", name: "word-sure" }, text: t(answer.is_confident ? "lips.single.confidence" : "lips.single.low-confidence", { share }) }),
      spoken ? h("p", { class: "word-truth", text: t(plain(spoken) === first.name ? "lips.single.right" : "lips.single.wrong", { word: spoken }) }) : null,
      h("ol", { class: "word-rows" }, answer.labels.map(row)),
    );
  }

  show(null, "");
  return { element, prompt: () => prompt, show };
}

/** A phrase as it is written, with the capital I. */
function shown(name) {
  return name.replace(/^i /, "I ");
}
