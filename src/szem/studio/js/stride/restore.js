// Fewer numbers and back again: take away, restore, and measure what is lost. Pure; planes are {data, height, width}.

import { poolPlane } from "../kernels/pool.js";

export const WAYS = ["skip", "max", "average"];

/** Every n-th number in both directions, the first of each n × n square: a stride. */
export function skipPlane({ data, height, width }, stride) {
  const [h, w] = [Math.ceil(height / stride), Math.ceil(width / stride)];
  const out = new Float32Array(h * w);
  for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) out[y * w + x] = data[y * stride * width + x * stride];
  return { data: out, height: h, width: w };
}

/** Fewer numbers, by a stride, or by the largest or the mean of each square. */
export function reducePlane(plane, way, stride) {
  if (stride <= 1) return plane;
  return way === "skip" ? skipPlane(plane, stride) : poolPlane(plane, { pool: way, window: stride });
}

/**
 * Bring a reduced plane back to a size, linearly between its numbers. Number i stands for the place i·stride when it
 * was picked, for the middle of its square when it was pooled.
 */
export function restorePlane({ data, height, width }, full, way, stride) {
  const out = new Float32Array(full.height * full.width);
  const shift = way === "skip" ? 0 : (stride - 1) / 2;
  const columns = Array.from({ length: full.width }, (_, x) => between((x - shift) / stride, width));
  for (let y = 0; y < full.height; y++) {
    const [y0, y1, ty] = between((y - shift) / stride, height);
    for (let x = 0; x < full.width; x++) {
      const [x0, x1, tx] = columns[x];
      const top = data[y0 * width + x0] * (1 - tx) + data[y0 * width + x1] * tx;
      const low = data[y1 * width + x0] * (1 - tx) + data[y1 * width + x1] * tx;
      out[y * full.width + x] = top * (1 - ty) + low * ty;
    }
  }
  return { data: out, height: full.height, width: full.width };
}

function between(place, size) {
  const cut = Math.min(Math.max(place, 0), size - 1);
  const first = Math.min(Math.floor(cut), Math.max(size - 2, 0));
  return [first, Math.min(first + 1, size - 1), cut - first];
}

/** Peak signal-to-noise ratio in decibels, for numbers in 0..255; Infinity where nothing was lost. */
export function psnrOf(before, after) {
  let sum = 0;
  for (let i = 0; i < before.length; i++) sum += (before[i] - after[i]) ** 2;
  const error = sum / before.length;
  return error === 0 ? Infinity : 10 * Math.log10((255 * 255) / error);
}

/** How many pixels of a row reach one last neuron, and in how many ways; layers are {kernel, stride, rate}. */
export function pixelsSeen(layers) {
  let counts = [1];
  let jump = 1;
  for (const { kernel, stride, rate } of layers) {
    const next = new Array(counts.length + (kernel - 1) * rate * jump).fill(0);
    for (let k = 0; k < kernel; k++) counts.forEach((c, i) => (next[i + k * rate * jump] += c));
    counts = next;
    jump *= stride;
  }
  return counts;
}
