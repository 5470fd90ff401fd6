// How large an answer is, and how much data that leaves. Pure.

/** How many pixels a kernel side reaches over: taps spread `dilation` apart. */
export function spanOf(taps, dilation) {
  return (taps - 1) * dilation + 1;
}

/**
 * One side of the output of a convolution.
 * With a border every s-th pixel is kept, ceil(size / s); "valid" keeps only places where the kernel fits whole.
 * @returns 0 where the kernel fits nowhere.
 */
export function convolvedSide(size, taps, { stride = 1, dilation = 1, border = "reflect" } = {}) {
  if (border !== "valid") return Math.ceil(size / stride);
  const room = size - spanOf(taps, dilation);
  return room < 0 ? 0 : Math.floor(room / stride) + 1;
}

/** One side after pooling with a window that moves by its own size; an incomplete window is dropped. */
export function pooledSide(size, window) {
  return window <= 1 ? size : Math.floor(size / window);
}

const NAMED = [
  [1, "all"],
  [1 / 2, "half"],
  [1 / 3, "third"],
  [1 / 4, "quarter"],
  [1 / 9, "ninth"],
  [1 / 16, "sixteenth"],
  [1 / 25, "twentyFifth"],
  [1 / 36, "thirtySixth"],
  [1 / 64, "sixtyFourth"],
];

/** The everyday name of a share of the data ("quarter"), or "" where only a percentage will do. */
export function shareName(share) {
  for (const [value, name] of NAMED) {
    if (Math.abs(share - value) <= value * 0.015) return name;
  }
  return "";
}
