// Pixels of the screen (RGBA bytes) to planes of numbers and back to pictures. Pure.

import { signedColour } from "../colours.js";
import { fresh } from "./scratch.js";

/**
 * The grey value of a colour in 0..255, to the bit as OpenCV's RGB to grey computes it (and szem with it).
 */
export function greyOf(r, g, b) {
  return (9798 * r + 19235 * g + 3735 * b + 16384) >> 15;
}

/** One grey plane from RGBA bytes. */
export function greyPlane(rgba, height, width, take = fresh) {
  const data = take(height * width);
  const pixels = wordsOf(rgba);
  for (let i = 0; i < data.length; i++) {
    const p = pixels[i];
    data[i] = greyOf(p & 255, (p >> 8) & 255, (p >> 16) & 255);
  }
  return { data, height, width };
}

/** Red, green and blue planes from RGBA bytes. */
export function colourPlanes(rgba, height, width, take = fresh) {
  return [0, 1, 2].map((channel) => {
    const data = take(height * width);
    for (let i = 0, j = channel; i < data.length; i++, j += 4) data[i] = rgba[j];
    return { data, height, width };
  });
}

export function planesOf(rgba, height, width, colour, take = fresh) {
  return colour === "colour" ? colourPlanes(rgba, height, width, take) : [greyPlane(rgba, height, width, take)];
}

/** The marker for answers that are exactly 0. */
export const ZERO_MARK = [255, 196, 0];
/** Below this an answer counts as exactly 0: float32 dust of sums of bytes stays under it. */
export const ZERO = 1e-3;

/** Numbers cut to 0..255, as a screen must: one plane is grey, three are a colour picture. */
export function paintClipped(planes, rgba) {
  const pixels = wordsOf(rgba);
  if (planes.length === 1) {
    const { data } = planes[0];
    for (let i = 0; i < data.length; i++) pixels[i] = 0xff000000 | (cut(data[i]) * 0x010101);
    return;
  }
  const [r, g, b] = planes.map(({ data }) => data);
  for (let i = 0; i < r.length; i++) pixels[i] = 0xff000000 | (cut(b[i]) << 16) | (cut(g[i]) << 8) | cut(r[i]);
}

/** The whole number 0..255 a screen shows for a number. */
export function cut(value) {
  return value <= 0 ? 0 : value >= 255 ? 255 : (value + 0.5) | 0;
}

/** Four bytes of a pixel as one number; every browser's machine keeps the lowest byte, red, first. */
function wordsOf(rgba) {
  return new Uint32Array(rgba.buffer, rgba.byteOffset, rgba.length / 4);
}

/** Negative numbers blue, positive ones orange, 0 white; full colour at `full`. Colour pictures show their mean. */
export function paintSigned(planes, rgba, full = 255) {
  const pixels = wordsOf(rgba);
  const scale = 255 / full;
  for (let i = 0; i < pixels.length; i++) {
    const v = meanAt(planes, i) * scale;
    pixels[i] = SIGNED_WORDS[v <= -255 ? 0 : v >= 255 ? 510 : (v + 255.5) | 0];
  }
}

const SIGNED_WORDS = Uint32Array.from({ length: 511 }, (_, k) => {
  const [r, g, b] = signedColour((k - 255) / 255).map(Math.round);
  return (0xff000000 | (b << 16) | (g << 8) | r) >>> 0;
});

/** Edges, given as strength, across and down: strength as brightness, direction as hue. */
export function paintDirection([strength, across, down], rgba) {
  for (let i = 0, j = 0; i < strength.data.length; i++, j += 4) {
    const colour = directionColour(Math.atan2(down.data[i], across.data[i]));
    const t = Math.min(1, strength.data[i] / 255);
    rgba[j] = colour[0] * t;
    rgba[j + 1] = colour[1] * t;
    rgba[j + 2] = colour[2] * t;
    rgba[j + 3] = 255;
  }
}

// Right, down, left, up: neighbours on the ring stay apart for every kind of colour vision.
const RING = [
  [255, 122, 26],
  [245, 230, 80],
  [90, 190, 245],
  [170, 105, 225],
];

/** The colour of a direction in radians: four colours, one each quarter turn, blended in between. */
export function directionColour(angle) {
  const turn = (((angle / (Math.PI / 2)) % 4) + 4) % 4;
  const [from, to] = [RING[Math.floor(turn) % 4], RING[(Math.floor(turn) + 1) % 4]];
  const t = turn - Math.floor(turn);
  return from.map((c, k) => c + (to[k] - c) * t);
}

/** Paints over every answer that is exactly 0 in all planes. */
export function markZeros(planes, rgba) {
  const pixels = wordsOf(rgba);
  const [r, g, b] = ZERO_MARK;
  const word = (0xff000000 | (b << 16) | (g << 8) | r) >>> 0;
  const [first, ...others] = planes;
  for (let i = 0; i < pixels.length; i++) {
    const v = first.data[i];
    if (v > -ZERO && v < ZERO && others.every(({ data }) => Math.abs(data[i]) < ZERO)) pixels[i] = word;
  }
}

function meanAt(planes, i) {
  return planes.length === 1 ? planes[0].data[i] : (planes[0].data[i] + planes[1].data[i] + planes[2].data[i]) / 3;
}

/** Least and greatest number, and the shares that are exactly 0, below 0 and above 255. */
export function statisticsOf(planes) {
  let [least, greatest] = [Infinity, -Infinity];
  let [zeros, below, above, all] = [0, 0, 0, 0];
  for (const { data } of planes) {
    for (let i = 0; i < data.length; i++) {
      const v = data[i];
      if (v < least) least = v;
      if (v > greatest) greatest = v;
      if (v > -ZERO && v < ZERO) zeros++;
      else if (v < 0) below++;
      else if (v > 255 + ZERO) above++;
    }
    all += data.length;
  }
  if (all === 0) return { least: 0, greatest: 0, zeros: 0, below: 0, above: 0 };
  return { least, greatest, zeros: zeros / all, below: below / all, above: above / all };
}
