// Where one number of the answer comes from: the patch, the products, their sum. Pure.
//
// A layer is {height, width, at(y, x)}; it computes only the numbers it is asked for, so that one pixel of a long
// chain costs next to nothing, live pictures included.

import { borderIndex } from "./borders.js";
import { geometryOf, tapsOf } from "./convolve.js";
import { convolutionsOf, optionsOf } from "./plan.js";
import { pooledSide } from "./sizes.js";

/** A picture's numbers as a layer. */
export function planeLayer(plane) {
  return { height: plane.height, width: plane.width, at: (y, x) => plane.data[y * plane.width + x] };
}

/** The answer of a kernel on a layer, with `explain(y, x)` for each of its numbers. */
export function kernelLayer(input, rows, options) {
  const { stride = 1, border = "reflect", constant = 0 } = options;
  const place = geometryOf(input.height, input.width, rows, options);
  const taps = tapsOf(rows, { ...options, keepZeros: true });
  const centreAt = (y, x) => ({ y: y * stride + place.top, x: x * stride + place.left });
  const known = new Map();

  function cellsAt(y, x) {
    const centre = centreAt(y, x);
    return taps.map(({ dy, dx, weight, row, column }) => {
      const [wantedY, wantedX] = [centre.y + dy, centre.x + dx];
      const fromY = borderIndex(wantedY, input.height, border);
      const fromX = borderIndex(wantedX, input.width, border);
      const nowhere = fromY < 0 || fromX < 0;
      const outside = nowhere || fromY !== wantedY || fromX !== wantedX;
      const value = nowhere ? constant : input.at(fromY, fromX);
      return {
        row,
        column,
        y: wantedY,
        x: wantedX,
        fromY,
        fromX,
        outside,
        nowhere,
        value,
        weight,
        product: value * weight,
      };
    });
  }

  return {
    height: place.height,
    width: place.width,
    centreAt,
    at(y, x) {
      const key = y * place.width + x;
      if (!known.has(key)) {
        let sum = 0;
        const centre = centreAt(y, x);
        for (const { dy, dx, weight } of taps) {
          if (weight === 0) continue;
          const fromY = borderIndex(centre.y + dy, input.height, border);
          const fromX = borderIndex(centre.x + dx, input.width, border);
          sum += weight * (fromY < 0 || fromX < 0 ? constant : input.at(fromY, fromX));
        }
        known.set(key, sum);
      }
      return known.get(key);
    },
    /** @returns {{centre, cells, sum, flat}}: cells in the order the kernel lies on the picture; flat where all values are one */
    explain(y, x) {
      const cells = cellsAt(y, x);
      const sum = cells.reduce((total, cell) => total + cell.product, 0);
      const flat = cells.every((cell) => Math.abs(cell.value - cells[0].value) < 1e-6);
      return { centre: centreAt(y, x), cells, sum, flat };
    },
  };
}

/** Pooling as a layer; `chosen(y, x)` says which input pixel an output pixel stands for (the strongest, or the first). */
export function poolLayer(input, { pool, window }) {
  const corner = (y, x) => ({ y: y * window, x: x * window });
  function cellsAt(y, x) {
    const { y: top, x: left } = corner(y, x);
    const cells = [];
    for (let j = top; j < top + window; j++) {
      for (let i = left; i < left + window; i++) cells.push({ y: j, x: i, value: input.at(j, i) });
    }
    return cells;
  }
  return {
    height: pooledSide(input.height, window),
    width: pooledSide(input.width, window),
    cellsAt,
    chosen(y, x) {
      const cells = cellsAt(y, x);
      if (pool === "average") return cells[0];
      return cells.reduce((best, cell) => (cell.value > best.value ? cell : best));
    },
    at(y, x) {
      const cells = cellsAt(y, x);
      if (pool === "max") return Math.max(...cells.map(({ value }) => value));
      return cells.reduce((sum, { value }) => sum + value, 0) / cells.length;
    },
  };
}

/**
 * The layers a plan makes of one plane: {picture, kernels: [layer, ...], pool: layer or null, last}.
 * For edges, `kernels` holds the two directions and `strength` joins them.
 */
export function layersOf(plane, plan) {
  const picture = planeLayer(plane);
  let kernels;
  let before;
  if (plan.mode === "edges") {
    kernels = plan.kernels.map((rows) => kernelLayer(picture, rows, optionsOf(plan, plan.stride)));
    const [across, down] = kernels;
    before = {
      height: across.height,
      width: across.width,
      at: (y, x) => Math.sqrt(across.at(y, x) ** 2 + down.at(y, x) ** 2),
    };
  } else {
    kernels = [];
    before = picture;
    for (const { rows, stride } of convolutionsOf(plan)) {
      before = kernelLayer(before, rows, optionsOf(plan, stride));
      kernels.push(before);
    }
  }
  const pool = plan.pool === "none" ? null : poolLayer(before, plan);
  return { picture, kernels, before, pool, last: pool ?? before };
}

/** The pixel of the picture an output pixel is centred on: back through pooling and every kernel. */
export function pictureCentre(layers, plan, y, x) {
  let place = layers.pool ? layers.pool.chosen(y, x) : { y, x };
  const chain = plan.mode === "edges" ? layers.kernels.slice(0, 1) : [...layers.kernels].reverse();
  for (const layer of chain) place = layer.centreAt(place.y, place.x);
  return place;
}

/** The output pixel whose centre lies nearest to a pixel of the picture. */
export function outputNearest(layers, plan, y, x) {
  const first = layers.kernels[0];
  const chain = plan.mode === "edges" ? [first] : layers.kernels;
  for (const layer of chain) {
    const [origin, next] = [layer.centreAt(0, 0), layer.centreAt(1, 1)];
    y = bounded(Math.round((y - origin.y) / (next.y - origin.y)), layer.height);
    x = bounded(Math.round((x - origin.x) / (next.x - origin.x)), layer.width);
  }
  if (layers.pool) {
    y = bounded(Math.floor(y / plan.window), layers.pool.height);
    x = bounded(Math.floor(x / plan.window), layers.pool.width);
  }
  return { y, x };
}

function bounded(i, size) {
  return Math.min(Math.max(i, 0), size - 1);
}
