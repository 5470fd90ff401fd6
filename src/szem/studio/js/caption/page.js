// The caption page: a sentence for the picture, word by word; where the network looked for each word, what else it might
// have said there, and how the sentence goes on from another word.

import { button, codeBlock, messagePlace, slider } from "../controls.js";
import { fill, h } from "../dom.js";
import { className } from "../names.js";
import { sendable } from "../pictures/decode.js";
import { isBundled } from "../pictures/begin.js";
import { followPicture } from "../pictures/follow.js";
import { sourceBar } from "../pictures/source-bar.js";
import { wordsFor } from "../problems.js";
import { createOverlay } from "../recognise/overlay.js";
import { describe } from "../server.js";
import { whole, words as text } from "../url-state.js";
import { heatRows, readCaption, startWith, tagsText, verdict } from "./answer.js";
import { othersView, sentenceView } from "./sentence.js";
import { curlText, pythonText, shellText } from "./snippets.js";

export const fields = {
  picture: text("cameraman", 100),
  start: text("", 200),
  sentence: whole(0, 0, 7),
  word: whole(-1, -1, 31),
  opacity: whole(60, 0, 100),
  guess: whole(0, 0, 1), // whether the network's own sentence is unfolded where the page doubts it
};

const ASKED = { n: 4, beams: 10, others: 6 };
const LIVE_PAUSE_MS = 900;
const FIRST_OPEN = 1; // the word whose others are shown before one is chosen: mostly what the sentence is about

export async function mount(root, app) {
  const { words, store, state } = app;
  const { t, number } = words;
  let answer = null; // as readCaption gives it, and {tookMs}
  let turn = 0;
  let closed = false;
  let pointed = -1;

  const problem = messagePlace("answer-problem");
  const bar = sourceBar(app, {
    chosen: (id) => id !== state.picture && app.set({ picture: id, start: "", sentence: 0, word: -1 }),
  });
  const overlay = createOverlay(app);
  const sentence = sentenceView(app, {
    hover: (place) => {
      pointed = place;
      paintHeat();
    },
    choose: (place) => {
      app.set({ word: place === state.word ? -1 : place });
      paint();
      sentence.element.querySelector(`[data-place="${place}"]`)?.focus();
    },
  });
  const others = othersView(app, (place, other) => answer && goOn(startWith(said().words, place, other)));
  const sure = h("p", { class: "sure", data: { name: "sure" }, "aria-live": "polite" });
  const plain = h("p", { class: "plain-caption", lang: "en", data: { name: "plain" } });
  const translated = h("p", { class: "section-text", data: { name: "translated" } });
  const doubt = h("span", { class: "guess-doubt" });
  const guess = h(
    "details",
    { class: "guess", data: { name: "guess" }, on: { toggle: () => unfolded() } },
    h("summary", {}, h("span", { text: t("caption.guess") }), doubt),
    sentence.element,
    h("p", { class: "section-text", text: t("caption.hint") }),
    others.element,
  );
  const timing = h("p", { class: "meter", data: { name: "timing" }, "aria-live": "polite" });
  const list = h("ol", { class: "sentences", "aria-label": t("caption.sentences") });
  const rest = h(
    "section",
    { class: "shelf" },
    h("h2", { text: t("caption.sentences") }),
    h("p", { class: "section-text", text: t("caption.sentences.text") }),
    list,
  );
  const again = button({ text: t("caption.again"), name: "again", image: "swap", press: () => goOn("") });
  const begin = h("input", {
    type: "text",
    name: "start",
    value: state.start,
    maxlength: "200",
    autocomplete: "off",
    spellcheck: "false",
    lang: "en",
    placeholder: t("caption.begin-example"),
    "aria-label": t("caption.begin"),
  });
  const form = h(
    "form",
    {
      class: "begin",
      on: {
        submit: (event) => {
          event.preventDefault();
          goOn(begin.value.trim());
        },
      },
    },
    begin,
    h("button", { type: "submit", class: "button", data: { name: "go" }, text: t("caption.go") }),
    again,
  );
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
  const file = () => {
    const { source } = store;
    const sample = source && isBundled(source.id);
    return {
      file: sample ? `${source.id}.png` : "picture.jpg",
      sampleUrl: sample ? `/v1/szem/samples/${source.id}.png` : "",
      start: state.start,
    };
  };
  const copyWords = { text: t("copy"), doneText: t("copied"), failText: t("copy-failed") };
  const code = codeBlock({
    label: t("caption.code"),
    name: "code",
    words: copyWords,
    versions: [
      { value: "python", text: "Python", code: () => pythonText(file()) },
      { value: "curl", text: "curl", code: () => curlText(location.origin, file()) },
      { value: "shell", text: "szem", code: () => shellText(file()) },
    ],
  });

  fill(
    root,
    h(
      "div",
      { class: "page-head" },
      h("div", {}, h("h1", { text: t("page.caption.title") }), h("p", { class: "lead", text: t("caption.lead") })),
      bar.element,
    ),
    h(
      "section",
      { class: "sight" },
      h("div", { class: "sight-picture" }, overlay.element, h("div", { class: "under" }, opacity)),
      h(
        "div",
        { class: "telling" },
        h("div", { class: "figure-head" }, h("h2", { text: t("caption.sentence") }), timing),
        problem.element,
        plain,
        translated,
        sure,
        guess,
      ),
    ),
    h(
      "section",
      { class: "shelf" },
      h("h2", { text: t("caption.begin") }),
      h("p", { class: "section-text", text: t("caption.begin.text") }),
      form,
    ),
    rest,
    h(
      "section",
      { class: "shelf" },
      h("h2", { text: t("recognise.program") }),
      h("p", { class: "section-text", text: t("caption.program.text") }),
      h("div", { class: "program" }, code.element),
    ),
  );
  overlay.opacity(state.opacity / 100);
  overlay.show("map");

  function said() {
    return answer.sentences[Math.min(state.sentence, answer.sentences.length - 1)];
  }

  /** Whether the visitor is at work on the network's own sentence. */
  function isAsked() {
    return state.guess === 1 || state.word >= 0 || state.sentence > 0 || state.start !== "";
  }

  function unfolded() {
    if (!answer || guess.open === !rest.hidden) return; // it was the page that did it
    rest.hidden = !guess.open;
    app.set({ guess: guess.open ? 1 : 0, ...(guess.open ? {} : { word: -1, sentence: 0 }) });
  }

  function given() {
    return state.start ? state.start.split(/\s+/).length : 0;
  }

  function paintHeat() {
    if (!answer) return;
    const all = said().words;
    const place = pointed >= 0 ? pointed : Math.min(state.word, all.length - 1);
    const rows = heatRows(all[place]?.attention ?? null);
    const { width, height } = overlay.canvas;
    overlay.heat(rows ? { rows, box: { x: 0, y: 0, width, height } } : null);
    sentence.mark(place);
  }

  /** Show the answer as the state wants it. */
  function paint(slowly = false) {
    begin.value = state.start;
    again.hidden = !state.start;
    code.refresh();
    if (!answer) return;
    const now = said();
    const chosen = Math.min(state.word, now.words.length - 1);
    sentence.show(now.words, chosen, { given: given(), slowly });
    const open = chosen >= 0 ? chosen : Math.min(FIRST_OPEN, now.words.length - 1);
    others.show(now.words[open], open);
    sure.dataset.doubt = answer.source === "model" && answer.confidence >= 0.5 ? "no" : "yes";
    sure.dataset.source = answer.source;
    sure.textContent = t(...verdict(answer, words.percent));
    plain.textContent = answer.source === "tags" ? answer.caption : "";
    translated.textContent = answer.source === "tags" && words.code !== "en" ? t("caption.translated", { tags: tagsText(answer.tags, (label) => className(words, label)) }) : "";
    doubt.textContent = answer.source === "model" ? "" : t("caption.doubtful", { share: words.percent(now.confidence) });
    guess.open = answer.source === "model" || isAsked();
    rest.hidden = !guess.open;
    timing.textContent = t("recognise.took", { ms: number(answer.tookMs) });
    paintList();
    paintHeat();
  }

  function paintList() {
    fill(
      list,
      answer.sentences.map(({ text: whole_, confidence }, k) =>
        h(
          "li",
          {},
          h(
            "button",
            {
              type: "button",
              class: "sentence-row",
              "aria-pressed": String(answer.sentences[k] === said()),
              data: { text: whole_, confidence: String(confidence) },
              on: {
                click: () => {
                  app.set({ sentence: k, word: -1 });
                  paint();
                  list.children[k].firstElementChild.focus();
                },
              },
            },
            h("span", { lang: "en", text: whole_ }),
            h("output", { text: words.percent(confidence) }),
          ),
        ),
      ),
    );
  }

  /** Ask again, with the sentence beginning so. */
  async function goOn(start) {
    const before = state.start;
    app.set({ start, sentence: 0, word: -1 });
    const { source } = store;
    if (!source) return;
    const done = await ask(source.kind === "still" ? source : await source.still(""));
    if (!done && !closed) app.set({ start: before });
    begin.value = done ? state.start : start;
  }

  async function ask(still) {
    const mine = ++turn;
    root.toggleAttribute("data-busy", true);
    if (!answer) timing.textContent = t("caption.wait");
    try {
      const blob = await sendable(still);
      const started = performance.now();
      const raw = await describe(blob, { ...ASKED, start: state.start });
      if (mine !== turn || closed) return false;
      answer = { ...readCaption(raw), tookMs: performance.now() - started };
      problem.clear();
      paint(true);
      return true;
    } catch (error) {
      if (mine === turn && !closed) problem.show(wordsFor(error, words));
      return false;
    } finally {
      if (mine === turn) root.toggleAttribute("data-busy", false);
    }
  }

  const stopFollowing = followPicture(app, fields.picture.initial, {
    canvas: overlay.canvas,
    opened(source) {
      answer = null;
      pointed = -1;
      overlay.shape(source);
      overlay.heat(null);
      code.refresh();
    },
    async look(take, moves) {
      const isReading = state.word >= 0 || pointed >= 0 || state.start; // what moves does not take the sentence away
      if (!moves || !isReading) await ask(await take());
      return LIVE_PAUSE_MS;
    },
  });

  return {
    close() {
      closed = true;
      stopFollowing();
      sentence.close();
      bar.close();
    },
  };
}
