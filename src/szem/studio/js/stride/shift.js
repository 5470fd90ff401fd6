// Part two of the stride page: the picture moves, and what a real network says changes. Everything here is measured.

import { messagePlace, segmented, select, slider } from "../controls.js";
import { fill, h } from "../dom.js";
import { fetchNetworks, findShift, look } from "../lab/server.js";
import { wordsFor } from "../problems.js";
import { curves } from "./curves.js";

/** @returns {element, show(still), close()} */
export function shiftPart(app) {
  const { words, state } = app;
  const { t, number, percent } = words;
  let still = null;
  let answer = null; // the look
  let curve = null;
  let turn = 0;

  const problem = messagePlace("shift-problem");
  const networkHolder = h("div", {});
  const charts = h("div", { class: "shift-charts" });
  const said = h("div", { class: "shift-said", data: { name: "said" } });
  const canvas = h("canvas", { width: 224, height: 224, role: "img", "aria-label": t("stride.moved") });
  const shiftSlider = slider({
    label: t("stride.shift"),
    name: "shift",
    value: state.shift,
    least: 0,
    greatest: 16,
    show: (n) => t("pixels", { count: number(n) }),
    change: (shift) => {
      app.set({ shift });
      paint();
    },
  });
  const poolPick = segmented({
    label: t("stride.pooling"),
    name: "pooling",
    hideLabel: true,
    options: ["max", "mean"].map((value) => ({ value, text: t(`stride.pooling.${value}`) })),
    value: state.pooling,
    change: (pooling) => {
      app.set({ pooling });
      paint();
    },
  });
  const element = h(
    "section",
    { class: "shelf shift", "aria-label": t("stride.move") },
    h("div", { class: "part-head" }, h("h2", { text: t("stride.move") }), networkHolder),
    h("p", { class: "section-text", text: t("stride.move.text") }),
    problem.element,
    h("div", { class: "shift-grid" }, h("div", { class: "shift-picture" }, canvas, shiftSlider, said), charts),
  );

  fetchNetworks().then(
    ({ networks }) => {
      const fitting = networks.filter((one) => one.task === "classify");
      if (!fitting.some((one) => one.name === state.network)) app.set({ network: fitting[0]?.name ?? "" });
      fill(
        networkHolder,
        fitting.length > 1
          ? select({
              label: t("stride.network"),
              name: "network",
              hideLabel: true,
              groups: [{ options: fitting.map(({ name, title }) => ({ value: name, text: title })) }],
              value: state.network,
              change: (network) => {
                app.set({ network });
                measure();
              },
            })
          : h("p", { class: "caption", text: state.network }),
      );
      measure();
    },
    (error) => problem.show(wordsFor(error, words)),
  );

  async function measure() {
    if (!curve) fill(charts, h("p", { class: "section-text", role: "status", text: t("stride.measuring") }));
    if (!still || !state.network) return;
    const mine = ++turn;
    element.toggleAttribute("data-busy", true);
    try {
      const begun = await look(state.network, still);
      const found = await findShift(begun.look);
      if (mine !== turn) return;
      problem.clear();
      [answer, curve] = [begun, found];
      element.dataset.measured = String(mine);
      paint();
    } catch (error) {
      if (mine === turn) problem.show(wordsFor(error, words));
    } finally {
      if (mine === turn) element.removeAttribute("data-busy");
    }
  }

  function paint() {
    if (!still || !answer) return;
    // The same window over the picture as the network's: its crop, moved by the shift.
    const [x0, y0, x1, y1] = answer.crop_xyxy;
    const scale = still.width / answer.picture_size[1];
    const [rows, columns] = answer.input_size;
    Object.assign(canvas, { width: columns, height: rows });
    const unit = ((x1 - x0) / columns) * scale;
    canvas.getContext("2d").drawImage(still.canvas, x0 * scale + (state.shift - 8) * unit, y0 * scale, columns * unit, (y1 - y0) * scale, 0, 0, columns, rows);
    if (!curve) return;
    const k = curve.shifts_px.indexOf(state.shift);
    const name = answer.answer.find((one) => one.class_index === curve.top_class)?.name ?? String(curve.top_class);
    const row = (key, share, distance) =>
      h(
        "div",
        { class: "said-row" },
        h("span", { text: t(`stride.read.${key}`) }),
        h("output", { text: percent(share, 1) }),
        h("small", { text: t("stride.changed", { share: percent(distance, 1) }) }),
      );
    fill(
      said,
      h("p", { class: "said-name", text: name }),
      curve.pooled_probability.length ? row("pooled", curve.pooled_probability[k], curve.pooled_distance[k]) : null,
      curve.single_probability.length ? row("single", curve.single_probability[k], curve.single_distance[k]) : null,
    );
    const change = state.pooling === "max" ? curve.max_change : curve.mean_change;
    fill(
      charts,
      h(
        "div",
        {},
        h("h3", { text: t("stride.chart.answer") }),
        curves({
          label: t("stride.chart.answer"),
          xs: curve.shifts_px,
          format: (v) => percent(v),
          xLabel: t("stride.chart.x"),
          cursor: state.shift,
          series: [
            { name: t("stride.curve.pooled"), values: curve.pooled_distance, kind: "with" },
            { name: t("stride.curve.single"), values: curve.single_distance, kind: "without" },
          ].filter((one) => one.values.length),
        }),
      ),
      h(
        "div",
        {},
        h("div", { class: "chart-head" }, h("h3", { text: t("stride.chart.maps", { layer: curve.layer }) }), poolPick),
        curves({
          label: t("stride.chart.maps", { layer: curve.layer }),
          xs: curve.shifts_px,
          format: (v) => percent(v),
          xLabel: t("stride.chart.x"),
          cursor: state.shift,
          series: curve.window_names.map((window, i) => ({ name: window === "none" || window === "all" ? t(`stride.window.${window}`) : `${window} × ${window}`, values: change[i], kind: `window-${i}` })),
        }),
      ),
    );
  }

  return {
    element,
    show(next) {
      still = next;
      [answer, curve] = [null, null];
      measure();
    },
    close() {
      turn += 1;
    },
  };
}
