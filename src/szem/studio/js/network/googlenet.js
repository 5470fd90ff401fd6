// GoogLeNet, the first Inception, as its paper gives it, to look at beside the shipped network.
// Source: C. Szegedy et al., Going deeper with convolutions, 2014, table 1.

import { h } from "../dom.js";

/** [name, side of the output, maps, parameters in thousands]; 0 where there is nothing to learn. */
export const GOOGLENET = [
  ["7 × 7 / 2", 112, 64, 2.7],
  ["max 3 × 3 / 2", 56, 64, 0],
  ["1 × 1, 3 × 3", 56, 192, 112],
  ["max 3 × 3 / 2", 28, 192, 0],
  ["inception 3a", 28, 256, 159],
  ["inception 3b", 28, 480, 380],
  ["max 3 × 3 / 2", 14, 480, 0],
  ["inception 4a", 14, 512, 364],
  ["inception 4b", 14, 512, 437],
  ["inception 4c", 14, 512, 463],
  ["inception 4d", 14, 528, 580],
  ["inception 4e", 14, 832, 840],
  ["max 3 × 3 / 2", 7, 832, 0],
  ["inception 5a", 7, 832, 1072],
  ["inception 5b", 7, 1024, 1388],
  ["avg 7 × 7", 1, 1024, 0],
  ["linear, softmax", 1, 1000, 1000],
];

/** @returns the element, folded */
export function googlenetTable({ t, number }) {
  const widest = Math.max(...GOOGLENET.map(([, , maps]) => maps));
  const head = ["layer", "size", "maps", "parameters"].map((key) => h("th", { scope: "col", text: t(`network.googlenet.${key}`) }));
  const rows = GOOGLENET.map(([name, side, maps, thousands]) =>
    h(
      "tr",
      { class: thousands ? "" : "without" },
      h("th", { scope: "row", text: name }),
      h("td", { text: `${side} × ${side}` }),
      h("td", {}, h("span", { class: "maps-bar", vars: { share: `${(100 * maps) / widest}%` } }), h("output", { text: number(maps) })),
      h("td", { text: thousands ? number(thousands * 1000) : "–" }),
    ),
  );
  return h(
    "details",
    { class: "googlenet", data: { name: "googlenet" } },
    h("summary", { text: t("network.googlenet") }),
    h("p", { class: "section-text", text: t("network.googlenet.text") }),
    h("div", { class: "googlenet-table", tabindex: "0", role: "region", "aria-label": t("network.googlenet") }, h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows))),
  );
}
