// What the page does to a picture, as data: planned here, carried out by engine-arrays.js or engine-webgl.js. Pure.
//
// A plan is {colour, mode, kernels, operation, stride, dilation, border, pool, window}: mode "one" has one kernel,
// "two" has two in a row (the stride falls on the second), "edges" has the pair that looks across and down.

import { convolvePlane } from "./convolve.js";
import { magnitudeOf } from "./edges.js";
import { composed, sidesOf, sumOf } from "./kernel.js";
import { planesOf } from "./planes.js";
import { poolEdges, poolPlane } from "./pool.js";
import { convolvedSide, pooledSide } from "./sizes.js";

export const MODES = ["one", "two", "edges"];

/** How many numbers a pixel has in a plan. Edges are found in grey. */
export function channelsOf(plan) {
  return plan.colour === "colour" && plan.mode !== "edges" ? 3 : 1;
}

/** The convolutions of a plan, in order: [{rows, stride}, ...]; edges are one step with a pair of kernels. */
export function convolutionsOf(plan) {
  if (plan.mode === "two") {
    return [
      { rows: plan.kernels[0], stride: 1 },
      { rows: plan.kernels[1], stride: plan.stride },
    ];
  }
  return [{ rows: plan.kernels[0], stride: plan.stride }];
}

/** Options of convolvePlane for one step. */
export function optionsOf(plan, stride, take = undefined) {
  return { stride, dilation: plan.dilation, border: plan.border, operation: plan.operation, take };
}

/**
 * The sizes a picture goes through: [{step: "picture"|"kernel"|"pool", height, width, channels, numbers}, ...].
 */
export function stepsOf(height, width, plan) {
  const channels = channelsOf(plan);
  const steps = [];
  const add = (step) => steps.push({ step, height, width, channels, numbers: height * width * channels });
  add("picture");
  for (const { rows, stride } of convolutionsOf(plan)) {
    const sides = sidesOf(rows);
    height = convolvedSide(height, sides.height, optionsOf(plan, stride));
    width = convolvedSide(width, sides.width, optionsOf(plan, stride));
    add("kernel");
  }
  if (plan.pool !== "none") {
    height = pooledSide(height, plan.window);
    width = pooledSide(width, plan.window);
    add("pool");
  }
  return steps;
}

/** Multiplications for one pass over a picture: taps that are not 0, per kept pixel and channel. */
export function multiplicationsOf(height, width, plan) {
  const steps = stepsOf(height, width, plan);
  const taps = (rows) => rows.flat().filter((w) => w !== 0).length;
  if (plan.mode === "edges") return steps[1].numbers * (taps(plan.kernels[0]) + taps(plan.kernels[1]));
  return convolutionsOf(plan).reduce((sum, { rows }, k) => sum + steps[k + 1].numbers * taps(rows), 0);
}

/**
 * The number that the signed view paints at full strength: 255, or less for a kernel whose weights add up to 0 and
 * are small, so that its answer can be seen too. It depends on the kernel alone: a live picture does not flicker.
 */
export function signedFull(plan) {
  const rows = plan.mode === "two" ? composed(plan.kernels[0], plan.kernels[1]) : plan.kernels[0];
  if (Math.abs(sumOf(rows)) > 1e-6) return 255;
  const above = rows.flat().reduce((sum, w) => sum + Math.max(w, 0), 0);
  return above === 0 ? 255 : Math.min(255, (255 * above) / 4);
}

/**
 * Carry a plan out on RGBA bytes; `take` gives the arrays (see scratch.js).
 * @returns planes: one (grey), three (colour), or for edges strength, across and down
 */
export function runPlan(rgba, height, width, plan, take = undefined) {
  const pooling = { pool: plan.pool, window: plan.window };
  if (plan.mode === "edges") {
    const [grey] = planesOf(rgba, height, width, "grey", take);
    const [across, down] = plan.kernels.map((rows) => convolvePlane(grey, rows, optionsOf(plan, plan.stride, take)));
    return poolEdges([magnitudeOf(across, down), across, down], pooling);
  }
  return planesOf(rgba, height, width, plan.colour, take).map((plane) => {
    for (const { rows, stride } of convolutionsOf(plan))
      plane = convolvePlane(plane, rows, optionsOf(plan, stride, take));
    return poolPlane(plane, pooling);
  });
}
