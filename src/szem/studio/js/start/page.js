// The start page: the promise, a lens to play with, and the path of the lecture from pixels to pictures from words.

import { messagePlace } from "../controls.js";
import { fill, h, icon } from "../dom.js";
import { lectureOf, marked } from "../lecture/lecture.js";
import { wordsFor } from "../problems.js";
import { createLens } from "./lens.js";
import { pictogram } from "./pictograms.js";

export const fields = {};

/** A text up to its first full stop or colon that ends a clause. */
const firstSentence = (text) => /^.*?[.:;](?= |$)/.exec(text)[0].replace(/[:;]$/, ".");

export async function mount(root, app) {
  const { t } = app.words;
  const problem = messagePlace("start-problem");
  const lens = createLens(app);
  lens.ready.catch((error) => problem.show(wordsFor(error, app.words)));
  const { words: said, steps } = await lectureOf(app.words.code);

  function stepOf(step) {
    const [place] = step.places;
    return h(
      "li",
      { class: "step", data: { step: step.name } },
      h(
        "a",
        { class: "step-body", href: app.address(place.page, { ...Object.fromEntries(place.params), step: step.number }) },
        h("span", { class: "step-number", "aria-hidden": "true", text: String(step.number) }),
        pictogram(step.name),
        h(
          "span",
          { class: "step-words" },
          h("span", { class: "step-title", text: step.title }),
          h("span", { class: "step-text" }, marked(firstSentence(step.text))),
        ),
        h("span", { class: "step-state" }, icon("right")),
      ),
    );
  }

  fill(
    root,
    h(
      "section",
      { class: "hero" },
      h(
        "div",
        { class: "hero-words" },
        h("h1", { text: t("page.start.title") }),
        h("p", { class: "hero-text", text: t("page.start.text") }),
        h("p", { class: "lead", text: t("start.lead") }),
        h(
          "p",
          { class: "hero-buttons" },
          h("a", { class: "button strong", href: app.address("kernels", { kernel: "identity", at: "228,126", step: 1 }), text: t("start.begin") }),
          h("a", { class: "button", href: app.address("recognise"), text: t("start.recognise") }),
        ),
        problem.element,
      ),
      lens.element,
    ),
    h(
      "section",
      { class: "path", "aria-labelledby": "path-title" },
      h(
        "div",
        { class: "path-head" },
        h("h2", { id: "path-title", text: t("start.path") }),
        h("p", {}, h("a", { href: app.address("handout"), text: t("page.handout.title") })),
      ),
      Object.entries(said.parts).map(([part, title]) => {
        const inside = steps.filter((step) => step.part === part);
        return h(
          "div",
          { class: "path-part" },
          h("h3", { text: title }),
          h("ol", { start: inside[0].number }, inside.map(stepOf)),
        );
      }),
    ),
  );
  return { close: lens.close };
}
