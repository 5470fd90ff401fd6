// One pixel of the answer taken apart: the patch under the kernel, the products, their sum, and what the screen shows.

import { button, segmented } from "../controls.js";
import { fill, h, s } from "../dom.js";
import { shortWeight, tint } from "./editor.js";
import { sidesOf, sumOf } from "./kernel.js";
import { directionColour } from "./planes.js";

const LOUPE_LEAST = 11;
const LOUPE_MOST = 41;

/**
 * @param walk the control that leads on from pixel to pixel (walk.js); @param flat goes to a constant area
 * @returns {element, readout, show(found), close()}: `found` comes from look.js; `readout` is one line for under the pictures
 */
export function inspector(app, { pickPart, pickChannel, walk, flat }) {
  const { words } = app;
  const { t, number, plain } = words;
  const place = h("p", { class: "place", data: { name: "place" } });
  const parts = h("div", { class: "inspect-parts" });
  const row = h("div", { class: "equation" });
  const notes = h("div", { class: "inspect-notes", data: { name: "notes" } });
  const said = h("p", { class: "unseen", "aria-live": "polite" });
  const readout = h("p", { class: "readout", "aria-hidden": "true" });
  let shape = "";
  let grids = null;
  let latest = null;

  const value = (v) => plain(v, Math.abs(v) >= 1000 ? 0 : 1);

  function build(rows) {
    const sides = sidesOf(rows);
    const make = (name) => {
      const cells = Array.from({ length: sides.height * sides.width }, (_, k) => {
        const cell = h("span", { class: "cell still" });
        const light = (on) => {
          Object.values(grids.cells).forEach((list) => list[k].classList.toggle("lit", on));
          paintNotes(on ? k : null);
        };
        cell.addEventListener("pointerenter", () => light(true));
        cell.addEventListener("pointerleave", () => light(false));
        return cell;
      });
      const grid = h(
        "div",
        { class: "kernel-grid", role: "img", vars: { columns: sides.width, rows: sides.height } },
        cells,
      );
      return {
        cells,
        figure: h("figure", { class: "term", data: { name } }, h("figcaption", { text: t(`inspect.${name}`) }), grid),
        grid,
      };
    };
    const [patch, kernel, products] = ["patch", "weights", "products"].map(make);
    const loupe = h("canvas", { class: "loupe-canvas", "aria-hidden": "true" });
    const marks = s("svg", { class: "overlay" });
    const loupeFigure = h(
      "figure",
      { class: "term loupe" },
      h("figcaption", { text: t("inspect.loupe") }),
      h("div", { class: "loupe-frame" }, loupe, marks),
    );
    const result = h("div", { class: "result", data: { name: "result" } });
    const sign = (text) => h("span", { class: "sign", "aria-hidden": "true", text });
    row.dataset.size = String(Math.max(sides.height, sides.width));
    fill(row, loupeFigure, patch.figure, sign("×"), kernel.figure, sign("="), products.figure, sign("Σ"), result);
    grids = {
      cells: { patch: patch.cells, kernel: kernel.cells, products: products.cells },
      patch,
      kernel,
      products,
      loupe,
      marks,
      result,
    };
  }

  function show(found) {
    if (!found) {
      place.textContent = t("inspect.none");
      readout.textContent = "";
      fill(row);
      fill(notes);
      fill(parts);
      parts.dataset.key = "";
      shape = "";
      latest = null;
      return;
    }
    const { rows, explained, layer, output, partNames, part, channels, channel, pinned } = found;
    const sides = sidesOf(rows);
    const key = `${sides.height}x${sides.width}`;
    if (shape !== key) {
      build(rows);
      shape = key;
    }
    const { x, y } = explained.centre;
    place.textContent = `${t("inspect.place", { row: y, column: x })} · ${t(pinned ? "inspect.held" : "inspect.hint")}`;
    readout.textContent = t("inspect.readout", {
      row: y,
      column: x,
      sum: value(explained.sum),
      shown: value(output.shown),
    });
    element.toggleAttribute("data-large", Math.max(sides.height, sides.width) > 5);
    element.toggleAttribute("data-huge", Math.max(sides.height, sides.width) > 11);
    paintParts(partNames, part, channels, channel);
    const most = Math.max(...explained.cells.map(({ product }) => Math.abs(product)), 1e-9);
    const products = [explained.cells.map(({ product }) => product)];
    explained.cells.forEach((cell, k) => {
      const patch = grids.cells.patch[k];
      patch.textContent = value(cell.value);
      const shade = Math.round(Math.min(255, Math.max(0, cell.value)));
      patch.style.setProperty("--grey", `rgb(${shade} ${shade} ${shade})`);
      patch.dataset.ink = shade > 127 ? "dark" : "light";
      patch.classList.toggle("outside", cell.outside);
      const weight = grids.cells.kernel[k];
      weight.textContent = shortWeight(words, cell.weight);
      tint(weight, cell.weight, rows);
      const product = grids.cells.products[k];
      product.textContent = value(cell.product);
      product.style.setProperty("--strength", String(Math.abs(cell.product) / most));
      tint(product, cell.product, products);
    });
    grids.patch.grid.setAttribute("aria-label", explained.cells.map((cell) => value(cell.value)).join(" "));
    grids.kernel.grid.setAttribute(
      "aria-label",
      explained.cells.map((cell) => shortWeight(words, cell.weight)).join(" "),
    );
    grids.products.grid.setAttribute("aria-label", explained.cells.map((cell) => value(cell.product)).join(" "));
    paintLoupe(layer, explained);
    fill(grids.result, resultParts(found));
    latest = found;
    paintNotes(null);
    if (pinned)
      said.textContent = t("inspect.said", {
        row: y,
        column: x,
        sum: value(explained.sum),
        shown: value(output.shown),
      });
  }

  /** What is to be said of the sum, or of one of its products while the pointer is on it. */
  function paintNotes(k) {
    if (!latest) return;
    const texts = k === null ? notesOf(latest) : [productText(latest.explained.cells[k], latest.border)];
    fill(
      notes,
      texts.map((text) => h("p", { text })),
    );
  }

  function productText(cell, border) {
    const product = `${plain(cell.value, 1)} × ${plain(cell.weight, 4)} = ${plain(cell.product, 2)}`;
    return `${product} · ${sourceText(cell, border)}`;
  }

  function paintParts(partNames, part, channels, channel) {
    const keyNow = JSON.stringify([partNames, part, channels, channel]);
    if (parts.dataset.key === keyNow) return;
    parts.dataset.key = keyNow;
    fill(
      parts,
      partNames.length > 1
        ? segmented({
            label: t("inspect.part"),
            name: "part",
            hideLabel: true,
            options: partNames.map((name, k) => ({ value: String(k), text: t(`inspect.part.${name}`) })),
            value: String(part),
            change: (k) => pickPart(Number(k)),
          })
        : null,
      channels > 1
        ? segmented({
            label: t("inspect.channel"),
            name: "channel",
            hideLabel: true,
            options: ["red", "green", "blue"].map((name, k) => ({ value: String(k), text: t(`colour.${name}`) })),
            value: String(channel),
            change: (k) => pickChannel(Number(k)),
          })
        : null,
    );
  }

  function sourceText(cell, border) {
    const here = t("inspect.place", { row: cell.y, column: cell.x });
    if (!cell.outside) return here;
    if (cell.nowhere) return `${here}: ${t("border.constant.cell")}`;
    return `${here}: ${t(`border.${border}.cell`, { row: cell.fromY, column: cell.fromX })}`;
  }

  function resultParts({ explained, output, edges, pooled, final }) {
    const { sum } = explained;
    const lines = [];
    const line = (name, text, { big = false, swatch = null } = {}) =>
      lines.push(
        h(
          "div",
          { class: `result-line${big ? " big" : ""}`, data: { name } },
          h("span", { class: "result-name", text: t(`inspect.${name}`) }),
          swatch ? h("span", { class: "swatch", vars: { fill: swatch } }) : null,
          h("output", { class: "result-value", data: { exact: String(text.exact) }, text: text.shown }),
        ),
      );
    const both = (v) => ({ exact: v, shown: number(v, 2) });
    line("sum", both(sum), { big: !edges });
    if (edges) {
      line("strength", both(edges.strength), { big: true });
      const degrees = (Math.atan2(edges.down, edges.across) * 180) / Math.PI;
      line(
        "direction",
        { exact: degrees, shown: `${number(degrees)}°` },
        {
          swatch: `rgb(${directionColour((degrees * Math.PI) / 180)
            .map(Math.round)
            .join(" ")})`,
        },
      );
    }
    if (!final) {
      lines.push(h("p", { class: "section-text", text: t("inspect.goes-on") }));
      return lines;
    }
    if (pooled) {
      lines.push(
        h(
          "div",
          { class: "pool-window", data: { name: "pool-window" } },
          h("span", { class: "result-name", text: t(`inspect.pool.${pooled.pool}`, { count: pooled.cells.length }) }),
          h(
            "div",
            { class: "kernel-grid", vars: { columns: pooled.window, rows: pooled.window } },
            pooled.cells.map((cell) =>
              h("span", { class: `cell still${cell.chosen ? " chosen" : ""}`, text: value(cell.value) }),
            ),
          ),
          h("output", {
            class: "result-value",
            data: { name: "pooled", exact: String(pooled.value) },
            text: number(pooled.value, 1),
          }),
        ),
      );
    }
    const shade = Math.round(output.shown);
    line("shown", { exact: output.shown, shown: number(output.shown) }, { swatch: `rgb(${shade} ${shade} ${shade})` });
    return lines;
  }

  function notesOf({ explained, rows, border, output, final }) {
    const texts = [];
    const beyond = explained.cells.filter((cell) => cell.outside).length;
    if (explained.flat) {
      const sum = sumOf(rows);
      const v = value(explained.cells[0].value);
      texts.push(
        t(sum === 0 ? "inspect.flat.zero" : "inspect.flat", {
          value: v,
          sum: number(sum, 3),
          answer: value(explained.sum),
        }),
      );
    }
    if (beyond > 0) texts.push(t(`border.${border}.note`, { count: beyond, all: explained.cells.length }));
    if (final && output.cut)
      texts.push(t(output.value < 0 ? "inspect.cut.below" : "inspect.cut.above", { value: value(output.value) }));
    return texts;
  }

  /** The surroundings of the patch, large, with the taps outlined: dilation shows as gaps. */
  function paintLoupe(layer, { centre, cells }) {
    const ys = cells.map((cell) => cell.y - centre.y);
    const xs = cells.map((cell) => cell.x - centre.x);
    const reach = Math.max(...ys.map(Math.abs), ...xs.map(Math.abs)) + 2;
    const side = Math.min(Math.max(2 * reach + 1, LOUPE_LEAST), LOUPE_MOST);
    const half = Math.floor(side / 2);
    const { loupe, marks } = grids;
    if (loupe.width !== side) loupe.width = loupe.height = side;
    const context = loupe.getContext("2d");
    const image = context.createImageData(side, side);
    for (let j = 0; j < side; j++) {
      for (let i = 0; i < side; i++) {
        const [y, x] = [centre.y - half + j, centre.x - half + i];
        const to = (j * side + i) * 4;
        if (y < 0 || x < 0 || y >= layer.height || x >= layer.width) continue; // stays clear: beyond the picture
        image.data[to] = image.data[to + 1] = image.data[to + 2] = layer.at(y, x);
        image.data[to + 3] = 255;
      }
    }
    context.putImageData(image, 0, 0);
    marks.setAttribute("viewBox", `0 0 ${side} ${side}`);
    const [width, height] = [Math.max(...xs) - Math.min(...xs) + 1, Math.max(...ys) - Math.min(...ys) + 1];
    const whole = s("rect", { x: half + Math.min(...xs), y: half + Math.min(...ys), width, height, class: "tap" });
    const boxes =
      cells.length > 121
        ? whole
        : cells.map((cell) =>
            s("rect", {
              x: cell.x - centre.x + half,
              y: cell.y - centre.y + half,
              width: 1,
              height: 1,
              class: cell.weight === 0 ? "tap empty" : "tap",
            }),
          );
    fill(marks, boxes, s("rect", { x: half, y: half, width: 1, height: 1, class: "tap centre" }));
  }

  const element = h(
    "section",
    { class: "inspector", "aria-labelledby": "inspect-title" },
    h(
      "div",
      { class: "inspect-head" },
      h("h2", { id: "inspect-title", text: t("inspect.title") }),
      place,
      h("div", { class: "inspect-parts" }, walk.element, button({ text: t("inspect.flat-spot"), name: "flat", press: flat })),
      parts,
    ),
    row,
    notes,
    said,
  );
  return { element, readout, show, close: walk.close };
}
