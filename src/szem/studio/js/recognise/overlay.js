// What is drawn over the picture: where the network looked, or what a crop keeps.

import { heatColour } from "../colours.js";
import { fill, h, s } from "../dom.js";

/**
 * @returns {element, canvas, shape(source), heat(map), opacity(share), crop(box, source), show(mode)}
 */
export function createOverlay(app) {
  const { t } = app.words;
  const canvas = h("canvas", { role: "img", "aria-label": t("recognise.picture"), width: 512, height: 512 });
  const heatCanvas = h("canvas", { class: "heat", "aria-hidden": "true", width: 1, height: 1 });
  const cropMarks = s("svg", { class: "crop-marks", "aria-hidden": "true" });
  const frame = h("div", { class: "frame", data: { name: "picture" } }, h("div", { class: "frame-picture" }, canvas, heatCanvas, cropMarks));

  return {
    element: frame,
    canvas,
    shape({ width, height }) {
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
      frame.style.setProperty("--aspect", String(width / height));
    },
    /** @param map rows of numbers 0..1 over the whole picture, or null for none */
    heat(map) {
      heatCanvas.dataset.cells = map ? `${map[0].length}x${map.length}` : "";
      if (!map) {
        heatCanvas.width = heatCanvas.height = 1;
        return;
      }
      const [rows, columns] = [map.length, map[0].length];
      const image = new ImageData(columns, rows);
      map.flat().forEach((value, i) => {
        const [r, g, b] = heatColour(value);
        image.data.set([r, g, b, 255 * Math.min(1, 0.25 + 0.75 * value)], i * 4);
      });
      const small = h("canvas", { width: columns, height: rows });
      small.getContext("2d").putImageData(image, 0, 0);
      heatCanvas.width = columns * 24;
      heatCanvas.height = rows * 24;
      const context = heatCanvas.getContext("2d");
      context.imageSmoothingQuality = "high";
      context.drawImage(small, 0, 0, heatCanvas.width, heatCanvas.height);
    },
    opacity(share) {
      frame.style.setProperty("--heat", String(share));
    },
    /** Dim what a crop leaves out. */
    crop(box, { width, height }) {
      cropMarks.setAttribute("viewBox", `0 0 ${width} ${height}`);
      if (!box) {
        fill(cropMarks);
        return;
      }
      const { x, y, width: w, height: tall } = box;
      fill(
        cropMarks,
        s("path", { class: "outside", "fill-rule": "evenodd", d: `M0 0h${width}v${height}H0zM${x} ${y}v${tall}h${w}v${-tall}z` }),
        s("rect", { class: "crop-back", x, y, width: w, height: tall }),
        s("rect", { class: "crop", x, y, width: w, height: tall }),
      );
    },
    show(mode) {
      frame.dataset.show = mode;
    },
  };
}
