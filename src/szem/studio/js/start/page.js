// The start page: the promise, a lens to play with, and the path of the lecture from pixels to pictures from words.

import { messagePlace } from "../controls.js";
import { fill, h, icon } from "../dom.js";
import { wordsFor } from "../problems.js";
import { createLens } from "./lens.js";
import { pictogram } from "./pictograms.js";

export const fields = {};

// The path: parts of the lecture and their steps. A step is a page, perhaps with something set on it.
const PATH = [
  {
    part: "pixels",
    steps: [
      { page: "kernels" },
      { page: "kernels", as: "edges", params: { mode: "edges", view: "beside" } },
      { page: "stride" },
    ],
  },
  { part: "networks", steps: [{ page: "triangle" }, { page: "network" }] },
  { part: "machines", steps: [{ page: "recognise" }, { page: "detect" }, { page: "segment" }] },
  { part: "senses", steps: [{ page: "lips" }, { page: "guard" }, { page: "caption" }, { page: "draw" }] },
];

export async function mount(root, app) {
  const { t } = app.words;
  const problem = messagePlace("start-problem");
  const lens = createLens(app);
  lens.ready.catch((error) => problem.show(wordsFor(error, app.words)));
  const open = new Set(app.pages.filter((page) => page.load).map((page) => page.name));
  let count = 0;

  function step({ page, as = page, params = {} }) {
    count += 1;
    const here = open.has(page);
    const title = t(`page.${as}.title`);
    const body = [
      h("span", { class: "step-number", "aria-hidden": "true", text: String(count) }),
      pictogram(as),
      h(
        "span",
        { class: "step-words" },
        h("span", { class: "step-title", text: title }),
        h("span", { class: "step-text", text: t(`page.${as}.text`) }),
      ),
      here
        ? h("span", { class: "step-state" }, h("span", { text: t("start.open") }), icon("right"))
        : h("span", { class: "step-state to-come", text: t("start.to-come") }),
    ];
    return h(
      "li",
      { class: here ? "step" : "step later", data: { step: as } },
      here
        ? h("a", { class: "step-body", href: app.address(page, params) }, body)
        : h("div", { class: "step-body" }, body),
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
          h("a", { class: "button strong", href: app.address("kernels"), text: t("start.begin") }),
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
        h("p", { class: "section-text", text: t("start.path.text") }),
      ),
      PATH.map(({ part, steps }) =>
        h(
          "div",
          { class: "path-part" },
          h("h3", { text: t(`start.part.${part}`) }),
          h("ol", { start: count + 1 }, steps.map(step)),
        ),
      ),
    ),
  );
  return { close: lens.close };
}
