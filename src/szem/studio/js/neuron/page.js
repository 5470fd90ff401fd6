// One neuron, copied: a kernel is a neuron's weights, a map has as many neurons as pixels, and all share the weights.

import { signedColour } from "../colours.js";
import { button, messagePlace, segmented, select } from "../controls.js";
import { fill, h } from "../dom.js";
import { groupsOf } from "../kernels/editor.js";
import { createArraysEngine } from "../kernels/engine-arrays.js";
import { createFigure } from "../kernels/figure.js";
import { lookAt } from "../kernels/look.js";
import { greyOf, planesOf } from "../kernels/planes.js";
import { firstPixel, readPixel } from "../kernels/settings.js";
import { beginWithPicture } from "../pictures/begin.js";
import { sourceBar } from "../pictures/source-bar.js";
import { wordsFor } from "../problems.js";
import { movesLittle } from "../theme.js";
import { choice, words as text } from "../url-state.js";
import { countWeights } from "./counts.js";
import { neuronDrawing } from "./drawing.js";

const KINDS = ["1", "32", "64", "192"];
const NEAR = 2; // neighbours on each side that are shown with the neuron
const COPY_MS = 3000;

export const fields = {
  picture: text("cameraman", 100),
  kernel: text("sobel-x", 60),
  at: text("", 20),
  kinds: choice("64", KINDS),
};

export async function mount(root, app) {
  const { words, store, state } = app;
  const { t, number } = words;
  let table = [];
  const problem = messagePlace("neuron-problem");
  try {
    table = (await app.kernels()).filter(({ weights }) => weights.length === 3 && weights[0].length === 3);
  } catch (error) {
    problem.show(wordsFor(error, words));
    fill(root, h("h1", { text: t("page.neuron.title") }), problem.element);
    return { close() {} };
  }
  if (!table.some((one) => one.name === state.kernel)) app.set({ kernel: fields.kernel.initial });

  const engine = createArraysEngine();
  let planes = null;
  let focus = null;
  let copied = 1; // the fraction of rows where the neuron stands already
  let copying = 0;
  let closed = false;

  const bar = sourceBar(app, { chosen: (id) => id !== state.picture && app.set({ picture: id }) });
  const figure = (name, label, pick) =>
    createFigure({
      name,
      label,
      point: (pixel, how) => (how === "pick" || !state.at) && pick(pixel, how === "pick"),
      step: (dx, dy) => focus && move({ x: focus.x + dx, y: focus.y + dy }, true),
      release: () => app.set({ at: "" }),
    });
  const input = figure("input", t("neuron.picture.label"), move);
  const map = figure("map", t("neuron.map.label"), move);
  const drawing = neuronDrawing(words, words);
  const near = h("div", { class: "near", role: "group", "aria-label": t("neuron.near") });
  const place = h("p", { class: "section-text", data: { name: "place" } });
  const counts = h("dl", { class: "weights-list", data: { name: "weights" } });
  const copy = button({ text: t("neuron.copy"), image: "play", kind: "strong", name: "copy", press: startCopy });

  const plan = () => ({
    colour: "grey",
    mode: "one",
    kernels: [table.find((one) => one.name === state.kernel).weights],
    operation: "correlation",
    stride: 1,
    dilation: 1,
    border: "reflect",
    pool: "none",
    window: 2,
  });

  function move(pixel, hold = false) {
    const { source } = store;
    if (!source || !planes) return;
    const inside = (v, size) => Math.min(Math.max(v, 0), size - 1);
    focus = { x: inside(pixel.x, source.width), y: inside(pixel.y, source.height) };
    if (hold) app.set({ at: `${focus.x},${focus.y}` });
    paintNeuron();
  }

  function paintNeuron() {
    const now = plan();
    const found = lookAt(planes, now, focus, { part: 0, channel: 0 });
    input.mark(found.taps, found.centre);
    map.mark([found.output], found.output);
    drawing.show(found);
    place.textContent = t("neuron.place", { row: focus.y, column: focus.x });
    paintNear();
  }

  /** The neuron among its neighbours: each with the sum at its own place. */
  function paintNear() {
    const [answer] = engine.read();
    const cells = [];
    for (let dy = -NEAR; dy <= NEAR; dy++) {
      for (let dx = -NEAR; dx <= NEAR; dx++) {
        const [y, x] = [focus.y + dy, focus.x + dx];
        const there = y >= 0 && x >= 0 && y < answer.height && x < answer.width;
        const value = there ? answer.data[y * answer.width + x] : 0;
        const [r, g, b] = signedColour(Math.min(1, Math.max(-1, value / 255))).map(Math.round);
        cells.push(
          h("button", {
            type: "button",
            class: "near-neuron",
            disabled: !there,
            "aria-label": there ? t("neuron.near.one", { row: y, column: x, sum: number(value) }) : t("neuron.near.none"),
            "aria-current": dy === 0 && dx === 0 ? "true" : null,
            vars: { fill: `rgb(${r} ${g} ${b})` },
            data: { ink: greyOf(r, g, b) > 110 ? "dark" : "light" },
            text: there ? number(value) : "",
            on: { click: () => move({ x, y }, true) },
          }),
        );
      }
    }
    fill(near, cells);
  }

  function paintCounts() {
    const { source } = store;
    if (!source) return;
    const { height, width } = source;
    const found = countWeights({ height, width, kinds: Number(state.kinds), inputs: 9 });
    const row = (name, value) => [
      h("dt", {}, h("strong", { text: t(`neuron.count.${name}`) }), h("span", { text: t(`neuron.count.${name}.text`) })),
      h("dd", {}, h("output", { data: { count: name }, text: number(value) })),
    ];
    fill(counts, Object.entries(found).map(([name, value]) => row(name, value)));
  }

  function run() {
    const { source } = store;
    if (!source?.rgba || closed) return;
    planes = planesOf(source.rgba, source.height, source.width, "grey");
    engine.run({ rgba: source.rgba, height: source.height, width: source.width }, plan());
    focus ??= readPixel(state.at, source.height, source.width) ?? firstPixel(source);
    paintMap();
    paintNeuron();
    paintCounts();
  }

  /** The answer, as far as the neuron has been copied. */
  function paintMap() {
    engine.draw(map.canvas, "signed", { full: 255 });
    const rows = Math.floor(map.canvas.height * copied);
    if (rows >= map.canvas.height) return;
    const context = map.canvas.getContext("2d");
    context.fillStyle = "rgb(140 139 126)";
    context.fillRect(0, rows, map.canvas.width, map.canvas.height - rows);
  }

  /** Put the neuron on every pixel, row by row. */
  function startCopy() {
    cancelAnimationFrame(copying);
    if (!planes) return;
    const still = movesLittle();
    const begun = performance.now();
    const frame = (now) => {
      copied = still ? 1 : Math.min(1, (now - begun) / COPY_MS);
      paintMap();
      const { width, height } = map.canvas;
      const k = Math.min(Math.floor(copied * width * height), width * height - 1);
      if (copied < 1) {
        focus = { x: Math.floor((k % (width * 8)) / 8), y: Math.floor(k / width) };
        copying = requestAnimationFrame(frame);
      } else focus = readPixel(state.at, height, width) ?? firstPixel({ width, height });
      paintNeuron();
    };
    copying = requestAnimationFrame(frame);
  }

  async function open(source) {
    if (source.kind === "live") {
      const still = await source.still(t("picture.yours"));
      if (!closed && store.source === source) store.use(still);
      return;
    }
    focus = null;
    copied = 1;
    Object.assign(input.canvas, { width: source.width, height: source.height });
    input.shape(source.height, source.width);
    map.shape(source.height, source.width);
    const image = new ImageData(source.width, source.height);
    const grey = planesOf(source.rgba, source.height, source.width, "grey")[0].data;
    for (let i = 0; i < grey.length; i++) image.data.set([grey[i], grey[i], grey[i], 255], 4 * i);
    input.canvas.getContext("2d").putImageData(image, 0, 0);
    run();
  }

  fill(
    root,
    h(
      "div",
      { class: "page-head" },
      h("div", {}, h("h1", { text: t("page.neuron.title") }), h("p", { class: "lead", text: t("neuron.lead") })),
      bar.element,
    ),
    problem.element,
    h(
      "section",
      { class: "neuron-stage", "aria-label": t("page.neuron.title") },
      h("div", {}, h("div", { class: "figure-head" }, h("h2", { text: t("neuron.picture") })), input.element),
      h(
        "div",
        { class: "neuron-one" },
        h("div", { class: "figure-head" }, h("h2", { text: t("neuron.one") })),
        select({
          label: t("kernels.kernel"),
          name: "kernel",
          hideLabel: true,
          groups: groupsOf(words, table),
          value: state.kernel,
          change: (kernel) => {
            app.set({ kernel });
            run();
          },
        }),
        drawing.element,
        place,
      ),
      h("div", {}, h("div", { class: "figure-head" }, h("h2", { text: t("neuron.map") })), map.element, copy),
    ),
    h(
      "div",
      { class: "neuron-below" },
      h(
        "section",
        { "aria-labelledby": "near-title" },
        h("h2", { id: "near-title", text: t("neuron.near") }),
        h("p", { class: "section-text", text: t("neuron.near.text") }),
        near,
      ),
      h(
        "section",
        { "aria-labelledby": "sharing-title" },
        h("h2", { id: "sharing-title", text: t("neuron.sharing") }),
        h("p", { class: "section-text", text: t("neuron.sharing.text") }),
        segmented({
          label: t("neuron.kinds"),
          name: "kinds",
          options: KINDS.map((value) => ({ value, text: value })),
          value: state.kinds,
          change: (kinds) => {
            app.set({ kinds });
            paintCounts();
          },
        }),
        counts,
      ),
    ),
  );
  const stopListening = store.listen(({ source }) => source && open(source));
  const watcher = new ResizeObserver(() => planes && focus && paintNeuron());
  watcher.observe(input.element);
  beginWithPicture(app, fields.picture.initial, open);

  return {
    close() {
      closed = true;
      cancelAnimationFrame(copying);
      stopListening();
      watcher.disconnect();
      bar.close();
      engine.close();
    },
  };
}
