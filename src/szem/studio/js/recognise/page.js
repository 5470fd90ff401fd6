// The recognise page: any picture, its names, where the network looked, colours, crops, and the calls that give them.

import { codeBlock, messagePlace, segmented, slider } from "../controls.js";
import { fill, h } from "../dom.js";
import { imagenetNames } from "../names.js";
import { base64Of, sendable } from "../pictures/decode.js";
import { isBundled } from "../pictures/begin.js";
import { followPicture } from "../pictures/follow.js";
import { sourceBar } from "../pictures/source-bar.js";
import { wordsFor } from "../problems.js";
import { annotate, classify } from "../server.js";
import { choice, whole, words as text } from "../url-state.js";
import { coloursOf, cropsOf, ownLabels } from "./answer.js";
import { createOverlay } from "./overlay.js";
import { colourBand, cropRow, labelList } from "./parts.js";
import { curlText, googleText, szemText } from "./snippets.js";

export const RATIOS = [
  { name: "1 : 1", value: 1 },
  { name: "4 : 3", value: 1.3333 },
  { name: "16 : 9", value: 1.7778 },
  { name: "9 : 16", value: 0.5625 },
];

export const fields = {
  picture: text("cameraman", 100),
  over: choice("map", ["map", "crop", "none"]),
  opacity: whole(60, 0, 100),
  label: whole(0, 0, 9),
  ratio: whole(0, 0, RATIOS.length - 1),
};

const LIVE_PAUSE_MS = 120;
const LIVE_RETRY_MS = 2000;
const TOP = 10;

export async function mount(root, app) {
  const { words, store, state } = app;
  const { t, number } = words;
  let answer = null; // {labels, colours, crops, raw, tookMs}
  let turn = 0;
  let closed = false;
  let scale = 1; // pixels of the picture on show for each pixel of the picture that was sent

  const problem = messagePlace("answer-problem");
  const bar = sourceBar(app, { chosen: (id) => id !== state.picture && app.set({ picture: id, label: 0 }) });
  const overlay = createOverlay(app);
  const nameOf = await imagenetNames(words.code);
  const labels = labelList(app, nameOf, (k) => {
    app.set({ label: k, over: "map" });
    paint();
  });
  const colours = colourBand(app);
  const crops = cropRow(app, (k) => {
    app.set({ ratio: k, over: "crop" });
    paint();
  });
  const timing = h("p", { class: "meter", data: { name: "timing" }, "aria-live": "polite" });
  const overHolder = h("div", {});
  const opacity = slider({
    label: t("recognise.opacity"),
    name: "opacity",
    value: state.opacity,
    least: 0,
    greatest: 100,
    step: 5,
    show: (n) => words.percent(n / 100),
    change: (n) => {
      app.set({ opacity: n });
      overlay.opacity(n / 100);
    },
  });
  const origin = location.origin;
  const file = () => {
    const { source } = store;
    const sample = source && isBundled(source.id);
    return {
      file: sample ? `${source.id}.png` : "picture.jpg",
      sampleUrl: sample ? `/v1/szem/samples/${source.id}.png` : "",
      ratios: RATIOS.map(({ value }) => value),
    };
  };
  const code = codeBlock({
    label: t("recognise.code"),
    name: "code",
    words: { text: t("copy"), doneText: t("copied"), failText: t("copy-failed") },
    versions: [
      { value: "curl", text: "curl", code: () => curlText(origin, file()) },
      { value: "google", text: "google-cloud-vision", code: () => googleText(origin, file()) },
      { value: "szem", text: "szem", code: () => szemText(file()) },
    ],
  });
  const raw = codeBlock({
    label: t("recognise.raw"),
    name: "raw",
    words: { text: t("copy"), doneText: t("copied"), failText: t("copy-failed") },
    versions: [{ value: "json", text: "JSON", code: () => (answer ? JSON.stringify(answer.raw, null, 2) : "") }],
  });

  fill(
    root,
    h(
      "div",
      { class: "page-head" },
      h("div", {}, h("h1", { text: t("page.recognise.title") }), h("p", { class: "lead", text: t("recognise.lead") })),
      bar.element,
    ),
    h(
      "section",
      { class: "sight" },
      h("div", { class: "sight-picture" }, overlay.element, h("div", { class: "under" }, overHolder, opacity)),
      h(
        "div",
        { class: "sight-labels" },
        h("div", { class: "figure-head" }, h("h2", { text: t("recognise.labels") }), timing),
        t("recognise.names-note") ? h("p", { class: "section-text", text: t("recognise.names-note") }) : null,
        problem.element,
        labels.element,
      ),
    ),
    h(
      "section",
      { class: "shelf" },
      h("h2", { text: t("recognise.colours") }),
      h("p", { class: "section-text", text: t("recognise.colours.text") }),
      colours.element,
    ),
    h(
      "section",
      { class: "shelf" },
      h("h2", { text: t("recognise.crops") }),
      h("p", { class: "section-text", text: t("recognise.crops.text") }),
      crops.element,
    ),
    h(
      "section",
      { class: "shelf" },
      h("h2", { text: t("recognise.program") }),
      h("p", { class: "section-text", text: t("recognise.program.text") }),
      h("div", { class: "calls" }, code.element, raw.element),
    ),
  );
  overlay.opacity(state.opacity / 100);
  paintOver();

  function paintOver() {
    overlay.show(state.over);
    opacity.querySelector("input").disabled = state.over !== "map";
    fill(
      overHolder,
      segmented({
        label: t("recognise.over"),
        name: "over",
        hideLabel: true,
        options: ["map", "crop", "none"].map((value) => ({ value, text: t(`recognise.over.${value}`) })),
        value: state.over,
        change: (over) => {
          app.set({ over });
          paint();
          overHolder.querySelector("input:checked")?.focus();
        },
      }),
    );
  }

  /** A box in pixels of the picture that was sent, in those of the picture on show. */
  function shown({ x, y, width, height }) {
    return { x: x * scale, y: y * scale, width: width * scale, height: height * scale };
  }

  /** Show the answer as the state wants it. */
  function paint() {
    paintOver();
    if (!answer) return;
    const { source } = store;
    const chosen = Math.min(state.label, answer.labels.length - 1);
    labels.show(answer.labels, state.over === "map" ? chosen : -1);
    const map = answer.labels[chosen]?.map;
    overlay.heat(map ? { rows: map.rows, box: shown(map.box) } : null);
    const kept = answer.crops.map(({ box, confidence }, k) => ({ ratio: RATIOS[k], confidence, box: shown(box) }));
    const ratio = Math.min(state.ratio, kept.length - 1);
    overlay.crop(kept[ratio]?.box ?? null, source);
    crops.show(kept, overlay.canvas, state.over === "crop" ? ratio : -1);
    colours.show(answer.colours);
    raw.refresh();
    timing.textContent = t("recognise.took", { ms: number(answer.tookMs) });
  }

  async function ask(still) {
    const mine = ++turn;
    root.toggleAttribute("data-busy", true);
    try {
      const blob = await sendable(still);
      const content = await base64Of(blob);
      const sent = await createImageBitmap(blob);
      const started = performance.now();
      const [vision, own] = await Promise.all([
        annotate(
          content,
          RATIOS.map(({ value }) => value),
        ),
        classify(blob, TOP),
      ]);
      const tookMs = performance.now() - started;
      if (mine !== turn || closed) return false;
      scale = still.width / sent.width;
      const one = vision.responses[0];
      answer = { labels: ownLabels(own), colours: coloursOf(one), crops: cropsOf(one), raw: vision, tookMs };
      problem.clear();
      paint();
      return true;
    } catch (error) {
      if (mine === turn && !closed) {
        answer = null;
        problem.show(wordsFor(error, words));
      }
      return false;
    } finally {
      if (mine === turn) root.toggleAttribute("data-busy", false);
    }
  }

  const stopFollowing = followPicture(app, fields.picture.initial, {
    canvas: overlay.canvas,
    opened(source) {
      overlay.shape(source);
      code.refresh();
    },
    look: async (take) => ((await ask(await take())) ? LIVE_PAUSE_MS : LIVE_RETRY_MS),
  });

  return {
    close() {
      closed = true;
      stopFollowing();
      bar.close();
    },
  };
}
