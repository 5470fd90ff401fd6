// The draw page: a sentence about a flower or a bird, its sketch, the refined picture; what each word does, the way to
// another sentence, and what the captioner says of the drawing.

import { createAsker } from "../asker.js";
import { codeBlock, messagePlace, slider } from "../controls.js";
import { fill, h } from "../dom.js";
import { wordsFor } from "../problems.js";
import { drawSentence, fetchDrawable } from "../server.js";
import { whole, words as text } from "../url-state.js";
import { readDrawing, withNew } from "./answer.js";
import { sayBack, searchAlbum } from "./circle.js";
import { createEasel } from "./easel.js";
import { influenceView } from "./influence.js";
import { curlText, pythonText, shellText } from "./snippets.js";
import { createWalk } from "./walk.js";

const COUNT = 9;

export const fields = {
  text: text("", 500), // none: the first built-in example
  seed: whole(7, 0, 999),
  truncation: whole(-1, -1, 150), // percent; -1: what the model's card says
  chosen: whole(0, 0, COUNT - 1),
  to: text("", 500), // none: the second example
  query: text("", 500),
};

let album = []; // what was drawn since the studio was opened: it outlives a change of page or language

export async function mount(root, app) {
  const { words, state } = app;
  const { t, number, percent } = words;
  let drawing = null; // {text, pictures, unknown, isSubject}
  let examples = ["", ""];
  let usual = 1; // the truncation on the model's card
  let closed = false;

  const problem = messagePlace("draw-problem");
  const warning = h("div", { class: "draw-warning", role: "status", data: { name: "warning" } });
  const timing = h("p", { class: "meter", data: { name: "timing" }, "aria-live": "polite" });
  const chips = h("div", { class: "draw-chips", role: "group", "aria-label": t("draw.examples") });
  const can = h("div", { class: "draw-can", data: { name: "can" } });
  const input = h("textarea", {
    name: "text",
    rows: "2",
    maxlength: "500",
    autocomplete: "off",
    spellcheck: "false",
    lang: "en",
    on: {
      keydown: (event) => {
        if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        say(input.value);
      },
    },
  });
  const form = h(
    "form",
    {
      class: "draw-form",
      on: {
        submit: (event) => {
          event.preventDefault();
          say(input.value);
        },
      },
    },
    h("label", { class: "field draw-text" }, h("span", { class: "field-label", text: t("draw.sentence") }), input),
    h("button", { type: "submit", class: "button strong", data: { name: "go" }, text: t("draw.go") }),
    chips,
  );
  const easel = createEasel(app, {
    count: COUNT,
    choose: (k) => {
      app.set({ chosen: k });
      paint();
      easel.sheet.querySelector(`[data-place="${k}"]`)?.focus();
    },
  });
  const influence = influenceView(app);
  const seed = slider({
    label: t("draw.seed"),
    name: "seed",
    value: state.seed,
    least: 0,
    greatest: 99,
    show: number,
    change: (n) => change({ seed: n, chosen: 0 }),
  });
  const truncation = slider({
    label: t("draw.truncation"),
    name: "truncation",
    value: Math.max(state.truncation, 0),
    least: 0,
    greatest: 150,
    step: 5,
    show: (n) => percent(n / 100),
    change: (n) => change({ truncation: n }),
  });
  const back = sayBack(app);
  const search = searchAlbum(app, { query: state.query, changed: (query) => app.set({ query }) });
  const walkPlace = h("div", {});
  let walk = null;
  const wish = () => ({
    text: state.text || examples[0],
    seed: state.seed,
    truncation: state.truncation < 0 ? usual : state.truncation / 100,
  });
  const code = codeBlock({
    label: t("draw.code"),
    name: "code",
    words: { text: t("copy"), doneText: t("copied"), failText: t("copy-failed") },
    versions: [
      { value: "python", text: "Python", code: () => pythonText(wish()) },
      { value: "curl", text: "curl", code: () => curlText(location.origin, wish()) },
      { value: "shell", text: "szem", code: () => shellText(wish()) },
    ],
  });

  fill(
    root,
    h(
      "div",
      { class: "page-head" },
      h("div", {}, h("h1", { text: t("page.draw.title") }), h("p", { class: "lead", text: t("draw.lead") })),
    ),
    form,
    problem.element,
    warning,
    can,
    h(
      "section",
      { class: "draw-sight" },
      h(
        "div",
        {},
        easel.pair,
        h(
          "section",
          { class: "draw-words" },
          h("h2", { text: t("draw.words") }),
          h("p", { class: "section-text", text: t("draw.words.text") }),
          influence.element,
        ),
      ),
      h(
        "div",
        { class: "draw-side" },
        h("div", { class: "figure-head" }, h("h2", { text: t("draw.nine") }), timing),
        h("p", { class: "section-text", text: t("draw.nine.text") }),
        easel.sheet,
        h("div", { class: "draw-sliders" }, seed, truncation),
        h("p", { class: "section-text", text: t("draw.sliders.text") }),
      ),
    ),
    shelf("walk", walkPlace),
    shelf("circle", back.element),
    shelf("search", search.element),
    h(
      "section",
      { class: "shelf" },
      h("h2", { text: t("recognise.program") }),
      h("p", { class: "section-text", text: t("draw.program.text") }),
      h("div", { class: "program" }, code.element),
    ),
  );

  function shelf(name, ...inside) {
    return h(
      "section",
      { class: `shelf draw-${name}` },
      h("h2", { text: t(`draw.${name}`) }),
      h("p", { class: "section-text", text: t(`draw.${name}.text`) }),
      inside,
    );
  }

  const asker = createAsker(draw);
  const wordAsker = createAsker(weigh); // by itself, for it takes longer than the pictures

  /** Another sentence. */
  function say(sentence) {
    const wanted = sentence.replace(/\s+/g, " ").trim();
    if (!wanted) {
      input.focus();
      return;
    }
    change({ text: wanted === examples[0] ? "" : wanted, chosen: 0 });
  }

  function change(changes) {
    app.set(changes);
    input.value = wish().text;
    markChips();
    walk?.clear();
    code.refresh();
    asker.ask(wish());
  }

  async function draw(asked) {
    if (closed) return;
    root.toggleAttribute("data-busy", true);
    try {
      const started = performance.now();
      const raw = await drawSentence({ ...asked, n: COUNT, sketches: true });
      if (closed) return;
      drawing = { ...asked, ...readDrawing(raw), tookMs: performance.now() - started };
      problem.clear();
      keep(drawing);
      paint();
      influence.show([], []);
      wordAsker.ask(asked);
    } catch (error) {
      if (!closed) problem.show(wordsFor(error, words));
    } finally {
      root.toggleAttribute("data-busy", false);
    }
  }

  /** What each word does: shown if the drawing is still about them. */
  async function weigh(asked) {
    const same = () => !closed && drawing.text === asked.text && drawing.seed === asked.seed && drawing.truncation === asked.truncation;
    if (!same()) return;
    try {
      const found = readDrawing(await drawSentence({ ...asked, n: 1, influence: true }));
      if (same()) influence.show(found.influence, found.unknown);
    } catch (error) {
      if (same()) problem.show(wordsFor(error, words));
    }
  }

  function keep({ text: said, seed: from, truncation: how, pictures }) {
    const fresh = pictures.map(({ picture }, k) => ({ name: `${said}|${from}|${how}|${k}`, picture, text: said }));
    album = withNew(album, fresh);
    search.show(album);
  }

  function paint() {
    if (!drawing) return;
    const { pictures, unknown, isSubject, text: said } = drawing;
    const chosen = Math.min(state.chosen, pictures.length - 1);
    easel.show(pictures, chosen, said);
    back.show({ ...pictures[chosen], text: said });
    walk?.begin(pictures[chosen]);
    fill(
      warning,
      isSubject ? null : h("p", { text: t("draw.no-subject") }),
      unknown.length ? h("p", { text: t("draw.unknown", { words: unknown.join(", ") }) }) : null,
    );
    can.classList.toggle("asked", !isSubject);
    timing.textContent = t("draw.timing", {
      n: number(pictures.length),
      s: number(drawing.tookMs / 1000, drawing.tookMs < 1000 ? 2 : 1),
    });
    root.dataset.drawn = String(Number(root.dataset.drawn ?? 0) + 1);
  }

  function markChips() {
    for (const chip of chips.children) chip.setAttribute("aria-pressed", String(chip.textContent === wish().text));
  }

  function paintChips() {
    fill(
      chips,
      examples.map((sentence) =>
        h(
          "button",
          { type: "button", class: "draw-chip", lang: "en", text: sentence, on: { click: () => say(sentence) } },
        ),
      ),
    );
    markChips();
  }

  const known = fetchDrawable().then(
    (found) => {
      if (closed) return;
      examples = found.examples;
      usual = found.truncation;
      truncation.set(Math.round(wish().truncation * 100));
      paintChips();
      paintCan(found);
      walk = createWalk(app, { wish, second: state.to || examples[1], changed: (to) => app.set({ to: to === examples[1] ? "" : to }) });
      fill(walkPlace, walk.element);
      change({});
    },
    (error) => problem.show(wordsFor(error, words)),
  );

  /** Kinds and colours that can be asked for; a press begins a sentence with one. */
  function paintCan({ flowers, birds, colors }) {
    const row = (name, list, sentence) =>
      h(
        "div",
        {},
        h("h3", { text: t(`draw.can.${name}`, { n: number(list.length) }) }),
        h(
          "p",
          { class: "can-words", lang: "en" },
          list.map((word) =>
            h("button", { type: "button", class: "can-word", text: word, on: { click: () => say(sentence(word)) } }),
          ),
        ),
      );
    fill(
      can,
      h(
        "details",
        {},
        h("summary", { text: t("draw.can", { flowers: number(flowers.length), birds: number(birds.length) }) }),
        row("flowers", flowers, (kind) => `This is a ${kind}`),
        row("birds", birds, (kind) => `This is a ${kind}`),
        row("colors", colors, (color) => `This flower has ${color} petals`),
      ),
    );
  }

  search.show(album);
  await known;

  return {
    close() {
      closed = true;
      asker.close();
      wordAsker.close();
      walk?.close();
      back.close();
    },
  };
}
