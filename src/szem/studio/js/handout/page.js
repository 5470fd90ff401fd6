// The hand-out: all steps of the lecture on one page, to read through and to print.

import { button } from "../controls.js";
import { fill, h } from "../dom.js";
import { lectureOf, marked } from "../lecture/lecture.js";
import { pictogram } from "../start/pictograms.js";

export const fields = {};

export async function mount(root, app) {
  const { t, code } = app.words;
  const { words, steps } = await lectureOf(code);
  const part = (name) =>
    h(
      "section",
      { class: "handout-part", "aria-label": words.parts[name] },
      h("h2", { text: words.parts[name] }),
      steps.filter((step) => step.part === name).map(stepOf),
    );
  const questionOf = ({ question }) => h("p", { class: "handout-question" }, h("strong", { text: `${words.ask}: ` }), marked(question));
  const stepOf = (step) =>
    h(
      "article",
      { class: "handout-step", data: { step: step.name } },
      pictogram(step.name),
      h(
        "div",
        {},
        h(
          "h3",
          {},
          h("span", { class: "handout-number", text: String(step.number) }),
          h("a", { href: app.address(step.places[0].page, { ...Object.fromEntries(step.places[0].params), step: step.number }), text: step.title }),
        ),
        h("p", {}, marked(step.text)),
        step.note ? h("p", {}, marked(step.note)) : null,
        h("pre", { class: "handout-command", tabindex: "0", "aria-label": t("handout.command"), text: step.commands.join("\n") }),
        questionOf(step),
        Object.entries(step.pages ?? {}).map(([page, said]) => [
          h("h4", {}, h("a", { href: app.address(page, { step: step.number }), text: said.title })),
          h("p", {}, marked(said.text)),
          questionOf(said),
        ]),
        h("div", { class: "handout-lines", "aria-hidden": "true" }),
      ),
    );
  fill(
    root,
    h(
      "div",
      { class: "page-head" },
      h("div", {}, h("h1", { text: words.title }), h("p", { class: "lead", text: t("handout.lead") })),
      button({ text: t("handout.print"), kind: "strong", name: "print", press: () => print() }),
    ),
    Object.keys(words.parts).map(part),
  );
  return { close() {} };
}
