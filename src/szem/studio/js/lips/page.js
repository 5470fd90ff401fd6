// The lips page: a film of a speaking face, what is read from the lips, from the sound and from both, word by word while it
// plays, and how the lips take over where noise drowns the sound.

import { button, codeBlock, messagePlace, segmented, slider } from "../controls.js";
import { fill, h } from "../dom.js";
import { filmChoice } from "../films/choice.js";
import { filmPlayer } from "../films/player.js";
import { fetchClip } from "../pictures/clips.js";
import { wordsFor } from "../problems.js";
import { readLips, readLipWord } from "../server.js";
import { movesLittle } from "../theme.js";
import { choice, whole } from "../url-state.js";
import { LEVELS, LEVELS_ASKED, USES, cornersAt, placeAt, plainWords, readAnswer, readWordAnswer, readingOf } from "./answer.js";
import { compareView } from "./compare.js";
import { GRAMMAR, makeSentence } from "./grammar.js";
import { headroom, noiseLoudness, noiseMaker, peaksOf, soundOf } from "./noise.js";
import { pairsView } from "./pairs.js";
import { noteText } from "./reasons.js";
import { sentenceView } from "./sentence.js";
import { singleView } from "./single.js";
import { curlText, pythonText, shellText, wordCurlText, wordPythonText, wordShellText } from "./snippets.js";
import { timelineView } from "./timeline.js";

export const fields = {
  read: choice("word", ["word", "sentence"]), // one word or phrase of anybody's, or a sentence of one speaker's
  use: choice("both", USES),
  noise: whole(0, 0, LEVELS.length - 1), // a place in LEVELS
  shown: choice("words", ["words", "letters"]),
};

const MOST_BYTES = 25_000_000;
const PEAKS = 240;
const SAMPLE = "speaking"; // a drawn face
const LIPS_COLOUR = "#ffc400";

export async function mount(root, app) {
  const { words, state } = app;
  const { t, number, percent } = words;
  let answer = null;
  let sound = null; // of the film, as this browser decodes it
  let turn = 0;
  let asking = null; // AbortController
  let fileName = "video.mp4";
  let prompt = makeSentence();
  let current = null; // {file, recorded, spoken}: what is on show

  const promptText = h("p", { class: "lip-prompt", lang: "en", data: { name: "lip-prompt" }, text: prompt });
  const problem = messagePlace("lips-problem");
  const bar = filmChoice(app, {
    chosen: (file, how) => open(file, { ...how, spoken: how?.recorded ? single.prompt() : "" }),
    mostBytes: MOST_BYTES,
    recording: showCamera,
    sample: { name: SAMPLE, text: t("lips.sample") },
  });
  const player = filmPlayer(words, { label: t("lips.video"), empty: emptyFrame(), moved, draw });
  const maker = noiseMaker(player.video);
  const sentence = sentenceView(app, (word) => player.seek(word.start_s, { play: player.video.paused }));
  const single = singleView(app, (word) => bar.say(t("lips.single.next", { word })));
  const pairs = pairsView(app);
  const timeline = timelineView(app, (seconds) => player.seek(seconds));
  const compare = compareView(app, { choose: (use) => choose({ use }), level: (noise) => choose({ noise }) });
  const sure = h("p", { class: "sure", data: { name: "lip-sure" }, "aria-live": "polite" });
  const meter = h("p", { class: "meter", data: { name: "lip-meter" }, "aria-live": "polite" });
  const notes = h("p", { class: "section-text lip-notes", data: { name: "lip-notes" } });
  const crop = h("canvas", { class: "lip-crop", role: "img", "aria-label": t("lips.crop"), width: 80, height: 48, data: { name: "lip-crop" } });
  const uses = h("div", {});
  const noise = slider({
    label: t("lips.noise"),
    name: "lip-noise",
    value: state.noise,
    least: 0,
    greatest: LEVELS.length - 1,
    show: (k) => levelText(LEVELS[k]),
    change: (k) => choose({ noise: k }),
  });
  const shown = h("div", {});
  const reads = segmented({
    label: t("lips.read"),
    name: "lip-read",
    options: ["word", "sentence"].map((value) => ({ value, text: t(`lips.read.${value}`) })),
    value: state.read,
    change: (read) => {
      app.set({ read });
      paintRead();
      if (current && (read === "word" || current.file.name !== `${SAMPLE}.mp4`)) open(current.file, current);
    },
  });
  const truth = h("input", {
    type: "text",
    name: "truth",
    maxlength: "300",
    autocomplete: "off",
    spellcheck: "false",
    lang: "en",
    placeholder: "bin blue at f two now",
    "aria-label": t("lips.truth"),
    on: { input: () => paintCompare() },
  });
  const call = () => ({ file: fileName, use: state.use, noise: LEVELS[state.noise] });
  const code = codeBlock({
    label: t("lips.code"),
    name: "code",
    words: { text: t("copy"), doneText: t("copied"), failText: t("copy-failed") },
    versions: [
      { value: "python", text: "Python", code: () => (isWord() ? wordPythonText : pythonText)(call()) },
      { value: "curl", text: "curl", code: () => (isWord() ? wordCurlText : curlText)(location.origin, call()) },
      { value: "shell", text: "szem", code: () => (isWord() ? wordShellText : shellText)(call()) },
    ],
  });

  const seen = h("div", { class: "lip-seen" }, crop, h("p", { class: "section-text", text: t("lips.crop.text") }));
  const sentenceParts = [];
  const ofSentences = (element) => (sentenceParts.push(element), element);
  const wordLimits = h(
    "section",
    { class: "shelf", data: { name: "word-can" } },
    h("h2", { text: t("lips.can") }),
    h("div", { class: "lip-limits" }, limits(["anyone", "twenty", "drawing"])),
  );

  fill(
    root,
    h(
      "div",
      { class: "page-head" },
      h("div", {}, h("h1", { text: t("page.lips.title") }), h("p", { class: "lead", text: t("lips.lead") })),
      bar.element,
    ),
    problem.element,
    reads,
    h(
      "section",
      { class: "lip-stage" },
      h("div", { class: "lip-view" }, player.element, seen),
      single.element,
      ofSentences(h(
        "div",
        { class: "lip-telling" },
        h("div", { class: "lip-choices" }, uses, noise),
        h("div", { class: "figure-head" }, h("h2", { text: t("lips.sentence") }), meter),
        sentence.element,
        sure,
        notes,
        h("p", { class: "lip-say", text: t("lips.say") }),
        promptText,
        button({
          text: t("lips.another"),
          name: "another-sentence",
          image: "swap",
          press: () => {
            prompt = makeSentence();
            promptText.textContent = prompt;
          },
        }),
      )),
    ),
    ofSentences(h(
      "section",
      { class: "shelf" },
      h("div", { class: "figure-head lip-timeline-head" }, h("h2", { text: t("lips.timeline") }), shown),
      h("p", { class: "section-text", text: t("lips.timeline.text") }),
      timeline.element,
    )),
    ofSentences(h(
      "section",
      { class: "shelf" },
      h("h2", { text: t("lips.compare") }),
      h("p", { class: "section-text", text: t("lips.compare.text") }),
      compare.element,
      h(
        "div",
        { class: "lip-fare" },
        compare.chart,
        h(
          "div",
          { class: "lip-truth" },
          h("h3", { text: t("lips.truth") }),
          h("p", { class: "section-text", text: t("lips.truth.text") }),
          truth,
        ),
      ),
    )),
    h("section", { class: "shelf" }, h("h2", { text: t("lips.pairs") }), h("p", { class: "section-text", text: t("lips.pairs.text") }), pairs.element),
    wordLimits,
    ofSentences(h(
      "section",
      { class: "shelf", data: { name: "lip-can" } },
      h("h2", { text: t("lips.can") }),
      h("p", { class: "section-text", text: t("lips.can.text") }),
      h(
        "ol",
        { class: "lip-grammar" },
        GRAMMAR.map(({ name, words: list }) =>
          h("li", { data: { slot: name } }, h("h3", { text: t(`lips.slot.${name}`) }), h("p", { lang: "en", text: list.join(" ") })),
        ),
      ),
      h("div", { class: "lip-limits" }, limits(["speaker", "language", "video", "gate"])),
    )),
    h(
      "section",
      { class: "shelf" },
      h("h2", { text: t("recognise.program") }),
      h("p", { class: "section-text", text: t("lips.program.text") }),
      h("div", { class: "program" }, code.element),
    ),
  );
  paintChoices();
  paintRead();
  paint();
  if (isWord()) showSample();

  function isWord() {
    return state.read === "word";
  }

  function limits(names) {
    return names.map((name) => h("p", {}, h("strong", { text: t(`lips.limit.${name}`) }), " ", t(`lips.limit.${name}.text`)));
  }

  /** The parts of the page for what is read. */
  function paintRead() {
    single.element.hidden = !isWord();
    wordLimits.hidden = !isWord();
    for (const part of sentenceParts) part.hidden = isWord();
    root.dataset.read = state.read;
    code.refresh();
  }

  /** The page opens with a drawn face that speaks; a visitor's own video takes its place. */
  async function showSample() {
    const mine = turn;
    const file = await fetchClip(SAMPLE).catch(() => null);
    if (file && mine === turn) await open(file);
  }

  function emptyFrame() {
    return h(
      "div",
      { class: "film-empty" },
      h("p", { class: "film-empty-title", text: t("lips.start") }),
      h("p", { class: "section-text", text: t("lips.start.text") }),
    );
  }

  function levelText(decibels) {
    if (decibels === null) return t("lips.clean");
    if (decibels === 0) return t("lips.level.same");
    return t(decibels > 0 ? "lips.level.softer" : "lips.level.louder", { n: number(Math.abs(decibels)) });
  }

  /** The camera while it records, and below what is to be said. */
  function showCamera(element) {
    player.cover(element && h("div", { class: "lip-camera" }, element, h("p", { lang: "en", text: isWord() ? single.prompt() : prompt })));
  }

  function paintChoices() {
    fill(
      uses,
      segmented({
        label: t("lips.use"),
        name: "lip-use",
        options: USES.map((value) => ({ value, text: t(`lips.use.${value}`) })),
        value: state.use,
        change: (use) => choose({ use }),
      }),
    );
    fill(
      shown,
      segmented({
        label: t("lips.shown"),
        name: "lip-shown",
        hideLabel: true,
        options: ["words", "letters"].map((value) => ({ value, text: t(`lips.shown.${value}`) })),
        value: state.shown,
        change: (value) => choose({ shown: value }),
      }),
    );
  }

  function choose(changes) {
    app.set(changes);
    noise.set(state.noise);
    const input = uses.querySelector(`input[value="${state.use}"]`);
    if (input) input.checked = true;
    paint();
  }

  function reading() {
    return answer && !isWord() ? readingOf(answer, state.use, LEVELS[state.noise]) : null;
  }

  /** Show the reading that is chosen. */
  function paint() {
    const now = reading();
    sentence.show(now);
    timeline.show(now, state.shown);
    root.dataset.use = state.use;
    const isRead = Boolean(now?.words.length);
    sure.dataset.doubt = isRead && now.confidence < 0.5 ? "yes" : "no";
    sure.textContent = isRead ? t(now.confidence < 0.5 ? "lips.low-confidence" : "lips.confidence-of-sentence", { share: percent(now.confidence) }) : "";
    notes.textContent = now ? notesOf(now) : "";
    player.video.muted = isWord() || state.use === "lips";
    paintSound();
    paintCompare();
    code.refresh();
    player.paint();
  }

  function notesOf({ used, use, notes: said }) {
    if (use === "both" && used !== "both") return t(`lips.only.${used}`);
    return noteText(said, words);
  }

  function paintSound() {
    const loudness = noiseLoudness(sound?.loudness ?? 0, LEVELS[state.noise]);
    const softer = sound ? headroom(sound.loudness, loudness) : 1;
    player.video.volume = softer;
    maker.set(state.use === "lips" ? 0 : loudness * softer);
    timeline.sound(sound?.peaks ?? null, loudness);
  }

  function paintCompare() {
    compare.show(answer, state, plainWords(truth.value));
  }

  function moved(seconds, playing) {
    timeline.at(seconds);
    sentence.at(seconds, playing);
    paintCrop(seconds);
    root.dataset.second = seconds.toFixed(2);
  }

  function paintCrop(seconds) {
    const { crops, times_s: times } = answer ?? {};
    const context = crop.getContext("2d");
    if (!crops?.picture) {
      context.clearRect(0, 0, crop.width, crop.height);
      return;
    }
    const moment = Math.min(crops.count - 1, Math.max(0, placeAt(times, seconds)));
    const [x, y] = [(moment % crops.per_row) * crops.width, Math.floor(moment / crops.per_row) * crops.height];
    context.drawImage(crops.picture, x, y, crops.width, crops.height, 0, 0, crop.width, crop.height);
  }

  function draw(context, wide, tall, seconds) {
    if (!answer?.film) return;
    const corners = cornersAt(answer.mouth, seconds);
    if (!corners) return;
    const { width, height } = answer.film;
    context.beginPath();
    for (const [k, [x, y]] of corners.entries()) context[k ? "lineTo" : "moveTo"]((x / width) * wide, (y / height) * tall);
    context.closePath();
    context.lineJoin = "round";
    context.setLineDash(!isWord() && state.use === "sound" ? [6, 5] : []);
    for (const [colour, line] of [["rgb(0 0 0 / 60%)", 5.5], [LIPS_COLOUR, 3]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: line });
      context.stroke();
    }
  }

  /** Play a film here and have the server read it. */
  async function open(file, { recorded = false, spoken = "" } = {}) {
    const mine = ++turn;
    asking?.abort();
    asking = new AbortController();
    [answer, sound] = [null, null];
    current = { file, recorded, spoken };
    fileName = file.name || "video.mp4";
    truth.value = recorded ? prompt : "";
    problem.clear();
    timeline.film(null, null, 1);
    single.show(null, "");
    paint();
    root.toggleAttribute("data-busy", true);
    const began = performance.now();
    const tick = setInterval(() => {
      meter.textContent = t("lips.reading", { seconds: number((performance.now() - began) / 1000) });
    }, 250);
    meter.textContent = t("lips.reading", { seconds: number(0) });
    player.video.loop = file.name === `${SAMPLE}.mp4`;
    const opened = player.open(file, fileName).then(
      () => mine === turn && player.video.loop && !movesLittle() && player.video.play().catch(() => {}),
      (error) => mine === turn && problem.show(wordsFor(error, words)),
    );
    soundOf(file).then((heard) => {
      if (mine !== turn) return;
      sound = heard && { ...heard, peaks: peaksOf(heard.samples, PEAKS) };
      paintSound();
    });
    try {
      const found = isWord() ? readWordAnswer(await readLipWord(file, asking.signal)) : readAnswer(await readLips(file, LEVELS_ASKED, asking.signal));
      const [picture] = await Promise.all([found.crops ? pictureOf(found.crops.url) : null, opened]);
      if (mine !== turn) return;
      answer = { ...found, crops: found.crops && { ...found.crops, picture } };
      const { duration } = player.video;
      timeline.film(answer, picture, Number.isFinite(duration) ? Math.max(duration, answer.end_s) : answer.end_s);
      meter.textContent = t("lips.took", { seconds: number((performance.now() - began) / 1000, 1) });
      if (isWord()) single.show(answer, spoken);
      paint();
    } catch (error) {
      if (mine !== turn) return;
      meter.textContent = "";
      problem.show(wordsFor(error, words));
    } finally {
      clearInterval(tick);
      if (mine === turn) root.toggleAttribute("data-busy", false);
    }
  }

  return {
    close() {
      turn += 1;
      asking?.abort();
      bar.close();
      pairs.close();
      maker.close();
      timeline.close();
      player.close();
    },
  };
}

async function pictureOf(address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  return image;
}
