// Zones and lines on a picture: drawn corner by corner, their corners moved by pointer or arrow keys.

import { fill, h, s } from "../dom.js";

const STEP = 0.01; // of the picture's sides, for an arrow key; with Shift five of them
const NEAR_PX = 14; // a press so near the first corner closes the zone
const FIRST_ZONE = [[0.3, 0.3], [0.7, 0.3], [0.7, 0.7], [0.3, 0.7]]; // prettier-ignore
const FIRST_LINE = [[0.2, 0.6], [0.8, 0.6]]; // prettier-ignore

/**
 * @param drawn called with (kind, points) for a new one; moved with (area, points) when corners of one changed
 * @returns {element, canvas, show(areas), begin(kind), picture(source, width, height)}
 */
export function areaEditor(app, { drawn, moved, drawing }) {
  const { t } = app.words;
  const canvas = h("canvas", { width: 640, height: 360, role: "img", "aria-label": t("guard.drawing-on") });
  const marks = s("svg", { class: "area-marks", viewBox: "0 0 1 1", preserveAspectRatio: "none" });
  const handles = h("div", { class: "area-handles" });
  const picture = h("div", { class: "frame-picture" }, canvas, marks, handles);
  const frame = h("div", { class: "frame film-frame area-frame", tabindex: "0", role: "application", "aria-label": t("guard.draw-frame"), data: { name: "areas" } }, picture);
  let areas = [];
  let kind = ""; // of what is being drawn
  let points = [];
  let pointer = null;

  const clamp = (v) => Math.min(1, Math.max(0, v));
  function shareAt(event) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return [clamp((event.clientX - left) / width), clamp((event.clientY - top) / height)];
  }
  function isNear([x, y], [u, v]) {
    const { width, height } = canvas.getBoundingClientRect();
    return Math.hypot((x - u) * width, (y - v) * height) <= NEAR_PX;
  }

  picture.addEventListener("pointermove", (event) => {
    if (!kind) return;
    pointer = shareAt(event);
    paint();
  });
  picture.addEventListener("click", (event) => {
    if (!kind) return;
    const at = shareAt(event);
    if (kind === "zone" && points.length >= 3 && (isNear(at, points[0]) || event.detail > 1)) {
      finish();
      return;
    }
    if (points.length > 0 && isNear(at, points.at(-1))) return; // the second press of a double one
    points = [...points, at];
    if (kind === "line" && points.length === 2) finish();
    else paint();
  });
  frame.addEventListener("keydown", (event) => {
    if (!kind) return;
    if (event.key === "Escape") cancel();
    else if (event.key === "Enter" && event.target === frame) {
      event.preventDefault();
      if (points.length < (kind === "zone" ? 3 : 2)) points = kind === "zone" ? FIRST_ZONE : FIRST_LINE;
      finish();
    } else if (event.key === "Backspace") {
      points = points.slice(0, -1);
      paint();
    }
  });

  function finish() {
    const made = { kind, points: points.map(([x, y]) => [Number(x.toFixed(3)), Number(y.toFixed(3))]) };
    stop();
    drawn(made.kind, made.points);
  }

  function cancel() {
    stop();
    paint();
  }

  function stop() {
    [kind, points, pointer] = ["", [], null];
    delete frame.dataset.drawing;
    drawing("");
  }

  function shape(area) {
    const at = area.points.map(([x, y]) => `${x},${y}`).join(" ");
    const tag = area.kind === "zone" ? "polygon" : "polyline";
    const look = `area-${area.kind}${area.ignore ? " ignored" : ""}${area.own ? "" : " foreign"}`;
    return [s(tag, { points: at, class: "area-back" }), s(tag, { points: at, class: look })];
  }

  /** Which side of a line is its right: an arrow from its middle. */
  function arrow({ points: [[x0, y0], [x1, y1]] }) {
    const { clientWidth: wide, clientHeight: tall } = canvas;
    const [dx, dy] = [(x1 - x0) * wide, (y1 - y0) * tall];
    const length = Math.hypot(dx, dy) || 1;
    const [mx, my] = [(x0 + x1) / 2, (y0 + y1) / 2];
    const tip = [mx - ((dy / length) * 22) / wide, my + ((dx / length) * 22) / tall];
    return s("path", { class: "area-arrow", d: `M${mx} ${my}L${tip[0]} ${tip[1]}` });
  }

  function handle(area, k) {
    const [x, y] = area.points[k];
    const dot = h("button", {
      type: "button",
      class: "area-handle",
      "aria-label": t("guard.corner", { n: k + 1, name: area.name }),
      data: { area: area.name, corner: String(k) },
      vars: { x, y },
    });
    const put = (next, done) => {
      area.points = area.points.map((point, n) => (n === k ? next.map((v) => Number(clamp(v).toFixed(3))) : point));
      dot.style.setProperty("--x", String(area.points[k][0]));
      dot.style.setProperty("--y", String(area.points[k][1]));
      paintShapes();
      if (done) moved(area, area.points);
    };
    dot.addEventListener("pointerdown", (event) => {
      if (kind) return;
      event.preventDefault();
      dot.focus();
      dot.setPointerCapture(event.pointerId);
    });
    dot.addEventListener("pointermove", (event) => dot.hasPointerCapture(event.pointerId) && put(shareAt(event), false));
    dot.addEventListener("pointerup", (event) => dot.hasPointerCapture(event.pointerId) && put(shareAt(event), true));
    dot.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (step) {
        event.preventDefault();
        const far = STEP * (event.shiftKey ? 5 : 1);
        const [u, v] = area.points[k];
        put([u + step[0] * far, v + step[1] * far], true);
      } else if (["Delete", "Backspace"].includes(event.key) && area.kind === "zone" && area.points.length > 3) {
        event.preventDefault();
        moved(area, area.points.filter((_, n) => n !== k));
      }
    });
    return dot;
  }

  function paintShapes() {
    const begun = kind ? [...points, ...(pointer ? [pointer] : [])] : [];
    const at = begun.map(([x, y]) => `${x},${y}`).join(" ");
    fill(
      marks,
      areas.flatMap(shape),
      areas.filter((area) => area.kind === "line").map(arrow),
      begun.length > 0 ? [s("polyline", { points: at, class: "area-back" }), s("polyline", { points: at, class: "area-begun" })] : null,
    );
  }

  function paint() {
    paintShapes();
    const names = areas.map((area) => {
      const [x, y] = area.points[0];
      return h("span", { class: "area-name", vars: { x, y }, text: area.name });
    });
    const dots = kind
      ? points.map(([x, y], k) => h("span", { class: `area-dot${k === 0 && kind === "zone" ? " first" : ""}`, vars: { x, y } }))
      : areas.filter(({ own }) => own).flatMap((area) => area.points.map((_, k) => handle(area, k)));
    const here = document.activeElement?.closest?.(".area-handle")?.dataset;
    fill(handles, names, dots);
    if (here) handles.querySelector(`[data-area="${CSS.escape(here.area)}"][data-corner="${here.corner}"]`)?.focus();
  }

  return {
    element: frame,
    canvas,
    /** @param next [{kind, name, points, ignore, own}]; own: it can be changed here */
    show(next) {
      areas = next.map((area) => ({ ...area, points: area.points.map((point) => [...point]) }));
      paint();
    },
    /** Draw a new "zone" or "line". */
    begin(next) {
      [kind, points, pointer] = [next, [], null];
      frame.dataset.drawing = next;
      drawing(next);
      frame.focus();
      paint();
    },
    cancel,
    /** The picture to draw on; null: none. */
    picture(source, width, height) {
      Object.assign(canvas, { width: width || 640, height: height || 360 });
      frame.style.setProperty("--aspect", String(canvas.width / canvas.height));
      if (source) canvas.getContext("2d").drawImage(source, 0, 0, canvas.width, canvas.height);
      frame.dataset.picture = source ? "yes" : "no";
      paint();
    },
  };
}
