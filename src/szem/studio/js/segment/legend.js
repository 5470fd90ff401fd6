// What is in the picture: a row per class with its colour, its share of the picture and how sure the network is of it.

import { fill, h } from "../dom.js";

/**
 * @param choose called with the label of the class to show alone, or "" for all
 * @returns {element, show(answer, only)}
 */
export function legend(app, { choose, nameOf }) {
  const { t, percent } = app.words;
  const list = h("ol", { class: "areas", data: { name: "areas" } });
  const rest = h("p", { class: "section-text areas-rest", data: { name: "rest" } });
  let rows = new Map(); // label -> the parts of its row: a live picture changes them, and makes new ones only when it must

  function rowOf(label) {
    const share = h("output", { class: "area-share" });
    const sure = h("span", { class: "area-sure" });
    const button = h(
      "button",
      { type: "button", class: "area-row", data: { label }, on: { click: () => choose(pressed(label) ? "" : label) } },
      h("i", { class: "area-swatch" }),
      h("span", { class: "area-name", text: nameOf(label) }),
      sure,
      share,
      h("span", { class: "area-bar" }),
    );
    return { item: h("li", {}, button), button, share, sure };
  }

  const pressed = (label) => rows.get(label)?.button.getAttribute("aria-pressed") === "true";

  return {
    element: h("div", {}, list, rest),
    show({ areas, background, unknown, unknown_fraction: doubtful }, only) {
      const known = rows;
      rows = new Map(areas.map((area) => [area.label, known.get(area.label) ?? rowOf(area.label)]));
      const order = [...rows.values()].map(({ item }) => item);
      if (order.length !== list.children.length || order.some((item, k) => item !== list.children[k])) {
        const had = document.activeElement;
        fill(list, order);
        if (list.contains(had)) had.focus();
      }
      for (const area of areas) {
        const { button, share, sure } = rows.get(area.label);
        button.style.setProperty("--share", String(area.fraction));
        button.style.setProperty("--swatch", area.color);
        button.setAttribute("aria-pressed", String(area.label === only));
        button.dataset.share = String(area.fraction);
        share.textContent = area.fraction < 0.0005 ? `< ${percent(0.001, 1)}` : percent(area.fraction, area.fraction < 0.1 ? 1 : 0);
        sure.textContent = t("segment.sure", { share: percent(area.confidence) });
      }
      const left = 1 - areas.reduce((sum, { fraction }) => sum + fraction, 0);
      const remarks = [
        areas.length === 0 ? t("segment.nothing") : background ? t("segment.rest", { share: percent(Math.max(0, left - doubtful)) }) : "",
        unknown && doubtful > 0 ? t("segment.unknown", { share: percent(doubtful, doubtful < 0.1 ? 1 : 0) }) : "",
      ];
      rest.textContent = remarks.filter(Boolean).join(" ");
    },
  };
}
