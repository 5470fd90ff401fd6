// Every kernel of the table on the picture of the moment, small: what each does, at one glance.

import { h } from "../dom.js";
import { familyTitle, kernelTitle } from "./editor.js";
import { sumOf } from "./kernel.js";
import { runPlan, signedFull } from "./plan.js";
import { paintClipped, paintSigned } from "./planes.js";

const SIDE = 112;

/** @returns {element, paint(source canvas, state), mark(name)} */
export function gallery(app, table, choose) {
  const { words } = app;
  const { t } = words;
  const small = h("canvas", { width: SIDE, height: SIDE });
  const context = small.getContext("2d", { willReadFrequently: true });
  const items = table.map((entry) => {
    const canvas = h("canvas", { width: SIDE, height: SIDE, "aria-hidden": "true" });
    const element = h(
      "button",
      {
        type: "button",
        class: "gallery-item",
        "aria-pressed": "false",
        data: { name: entry.name },
        on: { click: () => choose(entry.name) },
      },
      canvas,
      h("span", { text: kernelTitle(words, entry.name) }),
    );
    return { entry, canvas, element };
  });
  const groups = new Map();
  for (const item of items) groups.set(item.entry.family, [...(groups.get(item.entry.family) ?? []), item.element]);
  const image = new ImageData(SIDE, SIDE);

  let next = 0;
  /**
   * The middle square of the picture, shrunk; the same border and kind of operation as on the stage. `count` of the
   * kernels, going on where the last call stopped: a live picture has no time for all of them in one frame.
   */
  function paint(canvas, state, count = items.length) {
    const side = Math.min(canvas.width, canvas.height);
    if (side === 0) return;
    context.imageSmoothingQuality = "high";
    context.drawImage(canvas, (canvas.width - side) / 2, (canvas.height - side) / 2, side, side, 0, 0, SIDE, SIDE);
    const { data } = context.getImageData(0, 0, SIDE, SIDE);
    for (let k = 0; k < count; k++, next = (next + 1) % items.length) {
      const { entry, canvas: thumb } = items[next];
      const signed = sumOf(entry.weights) === 0;
      const plan = {
        colour: signed ? "grey" : state.colour,
        mode: "one",
        kernels: [entry.weights],
        operation: state.operation,
        stride: 1,
        dilation: 1,
        border: "reflect",
        pool: "none",
        window: 2,
      };
      const planes = runPlan(data, SIDE, SIDE, plan);
      if (signed) paintSigned(planes, image.data, signedFull(plan));
      else paintClipped(planes, image.data);
      thumb.getContext("2d").putImageData(image, 0, 0);
    }
  }

  const element = h(
    "section",
    { class: "gallery", "aria-labelledby": "gallery-title" },
    h("h2", { id: "gallery-title", text: t("gallery.title") }),
    h("p", { class: "section-text", text: t("gallery.text") }),
    h(
      "div",
      { class: "gallery-groups" },
      [...groups].map(([family, members]) =>
        h(
          "div",
          { class: "gallery-group" },
          h("h3", { text: familyTitle(words, family) }),
          h("div", { class: "gallery-items" }, members),
        ),
      ),
    ),
  );
  return {
    element,
    paint,
    mark(name) {
      for (const item of items) item.element.setAttribute("aria-pressed", String(item.entry.name === name));
    },
  };
}
