// Colours of things and classes, the same as on the films that szem draws. Pure.

// Okabe and Ito, Color Universal Design (2008): told apart by colour-blind eyes too.
const PALETTE = [
  [86, 180, 233],
  [230, 159, 0],
  [0, 158, 115],
  [240, 228, 66],
  [0, 114, 178],
  [213, 94, 0],
  [204, 121, 167],
  [235, 235, 235],
];

/** The colour of the n-th thing; from the ninth on the eight colours come again, lighter and darker in turn. */
export function colourOf(index) {
  const base = PALETTE[index % PALETTE.length];
  const turn = Math.floor(index / PALETTE.length) % 3;
  if (turn === 0) return base;
  const toward = turn === 1 ? 255 : 0;
  return base.map((c) => Math.round(c + (toward - c) * 0.42));
}

/** Black or white, whichever is read better on a colour. Source: WCAG 2.2, contrast ratio. */
export function inkOn(rgb) {
  const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return (0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05) ** 2 > 0.05 * 1.05 ? [16, 18, 22] : [255, 255, 255];
}

export const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`;
