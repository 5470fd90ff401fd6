// The kernels page: a picture, a kernel, the answer; and for every pixel of it the sum that made it.

import { button, messagePlace, segmented } from "../controls.js";
import { fill, h, whenSeen } from "../dom.js";
import { beginWithPicture, isBundled } from "../pictures/begin.js";
import { sourceBar } from "../pictures/source-bar.js";
import { Problem, wordsFor } from "../problems.js";
import { kernelPanel } from "./editor.js";
import { createArraysEngine } from "./engine-arrays.js";
import { chooseEngine } from "./engine.js";
import { createFigure } from "./figure.js";
import { dataFlow } from "./flow.js";
import { createFrameMeter } from "./frame-meter.js";
import { gallery } from "./gallery.js";
import { inspector } from "./inspector.js";
import { flatSpot } from "./flat.js";
import { lookAt, pictureFocus } from "./look.js";
import { optionsBand } from "./options.js";
import { numberMatrix } from "./matrix.js";
import { multiplicationsOf, signedFull, stepsOf } from "./plan.js";
import { paintClipped, planesOf, statisticsOf } from "./planes.js";
import { fields, firstPixel, planOf, readPixel, viewsOf } from "./settings.js";
import { openTable } from "./table.js";
import { takeSection } from "./take.js";
import { viewChoice } from "./view-choice.js";
import { createWalk } from "./walk.js";

export { fields };

// How often a live picture brings up to date what is not the answer itself; of these, one at most in each frame.
const LIVE_MS = { inspect: 120, numbers: 500, flow: 500, gallery: 100 };
const LIVE_GALLERY = 4; // kernels of the gallery in one of these frames
const NEVER = { inspect: 0, numbers: 0, flow: 0, gallery: 0 };

export async function mount(root, app) {
  const { words } = app;
  const { t } = words;
  try {
    const { table, unknown } = await openTable(app);
    return kernelsPage(root, app, table, unknown);
  } catch (error) {
    const place = messagePlace("page-problem");
    place.show(wordsFor(error, words));
    fill(
      root,
      h("h1", { text: t("page.kernels.title") }),
      place.element,
      button({ text: t("retry"), kind: "strong", press: () => location.reload() }),
    );
    return { close() {} };
  }
}

function kernelsPage(root, app, table, unknown) {
  const { words, store, state } = app;
  const { t, number, percent } = words;

  // --- what is on show -------------------------------------------------------------------------------------------
  let engine = chooseEngine(state.engine);
  let inputContext = null;
  let stopFrames = () => {};
  let focus = null; // {x, y} in the picture: pinned, or where the pointer is
  let pinned = false;
  let part = 0;
  let channel = 0;
  let planes = null; // of the picture, for the inspector; made when needed
  let found = null; // what the inspector shows
  let hold = { ...NEVER }; // when each was last brought up to date, for live pictures
  const meter = createFrameMeter();

  const bar = sourceBar(app, { chosen: (id) => id !== state.picture && app.set({ picture: id }) });
  const panel = kernelPanel(app, table, state, change);
  const input = createFigure({
    name: "input",
    label: t("kernels.input.label"),
    point: pointInput,
    step: stepBy,
    release,
  });
  const outputs = [0, 1].map((k) =>
    createFigure({
      name: `output-${k}`,
      label: t("kernels.output.label"),
      point: pointOutput,
      step: stepOutput,
      release,
    }),
  );
  const captions = {
    input: h("p", { class: "caption", data: { name: "input-size" } }),
    output: h("p", { class: "caption", data: { name: "output-size" } }),
  };
  const numbersLine = h("p", { class: "numbers-line", data: { name: "statistics" } });
  const meterLine = h("p", { class: "meter", data: { name: "meter" } });
  const outputTitles = [h("h2", {}), h("h2", {})];
  const outputFigures = outputs.map((figure, k) =>
    h(
      "div",
      { class: "stage-figure", data: { output: String(k) } },
      h("div", { class: "figure-head" }, outputTitles[k], k === 0 ? captions.output : null),
      figure.element,
    ),
  );
  const tooLarge = h("p", { class: "empty-answer", text: t("kernels.too-large") });
  const views = viewChoice(app, state, table, change);
  const colourChoice = segmented({
    label: t("kernels.colour"),
    name: "colour",
    hideLabel: true,
    options: ["grey", "colour"].map((value) => ({ value, text: t(`kernels.colour.${value}`) })),
    value: state.colour,
    change: (colour) => change({ colour }),
  });
  const seen = inspector(app, {
    pickPart: (k) => ((part = k), draw({ run: false })),
    pickChannel: (k) => ((channel = k), draw({ run: false })),
    walk: createWalk(app.words, { step: walkOn, stopped: () => focus && pin(focus) }),
    flat: goFlat,
  });
  const problem = messagePlace("kernel-problem");
  const matrix = numberMatrix(app, (side, pixel) => (side === "picture" ? pointInput : pointOutput)(pixel, "pick"));
  const flow = dataFlow(app);
  const all = gallery(app, table, (name) => {
    change({ kernel: name, weights: "", mode: state.mode === "edges" ? "one" : state.mode });
    repaintControls();
    root.querySelector(".stage").scrollIntoView({ behavior: "smooth", block: "center" });
  });
  const take = takeSection(app, table, { sample: sampleName, canvas: () => outputs[0].canvas });

  const stage = h(
    "section",
    { class: "stage", "aria-label": t("kernels.stage") },
    h(
      "div",
      { class: "stage-figure input" },
      h("div", { class: "figure-head" }, h("h2", { text: t("kernels.input") }), captions.input),
      input.element,
      h("div", { class: "under" }, colourChoice, meterLine),
    ),
    h("span", { class: "sign", "aria-hidden": "true", text: "∗" }),
    panel.element,
    h("span", { class: "sign", "aria-hidden": "true", text: "=" }),
    h(
      "div",
      { class: "stage-output" },
      h("div", { class: "stage-outputs" }, outputFigures),
      views.element,
      numbersLine,
    ),
    seen.readout,
  );
  fill(
    root,
    h(
      "div",
      { class: "page-head" },
      h("div", {}, h("h1", { text: t("page.kernels.title") }), h("p", { class: "lead", text: t("kernels.lead") })),
      bar.element,
    ),
    problem.element,
    stage,
    seen.element,
    h(
      "div",
      { class: "band" },
      h("div", {}, h("h2", { text: t("options.title") }), optionsBand(app, state, change)),
      flow.element,
    ),
    matrix.element,
    all.element,
    take.element,
  );
  const paintGallery = whenSeen(all.element, () =>
    all.paint(input.canvas, state, store.source?.kind === "live" ? LIVE_GALLERY : undefined),
  );
  const paintMatrix = whenSeen(matrix.element, () => matrix.show(found));
  paintViews();
  all.mark(state.kernel);
  if (unknown) problem.show(wordsFor(unknown, words));

  // --- changes ---------------------------------------------------------------------------------------------------
  function change(changes) {
    app.set(changes);
    if ("mode" in changes) {
      part = 0;
      views.paint();
    }
    if ("view" in changes || "mode" in changes) paintViews();
    views.legend();
    if ("colour" in changes || "mode" in changes) {
      planes = null;
      if (store.source) paintInput(store.source);
    }
    all.mark(state.kernel);
    take.refresh();
    draw();
  }

  /** After a change that did not come from the panel itself. */
  function repaintControls() {
    panel.paint();
    const mode = panel.element.querySelector(`[data-name="mode"] input[value="${state.mode}"]`);
    if (mode) mode.checked = true;
  }

  function paintViews() {
    const names = viewsOf(state);
    const edges = state.mode === "edges";
    stage.dataset.views = String(names.length);
    colourChoice.disabled = edges;
    root.querySelector('[data-name="operation"]').disabled = edges;
    outputFigures.forEach((figure, k) => (figure.hidden = k >= names.length));
    names.forEach((name, k) => (outputTitles[k].textContent = t(`view.${name}.title`)));
  }

  // --- pointing --------------------------------------------------------------------------------------------------
  function picturePlanes() {
    const { source } = store;
    if (!planes) {
      const rgba = source.rgba ?? inputContext.getImageData(0, 0, source.width, source.height).data;
      planes = planesOf(rgba, source.height, source.width, state.mode === "edges" ? "grey" : state.colour);
    }
    return planes;
  }

  function pointInput(pixel, how) {
    if (!store.source) return;
    if (how === "pick") pin(pixel);
    else if (!pinned) point(pixel);
  }

  function pointOutput(pixel, how) {
    if (!store.source || (how === "hover" && pinned)) return;
    const behind = pictureFocus(picturePlanes(), planOf(state, table), pixel);
    if (behind) (how === "pick" ? pin : point)(behind);
  }

  function point(pixel) {
    focus = pixel;
    draw({ run: false, pointed: true });
  }

  function pin(pixel) {
    pinned = true;
    app.set({ at: `${pixel.x},${pixel.y}` });
    point(pixel);
  }

  function release() {
    pinned = false;
    app.set({ at: "" });
    draw({ run: false, pointed: true });
  }

  function stepBy(dx, dy) {
    const { source } = store;
    if (!source) return;
    const from = focus ?? firstPixel(source);
    pin({ x: bounded(from.x + dx, source.width), y: bounded(from.y + dy, source.height) });
  }

  function stepOutput(dx, dy) {
    const now = look();
    if (now) pointOutput({ x: now.output.x + dx, y: now.output.y + dy }, "pick");
  }

  /** One step of the walk: the next number of the answer; at the end of a row the next row. */
  function walkOn() {
    const now = look();
    if (!now) return;
    const { width, height } = now.layers.last;
    const [x, y] = now.output.x + 1 < width ? [now.output.x + 1, now.output.y] : [0, (now.output.y + 1) % height];
    const behind = pictureFocus(picturePlanes(), planOf(state, table), { x, y });
    if (!behind) return;
    pinned = true;
    point(behind);
  }

  /** Go to the nearest place where all pixels under the kernel are alike. */
  function goFlat() {
    if (!store.source) return;
    const plan = planOf(state, table);
    const found = flatSpot(picturePlanes(), plan.kernels[0], plan.dilation, focus ?? firstPixel(store.source));
    if (found) pin(found);
    else problem.show(wordsFor(new Problem("no-flat-spot"), words));
  }

  function look() {
    return lookAt(picturePlanes(), planOf(state, table), focus ?? firstPixel(store.source), { part, channel });
  }

  // --- drawing ---------------------------------------------------------------------------------------------------
  let wanted = null;
  /** Draw with the next frame of the screen; many wishes become one. */
  function draw(wish = {}) {
    const { run = true, pointed = false, fresh = false } = wish;
    if (!wanted) requestAnimationFrame(frame);
    wanted = { run: run || wanted?.run, pointed: pointed || wanted?.pointed, fresh: fresh || wanted?.fresh };
  }

  function frame(now) {
    const wish = wanted;
    wanted = null;
    const { source } = store;
    if (closed || !source || !inputContext) return; // a resize may come before the picture is opened, which draws anew
    const live = source.kind === "live";
    if (wish.run) runOnce(source, live, wish.fresh);
    let room = !(live && wish.pointed);
    const due = (what) => {
      if (live && (!room || now - hold[what] < LIVE_MS[what])) return false;
      hold[what] = now;
      room = !live;
      return true;
    };
    if (wish.pointed || due("inspect")) paintLook(source, live);
    if (!wish.run) return;
    if (due("numbers")) paintNumbers(live);
    if (due("flow")) paintFlow(source);
    if (due("gallery")) paintGallery.ask();
  }

  function runOnce(source, live, fresh) {
    const plan = planOf(state, table);
    const started = performance.now();
    let rgba = source.rgba;
    if (live) {
      if (fresh) source.draw(inputContext);
      if (engine.name === "arrays") rgba = inputContext.getImageData(0, 0, source.width, source.height).data;
      planes = null;
    }
    try {
      engine.run(
        {
          rgba,
          pixels: live ? input.canvas : new ImageData(rgba, source.width, source.height),
          height: source.height,
          width: source.width,
        },
        plan,
      );
    } catch (error) {
      if (engine.name === "arrays") throw error;
      engine = createArraysEngine(); // the graphics card gave up: go on without it
      openSource();
      return;
    }
    const steps = stepsOf(source.height, source.width, plan);
    const last = steps.at(-1);
    const empty = last.numbers === 0;
    stage.toggleAttribute("data-empty", empty);
    if (empty && !tooLarge.isConnected) outputFigures[0].append(tooLarge);
    if (!empty) tooLarge.remove();
    const share = state.size === "true" ? Math.max(last.width / source.width, 0.02) : 1;
    viewsOf(state).forEach((view, k) => {
      if (!empty) engine.draw(outputs[k].canvas, view, { zeros: state.zeros, full: signedFull(plan) });
      outputs[k].shape(source.height, source.width, share);
    });
    meter.add(performance.now(), performance.now() - started);
    stage.dataset.drawn = String(Number(stage.dataset.drawn ?? 0) + 1);
    if (captions.output.textContent !== sizeText(last)) captions.output.textContent = sizeText(last);
  }

  function paintFlow({ height, width }) {
    const plan = planOf(state, table);
    const steps = stepsOf(height, width, plan);
    flow.show(steps, multiplicationsOf(height, width, plan), plan, { first: input.canvas, last: outputs[0].canvas });
  }

  function sizeText({ width, height, channels }) {
    return `${width} × ${height}${channels > 1 ? ` × ${channels}` : ""}`;
  }

  function paintLook(source, live) {
    found = look();
    // the marks read sizes, which costs nothing as long as nothing has been written
    input.mark(found ? found.taps : [], found?.centre ?? null);
    viewsOf(state).forEach((_, k) => outputs[k].mark(found ? [found.output] : [], found?.output ?? null));
    seen.show(found ? { ...found, pinned } : null);
    paintMatrix.ask();
    if (live) planes = null;
  }

  function paintNumbers(live) {
    const { source } = store;
    const read = engine.read();
    const { least, greatest, zeros, below, above } = statisticsOf(state.mode === "edges" ? read.slice(0, 1) : read);
    const bit = (key, values) => h("span", { text: t(key, values) });
    fill(
      numbersLine,
      bit("numbers.range", { least: number(least), greatest: number(greatest) }),
      h("span", {
        class: state.zeros ? "zero-share marked" : "zero-share",
        data: { share: String(zeros) },
        text: t("numbers.zeros", { share: percent(zeros, 1) }),
      }),
      below + above > 0 ? bit("numbers.cut", { below: percent(below, 1), above: percent(above, 1) }) : null,
    );
    const { rate, tookMs } = meter.read();
    meterLine.dataset.rate = rate.toFixed(1);
    meterLine.dataset.tookMs = tookMs.toFixed(2);
    meterLine.dataset.engine = engine.name;
    meterLine.textContent = t(live ? "meter.live" : "meter.still", {
      rate: number(rate),
      ms: number(tookMs, 1),
      engine: t(`meter.${engine.name}`),
      size: `${source.width} × ${source.height}`,
    });
  }

  // --- pictures --------------------------------------------------------------------------------------------------
  function openSource() {
    const { source } = store;
    stopFrames();
    stopFrames = () => {};
    if (!source) return;
    planes = null;
    meter.clear();
    hold = { ...NEVER };
    const live = source.kind === "live";
    input.canvas.width = source.width;
    input.canvas.height = source.height;
    inputContext = input.canvas.getContext("2d", { willReadFrequently: engine.name === "arrays" });
    paintInput(source);
    input.shape(source.height, source.width);
    captions.input.textContent = `${source.width} × ${source.height}`;
    focus = readPixel(state.at, source.height, source.width);
    pinned = focus !== null;
    if (live) stopFrames = source.onFrame(() => draw({ fresh: true }));
    take.refresh();
    draw();
  }

  /** The picture as the kernel gets it: grey where it works on grey. */
  function paintInput(source) {
    const grey = state.colour === "grey" || state.mode === "edges";
    input.element.classList.toggle("greyed", grey && source.kind === "live"); // each frame anew: left to the style sheet
    if (source.kind === "live") return;
    inputContext.drawImage(source.canvas, 0, 0);
    if (!grey) return;
    const image = new ImageData(source.width, source.height);
    paintClipped(planesOf(source.rgba, source.height, source.width, "grey"), image.data);
    inputContext.putImageData(image, 0, 0);
  }

  function sampleName() {
    return store.source ? (isBundled(store.source.id) ? store.source.id : "") : state.picture;
  }

  let closed = false;
  const stopListening = store.listen(({ source }) => source && openSource());
  const watcher = new ResizeObserver(() => draw({ run: false, pointed: true }));
  watcher.observe(stage);
  beginWithPicture(app, fields.picture.initial, openSource);

  return {
    close() {
      closed = true;
      stopFrames();
      stopListening();
      watcher.disconnect();
      paintGallery.close();
      paintMatrix.close();
      bar.close();
      seen.close();
      engine.close();
    },
  };
}

function bounded(i, size) {
  return Math.min(Math.max(i, 0), size - 1);
}
