// The film from one sentence to another: frames in a row, wound by hand or played to and fro.

import { button, messagePlace, slider } from "../controls.js";
import { fill, h, icon } from "../dom.js";
import { wordsFor } from "../problems.js";
import { drawSentence } from "../server.js";
import { movesLittle } from "../theme.js";
import { fileOf, readDrawing } from "./answer.js";

const FRAMES = 24;
const FRAME_MS = 90;
const REST_FRAMES = 6; // at either end

/**
 * @param wish () -> {text, seed, truncation} of the drawing on show
 * @returns {element, begin(drawing), clear(), close()}
 */
export function createWalk(app, { wish, second, changed }) {
  const { words } = app;
  const { t, percent } = words;
  let frames = [];
  let place = 0;
  let timer = 0;
  let turn = 0;

  const problem = messagePlace("walk-problem");
  const canvas = h("canvas", { class: "walk-picture", width: 128, height: 128, "aria-label": t("draw.walk"), role: "img" });
  const input = h("input", {
    type: "text",
    name: "to",
    value: second,
    maxlength: "500",
    autocomplete: "off",
    spellcheck: "false",
    lang: "en",
    "aria-label": t("draw.to"),
  });
  const ends = [h("span", { lang: "en" }), h("span", { lang: "en" })];
  const play = button({ label: t("video.play"), image: "play", kind: "quiet square", name: "walk-play", press: toggle });
  const line = slider({
    label: t("draw.way"),
    name: "way",
    value: 0,
    least: 0,
    greatest: FRAMES - 1,
    show: (n) => percent(n / (FRAMES - 1)),
    change: (n) => {
      hold();
      show(n);
    },
  });
  const controls = h("div", { class: "film-controls" }, play, line);
  const form = h(
    "form",
    {
      class: "begin",
      on: {
        submit: (event) => {
          event.preventDefault();
          make();
        },
      },
    },
    h("label", { class: "field draw-text" }, h("span", { class: "field-label", text: t("draw.to") }), input),
    h("button", { type: "submit", class: "button", data: { name: "film" }, text: t("draw.video") }),
  );
  const element = h(
    "div",
    { class: "walk" },
    canvas,
    h("div", { class: "walk-side" }, form, problem.element, controls, h("p", { class: "walk-ends" }, ends)),
  );
  enable(false);

  function enable(on) {
    play.disabled = !on;
    line.querySelector("input").disabled = !on;
  }

  async function make() {
    const text = input.value.trim();
    if (!text) {
      input.focus();
      return;
    }
    const mine = ++turn;
    const from = wish();
    clear();
    changed(text);
    element.toggleAttribute("data-busy", true);
    try {
      const { film } = readDrawing(await drawSentence({ ...from, to: text, frames: FRAMES }));
      const loaded = await Promise.all(film.map((frame) => createImageBitmap(fileOf(frame, "image/jpeg"))));
      if (mine !== turn) return;
      problem.clear();
      frames = loaded;
      [ends[0].textContent, ends[1].textContent] = [from.text, text];
      [canvas.width, canvas.height] = [frames[0].width, frames[0].height];
      enable(true);
      show(0);
      element.dataset.frames = String(frames.length);
      if (!movesLittle()) toggle();
    } catch (error) {
      if (mine === turn) problem.show(wordsFor(error, words));
    } finally {
      if (mine === turn) element.toggleAttribute("data-busy", false);
    }
  }

  function show(n) {
    place = n;
    line.set(n);
    element.dataset.place = String(n);
    if (frames[n]) canvas.getContext("2d").drawImage(frames[n], 0, 0);
  }

  /** Play to the end, rest, and back again. */
  function toggle() {
    if (timer) {
      hold();
      return;
    }
    let step = 1;
    let rest = 0;
    timer = setInterval(() => {
      if (rest-- > 0) return;
      if (place + step < 0 || place + step >= frames.length) {
        step = -step;
        rest = REST_FRAMES;
        return;
      }
      show(place + step);
    }, FRAME_MS);
    paintPlay();
  }

  function hold() {
    clearInterval(timer);
    timer = 0;
    paintPlay();
  }

  function paintPlay() {
    const label = t(timer ? "video.hold" : "video.play");
    play.setAttribute("aria-label", label);
    play.title = label;
    fill(play, icon(timer ? "pause" : "play"));
  }

  /** Forget the film: it belongs to another sentence now. */
  function clear() {
    hold();
    frames = [];
    for (const end of ends) end.textContent = "";
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    delete element.dataset.frames;
    enable(false);
    line.set(0);
  }

  return {
    element,
    /** Show the drawing that the video will begin with, until there is one. */
    async begin(drawing) {
      const mine = turn;
      const picture = await createImageBitmap(fileOf(drawing.picture));
      if (mine !== turn || frames.length > 0) return;
      [canvas.width, canvas.height] = [picture.width, picture.height];
      canvas.getContext("2d").drawImage(picture, 0, 0);
    },
    clear() {
      turn += 1;
      element.toggleAttribute("data-busy", false);
      clear();
    },
    close() {
      turn += 1;
      hold();
    },
  };
}
