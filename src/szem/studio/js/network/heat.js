// What in the picture mattered: occlusion map and class activation map beside each other, for a class of one's choice.

import { button, messagePlace } from "../controls.js";
import { heatColour } from "../colours.js";
import { fill, h, whenSeen } from "../dom.js";
import { findHeat } from "../lab/server.js";

/**
 * @param nameOf gives a class's name in the visitor's language
 * The likeliest class is asked for as soon as the panel comes near the screen.
 * @returns {element, show(begun, image, {live}), close()}
 */
export function heatPanel(app, { failed, nameOf }) {
  const { words } = app;
  const { t, percent } = words;
  let begun = null;
  let image = null;
  let turn = 0;
  const problem = messagePlace("heat-problem");
  const choices = h("div", { class: "heat-choices" });
  const result = h("div", { class: "heat-result", data: { name: "heat" } });
  const element = h("section", { class: "shelf heat-shelf" }, h("h2", { text: t("network.heat") }), h("p", { class: "section-text", text: t("network.heat.text") }), choices, problem.element, result);

  async function find(classIndex) {
    const mine = ++turn;
    for (const one of choices.children) one.setAttribute("aria-pressed", String(Number(one.dataset.class) === classIndex));
    element.toggleAttribute("data-busy", true);
    try {
      const found = await findHeat(begun.look, classIndex);
      if (mine !== turn) return;
      problem.clear();
      const { occlusion, class_map: classMap } = found;
      fill(
        result,
        h(
          "figure",
          {},
          overlay(occlusion.drop, t("network.occlusion")),
          h("figcaption", {}, h("h3", { text: t("network.occlusion") }), h("p", { text: t("network.occlusion.text", { name: nameOf(found.name), share: percent(Math.max(...occlusion.drop.flat()), 1), window: occlusion.window_px }) })),
        ),
        classMap
          ? h("figure", {}, overlay(classMap.evidence, t("network.class-map")), h("figcaption", {}, h("h3", { text: t("network.class-map") }), h("p", { text: t("network.class-map.text", { name: nameOf(found.name) }) })))
          : h("p", { class: "section-text", text: t("network.no-class-map") }),
      );
      result.dataset.class = String(occlusion.class_index);
    } catch (error) {
      if (mine === turn) failed(error, problem);
    } finally {
      if (mine === turn) element.removeAttribute("data-busy");
    }
  }

  /** The grey picture with a coarse map laid over it. */
  function overlay(map, label) {
    const [rows, columns] = [map.length, map[0].length];
    const top = Math.max(...map.flat(), 1e-9);
    const small = h("canvas", { width: columns, height: rows });
    const context = small.getContext("2d");
    const pixels = context.createImageData(columns, rows);
    map.flat().forEach((v, i) => {
      const share = Math.max(0, v / top);
      pixels.data.set([...heatColour(share).map(Math.round), Math.round(255 * 0.75 * Math.sqrt(share))], i * 4);
    });
    context.putImageData(pixels, 0, 0);
    const canvas = h("canvas", { width: image.naturalWidth, height: image.naturalHeight, role: "img", "aria-label": label });
    const into = canvas.getContext("2d");
    into.filter = "grayscale(1) brightness(0.8)";
    into.drawImage(image, 0, 0);
    into.filter = "none";
    into.imageSmoothingQuality = "high";
    into.drawImage(small, 0, 0, canvas.width, canvas.height);
    return canvas;
  }

  const first = whenSeen(element, () => begun?.answer.length && find(begun.answer[0].class_index));

  return {
    element,
    show(next, nextImage, { live = false } = {}) {
      turn += 1;
      [begun, image] = [next, nextImage];
      element.hidden = next.answer.length === 0;
      fill(result);
      delete result.dataset.class;
      fill(
        choices,
        next.answer.map(({ class_index: index, name, probability }) => button({ text: `${nameOf(name)} ${percent(probability)}`, kind: "quiet", name: "heat-class", press: () => find(index), "data-class": String(index), "aria-pressed": "false" })),
      );
      if (next.answer.length && !live) first.ask();
    },
    close() {
      first.close();
      turn += 1;
    },
  };
}
