// How the answer is shown: clipped, signed or both (for edges: strength, direction or both), zeros marked, the legend.

import { segmented, toggle } from "../controls.js";
import { fill, h } from "../dom.js";
import { signedFull } from "./plan.js";
import { VIEWS, planOf, viewsOf } from "./settings.js";

const EDGE_VIEWS = { clipped: "strength", signed: "direction", beside: "beside" };

/**
 * @returns {element, paint(), legend()}: paint after the mode has changed, legend after the kernel has
 */
export function viewChoice(app, state, table, change) {
  const { t, number } = app.words;
  const choices = h("div", { class: "view-choices" });
  const legend = h("div", { class: "legend", data: { name: "legend" } });
  const zeros = toggle({
    label: t("kernels.zeros"),
    name: "zeros",
    value: state.zeros,
    change: (on) => change({ zeros: on }),
  });

  function paint() {
    const edges = state.mode === "edges";
    fill(
      choices,
      segmented({
        label: t("kernels.view"),
        name: "view",
        hideLabel: true,
        options: VIEWS.map((value) => ({ value, text: t(`view.${edges ? EDGE_VIEWS[value] : value}`) })),
        value: state.view,
        change: (view) => change({ view }),
      }),
    );
    paintLegend();
  }

  function paintLegend() {
    const names = viewsOf(state);
    legend.hidden = !names.includes("signed") && !names.includes("direction");
    if (names.includes("signed")) {
      const full = signedFull(planOf(state, table));
      const end = number(full, full < 10 ? 1 : 0);
      fill(legend, h("span", { text: `−${end}` }), h("i", { class: "ramp" }), h("span", { text: `+${end}` }));
    } else {
      const ring = ["→", "↓", "←", "↑"].map((arrow, k) => h("span", { class: `turn turn-${k}`, text: arrow }));
      fill(legend, h("span", { text: t("view.brighter-towards") }), ring);
    }
  }

  paint();
  return { element: h("div", { class: "under" }, choices, zeros, legend), paint, legend: paintLegend };
}
