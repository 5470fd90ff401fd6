// What is drawn over the picture: where the network looked, or what a crop keeps.

import { heatColour } from "../colours.js";
import { fill, h, s } from "../dom.js";

/**
 * @returns {element, canvas, shape(source), heat(map), opacity(share), crop(box, source), show(mode)}
 */
export function createOverlay(app) {
  const { t } = app.words;
  const canvas = h("canvas", { role: "img", "aria-label": t("recognise.picture"), width: 512, height: 512 });
  const heatCanvas = h("canvas", { class: "heat", "aria-hidden": "true", width: 1, height: 1, hidden: true });
  const unseen = s("svg", { class: "unseen-part", "aria-hidden": "true" });
  const cropMarks = s("svg", { class: "crop-marks", "aria-hidden": "true" });
  const frame = h(
    "div",
    { class: "frame", data: { name: "picture" } },
    h("div", { class: "frame-picture" }, canvas, unseen, heatCanvas, cropMarks),
  );

  /** Lay an element over a part of the picture. */
  function place(element, { x, y, width, height }) {
    const share = {
      left: x / canvas.width,
      top: y / canvas.height,
      width: width / canvas.width,
      height: height / canvas.height,
    };
    for (const [name, value] of Object.entries(share)) element.style.setProperty(name, `${value * 100}%`);
  }

  return {
    element: frame,
    canvas,
    shape({ width, height }) {
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
      frame.style.setProperty("--aspect", String(width / height));
    },
    /** @param map {rows: numbers 0..1, box in pixels of the canvas}, or null for none */
    heat(map) {
      heatCanvas.dataset.cells = map ? `${map.rows[0].length}x${map.rows.length}` : "";
      heatCanvas.hidden = !map;
      fill(unseen);
      if (!map) return;
      const [rows, columns] = [map.rows.length, map.rows[0].length];
      const image = new ImageData(columns, rows);
      map.rows.flat().forEach((value, i) => {
        const [r, g, b] = heatColour(0.06 + 0.84 * value);
        image.data.set([r, g, b, 255], i * 4);
      });
      const small = h("canvas", { width: columns, height: rows });
      small.getContext("2d").putImageData(image, 0, 0);
      heatCanvas.width = columns * 24;
      heatCanvas.height = rows * 24;
      const context = heatCanvas.getContext("2d");
      context.imageSmoothingQuality = "high";
      context.drawImage(small, 0, 0, heatCanvas.width, heatCanvas.height);
      const { x, y, width, height } = map.box;
      place(heatCanvas, map.box);
      unseen.setAttribute("viewBox", `0 0 ${canvas.width} ${canvas.height}`);
      const around = `M0 0h${canvas.width}v${canvas.height}H0z`;
      fill(unseen, s("path", { "fill-rule": "evenodd", d: `${around}M${x} ${y}v${height}h${width}v${-height}z` }));
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
        s("path", {
          class: "outside",
          "fill-rule": "evenodd",
          d: `M0 0h${width}v${height}H0zM${x} ${y}v${tall}h${w}v${-tall}z`,
        }),
        s("rect", { class: "crop-back", x, y, width: w, height: tall }),
        s("rect", { class: "crop", x, y, width: w, height: tall }),
      );
    },
    show(mode) {
      frame.dataset.show = mode;
    },
  };
}
