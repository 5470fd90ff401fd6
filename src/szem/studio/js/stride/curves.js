// Measured curves over the shift of a picture: lines with their names at the end, numbers on the axes.

import { h, s } from "../dom.js";

const [WIDTH, HEIGHT] = [560, 300];
const MARGIN = { left: 56, right: 112, top: 14, bottom: 44 };

/**
 * @param series [{name, values, kind}]: kind is a class that gives the line its look
 * @param xs the shifts in pixels
 * @param format how the values are written on the axis
 */
export function curves({ label, xs, series, format, xLabel, cursor = null }) {
  const top = niceTop(Math.max(...series.flatMap((one) => one.values), 1e-6));
  const x = (v) => MARGIN.left + (v / xs.at(-1)) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (v) => MARGIN.top + (1 - v / top) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const text = (content, attributes) => {
    const element = s("text", attributes);
    element.textContent = content;
    return element;
  };
  const grid = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
    s("path", { d: `M${MARGIN.left} ${y(share * top)}H${WIDTH - MARGIN.right}`, class: "grid-line" }),
    text(format(share * top), { x: MARGIN.left - 8, y: y(share * top) + 4, "text-anchor": "end" }),
  ]);
  const ticks = xs.filter((v) => v % 4 === 0).map((v) => text(String(v), { x: x(v), y: HEIGHT - MARGIN.bottom + 19, "text-anchor": "middle" }));
  const ends = spread(series.map((one) => y(one.values.at(-1))), 15);
  const lines = series.flatMap((one, k) => [
    s("path", { d: one.values.map((v, i) => `${i ? "L" : "M"}${x(xs[i]).toFixed(1)} ${y(v).toFixed(1)}`).join(""), class: `curve ${one.kind}` }),
    ...one.values.map((v, i) => s("circle", { cx: x(xs[i]), cy: y(v), r: 2.4, class: `curve-dot ${one.kind}` })),
    text(one.name, { x: WIDTH - MARGIN.right + 8, y: ends[k] + 4, class: `curve-name ${one.kind}` }),
  ]);
  const mark = cursor === null ? [] : [s("path", { d: `M${x(cursor)} ${MARGIN.top}V${HEIGHT - MARGIN.bottom}`, class: "curve-cursor" })];
  return h(
    "figure",
    { class: "curves" },
    s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": label }, ...grid, ...ticks, ...mark, ...lines, text(xLabel, { x: (MARGIN.left + WIDTH - MARGIN.right) / 2, y: HEIGHT - 4, "text-anchor": "middle" })),
  );
}

/** A round number just above. */
export function niceTop(value) {
  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 1.2, 1.6, 2, 2.5, 3, 4, 5, 6, 8, 10].map((k) => k * size).find((v) => v >= value * 0.999);
}

/** Push places apart so that names do not lie on each other; keeps their order. */
export function spread(places, gap) {
  const order = places.map((_, i) => i).sort((a, b) => places[a] - places[b]);
  const out = [...places];
  for (let k = 1; k < order.length; k++) out[order[k]] = Math.max(out[order[k]], out[order[k - 1]] + gap);
  const over = Math.max(0, (out[order.at(-1)] ?? 0) - 258);
  if (over > 0) {
    out[order.at(-1)] -= over;
    for (let k = order.length - 2; k >= 0; k--) out[order[k]] = Math.min(out[order[k]], out[order[k + 1]] - gap);
  }
  return out;
}
