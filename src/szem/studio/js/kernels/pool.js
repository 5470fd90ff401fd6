// Pooling: one number for each window of numbers. Pure; the twin of szem.kernels' max_pool and average_pool.

import { pooledSide } from "./sizes.js";

export const POOLS = ["none", "max", "average"];

/**
 * The largest or the mean number of each window × window square; windows do not overlap.
 * Rows and columns that fill no whole window are left out.
 */
export function poolPlane(plane, { pool = "none", window = 2 } = {}) {
  if (pool === "none" || window <= 1) return plane;
  const height = pooledSide(plane.height, window);
  const width = pooledSide(plane.width, window);
  const out = new Float32Array(height * width);
  const { data } = plane;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let value = pool === "max" ? -Infinity : 0;
      for (let j = 0; j < window; j++) {
        const from = (y * window + j) * plane.width + x * window;
        for (let i = 0; i < window; i++) {
          const v = data[from + i];
          if (pool === "max") {
            if (v > value) value = v;
          } else value += v;
        }
      }
      out[y * width + x] = pool === "max" ? value : value / (window * window);
    }
  }
  return { data: out, height, width };
}

/**
 * Edges (strength, across, down) pooled together: "max" keeps the vector of the strongest pixel, "average" the means.
 */
export function poolEdges([strength, across, down], { pool = "none", window = 2 } = {}) {
  if (pool === "none" || window <= 1) return [strength, across, down];
  if (pool === "average") return [strength, across, down].map((plane) => poolPlane(plane, { pool, window }));
  const height = pooledSide(strength.height, window);
  const width = pooledSide(strength.width, window);
  const kept = [0, 1, 2].map(() => ({ data: new Float32Array(height * width), height, width }));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const valueAt = (j, i) => strength.data[j * strength.width + i];
      const best = strongestIn(valueAt, y * window, x * window, window);
      [strength, across, down].forEach((plane, k) => {
        kept[k].data[y * width + x] = plane.data[best.y * plane.width + best.x];
      });
    }
  }
  return kept;
}

/** Which pixel of a window gives the largest number. */
export function strongestIn(valueAt, top, left, window) {
  let best = { y: top, x: left, value: -Infinity };
  for (let y = top; y < top + window; y++) {
    for (let x = left; x < left + window; x++) {
      const value = valueAt(y, x);
      if (value > best.value) best = { y, x, value };
    }
  }
  return best;
}
