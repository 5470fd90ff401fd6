// Carries plans out with typed arrays on the processor: everywhere, and exact.

import { runPlan } from "./plan.js";
import { markZeros, paintClipped, paintDirection, paintSigned } from "./planes.js";
import { createScratch } from "./scratch.js";

export function createArraysEngine() {
  const scratch = createScratch();
  let planes = [];
  let image = null;

  return {
    name: "arrays",

    /** @param source {{rgba: Uint8ClampedArray, height: number, width: number}} */
    run(source, plan) {
      scratch.begin();
      planes = runPlan(source.rgba, source.height, source.width, plan, scratch.take);
    },

    /** Paint what the last run gave onto a 2D canvas; view: "clipped", "signed" (strongest at `full`), "strength" or "direction". */
    draw(canvas, view, { zeros = false, full = 255 } = {}) {
      const { height, width } = planes[0];
      if (height === 0 || width === 0) return;
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
      if (!image || image.width !== width || image.height !== height) image = new ImageData(width, height);
      if (view === "signed") paintSigned(planes, image.data, full);
      else if (view === "direction") paintDirection(planes, image.data);
      else paintClipped(planes.length === 3 && view === "strength" ? planes.slice(0, 1) : planes, image.data);
      if (zeros) markZeros(view === "strength" || view === "direction" ? planes.slice(0, 1) : planes, image.data);
      canvas.getContext("2d").putImageData(image, 0, 0);
    },

    /** The numbers of the last run, as planes; the next run writes over them. */
    read() {
      return planes;
    },

    close() {
      planes = [];
      image = null;
    },
  };
}
