// What the kernels page can be set to, what its address holds, and the plan that follows from it. Pure.

import { choice, flag, whole, words } from "../url-state.js";
import { BORDERS } from "./borders.js";
import { edgePairs } from "./edges.js";
import { parseRows } from "./kernel.js";
import { MODES } from "./plan.js";
import { POOLS } from "./pool.js";

export const CUSTOM = "custom";
export const LARGEST_KERNEL = 31;
export const OPERATIONS = ["correlation", "convolution"];
export const VIEWS = ["clipped", "signed", "beside"];

export const fields = {
  picture: words("cameraman", 100),
  colour: choice("grey", ["grey", "colour"]),
  mode: choice("one", MODES),
  kernel: words("sobel-x", 60),
  weights: words(""),
  second: words("box", 60),
  weights2: words(""),
  edges: words("sobel", 60),
  operation: choice("correlation", OPERATIONS),
  stride: whole(1, 1, 4),
  dilation: whole(1, 1, 8),
  border: choice("reflect", BORDERS),
  pool: choice("none", POOLS),
  window: whole(2, 2, 4),
  view: choice("clipped", VIEWS),
  zeros: flag(false),
  size: choice("fit", ["fit", "true"]),
  at: words("", 20),
  engine: choice("auto", ["auto", "webgl", "arrays"]),
};

/** Which fields hold a slot's kernel: the first, or the second of two in a row. */
const SLOTS = [
  { name: "kernel", weights: "weights" },
  { name: "second", weights: "weights2" },
];

/**
 * The kernel in a slot: {name, rows, entry}; entry is its line in the table, null for one of the visitor's own.
 * A name or numbers that mean nothing give the first kernel of the table.
 */
export function kernelIn(state, slot, table) {
  const { name, weights } = SLOTS[slot];
  if (state[name] === CUSTOM) {
    const rows = parseRows(state[weights]);
    if (rows && rows.length <= LARGEST_KERNEL && rows[0].length <= LARGEST_KERNEL) return { name: CUSTOM, rows, entry: null };
  }
  const entry = table.find((one) => one.name === state[name]) ?? table[0];
  return { name: entry.name, rows: entry.weights, entry };
}

/** The changes of state that put a kernel into a slot. */
export function slotChange(slot, name, weightsText = "") {
  return { [SLOTS[slot].name]: name, [SLOTS[slot].weights]: weightsText };
}

export function edgesIn(state, table) {
  const pairs = edgePairs(table);
  return pairs.find((pair) => pair.name === state.edges) ?? pairs[0];
}

/** The plan (see plan.js) of a state. */
export function planOf(state, table) {
  let kernels;
  if (state.mode === "edges") {
    const { x, y } = edgesIn(state, table);
    kernels = [x.weights, y.weights];
  } else {
    kernels = [kernelIn(state, 0, table).rows];
    if (state.mode === "two") kernels.push(kernelIn(state, 1, table).rows);
  }
  const { colour, mode, stride, dilation, border, pool, window } = state;
  const operation = mode === "edges" ? "correlation" : state.operation; // so that brighter to the right is positive
  return { colour, mode, kernels, operation, stride, dilation, border, pool, window };
}

/** The views on show: one or two of "clipped", "signed", "strength", "direction". */
export function viewsOf(state) {
  const pair = state.mode === "edges" ? ["strength", "direction"] : ["clipped", "signed"];
  if (state.view === "beside") return pair;
  return [pair[state.view === "signed" ? 1 : 0]];
}

/** "12,40" -> {x: 12, y: 40} within a picture, or null. */
export function readPixel(text, height, width) {
  const match = text.match(/^(\d+),(\d+)$/);
  if (!match) return null;
  const [x, y] = [Number(match[1]), Number(match[2])];
  return x < width && y < height ? { x, y } : null;
}

/** Where the inspector looks before anyone has pointed: a little off the middle, where pictures have something. */
export function firstPixel({ width, height }) {
  return { x: Math.round(width * 0.45), y: Math.round(height * 0.3) };
}
