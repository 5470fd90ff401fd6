// What the inspector shows of one pixel, found out from the layers of a plan. Pure.

import { tapsOf } from "./convolve.js";
import { layersOf, outputNearest, pictureCentre } from "./explain.js";

/** Names of the parts one can look at: two kernels in a row, or edges across and down, have two. */
export function partsOf(plan) {
  return { one: ["only"], two: ["first", "second"], edges: ["across", "down"] }[plan.mode];
}

/**
 * @param planes the picture's planes (grey, or red, green, blue)
 * @param focus {x, y} in pixels of the picture
 * @param part which of partsOf(plan); @param channel which plane
 * @returns null where the answer has no pixel; else {rows, explained, layer, output, taps, pooled, edges, ...}
 */
export function lookAt(planes, plan, focus, { part, channel }) {
  const plane = planes[Math.min(channel, planes.length - 1)];
  const layers = layersOf(plane, plan);
  if (layers.last.height <= 0 || layers.last.width <= 0) return null;
  const at = outputNearest(layers, plan, focus.y, focus.x);
  const chosen = layers.pool ? layers.pool.chosen(at.y, at.x) : at;

  const names = partsOf(plan);
  const which = Math.min(part, names.length - 1);
  let layer = layers.picture;
  let explained;
  if (plan.mode === "two") {
    const between = layers.kernels[1].centreAt(chosen.y, chosen.x);
    if (which === 1) layer = layers.kernels[0];
    explained =
      which === 1 ? layers.kernels[1].explain(chosen.y, chosen.x) : layers.kernels[0].explain(between.y, between.x);
  } else {
    explained = layers.kernels[which].explain(chosen.y, chosen.x);
  }

  const value = layers.last.at(at.y, at.x);
  const shown = Math.min(255, Math.max(0, Math.round(value)));
  return {
    rows: plan.kernels[which],
    border: plan.border,
    explained,
    layer,
    layers,
    partNames: names,
    part: which,
    final: plan.mode !== "two" || which === 1, // the sum on show is the answer, not a step on the way
    channels: planes.length,
    channel: Math.min(channel, planes.length - 1),
    taps: reachOf(layers, plan, chosen, explained, which),
    centre: pictureCentre(layers, plan, at.y, at.x),
    output: { y: at.y, x: at.x, value, shown, cut: value < -0.5 || value > 255.5 },
    edges:
      plan.mode === "edges"
        ? {
            across: layers.kernels[0].at(chosen.y, chosen.x),
            down: layers.kernels[1].at(chosen.y, chosen.x),
            strength: layers.before.at(chosen.y, chosen.x),
          }
        : null,
    pooled: layers.pool
      ? {
          pool: plan.pool,
          window: plan.window,
          value,
          cells: layers.pool.cellsAt(at.y, at.x).map((cell) => ({
            ...cell,
            chosen: plan.pool === "max" && cell.y === chosen.y && cell.x === chosen.x,
          })),
        }
      : null,
  };
}

/** The pixels of the picture that take part: for a second kernel, all that its inputs were made from. */
function reachOf(layers, plan, chosen, explained, which) {
  if (plan.mode !== "two" || which === 0) return explained.cells;
  const first = layers.kernels[0];
  const corner = first.centreAt(0, 0);
  const taps = tapsOf(plan.kernels[0], { dilation: plan.dilation, operation: plan.operation, keepZeros: true });
  const ends = [explained.cells[0], explained.cells.at(-1)];
  return ends.flatMap(({ y, x }) => taps.map(({ dy, dx }) => ({ y: y + corner.y + dy, x: x + corner.x + dx })));
}

/** The pixel of the picture behind an output pixel (what pointing at the answer means). */
export function pictureFocus(planes, plan, output) {
  const layers = layersOf(planes[0], plan);
  if (layers.last.height <= 0 || layers.last.width <= 0) return null;
  const y = Math.min(Math.max(output.y, 0), layers.last.height - 1);
  const x = Math.min(Math.max(output.x, 0), layers.last.width - 1);
  return pictureCentre(layers, plan, y, x);
}
