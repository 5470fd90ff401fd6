// The live picture with the boxes over it.

import { h, sizeCanvas } from "../dom.js";
import { colourOf, css, inkOn } from "./palette.js";
import { carried } from "./tally.js";

const LINE_PX = 2.5;
const CORNER_PX = 3;
const TEXT_PX = 14;

/** @returns {element, canvas, shape(source), show(answer, seconds), draw(seconds, outlines), clear()} */
export function createView(app, nameOf) {
  const canvas = h("canvas", { role: "img", "aria-label": app.words.t("detect.picture"), width: 640, height: 480, data: { name: "picture" } });
  const over = h("canvas", { class: "over", "aria-hidden": "true", data: { name: "boxes" } });
  const element = h("div", { class: "frame live-frame" }, h("div", { class: "frame-picture" }, canvas, over));
  let shown = null; // {answer, seconds}
  let places = new Map(); // thing -> {before, now}
  let family = "";

  function label(context, text, x, y, rgb) {
    const width = context.measureText(text).width + 12;
    const tall = TEXT_PX + 8;
    const left = Math.min(Math.max(0, x), Math.max(0, over.clientWidth - width));
    const top = y - tall < 0 ? Math.max(0, y) : y - tall; // inside the picture, also where the box begins above it
    context.fillStyle = css(rgb);
    context.beginPath();
    context.roundRect(left, top, width, tall, CORNER_PX);
    context.fill();
    context.fillStyle = css(inkOn(rgb));
    context.fillText(text, left + 6, top + tall / 2 + 1);
  }

  return {
    element,
    canvas,
    shape({ width, height }) {
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
      element.style.setProperty("--aspect", String(width / height));
      element.style.aspectRatio = String(Math.max(width / height, 0.8));
    },
    /** Take an answer for the frame that was taken at `seconds`. */
    show(answer, seconds) {
      const next = new Map();
      for (const { id, box_xyxy } of answer.boxes) {
        if (id !== undefined) next.set(id, { before: places.get(id)?.now, now: { box_xyxy, seconds } });
      }
      [shown, places] = [{ answer, seconds }, next];
    },
    clear() {
      [shown, places] = [null, new Map()];
      over.getContext("2d").clearRect(0, 0, over.width, over.height);
    },
    /** Draw the boxes as they should lie at `seconds`. */
    draw(seconds, { live }) {
      const { context, wide, tall } = sizeCanvas(over);
      if (!shown) return;
      family ||= getComputedStyle(over).fontFamily;
      context.font = `600 ${TEXT_PX}px ${family}`;
      context.textBaseline = "middle";
      context.lineJoin = "round";
      const { answer } = shown;
      const scale = [wide / answer.width, tall / answer.height];
      const rows = answer.boxes.map((row) => {
        const place = places.get(row.id);
        const moved = live && place ? carried(place.before, place.now, seconds) : row.box_xyxy;
        const shift = [moved[0] - row.box_xyxy[0], moved[1] - row.box_xyxy[1]];
        const rgb = colourOf(row.id === undefined ? row.index : row.id - 1);
        return { row, moved, shift, rgb };
      });
      for (const { row, moved, shift, rgb } of rows) {
        context.beginPath();
        if (row.outline) {
          row.outline.forEach(([x, y], k) => {
            context[k ? "lineTo" : "moveTo"]((x + shift[0]) * scale[0], (y + shift[1]) * scale[1]);
          });
          context.closePath();
          context.fillStyle = `rgb(${rgb.join(" ")} / 30%)`;
          context.fill();
        } else {
          const [x0, y0] = [moved[0] * scale[0], moved[1] * scale[1]];
          context.roundRect(x0, y0, moved[2] * scale[0] - x0, moved[3] * scale[1] - y0, CORNER_PX);
        }
        context.setLineDash(row.seen === false ? [6, 5] : []);
        context.strokeStyle = "rgb(0 0 0 / 60%)";
        context.lineWidth = LINE_PX + 2.5;
        context.stroke();
        context.strokeStyle = css(rgb);
        context.lineWidth = LINE_PX;
        context.stroke();
      }
      context.setLineDash([]);
      for (const { row, moved, rgb } of rows) {
        const text = row.id === undefined ? `${nameOf(row.label)} ${app.words.percent(row.score)}` : `${nameOf(row.label)} ${row.id}`;
        label(context, text, moved[0] * scale[0], moved[1] * scale[1], rgb);
      }
    },
  };
}
