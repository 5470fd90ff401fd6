// Part three of the stride page: how far one neuron sees after n layers, and what that costs, measured.

import { messagePlace, segmented, slider } from "../controls.js";
import { fill, h } from "../dom.js";
import { heatColour } from "../colours.js";
import { measureStack } from "../lab/server.js";
import { wordsFor } from "../problems.js";
import { pixelsSeen } from "./restore.js";

export const RATES = ["1", "2", "4", "grow"];
const CHANNELS = 32;
const SIDE = 64;
const WINDOW = 49; // pixels of the picture on show

/** The layers that the controls ask for. */
export function layersOf({ layers, kernel, step, rate }) {
  return Array.from({ length: layers }, (_, i) => ({ kernel, stride: step, rate: rate === "grow" ? 2 ** Math.min(i, 4) : Number(rate) }));
}

const three = (rate) => Array.from({ length: 3 }, (_, i) => ({ kernel: 3, stride: 1, rate: rate === "grow" ? 2 ** i : rate }));
/** What stands beside one's own. */
export const BESIDE = [
  { name: "dense", layers: three(1) },
  { name: "grow", layers: three("grow") },
  { name: "gaps", layers: three(4) },
  { name: "large", layers: [{ kernel: 15, stride: 1, rate: 1 }] },
];

/** @returns {element, show(still), close()} */
export function localityPart(app) {
  const { words, state } = app;
  const { t, number } = words;
  let still = null;
  let closed = false;
  let wish = 0;
  const measured = new Map(); // text of the layers -> report

  const problem = messagePlace("locality-problem");
  const canvas = h("canvas", { width: WINDOW * 8, height: WINDOW * 8, role: "img", "aria-label": t("stride.field") });
  const facts = h("dl", { class: "facts", data: { name: "field" } });
  const rows = h("tbody", {});
  const pick = (name, options, read = Number) =>
    segmented({
      label: t(`stride.stack.${name}`),
      name: `stack-${name}`,
      options,
      value: String(state[name]),
      change: (value) => {
        app.set({ [name]: read(value) });
        paint();
        measureAll();
      },
    });
  const controls = h(
    "div",
    { class: "stack-controls" },
    slider({
      label: t("stride.stack.layers"),
      name: "stack-layers",
      value: state.layers,
      least: 1,
      greatest: 6,
      change: (layers) => {
        app.set({ layers });
        paint();
        measureAll();
      },
    }),
    pick("kernel", ["3", "5", "7"].map((value) => ({ value, text: `${value} × ${value}` }))),
    pick("step", ["1", "2"].map((value) => ({ value, text: value }))),
    pick("rate", RATES.map((value) => ({ value, text: value === "grow" ? "1 2 4 8" : value })), String),
  );
  const element = h(
    "section",
    { class: "shelf locality", "aria-label": t("stride.locality") },
    h("h2", { text: t("stride.locality") }),
    h("p", { class: "section-text", text: t("stride.locality.text") }),
    problem.element,
    h(
      "div",
      { class: "locality-grid" },
      h("div", { class: "field-picture" }, canvas),
      h("div", {}, controls, facts),
      h(
        "div",
        { class: "stack-table", tabindex: "0", role: "region", "aria-label": t("stride.locality") },
        h(
          "table",
          { data: { name: "stacks" } },
          h("thead", {}, h("tr", {}, ["stack", "field", "seen", "parameters", "products", "time"].map((key) => h("th", { scope: "col", text: t(`stride.table.${key}`) })))),
          rows,
        ),
        h("p", { class: "section-text", text: t("stride.table.note", { channels: CHANNELS, side: SIDE }) }),
      ),
    ),
  );

  const textOf = (layers) => layers.map((l) => `${l.kernel}:${l.stride}:${l.rate}`).join(",");

  function paint() {
    const counts = pixelsSeen(layersOf(state));
    drawField(counts);
    const seen = counts.filter((c) => c > 0).length;
    const gaps = counts.length - seen;
    const fact = (name, value) => [h("dt", { text: t(`stride.fact.${name}`) }), h("dd", {}, h("output", { text: value, data: { fact: name } }))];
    fill(facts, fact("field", `${number(counts.length)} × ${number(counts.length)}`), fact("seen", number(seen * seen)), fact("gaps", gaps ? number(counts.length ** 2 - seen * seen) : t("stride.no-gaps")));
    paintTable();
  }

  /** The middle of the picture, pixel by pixel; light where the neuron looks, dark where it does not. */
  function drawField(counts) {
    const window = Math.max(WINDOW, Math.min(129, counts.length + 4));
    const cell = Math.floor(520 / window);
    Object.assign(canvas, { width: window * cell, height: window * cell });
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    if (still) {
      const side = Math.min(still.width, still.height, window * 2);
      context.drawImage(still.canvas, (still.width - side) / 2, (still.height - side) / 2, side, side, 0, 0, canvas.width, canvas.height);
    }
    context.fillStyle = "rgb(18 18 14 / 64%)";
    context.fillRect(0, 0, canvas.width, canvas.height);
    const from = Math.round((window - counts.length) / 2);
    const top = Math.max(...counts) ** 2;
    for (let y = 0; y < counts.length; y++) {
      for (let x = 0; x < counts.length; x++) {
        const weight = (counts[y] * counts[x]) / top;
        if (weight === 0) continue;
        const [r, g, b] = heatColour(0.35 + 0.65 * Math.sqrt(weight));
        context.fillStyle = `rgb(${r} ${g} ${b} / 92%)`;
        context.fillRect((from + x) * cell, (from + y) * cell, cell > 3 ? cell - 1 : cell, cell > 3 ? cell - 1 : cell);
      }
    }
    context.strokeStyle = "#ffc400";
    context.lineWidth = 3;
    context.strokeRect(from * cell - 2, from * cell - 2, counts.length * cell + 3, counts.length * cell + 3);
  }

  function paintTable() {
    const all = [{ name: "own", layers: layersOf(state) }, ...BESIDE];
    const times = all.map(({ layers }) => measured.get(textOf(layers))?.time_ms).filter((v) => v !== undefined);
    const top = Math.max(...times, 0.001);
    fill(
      rows,
      all.map(({ name, layers }) => {
        const counts = pixelsSeen(layers);
        const seen = counts.filter((c) => c > 0).length;
        const report = measured.get(textOf(layers));
        return h(
          "tr",
          { data: { stack: name } },
          h("th", { scope: "row", text: t(`stride.beside.${name}`) }),
          h("td", { text: `${counts.length} × ${counts.length}` }),
          h("td", { text: number(seen * seen) }),
          h("td", { text: report ? number(report.parameters) : "…" }),
          h("td", { text: report ? t("stride.millions", { count: number(report.multiplications / 1e6) }) : "…" }),
          h("td", { class: "time" }, h("span", { class: "bar", vars: { share: `${((report?.time_ms ?? 0) / top) * 100}%` } }), h("output", { text: report ? `${number(report.time_ms, 1)} ms` : "…" })),
        );
      }),
    );
  }

  /** One after the other, so that they do not disturb each other's times. */
  async function measureAll() {
    const mine = ++wish;
    delete element.dataset.measured;
    try {
      for (const { layers } of [{ layers: layersOf(state) }, ...BESIDE]) {
        if (measured.has(textOf(layers))) continue;
        const report = await measureStack(layers, CHANNELS, SIDE);
        if (closed) return;
        measured.set(textOf(layers), report);
        paintTable();
        if (mine !== wish) return;
      }
      problem.clear();
      element.dataset.measured = "yes";
    } catch (error) {
      if (!closed && mine === wish) problem.show(wordsFor(error, words));
    }
  }

  paint();
  measureAll();
  return {
    element,
    show(next) {
      still = next;
      paint();
    },
    close() {
      closed = true;
    },
  };
}
