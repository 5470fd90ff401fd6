// One layer opened: its facts, all of its maps, one map with its neurons, what a map likes best.

import { messagePlace, segmented, toggle } from "../controls.js";
import { fill, h } from "../dom.js";
import { cellAt, paintNumbers, short } from "../lab/paint.js";
import { fetchMaps, fetchNeuron, fetchSearched, findStrongest } from "../lab/server.js";
import { awakeShare, numberAt, orderOf } from "./layout.js";
import { createSheet } from "./sheet.js";
import { sumPanel } from "./sum.js";

const SEARCH_TICK_MS = 500;

/**
 * @param field called with (layer, place or null, exact rectangle or null) when the pointer rests on a neuron
 * @param failed called with (error, place for its message)
 * @returns {element, open(begun, layer), close()}
 */
export function layerPanel(app, { field, failed }) {
  const { words, state } = app;
  const { t, number, percent } = words;
  let begun = null; // the look
  let layer = null;
  let packed = null;
  let order = [];
  let turn = 0;
  let pinned = null; // {row, column} whose sum is on show
  let exact = null; // its rectangle, as the server found it
  let openedMs = 0;

  const problem = messagePlace("layer-problem");
  const title = h("h2", { id: "layer-title", tabindex: "-1" });
  const facts = h("dl", { class: "layer-facts", data: { name: "facts" } });
  const count = h("p", { class: "section-text", data: { name: "kinds" } });
  const sheet = createSheet({ label: t("network.sheet"), pointed: (map) => sayMap(map ?? state.map), picked: (map) => chooseMap(map) });
  const kindNote = h("p", { class: "place-line", data: { name: "kind-note" } });
  const orderPick = segmented({
    label: t("network.order"),
    name: "order",
    options: ["given", "strength", "likeness"].map((value) => ({ value, text: t(`network.order.${value}`) })),
    value: state.order,
    change: (value) => {
      app.set({ order: value });
      paintSheet();
    },
  });
  const eachPick = toggle({
    label: t("network.each"),
    name: "each",
    value: state.each,
    change: (each) => {
      app.set({ each });
      paintSheet();
    },
  });
  const mapCanvas = h("canvas", { class: "pixelated", "aria-hidden": "true" });
  const ring = h("i", { class: "ring", hidden: true });
  const mapPlace = h("div", { class: "map-place neurons", tabindex: "0", role: "application", "aria-label": t("network.neurons"), data: { name: "neurons" } }, mapCanvas, ring);
  const mapTitle = h("h3", {});
  const readout = h("p", { class: "place-line", data: { name: "readout" } });
  const sums = sumPanel(app);
  const likes = h("div", { class: "likes", data: { name: "strongest" } });
  const likesButton = h("button", { type: "button", class: "button quiet", data: { name: "find-strongest" }, on: { click: () => showStrongest() } }, h("span", { text: t("network.strongest.find") }));
  const likesHead = h("div", { class: "chart-head" }, h("h3", { text: t("network.strongest") }), likesButton);

  const element = h(
    "section",
    { class: "layer-panel", "aria-labelledby": "layer-title", data: { name: "layer" } },
    h("div", { class: "part-head" }, h("div", {}, title, count), h("div", { class: "part-controls" }, orderPick, eachPick)),
    facts,
    problem.element,
    h("div", { class: "layer-grid" }, h("div", {}, sheet.element, kindNote), h("div", { class: "one-map" }, mapTitle, mapPlace, readout)),
    h("div", { class: "below-map" }, sums.element, h("div", {}, likesHead, likes)),
  );

  // --- one map -----------------------------------------------------------------------------------------------------
  mapCanvas.addEventListener("pointermove", (event) => {
    if (!packed) return;
    const cell = cellAt(mapCanvas, event, packed.rows, packed.columns);
    if (cell) hoverNeuron(cell);
  });
  mapCanvas.addEventListener("pointerleave", () => hoverNeuron(null));
  mapCanvas.addEventListener("click", (event) => {
    if (!packed) return;
    const cell = cellAt(mapCanvas, event, packed.rows, packed.columns);
    if (cell) chooseNeuron(cell);
  });
  mapPlace.addEventListener("keydown", (event) => {
    if (!packed) return;
    const from = pinned ?? strongestOf(state.map);
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    chooseNeuron({ row: clamp(from.row + step[0], packed.rows), column: clamp(from.column + step[1], packed.columns) });
  });
  const clamp = (v, side) => Math.max(0, Math.min(side - 1, v));

  /** The strongest neuron of a map; of several alike, the one nearest to the middle. */
  function strongestOf(map) {
    const { rows, columns, bytes } = packed;
    let best = { value: -1, away: 0, row: 0, column: 0 };
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const value = bytes[(map * rows + row) * columns + column];
        if (value < best.value) continue;
        const away = (row - rows / 2) ** 2 + (column - columns / 2) ** 2;
        if (value > best.value || away < best.away) best = { value, away, row, column };
      }
    }
    return { row: best.row, column: best.column };
  }

  /** What sets one kind apart: its largest answer, and in how many of its places it answers at all. */
  function sayMap(map) {
    if (!packed) return;
    const awake = awakeShare(packed, map);
    kindNote.textContent = t("network.kind-note", { number: map, most: short(packed.high[map], words), share: percent(awake, awake < 0.1 ? 1 : 0) });
  }

  function strongestMap() {
    let best = 0;
    for (let m = 1; m < packed.maps; m++) if (packed.high[m] > packed.high[best]) best = m;
    return best;
  }

  function putRing(cell) {
    ring.hidden = !cell;
    if (!cell) return;
    Object.assign(ring.style, { left: `${(cell.column / packed.columns) * 100}%`, top: `${(cell.row / packed.rows) * 100}%`, width: `${100 / packed.columns}%`, height: `${100 / packed.rows}%` });
  }

  /** Cheap enough for every frame: two styles and a line of text. */
  function hoverNeuron(cell) {
    const place = cell ?? pinned;
    putRing(place);
    field(layer, place, cell ? null : exact);
    readout.textContent = place ? t("network.readout", { row: place.row, column: place.column, value: short(numberAt(packed, state.map, place.row, place.column), words) }) : t("network.readout.none");
  }

  async function chooseNeuron(place) {
    const mine = turn;
    pinned = place;
    exact = null;
    app.set({ at: `${place.row},${place.column}` });
    hoverNeuron(null);
    try {
      const found = await fetchNeuron(begun.look, layer.index, { map: state.map, row: place.row, column: place.column });
      if (mine !== turn || pinned !== place) return;
      problem.clear();
      if (found.input_xyxy) {
        const [x0, y0, x1, y1] = found.input_xyxy;
        exact = { x0, y0, x1, y1 };
      }
      hoverNeuron(null);
      sums.show(found);
    } catch (error) {
      if (mine === turn) failed(error, problem);
    }
  }

  function chooseMap(map, place = null) {
    app.set({ map });
    pinned = exact = null;
    sheet.mark(map);
    sayMap(map);
    mapTitle.textContent = t("network.map", { number: map, count: number(packed.maps) });
    const size = packed.rows * packed.columns;
    const numbers = new Float32Array(size);
    for (let i = 0; i < size; i++) numbers[i] = packed.low[map] + (packed.bytes[map * size + i] / 255) * (packed.high[map] - packed.low[map]);
    paintNumbers(mapCanvas, numbers, packed.rows, packed.columns);
    mapPlace.style.setProperty("--aspect", String(packed.columns / packed.rows));
    fill(likes);
    chooseNeuron(place ?? strongestOf(map));
  }

  function paintSheet() {
    if (!packed) return;
    const started = performance.now();
    order = orderOf(packed, state.order === "given" ? "" : state.order);
    sheet.show(packed, order, state.each);
    sheet.mark(state.map);
    element.dataset.paintMs = String(performance.now() - started);
  }

  async function showStrongest() {
    const [mine, map] = [turn, state.map];
    likesButton.disabled = true;
    const share = h("progress", { class: "search-share", max: "1", "aria-label": t("network.strongest.wait") });
    fill(likes, h("p", { class: "section-text", text: t("network.strongest.wait") }), share);
    const ticking = setInterval(async () => {
      const done = await fetchSearched(begun.network).catch(() => null);
      if (done !== null) share.value = done;
    }, SEARCH_TICK_MS);
    try {
      const found = await findStrongest(begun.network, layer.index, map);
      if (mine !== turn || map !== state.map) return;
      fill(
        likes,
        h(
          "ol",
          { class: "patches" },
          found.strongest.map(({ value, patch, picture }) => h("li", {}, h("img", { src: patch, alt: t("network.strongest.patch") }), h("img", { src: picture, alt: "", class: "whole" }), h("output", { text: short(value, words) }))),
        ),
        h("p", { class: "caption", text: t("network.strongest.of", { count: number(found.pictures) }) }),
      );
    } catch (error) {
      if (mine === turn) {
        fill(likes);
        failed(error, problem);
      }
    } finally {
      clearInterval(ticking);
      likesButton.disabled = false;
    }
  }

  // --- facts -------------------------------------------------------------------------------------------------------
  function paintFacts(times) {
    const pair = (values) => values.map((v) => number(v, 1)).join(" × ");
    const fact = (name, value, note = "") => h("div", { class: "fact" }, h("dt", { text: t(`network.fact.${name}`) }), h("dd", {}, h("output", { text: value, data: { fact: name } }), note ? h("small", { text: note }) : null));
    const { kernel, stride, dilation, parameters, parameters_unshared: own } = layer;
    const time = times?.find((row) => row.index === layer.index);
    fill(
      facts,
      fact("kind", t(`network.kind.${layer.kind}`), layer.activation ? `+ ${layer.activation}` : ""),
      kernel ? fact("kernel", pair(kernel), [stride && Math.max(...stride) > 1 ? t("network.stride", { n: stride[0] }) : "", dilation && Math.max(...dilation) > 1 ? t("network.rate", { n: dilation[0] }) : ""].filter(Boolean).join(", ")) : null,
      fact("shape", layer.output_shape.map((v) => number(v)).join(" × ")),
      parameters ? fact("parameters", number(parameters), own > parameters ? t("network.unshared", { count: number(own), times: number(own / parameters) }) : "") : null,
      layer.multiplications ? fact("multiplications", number(layer.multiplications)) : null,
      layer.sees_all ? fact("field", t("network.sees-all")) : layer.field_px ? fact("field", t("pixels", { count: pair(layer.field_px) }), t("network.stride", { n: number(layer.field_stride_px[1], 2) })) : null,
      time ? fact("time", `${number(time.time_ms, 2)} ms`, percent(time.time_fraction, 1)) : null,
    );
  }

  return {
    element,
    /** Fetch and show a layer of a look. */
    async open(nextLook, nextLayer, times) {
      const mine = ++turn;
      const started = performance.now();
      [begun, layer] = [nextLook, nextLayer];
      title.textContent = layer.name;
      paintFacts(times);
      element.toggleAttribute("data-busy", true);
      try {
        const next = await fetchMaps(begun.look, layer.index);
        if (mine !== turn) return;
        packed = next;
        problem.clear();
        count.textContent = t("network.kinds", { count: number(packed.maps), rows: number(packed.rows), columns: number(packed.columns) });
        if (state.map >= packed.maps || (state.map === 0 && state.at === "")) app.set({ map: strongestMap() });
        paintSheet();
        openedMs = performance.now() - started;
        element.dataset.openedMs = String(openedMs);
        element.dataset.layer = String(layer.index);
        const [row, column] = state.at.split(",").map(Number);
        const asked = Number.isInteger(row) && Number.isInteger(column) && row < packed.rows && column < packed.columns;
        chooseMap(state.map, asked ? { row, column } : null);
      } catch (error) {
        if (mine === turn) failed(error, problem);
      } finally {
        if (mine === turn) element.removeAttribute("data-busy");
      }
    },
    times: paintFacts,
    close() {
      turn += 1;
    },
  };
}
