// One picture on the stage: a canvas in a frame that keeps its room, with the patch marked on it and pixels to point at.

import { fill, h, s } from "../dom.js";

/**
 * @param label what a screen reader calls it
 * @param point called with ({x, y} in canvas pixels, "hover" | "pick" | "leave")
 * @param step called with (dx, dy) for arrow keys
 */
export function createFigure({ name, label, point, step, release }) {
  const canvas = h("canvas", { width: 512, height: 512, "aria-hidden": "true" });
  const overlay = s("svg", { class: "overlay", "aria-hidden": "true" });
  const frame = h(
    "div",
    { class: "frame", tabindex: "0", role: "application", "aria-label": label, data: { name } },
    h("div", { class: "frame-picture" }, canvas, overlay),
  );

  function pixelAt(event) {
    const box = canvas.getBoundingClientRect();
    const x = Math.floor(((event.clientX - box.left) / box.width) * canvas.width);
    const y = Math.floor(((event.clientY - box.top) / box.height) * canvas.height);
    return x >= 0 && y >= 0 && x < canvas.width && y < canvas.height ? { x, y } : null;
  }
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return;
    const pixel = pixelAt(event);
    if (pixel) point(pixel, "hover");
  });
  canvas.addEventListener("click", (event) => {
    const pixel = pixelAt(event);
    if (pixel) point(pixel, "pick");
  });
  frame.addEventListener("keydown", (event) => {
    const far = event.shiftKey ? 10 : 1;
    const move = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] }[event.key];
    if (move) {
      event.preventDefault();
      step(...move);
    } else if (event.key === "Escape") {
      event.preventDefault(); // lets go of the pixel, and of nothing else
      release();
    }
  });

  let shaped = "";

  return {
    element: frame,
    canvas,
    /**
     * Keep the picture's shape, show it at `share` of the frame's size, with hard pixels where it is magnified. A live
     * picture calls this at every frame: nothing is touched unless something has changed.
     */
    shape(height, width, share = 1) {
      const now = `${width} ${height} ${share} ${canvas.width} ${innerWidth}`;
      if (now === shaped) return;
      shaped = now;
      frame.style.setProperty("--aspect", String(width / height));
      frame.style.setProperty("--share", String(share));
      canvas.classList.toggle("pixelated", canvas.width < canvas.clientWidth * 0.75);
    },
    /**
     * Mark a patch: `taps` and `centre` in canvas pixels. The mark has a least size on the screen, or no one would see it.
     */
    mark(taps, centre) {
      const { clientWidth: w, clientHeight: t } = canvas;
      overlay.setAttribute("viewBox", `0 0 ${w} ${t}`);
      if (!centre || w === 0) {
        fill(overlay);
        return;
      }
      const [kx, ky] = [w / canvas.width, t / canvas.height];
      const xs = taps.map(({ x }) => x);
      const ys = taps.map(({ y }) => y);
      let [x0, x1] = [Math.min(...xs) * kx, (Math.max(...xs) + 1) * kx];
      let [y0, y1] = [Math.min(...ys) * ky, (Math.max(...ys) + 1) * ky];
      const least = 14;
      if (x1 - x0 < least) [x0, x1] = [(x0 + x1 - least) / 2, (x0 + x1 + least) / 2];
      if (y1 - y0 < least) [y0, y1] = [(y0 + y1 - least) / 2, (y0 + y1 + least) / 2];
      const box = { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
      const [cx, cy] = [(centre.x + 0.5) * kx, (centre.y + 0.5) * ky];
      const lines = `M${cx} 0V${y0}M${cx} ${y1}V${t}M0 ${cy}H${x0}M${x1} ${cy}H${w}`;
      fill(
        overlay,
        s("path", { d: lines, class: "cross-back" }),
        s("path", { d: lines, class: "cross" }),
        s("rect", { ...box, class: "patch-back" }),
        s("rect", { ...box, class: "patch" }),
      );
    },
  };
}
