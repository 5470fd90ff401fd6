// What is in the picture: a row per class with its colour, its share of the picture and how sure the network is of it.
// Classes that the network doubts are folded away, and not painted unless one of them is chosen.

import { fill, h } from "../dom.js";

const SURE = 0.5; // areas of a lower confidence are folded away

/** The labels of areas that are more likely wrong than right. Pure. */
export function doubtfulOf(areas) {
  return areas.filter(({ confidence }) => confidence < SURE).map(({ label }) => label);
}

/**
 * @param choose called with the label of the class to show alone, or "" for all
 * @returns {element, show(answer, only)}
 */
export function legend(app, { choose, nameOf }) {
  const { t, percent } = app.words;
  const list = h("ol", { class: "areas", data: { name: "areas" } });
  const rest = h("p", { class: "section-text areas-rest", data: { name: "rest" } });
  const doubted = h("ol", { class: "areas", data: { name: "doubted" } });
  const summary = h("summary");
  const folded = h("details", { class: "areas-doubted", hidden: true }, summary, doubted);
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

  function arrange(holder, items) {
    if (items.length === holder.children.length && items.every((item, k) => item === holder.children[k])) return;
    const had = document.activeElement;
    fill(holder, items);
    if (holder.contains(had)) had.focus();
  }

  const pressed = (label) => rows.get(label)?.button.getAttribute("aria-pressed") === "true";

  return {
    element: h("div", {}, list, rest, folded),
    show({ areas, background, unknown, unknown_fraction: doubtful }, only) {
      const known = rows;
      rows = new Map(areas.map((area) => [area.label, known.get(area.label) ?? rowOf(area.label)]));
      const doubts = doubtfulOf(areas);
      const itemsOf = (unsure) => [...rows].filter(([label]) => doubts.includes(label) === unsure).map(([, { item }]) => item);
      arrange(list, itemsOf(false));
      arrange(doubted, itemsOf(true));
      folded.hidden = doubts.length === 0;
      summary.textContent = t("segment.doubted", { count: doubts.length });
      for (const area of areas) {
        const { button, share, sure } = rows.get(area.label);
        button.style.setProperty("--share", String(area.fraction));
        button.style.setProperty("--swatch", area.color);
        button.setAttribute("aria-pressed", String(area.label === only));
        button.dataset.share = String(area.fraction);
        share.textContent = area.fraction < 0.0005 ? `< ${percent(0.001, 1)}` : percent(area.fraction, area.fraction < 0.1 ? 1 : 0);
        sure.textContent = t("segment.confidence", { share: percent(area.confidence) });
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
