// The triangle network built by hand: three kernels that find lines in three directions, and one neuron kind that wants
// the three of them in the right places. Pure; the same functions as the trained network run it.

import { emptyNet, shapeOf } from "./net.js";
import { cornersOf, distanceToSegment } from "./shapes.js";

/** Directions of a triangle's sides, in degrees: along the bottom, up to the right, up to the left. */
export const DIRECTIONS = [0, 60, 120];

/** The size of triangle that the network is built for, in pixels. */
export const BUILT_SIZE = 17;

/** How much of the three sides must be found for the neuron to answer: 3 would be all of it, perfectly. */
export const NEEDED = 2.2;

/**
 * A 5×5 kernel for lines in one direction: positive along the line, negative beside it, sum 0; a perfect line gives 1.
 */
export function lineKernel(degrees, side = 5) {
  const angle = (degrees * Math.PI) / 180;
  const [nx, ny] = [Math.sin(angle), Math.cos(angle)]; // across the line; rows grow downwards, angles upwards
  const middle = (side - 1) / 2;
  const ridge = new Float64Array(side * side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const d = (x - middle) * nx + (y - middle) * ny;
      ridge[y * side + x] = Math.exp(-(d * d) / 1.1);
    }
  }
  const mean = ridge.reduce((a, b) => a + b, 0) / ridge.length;
  const kernel = ridge.map((v) => v - mean);
  const answer = kernel.reduce((sum, k, i) => sum + k * Math.min(1, ridge[i] * 1.15), 0);
  return Float32Array.from(kernel, (v) => v / answer);
}

/** The sides of the triangle that the second layer looks for, in pixels of its field; in the order of DIRECTIONS. */
export function wantedSides(fieldSide, size = BUILT_SIZE) {
  const [top, right, left] = cornersOf("triangle", { x: fieldSide / 2, y: fieldSide / 2 + size / 12, size });
  return [
    [left, right],
    [left, top],
    [right, top],
  ];
}

/** The whole network: 3 maps, then 1. */
export function buildByHand() {
  const shape = shapeOf({ maps1: DIRECTIONS.length, maps2: 1, classes: 1 });
  const net = emptyNet(shape);
  const { w1, b1, w2, b2, w3 } = net.weights;
  DIRECTIONS.forEach((degrees, k) => {
    w1.set(lineKernel(degrees, shape.kernel1), k * shape.kernel1 ** 2);
    b1[k] = -0.25; // a line in another direction gives a little too: that must not count
  });
  const { kernel1, kernel2 } = shape;
  const fieldSide = 2 * (kernel2 - 1) + 2 + kernel1 - 1;
  wantedSides(fieldSide).forEach(([a, b], c) => {
    const near = new Float64Array(kernel2 * kernel2);
    for (let y = 0; y < kernel2; y++) {
      for (let x = 0; x < kernel2; x++) {
        // The middle of what this pooled number sees.
        const [px, py] = [2 * x + 1 + kernel1 / 2, 2 * y + 1 + kernel1 / 2];
        const d = distanceToSegment(px, py, a, b);
        near[y * kernel2 + x] = Math.exp(-(d * d) / 2.5);
      }
    }
    const sum = near.reduce((p, q) => p + q, 0);
    const elsewhere = near.reduce((p, q) => p + (1 - Math.min(1, q * 3)), 0);
    for (let i = 0; i < near.length; i++) {
      const away = Math.max(0, 1 - near[i] * 3) / elsewhere;
      w2[c * kernel2 * kernel2 + i] = (2.35 * near[i]) / sum - 1.36 * away; // lines of this direction elsewhere speak against
    }
  });
  b2[0] = -NEEDED;
  w3[0] = 1;
  return net;
}

/**
 * Which direction of line a kernel answers to most, and how much more than to the least: {degrees, choosiness in 0..1}.
 * Every direction is tried in steps, with the line through the middle or a little beside it.
 */
export function directionOf(kernel, side = 5, steps = 12) {
  const middle = (side - 1) / 2;
  const answers = Array.from({ length: steps }, (_, k) => {
    const angle = (k * Math.PI) / steps;
    const [nx, ny] = [Math.sin(angle), Math.cos(angle)];
    let best = 0;
    for (const beside of [-1, -0.5, 0, 0.5, 1]) {
      let sum = 0;
      for (let i = 0; i < side * side; i++) {
        const d = (((i % side) - middle) * nx + (Math.floor(i / side) - middle) * ny) - beside;
        sum += kernel[i] * Math.max(0, Math.min(1, 1.3 - Math.abs(d)));
      }
      best = Math.max(best, sum);
    }
    return best;
  });
  const top = Math.max(...answers);
  return { degrees: (answers.indexOf(top) * 180) / steps, choosiness: top > 0 ? 1 - Math.min(...answers) / top : 0 };
}
