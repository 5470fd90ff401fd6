// The board: a small picture that is drawn on, or holds a shape that is moved and turned.

import { h, s } from "../dom.js";
import { paintNumbers } from "../lab/paint.js";
import { drawShape, drawStroke } from "./shapes.js";

/**
 * @param side pixels
 * @param label what a screen reader calls it
 * @param changed called with the picture after every change
 * @param moved called with {x, y, turn} when the shape was moved or turned by hand
 */
export function createBoard({ side, label, changed, moved }) {
  const canvas = h("canvas", { width: side, height: side, class: "pixelated", "aria-hidden": "true" });
  const overlay = s("svg", { class: "overlay", viewBox: `0 0 ${side} ${side}`, "aria-hidden": "true" });
  const element = h("div", { class: "board", tabindex: "0", role: "application", "aria-label": label, data: { name: "board" } }, canvas, overlay);
  const drawn = new Float32Array(side * side);
  let shape = null; // null: what is drawn by hand counts
  let picture = new Float32Array(side * side);
  let hold = null; // while the pointer is down: {dx, dy} for a shape, the last point for a stroke

  const pointOf = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * side, ((event.clientY - box.top) / box.height) * side];
  };

  function paint() {
    picture = new Float32Array(side * side);
    if (shape) drawShape(picture, side, shape.kind, { ...shape, turn: (shape.turn * Math.PI) / 180 });
    else picture.set(drawn);
    paintNumbers(canvas, picture, side, side, { range: { low: 0, high: 1 }, colours: "grey" });
    changed(picture);
  }

  const place = (value) => Math.round(Math.max(3, Math.min(side - 3, value)) * 10) / 10;

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    const [x, y] = pointOf(event);
    if (shape) hold = { dx: shape.x - x, dy: shape.y - y };
    else {
      hold = [x, y];
      drawStroke(drawn, side, hold, hold);
      paint();
    }
    event.preventDefault();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!hold) return;
    const [x, y] = pointOf(event);
    if (shape) {
      shape = { ...shape, x: place(x + hold.dx), y: place(y + hold.dy) };
      moved(shape);
    } else {
      drawStroke(drawn, side, hold, [x, y]);
      hold = [x, y];
    }
    paint();
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (hold = null));
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!shape) return;
      event.preventDefault();
      turnBy(Math.sign(event.deltaY) * 3);
    },
    { passive: false },
  );
  element.addEventListener("keydown", (event) => {
    if (!shape) return;
    const far = event.shiftKey ? 4 : 1;
    const step = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] }[event.key];
    if (step) {
      event.preventDefault();
      shape = { ...shape, x: place(shape.x + step[0]), y: place(shape.y + step[1]) };
      moved(shape);
      paint();
    } else if (event.key === "PageUp" || event.key === "PageDown") {
      event.preventDefault();
      turnBy(event.key === "PageUp" ? 5 : -5);
    }
  });

  function turnBy(degrees) {
    shape = { ...shape, turn: ((((shape.turn + degrees + 180) % 360) + 360) % 360) - 180 };
    moved(shape);
    paint();
  }

  return {
    element,
    get picture() {
      return picture;
    },
    /** Show a shape {kind, x, y, size, turn in degrees}, or the drawing (null). */
    show(next) {
      shape = next;
      element.dataset.mode = shape ? "shape" : "draw";
      paint();
    },
    clear() {
      drawn.fill(0);
      paint();
    },
    /** Mark what a neuron sees: squares {x, y, side} in pixels, and lines it looks for. */
    mark(field, lines = []) {
      const box = field ? [{ class: "patch-back" }, { class: "patch" }].map((c) => s("rect", { x: field.x, y: field.y, width: field.side, height: field.side, ...c })) : [];
      overlay.replaceChildren(...lines.map(([[x1, y1], [x2, y2]]) => s("line", { x1, y1, x2, y2, class: "wanted" })), ...box);
    },
  };
}
