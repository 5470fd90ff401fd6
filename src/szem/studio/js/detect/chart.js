// How many things of each class were in sight over the last minute: a line of steps for each class.

import { fill, h, s } from "../dom.js";
import { css, colourOf } from "./palette.js";

const [WIDTH, HEIGHT] = [640, 200];
const MARGIN = { left: 38, right: 10, top: 14, bottom: 34 };
const SPAN_S = 60;
const MOST_LINES = 6;

/** @returns {element, draw(points, total, classes)} */
export function createChart(app, nameOf) {
  const { t, number } = app.words;
  const lines = s("g", { class: "count-lines" });
  const axis = s("g", { class: "chart-axis" });
  const svg = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": t("detect.chart") }, axis, lines);
  const legend = h("figcaption", { class: "count-legend", data: { name: "legend" } });
  const element = h("figure", { class: "chart-figure count-chart", data: { name: "chart" } }, svg, legend);
  let said = "";

  const x = (ago) => WIDTH - MARGIN.right - (ago / SPAN_S) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (count, top) => MARGIN.top + (1 - count / top) * (HEIGHT - MARGIN.top - MARGIN.bottom);

  function paintAxis(top) {
    if (said === String(top)) return;
    said = String(top);
    const step = Math.ceil(top / 4);
    const rows = [];
    for (let count = 0; count <= top; count += step) {
      const text = s("text", { x: MARGIN.left - 8, y: y(count, top) + 4, "text-anchor": "end" });
      text.textContent = number(count);
      rows.push(s("path", { d: `M${MARGIN.left} ${y(count, top)}H${WIDTH - MARGIN.right}` }), text);
    }
    const from = s("text", { x: MARGIN.left, y: HEIGHT - 8 });
    from.textContent = t("detect.chart.from", { seconds: SPAN_S });
    const to = s("text", { x: WIDTH - MARGIN.right, y: HEIGHT - 8, "text-anchor": "end" });
    to.textContent = t("detect.chart.now");
    axis.replaceChildren(...rows, from, to);
  }

  return {
    element,
    /** @param total class -> how many different things so far; classes: their order, which gives the colours */
    draw(points, total, classes) {
      const end = points.at(-1)?.[0] ?? 0;
      const seen = {};
      for (const [, counts] of points) for (const [label, n] of Object.entries(counts)) seen[label] = Math.max(seen[label] ?? 0, n);
      const names = Object.keys(seen).sort((a, b) => seen[b] - seen[a] || a.localeCompare(b)).slice(0, MOST_LINES);
      const top = Math.max(2, ...Object.values(seen));
      paintAxis(top);
      lines.replaceChildren(
        ...names.map((label) => {
          const path = points
            .map(([at, counts], k) => {
              const [px, py] = [x(end - at).toFixed(1), y(counts[label] ?? 0, top).toFixed(1)];
              return k ? `H${px}V${py}` : `M${px} ${py}`;
            })
            .join("");
          return s("path", { d: path, stroke: css(colourOf(classes.indexOf(label))) });
        }),
      );
      fill(
        legend,
        names.map((label) =>
          h(
            "span",
            { class: "count-key", vars: { key: css(colourOf(classes.indexOf(label))) } },
            h("span", { text: nameOf(label) }),
            total[label] ? h("output", { text: t("detect.total", { count: number(total[label]) }) }) : null,
          ),
        ),
      );
      if (names.length === 0) fill(legend, h("span", { class: "section-text", text: t("detect.chart.empty") }));
    },
  };
}
