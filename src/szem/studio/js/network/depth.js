// Depth as the lecture counts it: how many kinds of neurons each layer has, as a bar for every layer.

import { h, s } from "../dom.js";
import { googlenetTable } from "./googlenet.js";

const [HEIGHT, TOP, BASE] = [132, 14, 112];
const LINES = [64, 192]; // the first two layers of Inception
const MOST_WIDTH = 14;

/**
 * The layers that make kinds of their own: what only moves, joins or squashes numbers does not count. Pure.
 * @param layers [{index, kind, output_shape}]
 */
export function kindsOf(layers) {
  return layers.filter(({ kernel, kind }) => (kernel && !kind.endsWith("pool")) || kind === "dense" || kind === "concat").map(({ index, output_shape: [count] }) => ({ index, count }));
}

/** How high a bar stands, 0..1: every doubling is one step. Pure. */
export function heightOf(count, most) {
  return Math.log2(count + 1) / Math.log2(most + 1);
}

/** @returns {element, show(layers), mark(index)} */
export function depthChart(app, pick) {
  const { t, number } = app.words;
  const note = h("p", { class: "section-text", data: { name: "depth-note" } });
  const holder = h("div", { class: "depth-holder", tabindex: "0", role: "region", "aria-label": t("network.depth") });
  const element = h("section", { class: "depth", data: { name: "depth" } }, h("h2", { text: t("network.depth") }), note, holder, googlenetTable(app.words));
  let bars = new Map();

  return {
    element,
    show(layers) {
      const kinds = kindsOf(layers);
      element.hidden = kinds.length === 0;
      if (!kinds.length) return;
      const counts = kinds.map(({ count }) => count);
      const [least, most] = [Math.min(...counts), Math.max(...counts)];
      note.textContent = t("network.depth.text", { least: number(least), most: number(most) });
      const step = Math.max(3, Math.min(MOST_WIDTH, Math.floor(880 / kinds.length)));
      const width = 44 + kinds.length * step;
      const y = (count) => BASE - heightOf(count, Math.max(most, 256)) * (BASE - TOP);
      bars = new Map();
      const drawn = kinds.map(({ index, count }, k) => {
        const title = s("title");
        title.textContent = `${layers[index].name}: ${number(count)}`;
        const bar = s("rect", { class: "depth-bar", x: 44 + k * step, y: y(count), width: Math.max(2, step - 2), height: BASE - y(count), "data-layer": index, "data-count": count }, title);
        bar.addEventListener("click", () => pick(index));
        bars.set(index, bar);
        return bar;
      });
      const lines = LINES.map((count) => {
        const text = s("text", { x: 38, y: y(count) + 4, "text-anchor": "end" });
        text.textContent = number(count);
        return s("g", { class: "depth-line" }, s("path", { d: `M42 ${y(count)}H${width}` }), text);
      });
      holder.replaceChildren(s("svg", { viewBox: `0 0 ${width} ${HEIGHT - 16}`, width, height: HEIGHT - 16, class: "depth-chart", role: "img", "aria-label": note.textContent }, ...lines, ...drawn));
    },
    mark(index) {
      for (const [key, bar] of bars) bar.classList.toggle("marked", key === index);
    },
  };
}
