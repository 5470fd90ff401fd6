// The drawing large: the sketch of the first stage and the refined picture beside it; below, all drawings of the sentence.

import { fill, h, icon } from "../dom.js";
import { pngUrl } from "./answer.js";

/**
 * @param choose called with the place of a drawing that is pressed
 * @returns {pair, sheet, show(pictures, chosen, text)}
 */
export function createEasel(app, { count, choose }) {
  const { t } = app.words;
  const sketch = figure("sketch");
  const refined = figure("refined");
  const arrow = icon("right");
  arrow.classList.add("easel-arrow");
  const sheet = h("ol", { class: "draw-sheet", "aria-label": t("draw.nine") });
  fill(sheet, Array.from({ length: count }, () => h("li", {}, h("div", { class: "draw-cell" }))));

  function figure(name) {
    const image = h("img", { class: "easel-picture", alt: "", hidden: true, data: { name } });
    const size = h("output", {});
    const caption = h("figcaption", { class: "caption" }, h("span", { text: t(`draw.${name}`) }), size);
    return { image, size, element: h("figure", { class: `easel-${name}` }, h("div", { class: "easel-frame" }, image), caption) };
  }

  function paint({ image, size }, content, alt) {
    image.hidden = !content;
    size.textContent = "";
    if (!content) return;
    image.onload = () => (size.textContent = `${image.naturalWidth} × ${image.naturalHeight}`);
    image.src = pngUrl(content);
    image.alt = alt;
  }

  return {
    pair: h("div", { class: "easel" }, sketch.element, arrow, refined.element),
    sheet,
    show(pictures, chosen, text) {
      paint(sketch, pictures[chosen]?.sketch, t("draw.sketch-of", { text }));
      paint(refined, pictures[chosen]?.picture, t("draw.picture-of", { text }));
      const cells = Array.from({ length: count }, (_, k) => {
        const one = pictures[k];
        if (!one) return h("li", {}, h("div", { class: "draw-cell" }));
        const image = h("img", { src: pngUrl(one.picture), alt: "" });
        return h(
          "li",
          {},
          h(
            "button",
            {
              type: "button",
              class: "draw-cell",
              "aria-label": t("draw.nth", { n: k + 1 }),
              "aria-pressed": String(k === chosen),
              data: { place: String(k) },
              on: { click: () => choose(k) },
            },
            image,
          ),
        );
      });
      fill(sheet, cells);
    },
  };
}
