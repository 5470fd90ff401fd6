// The segment page: a class for every pixel of a picture, a video or the camera; outlines in boxes; atrous rates.

import { createAsker } from "../asker.js";
import { button, codeBlock, messagePlace, segmented, select, slider } from "../controls.js";
import { fill, h } from "../dom.js";
import { createFrameMeter } from "../kernels/frame-meter.js";
import { fetchNetworks } from "../lab/server.js";
import { className } from "../names.js";
import { isBundled } from "../pictures/begin.js";
import { followPicture } from "../pictures/follow.js";
import { sourceBar } from "../pictures/source-bar.js";
import { Problem, wordsFor } from "../problems.js";
import { segmentPicture, segmentedFile } from "../server.js";
import { choice, whole, words as text } from "../url-state.js";
import { atrousPanel } from "./atrous.js";
import { classAt, readGreyPng } from "./class-map.js";
import { doubtfulOf, legend } from "./legend.js";
import { encode, picturesOf } from "./sending.js";
import { commandText, curlText, szemText } from "./snippets.js";
import { segmentView } from "./view.js";

export const fields = {
  picture: text("moving", 100),
  model: text("things", 120),
  opacity: whole(65, 0, 100),
  only: text("", 80),
  mode: choice("names", ["names", "box"]),
  box: text("", 60),
  rate: whole(0, 0, 1000),
  at: text("0.5,0.5", 40),
};

const RETRY_MS = 2000;

export async function mount(root, app) {
  const { words, store, state } = app;
  const { t, number, percent } = words;
  let answer = null; // what the server said of the picture on show
  let map = null; // {width, height, values}
  let closed = false;
  const meter = createFrameMeter({ spanMs: 3000 });
  const pictures = picturesOf();
  const asker = createAsker(look);

  const problem = messagePlace("answer-problem");
  const bar = sourceBar(app, {
    moving: true,
    chosen: (id) => {
      if (id !== state.picture || state.box) app.set({ picture: id, box: "" });
    },
  });
  const nameOf = (label) => className(words, label);
  const view = segmentView(app, { point, boxed });
  const areas = legend(app, { nameOf, choose: (only) => (app.set({ only }), paint()) });
  const timing = h("p", { class: "meter", data: { name: "timing" } });
  const outlineLine = h("p", { class: "outline-line", role: "status", data: { name: "outline" } });
  const modelHolder = h("div", { class: "model-pick" });
  const modelNote = h("p", { class: "section-text", data: { name: "model-note" } });
  const atrous = atrousPanel(app, {
    problem,
    at: () => pointOf(state.at),
    rate: () => state.rate,
    changed: ({ at, rate }) => app.set(at ? { at: at.map((v) => v.toFixed(3)).join(",") } : { rate }),
  });
  const modes = segmented({
    label: t("segment.mode"),
    name: "mode",
    hideLabel: true,
    options: ["names", "box"].map((value) => ({ value, text: t(`segment.mode.${value}`) })),
    value: state.mode,
    change: (mode) => {
      app.set({ mode });
      view.mode(mode);
      paintOutline();
    },
  });
  const opacity = slider({
    label: t("segment.opacity"),
    name: "opacity",
    value: state.opacity,
    least: 0,
    greatest: 100,
    step: 5,
    show: (n) => percent(n / 100),
    change: (n) => {
      app.set({ opacity: n });
      view.opacity(n / 100);
    },
  });
  const file = () => {
    const { source } = store;
    const sample = source?.kind !== "live" && isBundled(source?.id) ? source.id : ""; // the server hands out no moving ones
    return {
      file: sample ? `${sample}.png` : "picture.jpg",
      sampleUrl: sample ? `/v1/szem/samples/${sample}.png` : "",
      model: state.model,
    };
  };
  const code = codeBlock({
    label: t("segment.code"),
    name: "code",
    words: { text: t("copy"), doneText: t("copied"), failText: t("copy-failed") },
    versions: [
      { value: "curl", text: "curl", code: () => curlText(location.origin, file()) },
      { value: "szem", text: "Python", code: () => szemText(file()) },
      { value: "command", text: t("take.command"), code: () => commandText(file()) },
    ],
  });

  fill(
    root,
    h(
      "div",
      { class: "page-head" },
      h("div", {}, h("h1", { text: t("page.segment.title") }), h("p", { class: "lead", text: t("segment.lead") })),
      bar.element,
    ),
    h(
      "section",
      { class: "scene", "aria-label": t("segment.picture") },
      h(
        "div",
        { class: "scene-picture" },
        view.element,
        h("div", { class: "under" }, modes, opacity),
        outlineLine,
      ),
      h(
        "div",
        { class: "scene-areas" },
        modelHolder,
        modelNote,
        h("div", { class: "figure-head" }, h("h2", { text: t("segment.areas") }), timing),
        problem.element,
        areas.element,
      ),
    ),
    atrous.element,
    h(
      "section",
      { class: "shelf take", "aria-labelledby": "take-title" },
      h(
        "div",
        {},
        h("h2", { id: "take-title", text: t("take.title") }),
        h("p", { class: "section-text", text: t("segment.take") }),
        h(
          "div",
          { class: "take-buttons" },
          button({ text: t("segment.take.overlay"), image: "download", kind: "strong", name: "take-overlay", press: () => take("overlay") }),
          button({ text: t("segment.take.labels"), image: "download", name: "take-labels", press: () => take("labels") }),
        ),
      ),
      code.element,
    ),
  );
  view.opacity(state.opacity / 100);
  view.mode(state.mode);

  // --- models ------------------------------------------------------------------------------------------------------
  async function loadModels() {
    const { networks } = await fetchNetworks();
    const names = networks.filter(({ task }) => task === "segment").map(({ name }) => name);
    names.sort((a, b) => Number(b === fields.model.initial) - Number(a === fields.model.initial)); // the first choice first
    if (!names.includes(state.model)) app.set({ model: names.includes(fields.model.initial) ? fields.model.initial : (names[0] ?? "") });
    const title = (name) => (words.has(`segment.model.${name}`) ? t(`segment.model.${name}`) : name);
    const choose = (model) => {
      app.set({ model, only: "" });
      // the moving sample that is on show gives way to the one that this model is for
      const clip = model === "road" ? "street" : "moving";
      if (["street", "moving"].includes(state.picture) && state.picture !== clip) openClip(clip);
      paintNote();
      code.refresh();
      ask();
    };
    const options = names.map((name) => ({ value: name, text: title(name) }));
    const control = { label: t("segment.model"), name: "model", value: state.model, change: choose };
    fill(modelHolder, names.length > 3 ? select({ ...control, groups: [{ options }] }) : segmented({ ...control, options }));
    paintNote();
  }

  async function openClip(name) {
    if (await store.openSample(name)) app.set({ picture: name, box: "" });
  }

  function paintNote() {
    const key = `segment.model.${state.model}.note`;
    modelNote.textContent = words.has(key) ? t(key) : "";
  }

  // --- asking ------------------------------------------------------------------------------------------------------
  /** About the picture of the moment; while the server works on one, only the newest one waits. */
  function ask() {
    if (store.source && state.model) asker.ask(store.source);
  }

  async function look(source) {
    if (closed || store.source !== source) return;
    const live = source.kind === "live";
    root.toggleAttribute("data-busy", !live);
    const began = performance.now();
    try {
      const sent = await encode(source, pictures.scratch);
      const box = boxOf(state.box);
      const boxes = box ? [box.map((v) => v * sent.scale)] : [];
      const found = await segmentPicture(sent.blob, { model: state.model, maxSide: sent.mapSide, boxes });
      const [classes, mask] = await Promise.all([
        readGreyPng(found.map),
        found.outlines?.[0]?.mask ? readGreyPng(found.outlines[0].mask) : null,
      ]);
      if (closed || store.source !== source) return;
      answer = { ...found, scale: sent.scale, mask };
      map = classes;
      problem.clear();
      if (live) view.canvas.getContext("2d").drawImage(pictures.scratch, 0, 0); // the frame that these colours belong to
      paint();
      const done = performance.now();
      meter.add(done, done - began);
      paintTiming(live);
      atrous.draw(view.canvas);
      atrous.use(state.model, source, () => (live ? source.still(t("picture.yours")) : source));
      root.dataset.answered = String(Number(root.dataset.answered ?? 0) + 1);
    } catch (error) {
      if (closed || store.source !== source) return;
      problem.show(wordsFor(error, words));
      if (live) await pause(error instanceof Problem && error.values.seconds ? 1000 * Number(error.values.seconds) : RETRY_MS);
    } finally {
      root.toggleAttribute("data-busy", false);
    }
  }

  function paintTiming(live) {
    const { rate, tookMs } = meter.read();
    timing.dataset.rate = rate.toFixed(1);
    timing.dataset.tookMs = tookMs.toFixed(1);
    timing.textContent = live
      ? t("segment.timing.live", { rate: number(rate, rate < 10 ? 1 : 0), ms: number(tookMs) })
      : t("segment.timing", { ms: number(tookMs) });
  }

  // --- showing -----------------------------------------------------------------------------------------------------
  function paint() {
    if (!answer) return;
    const indexOf = (label) => answer.classes.find((one) => one.label === label)?.index ?? -1;
    const hidden = [answer.background, answer.unknown, ...doubtfulOf(answer.areas).filter((label) => label !== state.only)];
    view.colours(map, { classes: answer.classes, hidden: hidden.map(indexOf), only: state.only ? indexOf(state.only) : -1 });
    areas.show(answer, state.only);
    paintOutline();
  }

  function paintOutline() {
    const found = answer?.outlines?.[0];
    const box = boxOf(state.box);
    view.box(box);
    view.outline(box && answer?.mask ? answer.mask : null, found?.mask_xyxy?.map((v) => v / answer.scale));
    if (state.mode !== "box" && !box) outlineLine.textContent = t("segment.hint.names");
    else if (!box) outlineLine.textContent = t("segment.hint.box");
    else if (!found) outlineLine.textContent = "";
    else if (found.pixels === 0) outlineLine.textContent = t("segment.outline.none");
    else {
      const area = found.pixels / ((found.box_xyxy[2] - found.box_xyxy[0]) * (found.box_xyxy[3] - found.box_xyxy[1]));
      outlineLine.textContent = t("segment.outline", { share: percent(area), sure: percent(found.confidence) });
    }
  }

  function point(x, y) {
    if (x === null || !map) {
      view.name("");
      return;
    }
    const one = answer.classes[classAt(map, x, y)];
    const area = answer.areas.find(({ index }) => index === one.index);
    const sure = area ? ` · ${t("segment.confidence", { share: percent(area.confidence) })}` : "";
    view.name(`${nameOf(one.label)}${sure}`, [x, y], area ? one.color : "");
  }

  function boxed(box) {
    app.set({ box: box ? box.join(",") : "" });
    if (answer) answer = { ...answer, outlines: null, mask: null };
    paintOutline();
    if (box) ask();
  }

  async function take(what) {
    const { source } = store;
    if (!source) return;
    try {
      const sent = await encode(source, pictures.scratch);
      const blob = await segmentedFile(sent.blob, { model: state.model, answer: what });
      const link = h("a", { href: URL.createObjectURL(blob), download: `szem-${state.model}-${what}.png` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    } catch (error) {
      problem.show(wordsFor(error, words));
    }
  }

  // --- pictures ----------------------------------------------------------------------------------------------------
  const loaded = loadModels();
  loaded.catch((error) => problem.show(wordsFor(error, words)));
  const stopFollowing = followPicture(app, fields.picture.initial, {
    canvas: view.canvas,
    ready: loaded,
    opened(source) {
      answer = null;
      map = null;
      meter.clear();
      view.shape(source);
      view.colours(null);
      view.outline(null);
      view.name("");
      paintOutline();
      code.refresh();
    },
    frame(draw) {
      if (!answer) draw(); // from the first answer on, the picture comes with it
      ask();
    },
  });

  return {
    close() {
      closed = true;
      stopFollowing();
      asker.close();
      atrous.close();
      bar.close();
    },
  };
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** "0.25,0.5" as two shares; the middle where it is none. */
function pointOf(written) {
  const parts = written.split(",").map(Number);
  return parts.length === 2 && parts.every((v) => v >= 0 && v < 1) ? parts : [0.5, 0.5];
}

/** "10,20,200,300" as four numbers, or null. */
function boxOf(written) {
  const parts = written.split(",").map(Number);
  return written && parts.length === 4 && parts.every(Number.isFinite) && parts[2] > parts[0] && parts[3] > parts[1] ? parts : null;
}
