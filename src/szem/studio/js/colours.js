// The two colour scales of szem, in one place: signed numbers, and heat. Pure.

/** Blue below 0, orange above, white at 0: apart for every kind of colour vision. As szem.kernels.view paints them. */
export const SIGNED = { minus: [0, 92, 175], zero: [250, 250, 250], plus: [214, 96, 0] };

/** Dark to light through violet and orange: lightness grows all the way, so it also reads in grey. */
export const HEAT = [
  [13, 14, 28],
  [52, 40, 98],
  [118, 50, 122],
  [190, 69, 103],
  [238, 116, 74],
  [252, 182, 84],
  [255, 250, 215],
];

/** The colour of a number in -1..1; what lies beyond is cut off. */
export function signedColour(value) {
  const end = value < 0 ? SIGNED.minus : SIGNED.plus;
  const t = Math.min(1, Math.abs(value));
  return SIGNED.zero.map((c, k) => c + (end[k] - c) * t);
}

/** The colour of a number in 0..1. */
export function heatColour(value) {
  const place = Math.min(1, Math.max(0, value)) * (HEAT.length - 1);
  const k = Math.min(Math.floor(place), HEAT.length - 2);
  return HEAT[k].map((c, i) => c + (HEAT[k + 1][i] - c) * (place - k));
}

/** "#rrggbb". */
export function hexOf([r, g, b]) {
  return `#${[r, g, b]
    .map((c) =>
      Math.round(Math.min(255, Math.max(0, c)))
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;
}

/** Dark or light ink on a colour, whichever reads better (WCAG contrast). */
export function inkOn([r, g, b]) {
  const linear = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  const light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return light > 0.1791 ? "dark" : "light"; // where black and white read equally well
}
