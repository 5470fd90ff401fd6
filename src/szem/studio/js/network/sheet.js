// All maps of a layer on one sheet: a canvas of tiles, painted in one go, with one tile marked.

import { h } from "../dom.js";
import { scaleOf } from "../lab/paint.js";

const GAP = 2;

/**
 * @param pointed called with the number of the map under the pointer, or null
 * @param picked called with a map's number
 * @returns {element, show(packed, order, each), mark(map), tileOf(map)}
 */
export function createSheet({ label, pointed, picked }) {
  const canvas = h("canvas", { "aria-hidden": "true" });
  const hover = h("i", { class: "tile-mark hover", hidden: true });
  const chosen = h("i", { class: "tile-mark", hidden: true });
  const element = h("div", { class: "sheet", tabindex: "0", role: "application", "aria-label": label, data: { name: "sheet" } }, h("div", { class: "sheet-body" }, canvas, hover, chosen));
  let packed = null;
  let order = [];
  let places = new Map();
  let [tile, columns] = [1, 1];
  let now = 0; // place of the marked map in the order

  function mapAt(event) {
    const box = canvas.getBoundingClientRect();
    const x = Math.floor((((event.clientX - box.left) / box.width) * canvas.width - GAP) / (tile + GAP));
    const y = Math.floor((((event.clientY - box.top) / box.height) * canvas.height - GAP) / (tile + GAP));
    const place = y * columns + x;
    return x >= 0 && x < columns && y >= 0 && place < order.length ? order[place] : null;
  }
  canvas.addEventListener("pointermove", (event) => {
    const map = packed ? mapAt(event) : null;
    put(hover, map);
    pointed(map);
  });
  canvas.addEventListener("pointerleave", () => {
    put(hover, null);
    pointed(null);
  });
  canvas.addEventListener("click", (event) => {
    const map = packed ? mapAt(event) : null;
    if (map !== null) picked(map);
  });
  element.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (!step || !packed) return;
    event.preventDefault();
    const next = now + step;
    if (next >= 0 && next < order.length) picked(order[next]);
  });

  /** Lay a mark over a tile; in shares of the canvas, so that it holds at every width. */
  function put(mark, map) {
    mark.hidden = map === null || !places.has(map);
    if (mark.hidden) return;
    const place = places.get(map);
    const [x, y] = [place % columns, Math.floor(place / columns)];
    const style = mark.style;
    style.left = `${((GAP + x * (tile + GAP)) / canvas.width) * 100}%`;
    style.top = `${((GAP + y * (tile + GAP)) / canvas.height) * 100}%`;
    style.width = `${(tile / canvas.width) * 100}%`;
    style.height = `${(tile / canvas.height) * 100}%`;
  }

  return {
    element,
    /** Paint all maps; `each` has its own brightness, or one scale holds for all. */
    show(next, nextOrder, each) {
      packed = next;
      order = nextOrder;
      places = new Map(order.map((map, place) => [map, place]));
      const room = Math.max(300, Math.min(element.parentElement?.clientWidth || 900, 1400));
      const side = Math.max(packed.rows, packed.columns);
      const wanted = packed.maps > 400 ? 30 : packed.maps > 120 ? 44 : packed.maps > 40 ? 64 : 92;
      tile = side >= wanted ? wanted : Math.max(1, Math.floor(wanted / side)) * side;
      columns = Math.max(1, Math.min(order.length, Math.floor((room - GAP) / (tile + GAP))));
      paint(each);
      put(hover, null);
    },
    mark(map) {
      now = places.get(map) ?? 0;
      put(chosen, map);
    },
    get columns() {
      return columns;
    },
  };

  function paint(each) {
    const lines = Math.ceil(order.length / columns);
    Object.assign(canvas, { width: columns * (tile + GAP) + GAP, height: lines * (tile + GAP) + GAP });
    const context = canvas.getContext("2d");
    const image = context.createImageData(canvas.width, canvas.height);
    const { data } = image;
    const { rows, columns: across, low, high, bytes } = packed;
    let [least, most] = [0, 0];
    for (let m = 0; m < packed.maps; m++) [least, most] = [Math.min(least, low[m]), Math.max(most, high[m])];
    const signed = least < 0;
    const ys = Array.from({ length: tile }, (_, y) => Math.floor((y * rows) / tile) * across);
    const xs = Array.from({ length: tile }, (_, x) => Math.floor((x * across) / tile));
    const colours = new Uint8ClampedArray(256 * 3);
    order.forEach((map, place) => {
      // One table of colours per map: a byte stands for a number between the map's least and largest.
      const range = each ? { low: signed ? Math.min(low[map], -1e-9) : low[map], high: high[map] } : { low: signed ? least : 0, high: most };
      const scale = scaleOf(range);
      for (let b = 0; b < 256; b++) {
        const number = low[map] + (b / 255) * (high[map] - low[map]);
        const entry = Math.max(0, Math.min(255, Math.round(number * scale.scale + scale.shift))) * 3;
        colours.set(scale.table.subarray(entry, entry + 3), b * 3);
      }
      const from = map * rows * across;
      const left = GAP + (place % columns) * (tile + GAP);
      let top = GAP + Math.floor(place / columns) * (tile + GAP);
      for (let y = 0; y < tile; y++, top++) {
        let o = (top * canvas.width + left) * 4;
        for (let x = 0; x < tile; x++, o += 4) {
          const c = bytes[from + ys[y] + xs[x]] * 3;
          data[o] = colours[c];
          data[o + 1] = colours[c + 1];
          data[o + 2] = colours[c + 2];
          data[o + 3] = 255;
        }
      }
    });
    context.putImageData(image, 0, 0);
  }
}
