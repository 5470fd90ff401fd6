// Part one of the stride page: the same picture with fewer numbers, three ways, and what can be brought back.

import { segmented } from "../controls.js";
import { h } from "../dom.js";
import { planesOf } from "../kernels/planes.js";
import { shareName } from "../kernels/sizes.js";
import { paintNumbers } from "../lab/paint.js";
import { WAYS, psnrOf, reducePlane, restorePlane } from "./restore.js";

const MOST_SIDE = 512; // what is shown and measured

/** @returns {element, show(still)} */
export function reducePart(app) {
  const { words, state } = app;
  const { t, number, percent } = words;
  let plane = null;

  const original = h("canvas", { role: "img", "aria-label": t("stride.original") });
  const originalCaption = h("p", { class: "caption", data: { name: "original-size" } });
  const columns = WAYS.map((way) => ({
    way,
    small: h("canvas", { class: "pixelated", role: "img", "aria-label": t(`stride.way.${way}`) }),
    holder: h("div", { class: "small-holder" }),
    restored: h("canvas", { role: "img", "aria-label": t("stride.restored-label", { way: t(`stride.way.${way}`) }) }),
    size: h("p", { class: "caption", data: { name: `size-${way}` } }),
    psnr: h("output", { class: "psnr", data: { name: `psnr-${way}` } }),
  }));
  for (const column of columns) column.holder.append(column.small);

  const stridePick = segmented({
    label: t("stride.stride"),
    name: "stride",
    options: ["1", "2", "3", "4", "8"].map((value) => ({ value, text: value })),
    value: String(state.stride),
    change: (value) => {
      app.set({ stride: Number(value) });
      paint();
    },
  });
  const showPick = segmented({
    label: t("stride.show"),
    name: "show",
    options: ["restored", "lost"].map((value) => ({ value, text: t(`stride.show.${value}`) })),
    value: state.show,
    change: (show) => {
      app.set({ show });
      paint();
    },
  });
  const share = h("p", { class: "share-line", data: { name: "share" }, "aria-live": "polite" });

  function paint() {
    if (!plane) return;
    const { stride } = state;
    paintNumbers(original, plane.data, plane.height, plane.width, { range: { low: 0, high: 255 }, colours: "grey" });
    originalCaption.textContent = t("stride.size", { height: number(plane.height), width: number(plane.width), count: number(plane.height * plane.width) });
    const kept = 1 / (stride * stride);
    share.textContent = t(`flow.${shareName(kept)}`, { share: percent(kept, 1) });
    share.dataset.share = String(kept);
    grid.style.setProperty("--aspect", String(plane.width / plane.height));
    for (const { way, small, holder, restored, size, psnr } of columns) {
      const reduced = reducePlane(plane, way, stride);
      paintNumbers(small, reduced.data, reduced.height, reduced.width, { range: { low: 0, high: 255 }, colours: "grey" });
      holder.style.setProperty("--scale", `${(reduced.width / plane.width) * 100}%`);
      size.textContent = t("stride.size", { height: number(reduced.height), width: number(reduced.width), count: number(reduced.height * reduced.width) });
      const back = restorePlane(reduced, plane, way, stride);
      const found = psnrOf(plane.data, back.data);
      psnr.textContent = found === Infinity ? t("stride.nothing-lost") : `${number(found, 1)} dB`;
      psnr.dataset.value = String(found);
      if (state.show === "restored") {
        paintNumbers(restored, back.data, plane.height, plane.width, { range: { low: 0, high: 255 }, colours: "grey" });
      } else {
        const lost = back.data.map((v, i) => plane.data[i] - v);
        paintNumbers(restored, lost, plane.height, plane.width, { range: { low: -96, high: 96 } });
      }
    }
  }

  const grid = h(
    "div",
    { class: "reduce-grid" },
    h("div", { class: "reduce-column" }, h("h3", { text: t("stride.original") }), h("div", { class: "small-holder whole" }, original), originalCaption),
    columns.map(({ way, holder, restored, size, psnr }) =>
      h(
        "div",
        { class: "reduce-column" },
        h("h3", { text: t(`stride.way.${way}`) }),
        holder,
        size,
        restored,
        h("p", { class: "psnr-line" }, h("span", { text: t("stride.psnr") }), psnr),
      ),
    ),
  );
  const element = h(
    "section",
    { class: "reduce", "aria-label": t("stride.reduce") },
    h("div", { class: "part-head" }, h("h2", { text: t("stride.reduce") }), h("div", { class: "part-controls" }, stridePick, showPick)),
    share,
    grid,
    h("p", { class: "section-text", text: t("stride.reduce.text") }),
    h("p", { class: "section-text", text: t("stride.reduce.why") }),
  );

  return {
    element,
    show(still) {
      const side = Math.max(still.width, still.height);
      const scale = Math.min(1, MOST_SIDE / side);
      const [width, height] = [Math.round(still.width * scale), Math.round(still.height * scale)];
      let { rgba } = still;
      if (scale < 1) {
        const canvas = h("canvas", { width, height });
        const context = canvas.getContext("2d");
        context.imageSmoothingQuality = "high";
        context.drawImage(still.canvas, 0, 0, width, height);
        rgba = context.getImageData(0, 0, width, height).data;
      }
      [plane] = planesOf(rgba, height, width, "grey");
      paint();
    },
  };
}
