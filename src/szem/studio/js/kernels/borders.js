// What stands beyond the edge of a picture. Pure: indices in, indices out.

/** The ways szem.kernels knows to go on beyond the edge; "valid" does not go beyond it. */
export const BORDERS = ["reflect", "replicate", "constant", "wrap", "valid"];

/**
 * The index inside 0..size-1 whose value stands at `i`, or -1 where a constant stands.
 * reflect mirrors about the edge pixel without repeating it: ...2 1 | 0 1 2 ... (OpenCV's BORDER_REFLECT_101).
 */
export function borderIndex(i, size, border) {
  if (i >= 0 && i < size) return i;
  switch (border) {
    case "replicate":
      return i < 0 ? 0 : size - 1;
    case "wrap":
      return ((i % size) + size) % size;
    case "reflect": {
      if (size === 1) return 0;
      const period = 2 * size - 2;
      const j = ((i % period) + period) % period;
      return j < size ? j : period - j;
    }
    default:
      return -1; // constant, and valid (which never asks)
  }
}

/** A table of borderIndex for -before .. size+after-1. */
export function borderTable(size, before, after, border) {
  const table = new Int32Array(before + size + after);
  for (let k = 0; k < table.length; k++) table[k] = borderIndex(k - before, size, border);
  return table;
}
