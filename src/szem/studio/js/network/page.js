// Inside a whole network: the map, the picture in it, a layer, a map, a neuron, its sum.

import { button, messagePlace, select } from "../controls.js";
import { fill, h, s } from "../dom.js";
import { createFrameMeter } from "../kernels/frame-meter.js";
import { fetchNetworks, fetchThumbs, findTimes, inputUrl, look, sendNetwork } from "../lab/server.js";
import { imagenetNames } from "../names.js";
import { beginWithPicture } from "../pictures/begin.js";
import { sourceBar } from "../pictures/source-bar.js";
import { wordsFor } from "../problems.js";
import { movesLittle } from "../theme.js";
import { flag, choice, whole, words as text } from "../url-state.js";
import { heatPanel } from "./heat.js";
import { layerPanel } from "./layer.js";
import { depthChart } from "./depth.js";
import { fieldOf, shareOf } from "./layout.js";
import { networkMap } from "./map.js";

export const fields = {
  picture: text("cat", 100),
  network: text("", 120),
  layer: whole(-1, -1, 20_000),
  map: whole(0, 0, 100_000),
  at: text("", 20),
  order: choice("given", ["given", "strength", "likeness"]),
  each: flag(true),
};

const LIVE_MS = 400;
const RENEW_MS = 10_000;
const LEAST_MARK = 36; // of 1000: a smaller mark no one would see

function atLeast(from, size) {
  return size >= LEAST_MARK ? [Math.round(from), Math.round(size)] : [Math.round(from + (size - LEAST_MARK) / 2), LEAST_MARK];
}

export async function mount(root, app) {
  const { words, store, state } = app;
  const { t, number, percent } = words;
  let begun = null; // the look on show
  let times = null;
  let turn = 0;
  let closed = false;
  let limits = { max_bytes: 0 };
  let networks = [];
  let waiting = null; // the newest picture, while another one is being looked at
  let looking = false;
  let lastLook = 0;
  let renewedAt = -Infinity;
  const nameOf = await imagenetNames(words.code);
  const meter = createFrameMeter();

  const problem = messagePlace("network-problem");
  const bar = sourceBar(app, {
    chosen: (id) => id !== state.picture && app.set({ picture: id }),
    other: (one) => {
      const isNetwork = one.name.toLowerCase().endsWith(".onnx");
      if (isNetwork) upload(one);
      return isNetwork;
    },
  });
  const networkHolder = h("div", { class: "network-pick" });
  const file = h("input", { type: "file", accept: ".onnx", class: "unseen", tabindex: "-1", "aria-hidden": "true", data: { name: "onnx" } });
  file.addEventListener("change", () => {
    if (file.files.length > 0) upload(file.files[0]);
    file.value = "";
  });
  const uploadButton = button({ text: t("network.upload"), image: "upload", name: "upload-network", press: () => file.click() });
  const summary = h("p", { class: "network-summary", data: { name: "summary" } });
  const answerList = h("ol", { class: "network-answer", data: { name: "answer" } });
  const image = h("img", { class: "seen-picture", alt: t("network.seen"), width: 224, height: 224 });
  const shade = s("path", { class: "field-shade", "fill-rule": "evenodd" });
  const outline = [s("rect", { class: "patch-back" }), s("rect", { class: "patch" })];
  const overlay = s("svg", { class: "overlay", viewBox: "0 0 1000 1000", preserveAspectRatio: "none", "aria-hidden": "true" }, shade, ...outline);
  const zoom = h("canvas", { class: "field-zoom pixelated", width: 64, height: 64, "aria-hidden": "true" });
  const fieldNote = h("p", { class: "caption", data: { name: "field-note" } });
  const limitsNote = h("p", { class: "section-text network-limits", data: { name: "limits" } });
  const timeButton = button({ text: t("network.measure"), name: "measure", press: measure });
  const choose = (index) => {
    app.set({ layer: index, map: 0, at: "" });
    openLayer(true);
  };
  const map = networkMap(app, choose);
  const depth = depthChart(app, choose);
  const panel = layerPanel(app, { field: showField, failed });
  const heat = heatPanel(app, { nameOf, failed });

  fill(
    root,
    h("div", { class: "page-head" }, h("div", {}, h("h1", { text: t("page.network.title") }), h("p", { class: "lead", text: t("network.lead") })), bar.element),
    h("div", { class: "network-bar" }, networkHolder, uploadButton, file, timeButton, summary),
    limitsNote,
    problem.element,
    h(
      "div",
      { class: "network-page" },
      h("aside", { class: "network-side", "aria-label": t("network.seen") }, h("div", { class: "seen" }, image, overlay), h("div", { class: "field-line" }, zoom, fieldNote), answerList),
      h("div", { class: "network-main" }, map.element, depth.element, panel.element),
    ),
    heat.element,
  );
  panel.element.hidden = true;

  // --- networks ----------------------------------------------------------------------------------------------------
  async function loadNetworks() {
    ({ networks, limits } = await fetchNetworks());
    limitsNote.textContent = t("network.limits", { megabytes: number(limits.max_bytes / 1e6), operations: number(limits.max_nodes), products: number(limits.max_multiplications / 1e9) });
    if (state.network === "") app.set({ network: networks[0]?.name ?? "" });
    else if (!networks.some((one) => one.name === state.network)) app.set({ network: networks[0]?.name ?? "", layer: -1, map: 0, at: "" });
    fill(
      networkHolder,
      select({
        label: t("network.network"),
        name: "network",
        hideLabel: true,
        groups: [{ options: networks.map(({ name, title, task }) => ({ value: name, text: task ? `${title} · ${words.has(`network.task.${task}`) ? t(`network.task.${task}`) : task}` : title })) }],
        value: state.network,
        change: (network) => {
          app.set({ network, layer: -1, map: 0, at: "" });
          begin(store.source);
        },
      }),
    );
  }

  async function upload(one) {
    uploadButton.disabled = true;
    summary.textContent = t("network.opening", { name: one.name });
    try {
      const name = await sendNetwork(one, limits.max_bytes);
      problem.clear();
      app.set({ network: name, layer: -1, map: 0, at: "" });
      await loadNetworks();
      begin(store.source);
    } catch (error) {
      problem.show(wordsFor(error, words));
      paintSummary();
    } finally {
      uploadButton.disabled = false;
    }
  }

  // --- looking -----------------------------------------------------------------------------------------------------
  /** Look at a picture; while one is being looked at, only the newest one waits. */
  async function begin(source) {
    if (!source || !state.network) return;
    if (looking) {
      waiting = source;
      return;
    }
    looking = true;
    const mine = ++turn;
    root.toggleAttribute("data-busy", true);
    const live = source.kind === "live";
    try {
      const still = live ? await source.still(t("picture.yours")) : source;
      const next = await look(state.network, still);
      if (mine !== turn || closed) return;
      problem.clear();
      const sameNetwork = begun?.network === next.network;
      begun = next;
      if (!sameNetwork) {
        times = null;
        map.show(begun.layers);
        depth.show(begun.layers);
      }
      image.src = inputUrl(begun.look);
      await image.decode().catch(() => {});
      paintSummary();
      paintAnswer();
      heat.show(begun, image, { live });
      if (state.layer >= begun.layers.length) app.set({ layer: -1 });
      if (state.layer < 0) app.set({ layer: begun.layers.findIndex((layer) => layer.output_shape[1] > 1 && layer.kind !== "shape") });
      openLayer(false);
      map.thumbs(await fetchThumbs(begun.look), { flow: !live });
      root.dataset.looked = String(mine);
      if (!times && !live) measure();
    } catch (error) {
      if (mine === turn && !closed) problem.show(wordsFor(error, words));
    } finally {
      looking = false;
      if (!closed) root.removeAttribute("data-busy");
      const next = waiting;
      waiting = null;
      if (next && !closed) begin(next);
      else if (live && store.source === source && !closed) {
        clearTimeout(lastLook);
        lastLook = setTimeout(() => store.source === source && begin(source), LIVE_MS);
      }
    }
  }

  /** What a part of the page could not get. A look that the server has forgotten is begun anew, once in a while. */
  function failed(error, place) {
    if (closed) return;
    place.show(wordsFor(error, words));
    const now = performance.now();
    if (error.code !== "look-forgotten" || now - renewedAt < RENEW_MS) return;
    renewedAt = now;
    begin(store.source);
  }

  function openLayer(move) {
    const layer = begun?.layers[state.layer];
    panel.element.hidden = !layer;
    map.mark(state.layer);
    depth.mark(state.layer);
    if (!layer) return;
    panel.open(begun, layer, times?.layers);
    if (move) panel.element.scrollIntoView({ block: "start", behavior: movesLittle() ? "auto" : "smooth" });
  }

  async function measure() {
    if (!begun) return;
    const name = begun.look;
    timeButton.disabled = true;
    try {
      const found = await findTimes(name);
      if (closed || begun.look !== name) return;
      times = found;
      map.times(found.layers);
      panel.times(found.layers);
      paintSummary();
    } catch (error) {
      failed(error, problem);
    } finally {
      timeButton.disabled = false;
    }
  }

  function paintSummary() {
    if (!begun) {
      summary.textContent = "";
      return;
    }
    const parts = [
      t("network.summary.layers", { count: number(begun.layers.length) }),
      t("network.summary.parameters", { count: number(begun.parameters) }),
      t("network.summary.products", { count: number(begun.multiplications / 1e6) }),
    ];
    if (times) parts.push(t("network.summary.time", { ms: number(times.total_ms, 1) }));
    summary.textContent = parts.join(" · ");
  }

  function paintAnswer() {
    fill(
      answerList,
      begun.answer.map(({ name, probability }) => h("li", {}, h("span", { text: nameOf(name) }), h("output", { text: percent(probability, 1) }), h("span", { class: "bar", vars: { share: `${probability * 100}%` } }))),
    );
  }

  /** Light up what a neuron sees; called for every move of the pointer. */
  function showField(layer, place, exact) {
    const started = performance.now();
    const box = place && (exact ?? fieldOf(layer, place.row, place.column, begun.input_size));
    overlay.toggleAttribute("hidden", !box);
    fieldNote.textContent = box ? t("network.field-note", { width: box.x1 - box.x0 + 1, height: box.y1 - box.y0 + 1 }) : place ? t("network.field-unknown") : "";
    if (box) {
      const { left, top, width, height } = shareOf(box, begun.input_size);
      const [x, w] = atLeast(left * 1000, width * 1000);
      const [y, tall] = atLeast(top * 1000, height * 1000);
      shade.setAttribute("d", `M0 0H1000V1000H0ZM${x} ${y}V${y + tall}H${x + w}V${y}Z`);
      for (const rect of outline) for (const [key, value] of Object.entries({ x, y, width: w, height: tall })) rect.setAttribute(key, value);
      overlay.dataset.field = [box.x0, box.y0, box.x1, box.y1].join(",");
    }
    showZoom(box);
    const now = performance.now();
    meter.add(now, now - started);
    root.dataset.hoverMs = String(meter.read().tookMs);
  }

  /** The field's own pixels, enlarged. */
  function showZoom(box) {
    zoom.classList.toggle("away", !box || !image.naturalWidth);
    if (!box || !image.naturalWidth) return;
    const [rows, columns] = begun.input_size;
    const [w, tall] = [box.x1 - box.x0 + 1, box.y1 - box.y0 + 1];
    const scale = image.naturalWidth / columns;
    const factor = zoom.width / Math.max(w, tall);
    const context = zoom.getContext("2d");
    context.imageSmoothingEnabled = factor < 1;
    context.clearRect(0, 0, zoom.width, zoom.height);
    context.drawImage(image, box.x0 * scale, (box.y0 * image.naturalHeight) / rows, w * scale, (tall * image.naturalHeight) / rows, (zoom.width - w * factor) / 2, (zoom.height - tall * factor) / 2, w * factor, tall * factor);
  }

  const stopListening = store.listen(({ source }) => source && begin(source));
  loadNetworks().then(
    () => {
      if (closed) return;
      beginWithPicture(app, fields.picture.initial, begin);
    },
    (error) => problem.show(wordsFor(error, words)),
  );

  return {
    close() {
      closed = true;
      clearTimeout(lastLook);
      stopListening();
      bar.close();
      panel.close();
      heat.close();
    },
  };
}
