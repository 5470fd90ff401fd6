// Numbers to pixels: the painters that the network, triangle and stride pages share.

import { heatColour, signedColour } from "../colours.js";

/** 256 colours as one Uint8ClampedArray of r, g, b: entry i stands for i / 255. */
function table(colour) {
  const out = new Uint8ClampedArray(256 * 3);
  for (let i = 0; i < 256; i++) out.set(colour(i / 255).map(Math.round), i * 3);
  return out;
}

export const HEAT_TABLE = table(heatColour);
/** -1 at 0, 0 at 127.5, 1 at 255. */
export const SIGNED_TABLE = table((t) => signedColour(2 * t - 1));
export const GREY_TABLE = table((t) => [t * 255, t * 255, t * 255]);

/** Least and largest of some numbers. */
export function rangeOf(numbers, from = 0, to = numbers.length) {
  let [low, high] = [Infinity, -Infinity];
  for (let i = from; i < to; i++) {
    if (numbers[i] < low) low = numbers[i];
    if (numbers[i] > high) high = numbers[i];
  }
  return low <= high ? { low, high } : { low: 0, high: 0 };
}

/**
 * How numbers become places in a table: those without a negative one from 0 to the largest, others with 0 in the middle.
 * @returns {table, scale, shift}: place = number * scale + shift
 */
export function scaleOf({ low, high }) {
  if (low < 0) {
    const top = Math.max(-low, high) || 1;
    return { table: SIGNED_TABLE, scale: 127.5 / top, shift: 127.5 };
  }
  return { table: HEAT_TABLE, scale: 255 / (high || 1), shift: 0 };
}

/**
 * Paint numbers (rows × columns) into a canvas, one pixel each.
 * @param range {low, high} that the colours span; by default that of the numbers
 */
export function paintNumbers(canvas, numbers, rows, columns, { range = rangeOf(numbers), colours = null } = {}) {
  if (canvas.width !== columns || canvas.height !== rows) Object.assign(canvas, { width: columns, height: rows });
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  const scale = colours === "grey" ? { table: GREY_TABLE, scale: 255 / (range.high || 1), shift: 0 } : scaleOf(range);
  const { data } = image;
  for (let i = 0, o = 0; i < rows * columns; i++, o += 4) {
    const place = Math.max(0, Math.min(255, Math.round(numbers[i] * scale.scale + scale.shift))) * 3;
    data[o] = scale.table[place];
    data[o + 1] = scale.table[place + 1];
    data[o + 2] = scale.table[place + 2];
    data[o + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/** A number for reading: few digits, no noise. */
export function short(value, words) {
  const size = Math.abs(value);
  if (size !== 0 && size < 0.0005) return words.number(0, 0);
  return words.number(value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

/** Where a pointer is on a canvas of rows × columns cells: {row, column}, or null outside. */
export function cellAt(canvas, event, rows, columns) {
  const box = canvas.getBoundingClientRect();
  const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
  const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
  return row >= 0 && column >= 0 && row < rows && column < columns ? { row, column } : null;
}
