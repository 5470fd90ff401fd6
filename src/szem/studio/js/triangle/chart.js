// Loss and accuracy over the steps, drawn as they come.

import { h, s } from "../dom.js";

const [WIDTH, HEIGHT] = [520, 190];
const MARGIN = { left: 44, right: 54, top: 12, bottom: 28 };

/** @returns {element, clear(), add(points, step, right)}; a point is [step, loss, right]; right is null where nothing was scored */
export function createChart(app) {
  const { t, percent, number } = app.words;
  const losses = s("path", { class: "chart-loss" });
  const rights = s("path", { class: "chart-right" });
  const scores = s("g", { class: "chart-scores" });
  const axis = s("g", { class: "chart-axis" });
  const svg = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": t("triangle.chart") }, axis, losses, rights, scores);
  const element = h(
    "figure",
    { class: "chart-figure", data: { name: "chart" } },
    svg,
    h("figcaption", { class: "chart-legend" }, h("span", { class: "key loss", text: t("triangle.loss") }), h("span", { class: "key right", text: t("triangle.right") }), h("span", { class: "key score", text: t("triangle.unseen") })),
  );
  let points = [];
  let marks = [];
  let steps = 100;
  let top = 1.2;

  const x = (step) => MARGIN.left + (step / steps) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (share) => MARGIN.top + (1 - share) * (HEIGHT - MARGIN.top - MARGIN.bottom);

  /** A running mean, so that the eye sees the course and not the dice. */
  function smooth(k) {
    let mean = points[0]?.[k] ?? 0;
    return points.map((point) => [point[0], (mean += (point[k] - mean) * 0.15)]);
  }

  function draw() {
    top = Math.max(1.2, ...points.slice(0, 5).map(([, loss]) => Math.min(loss, 3)));
    const path = (pairs, scale) => pairs.map(([step, v], k) => `${k ? "L" : "M"}${x(step).toFixed(1)} ${y(Math.min(1, v / scale)).toFixed(1)}`).join("");
    losses.setAttribute("d", path(smooth(1), top));
    rights.setAttribute("d", path(smooth(2), 1));
    scores.replaceChildren(...marks.map(([step, right]) => s("circle", { cx: x(step), cy: y(right), r: 4 })));
    const lines = [0, 0.5, 1].flatMap((share) => {
      const left = s("text", { x: MARGIN.left - 6, y: y(share) + 4, "text-anchor": "end" });
      left.textContent = number(share * top, 1);
      const right = s("text", { x: WIDTH - MARGIN.right + 6, y: y(share) + 4 });
      right.textContent = percent(share);
      return [s("path", { d: `M${MARGIN.left} ${y(share)}H${WIDTH - MARGIN.right}` }), left, right];
    });
    const end = s("text", { x: WIDTH - MARGIN.right, y: HEIGHT - 8, "text-anchor": "end" });
    end.textContent = t("triangle.steps", { count: number(steps) });
    axis.replaceChildren(...lines, end);
  }
  draw();

  return {
    element,
    clear(count) {
      [points, marks, steps] = [[], [], count];
      draw();
    },
    add(more, step, right) {
      points.push(...more);
      if (right !== null) marks.push([step, right]);
      draw();
    },
  };
}
