// Convolution on planes of numbers (Float32Array, row after row). Pure; the twin of szem.kernels.convolve.

import { borderTable } from "./borders.js";
import { flipped, separated, sidesOf } from "./kernel.js";
import { fresh } from "./scratch.js";
import { convolvedSide } from "./sizes.js";

/**
 * Where a kernel's taps stand around the output pixel, zero weights left out.
 * The centre of a side of n taps is n // 2 for correlation; a convolution turns the kernel by half a turn about it.
 * @returns {{dy: number, dx: number, weight: number, row: number, column: number}[]}
 */
export function tapsOf(rows, { dilation = 1, operation = "correlation", keepZeros = false } = {}) {
  const { height, width } = sidesOf(rows);
  const [cy, cx] = centreOf(rows, operation);
  const used = operation === "convolution" ? flipped(rows) : rows;
  const taps = [];
  used.forEach((line, row) =>
    line.forEach((weight, column) => {
      if (weight === 0 && !keepZeros) return;
      taps.push({ dy: (row - cy) * dilation, dx: (column - cx) * dilation, weight, row, column });
    }),
  );
  return taps.length > 0 || height * width === 0 ? taps : [{ dy: 0, dx: 0, weight: 0, row: cy, column: cx }];
}

/** Row and column of the kernel that lie on the output pixel. */
export function centreOf(rows, operation = "correlation") {
  const { height, width } = sidesOf(rows);
  const [cy, cx] = [Math.floor(height / 2), Math.floor(width / 2)];
  return operation === "convolution" ? [height - 1 - cy, width - 1 - cx] : [cy, cx];
}

/**
 * Where the pixel of the input lies that the output's row 0, column 0 is centred on, and the output's size.
 * With a border that is (0, 0); "valid" starts where the kernel fits whole.
 */
export function geometryOf(height, width, rows, { stride = 1, dilation = 1, border = "reflect", operation } = {}) {
  const sides = sidesOf(rows);
  const [cy, cx] = centreOf(rows, operation);
  const valid = border === "valid";
  return {
    top: valid ? cy * dilation : 0,
    left: valid ? cx * dilation : 0,
    height: convolvedSide(height, sides.height, { stride, dilation, border }),
    width: convolvedSide(width, sides.width, { stride, dilation, border }),
  };
}

/**
 * Apply a kernel to one plane.
 * @param plane {{data: Float32Array, height: number, width: number}}
 * @param rows the kernel
 * @param options stride, dilation, border, operation ("correlation" or "convolution"), constant (the border's value),
 *   take (where arrays come from, see scratch.js)
 * @returns a plane; signed, never clipped; with a side of 0 where a valid kernel fits nowhere
 */
export function convolvePlane(plane, rows, options = {}) {
  const {
    stride = 1,
    dilation = 1,
    border = "reflect",
    operation = "correlation",
    constant = 0,
    take = fresh,
  } = options;
  const { height, width } = plane;
  const out = geometryOf(height, width, rows, { stride, dilation, border, operation });
  if (out.height === 0 || out.width === 0) return { data: new Float32Array(0), height: 0, width: 0 };
  const sides = sidesOf(rows);
  const used = operation === "convolution" ? flipped(rows) : rows;
  const [cy, cx] = centreOf(rows, operation);

  // A frame wide enough for every tap; for "valid" nothing is added and the first tap lies on pixel 0.
  const padded = border !== "valid";
  const before = { y: padded ? cy * dilation : 0, x: padded ? cx * dilation : 0 };
  const after = {
    y: padded ? (sides.height - 1 - cy) * dilation : 0,
    x: padded ? (sides.width - 1 - cx) * dilation : 0,
  };
  const source =
    padded && (before.y || before.x || after.y || after.x)
      ? framed(plane, before, after, border, constant, take)
      : plane;

  const parts = separated(used);
  const dense = tapsOf(rows, { operation }).length;
  if (parts.length > 0 && parts.length * (sides.height + sides.width) < dense) {
    const sum = take(out.height * out.width);
    const rowsNeeded = (out.height - 1) * stride + (sides.height - 1) * dilation + 1;
    const middle = { data: take(rowsNeeded * out.width), height: rowsNeeded, width: out.width };
    parts.forEach(({ down, across }, k) => {
      const wide = across.map((weight, i) => ({ dy: 0, dx: i * dilation, weight }));
      gather(middle.data, source, wide, { height: rowsNeeded, width: out.width, strideY: 1, strideX: stride });
      const tall = down.map((weight, i) => ({ dy: i * dilation, dx: 0, weight }));
      const place = { height: out.height, width: out.width, strideY: stride, strideX: 1 };
      gather(sum, middle, tall, { ...place, onto: k > 0 });
    });
    return { data: sum, height: out.height, width: out.width };
  }
  const offsets = used.flatMap((line, y) => line.map((weight, x) => ({ dy: y * dilation, dx: x * dilation, weight })));
  const data = take(out.height * out.width);
  gather(data, source, offsets, { height: out.height, width: out.width, strideY: stride, strideX: stride });
  return { data, height: out.height, width: out.width };
}

/** A plane with a frame around it, filled by the border's rule. */
function framed(plane, before, after, border, constant, take) {
  const { data, height, width } = plane;
  const fullWidth = width + before.x + after.x;
  const fullHeight = height + before.y + after.y;
  const ys = borderTable(height, before.y, after.y, border);
  const xs = borderTable(width, before.x, after.x, border);
  const full = take(fullWidth * fullHeight);
  for (let y = 0; y < fullHeight; y++) {
    const start = y * fullWidth;
    if (ys[y] < 0) {
      full.fill(constant, start, start + fullWidth);
      continue;
    }
    const from = ys[y] * width;
    for (let x = 0; x < before.x; x++) full[start + x] = xs[x] < 0 ? constant : data[from + xs[x]];
    full.set(data.subarray(from, from + width), start + before.x);
    for (let x = before.x + width; x < fullWidth; x++) full[start + x] = xs[x] < 0 ? constant : data[from + xs[x]];
  }
  return { data: full, height: fullHeight, width: fullWidth };
}

/**
 * The sum of weighted, shifted copies, written to `out` (or added, `onto`): nine taps at a time, so that each number is
 * read and written less often.
 */
function gather(out, source, offsets, { height, width, strideY, strideX, onto = false }) {
  const taps = offsets
    .filter(({ weight }) => weight !== 0)
    .map(({ dy, dx, weight }) => ({ at: dy * source.width + dx, weight }));
  while (taps.length === 0 || taps.length % AT_ONCE !== 0) taps.push({ at: 0, weight: 0 });
  const weights = Float64Array.from(taps, ({ weight }) => weight);
  const places = Int32Array.from(taps, ({ at }) => at);
  for (let y = 0; y < height; y++) {
    const from = y * strideY * source.width;
    for (let k = 0; k < taps.length; k += AT_ONCE) {
      if (k === 0 && !onto) out.fill(0, y * width, (y + 1) * width); // a row stays in the processor's cache
      addTaps(out, y * width, width, source.data, from, strideX, weights, places, k);
    }
  }
}

const AT_ONCE = 9;

function addTaps(out, to, width, src, from, step, weights, places, k) {
  const [w0, w1, w2] = [weights[k], weights[k + 1], weights[k + 2]];
  const [w3, w4, w5] = [weights[k + 3], weights[k + 4], weights[k + 5]];
  const [w6, w7, w8] = [weights[k + 6], weights[k + 7], weights[k + 8]];
  let [a0, a1, a2] = [from + places[k], from + places[k + 1], from + places[k + 2]];
  let [a3, a4, a5] = [from + places[k + 3], from + places[k + 4], from + places[k + 5]];
  let [a6, a7, a8] = [from + places[k + 6], from + places[k + 7], from + places[k + 8]];
  for (let x = to; x < to + width; x++) {
    out[x] +=
      w0 * src[a0] +
      w1 * src[a1] +
      w2 * src[a2] +
      w3 * src[a3] +
      w4 * src[a4] +
      w5 * src[a5] +
      w6 * src[a6] +
      w7 * src[a7] +
      w8 * src[a8];
    a0 += step;
    a1 += step;
    a2 += step;
    a3 += step;
    a4 += step;
    a5 += step;
    a6 += step;
    a7 += step;
    a8 += step;
  }
}
