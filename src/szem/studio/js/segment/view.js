// The picture with what was found laid over it: class colours, the outline in a box, the name under the pointer.

import { fill, h, s } from "../dom.js";
import { boxBetween, paintClasses, rgbOf } from "./class-map.js";

const STEP = 0.02; // of the picture's sides, for an arrow key
const FIRST_BOX = [0.3, 0.3, 0.7, 0.7];

/**
 * @param point called with (x, y) in shares of the picture, or null when the pointer leaves
 * @param boxed called with [x0, y0, x1, y1] in pixels of the picture on show, or null to take it away
 */
export function segmentView(app, { point, boxed }) {
  const { t } = app.words;
  const canvas = h("canvas", { role: "img", "aria-label": t("segment.picture"), width: 480, height: 360 });
  const layer = h("canvas", { class: "class-layer", "aria-hidden": "true", width: 1, height: 1 });
  const found = h("canvas", { class: "outline-layer", "aria-hidden": "true", width: 1, height: 1, hidden: true });
  const marks = s("svg", { class: "overlay", "aria-hidden": "true", preserveAspectRatio: "none" });
  const label = h("p", { class: "place-label", hidden: true, data: { name: "under-pointer" } });
  const said = h("p", { class: "unseen", "aria-live": "polite" });
  const picture = h("div", { class: "frame-picture" }, canvas, layer, found, marks, label);
  const frame = h(
    "div",
    { class: "frame", tabindex: "0", role: "application", "aria-label": t("segment.frame"), data: { name: "picture" } },
    picture,
    said,
  );
  let mode = "names";
  let box = null;
  let from = null; // where a drag began, in pixels of the picture
  let at = null; // [x, y] in shares: where the arrow keys stand

  function shareAt(event) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return [(event.clientX - left) / width, (event.clientY - top) / height];
  }
  const pixelsOf = ([x, y]) => [x * canvas.width, y * canvas.height];
  const within = ([x, y]) => x >= 0 && y >= 0 && x < 1 && y < 1;

  canvas.addEventListener("pointermove", (event) => {
    const place = shareAt(event);
    if (from) drawBox(boxBetween(from, pixelsOf(place), canvas.width, canvas.height));
    else if (event.pointerType !== "touch" && within(place)) point(...place);
  });
  canvas.addEventListener("pointerleave", () => !from && point(null));
  canvas.addEventListener("click", (event) => mode === "names" && within(shareAt(event)) && point(...shareAt(event)));
  canvas.addEventListener("pointerdown", (event) => {
    if (mode !== "box" || event.button !== 0) return;
    event.preventDefault();
    frame.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    from = pixelsOf(shareAt(event));
    point(null);
  });
  const end = (event) => {
    if (!from) return;
    const chosen = boxBetween(from, pixelsOf(shareAt(event)), canvas.width, canvas.height);
    from = null;
    drawBox(chosen);
    boxed(chosen);
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", () => {
    from = null;
    drawBox(box);
  });

  frame.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Escape") {
      at = null;
      point(null);
      if (mode === "box" && box) boxed(drawBox(null));
    }
    if (!move) return;
    event.preventDefault();
    if (mode === "names") {
      const [x, y] = at ?? [0.5, 0.5];
      at = [x + move[0] * STEP, y + move[1] * STEP].map((v) => Math.min(0.999, Math.max(0, v)));
      point(...at);
      return;
    }
    const { width, height } = canvas;
    const [x0, y0, x1, y1] = box ?? FIRST_BOX.map((v, k) => v * (k % 2 ? height : width));
    const [dx, dy] = [move[0] * STEP * width, move[1] * STEP * height];
    const near = event.shiftKey ? [x0, y0] : [x0 + dx, y0 + dy]; // with Shift only the lower right corner moves
    const next = boxBetween(near, [x1 + dx, y1 + dy], width, height) ?? box;
    drawBox(next);
    boxed(next);
  });

  function drawBox(next) {
    box = next;
    marks.setAttribute("viewBox", `0 0 ${canvas.width} ${canvas.height}`);
    if (!box) {
      fill(marks);
      return null;
    }
    const place = { x: box[0], y: box[1], width: box[2] - box[0], height: box[3] - box[1] };
    fill(marks, s("rect", { class: "box-back", ...place }), s("rect", { class: "box", ...place }));
    return box;
  }

  return {
    element: frame,
    canvas,
    shape({ width, height }) {
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
      frame.style.setProperty("--aspect", String(width / height));
      frame.dataset.shape = width < height ? "tall" : "wide";
    },
    /** @param how as for paintClasses; null takes the colours away */
    colours(map, how) {
      layer.hidden = !map;
      if (!map) return;
      if (layer.width !== map.width || layer.height !== map.height) Object.assign(layer, { width: map.width, height: map.height });
      const image = new ImageData(map.width, map.height);
      paintClasses(map, image.data, how);
      layer.getContext("2d").putImageData(image, 0, 0);
    },
    opacity(share) {
      layer.style.setProperty("opacity", String(share));
    },
    mode(name) {
      mode = name;
      frame.dataset.mode = name;
      point(null);
    },
    box: drawBox,
    /** The object in the box: `mask` is {width, height, values} over `place` [x0, y0, x1, y1]; null for none. */
    outline(mask, place) {
      found.hidden = !mask;
      if (!mask) return;
      Object.assign(found, { width: canvas.width, height: canvas.height });
      const small = h("canvas", { width: mask.width, height: mask.height });
      const image = new ImageData(mask.width, mask.height);
      const classes = [{ index: 1, color: "#ffc400" }];
      const ones = { ...mask, values: mask.values.map((v) => (v > 127 ? 1 : 0)) };
      paintClasses(ones, image.data, { classes, hidden: [0] });
      small.getContext("2d").putImageData(image, 0, 0);
      const [x0, y0, x1, y1] = place;
      found.getContext("2d").drawImage(small, x0, y0, x1 - x0, y1 - y0);
    },
    /** The name at a place; keyboard users hear it too. */
    name(text, place, color) {
      label.hidden = !text;
      if (!text) return;
      const [x, y] = place;
      label.textContent = text;
      label.style.setProperty("--x", String(x));
      label.style.setProperty("--y", String(y));
      label.style.setProperty("--swatch", color ? `rgb(${rgbOf(color).join(" ")})` : "transparent");
      label.dataset.side = x > 0.6 ? "left" : "right";
      if (frame.matches(":focus-visible")) said.textContent = text;
    },
  };
}
