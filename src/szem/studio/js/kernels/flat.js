// Where a picture is constant: there an edge kernel gives exactly 0. Pure.

import { sidesOf } from "./kernel.js";

/**
 * The pixel nearest to another around which all pixels under a kernel have one value, in every plane; null where there
 * is none. The kernel lies wholly inside the picture.
 */
export function flatSpot(planes, rows, dilation, from) {
  const { height: kh, width: kw } = sidesOf(rows);
  const [up, left] = [Math.floor(kh / 2) * dilation, Math.floor(kw / 2) * dilation];
  const [down, right] = [(kh - 1) * dilation - up, (kw - 1) * dilation - left];
  const { height, width } = planes[0];
  const isFlat = ({ data }, y, x) => {
    const value = data[y * width + x];
    for (let j = -up; j <= down; j += dilation)
      for (let i = -left; i <= right; i += dilation) if (data[(y + j) * width + x + i] !== value) return false;
    return true;
  };
  let best = null;
  let least = Infinity;
  for (let y = up; y < height - down; y++) {
    const dy = (y - from.y) ** 2;
    if (dy >= least) continue;
    for (let x = left; x < width - right; x++) {
      const far = dy + (x - from.x) ** 2;
      if (far < least && planes.every((plane) => isFlat(plane, y, x))) [best, least] = [{ x, y }, far];
    }
  }
  return best;
}
