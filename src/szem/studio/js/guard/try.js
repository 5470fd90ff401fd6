// A film tried on the rules: it plays with zones and boxes over it, events come as they are found, curves below.

import { button, messagePlace } from "../controls.js";
import { fill, h } from "../dom.js";
import { filmChoice } from "../films/choice.js";
import { filmPlayer } from "../films/player.js";
import { fetchClip, thumbAddress } from "../pictures/clips.js";
import { clock } from "../pictures/film-controls.js";
import { Problem, wordsFor } from "../problems.js";
import { movesLittle } from "../theme.js";
import { channelBars } from "./channels.js";
import { curvesView } from "./curves.js";
import { kindName, thingName } from "./names.js";
import { dropFilm, fetchFilm, sendFilm } from "./routes.js";

const MOST_BYTES = 300_000_000;
const ASK_MS = 400;
const SHOWN_S = 0.6; // a box stays so long where its event is over at once
const SAMPLE = "yard";
const BEFORE_S = 1; // where a press on an event goes to
const GIVE_UP = 8; // answers that fail one after the other
const [ACCENT, ZONE, LINE] = ["#ffc400", "#56b4e9", "#f0e442"];

/** @param areas called for {zones, lines} to draw over the picture; framed called with a canvas of the film's frame */
export function filmTrial(app, { areas, framed }) {
  const { words } = app;
  const { t, percent, number } = words;
  const problem = messagePlace("film-fault");
  const bar = filmChoice(app, { chosen: (file) => (unmute(), open(file)), mostBytes: MOST_BYTES, sample: { name: SAMPLE, text: t("guard.sample") } });
  const player = filmPlayer(words, { label: t("guard.video"), empty: empty(), moved, draw });
  const curves = curvesView(app, { jump: (seconds) => player.seek(seconds), choose: go });
  const list = h("ol", { class: "ev-rows", data: { name: "film-events" } });
  const meter = h("p", { class: "meter", data: { name: "film-state" }, "aria-live": "polite" });
  const soundOn = button({ text: t("guard.sound-on"), image: "sound", name: "sound-on", press: unmute });
  soundOn.hidden = true;
  let film = null;
  let listed = "";
  let turn = 0;
  let sending = null;
  let closed = false;
  let polling = Promise.resolve();

  const element = h(
    "section",
    { class: "guard-try" },
    problem.element,
    h(
      "div",
      { class: "live" },
      player.element,
      h("div", { class: "live-side" }, h("div", { class: "figure-head" }, h("h2", { text: t("guard.found") }), soundOn), meter, list),
    ),
    curves.element,
  );
  paint();
  if (app.state.film === SAMPLE) start();

  /** The page opens with the drawn yard, at work. It is silent until somebody asks: browsers play no sound unasked. */
  async function start() {
    const mine = turn;
    const file = await fetchClip(SAMPLE).catch(() => null);
    if (!file || mine !== turn || closed) return;
    player.video.muted = true;
    soundOn.hidden = false;
    await open(file);
  }

  function unmute() {
    player.video.muted = false;
    soundOn.hidden = true;
  }

  function empty() {
    return h(
      "div",
      { class: "film-empty" },
      h("p", { class: "film-empty-title", text: t("guard.try") }),
      h("p", { class: "section-text", text: t("guard.try.text") }),
      h(
        "button",
        { type: "button", class: "sample-card", data: { name: "sample-card" }, on: { click: () => bar.trySample() } },
        h("img", { src: thumbAddress(SAMPLE), alt: "", width: "112", height: "112" }),
        h("span", { text: t("guard.sample.text") }),
      ),
    );
  }

  function moved(seconds) {
    curves.at(seconds);
    for (const [k, row] of [...list.querySelectorAll("button")].entries()) {
      const { start_s: from, end_s: to } = film?.events[k] ?? {};
      row.toggleAttribute("data-now", seconds >= from && seconds <= Math.max(to, from + SHOWN_S));
    }
  }

  function draw(context, wide, tall, seconds) {
    const { zones, lines } = areas();
    context.lineJoin = "round";
    const path = (points) => {
      context.beginPath();
      for (const [k, [x, y]] of points.entries()) context[k ? "lineTo" : "moveTo"](x * wide, y * tall);
    };
    const stroke = (colour, width) => {
      Object.assign(context, { strokeStyle: "rgb(0 0 0 / 55%)", lineWidth: width + 2 });
      context.stroke();
      Object.assign(context, { strokeStyle: colour, lineWidth: width });
      context.stroke();
    };
    for (const { points } of zones) {
      path(points);
      context.closePath();
      stroke(ZONE, 1.5);
    }
    for (const { points } of lines) {
      path(points);
      stroke(LINE, 2);
    }
    if (!film?.frame.width) return;
    const scale = [wide / film.frame.width, tall / film.frame.height];
    for (const event of film.events) {
      if (!event.box_xyxy || seconds < event.start_s || seconds > Math.max(event.end_s, event.start_s + SHOWN_S)) continue;
      const [x0, y0, x1, y1] = event.box_xyxy.map((v, k) => v * scale[k % 2]);
      context.beginPath();
      context.roundRect(x0, y0, x1 - x0, y1 - y0, 3);
      stroke(ACCENT, 3);
      label(context, kindName(words, event.kind), x0, y0, wide);
    }
  }

  function label(context, text, x, y, wide) {
    context.font = `600 14px ${getComputedStyle(element).fontFamily}`;
    context.textBaseline = "middle";
    const width = context.measureText(text).width + 12;
    const left = Math.min(Math.max(0, x), Math.max(0, wide - width));
    const top = y < 22 ? y : y - 22;
    context.fillStyle = ACCENT;
    context.fillRect(left, top, width, 22);
    context.fillStyle = "#16160f";
    context.fillText(text, left + 6, top + 12);
  }

  function go(event) {
    player.seek(Math.max(0, event.start_s - BEFORE_S), { play: true });
  }

  function row(event) {
    const thing = [event.label ? thingName(words, event.label) : "", event.place ?? ""].filter(Boolean).join(" · ");
    const rules = event.rules?.length ? t("guard.by-rule", { rules: event.rules.join(", ") }) : t("guard.no-rule");
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "ev-row", data: { kind: event.kind, wanted: event.rules?.length ? "yes" : "no" }, on: { click: () => go(event) } },
        h("span", { class: "ev-time" }, h("output", { text: clock(event.start_s) }), event.open ? h("small", { text: t(film.state === "done" ? "guard.open-end" : "guard.open") }) : null),
        h(
          "span",
          { class: "ev-what" },
          h("strong", { text: kindName(words, event.kind) }),
          h("small", { text: [thing, rules].filter(Boolean).join(" · ") }),
        ),
        h("output", { class: "ev-score", text: percent(event.score) }),
        channelBars(words, event),
      ),
    );
  }

  function paint() {
    const events = film?.events ?? [];
    const text = () => {
      if (!film) return t("guard.video-none");
      if (film.state === "failed") return t("guard.video-failed");
      if (film.state === "done") return events.length ? t("guard.video-done", { n: number(events.length) }) : t("guard.video-nothing");
      return t(`guard.video-${film.state}`, { share: percent(film.progress) });
    };
    meter.textContent = text();
    meter.dataset.state = film?.state ?? "none";
    const now = JSON.stringify([events, film?.state === "done"]);
    if (now !== listed) fill(list, events.map(row)); // what is being read stays where it is
    listed = now;
    curves.show(film);
    player.paint();
  }

  async function open(file) {
    const mine = ++turn;
    sending?.abort();
    sending = new AbortController();
    drop();
    problem.clear();
    film = { id: "", state: "sending", progress: 0, events: [], curves: {}, frame: { width: 0, height: 0 } };
    paint();
    player.open(file, file.name).then(
      (done) => {
        if (!done || mine !== turn) return;
        framed(player.video, file.name);
        if (player.video.muted && !movesLittle()) player.video.play().catch(() => {});
      },
      (error) => mine === turn && problem.show(wordsFor(error, words)),
    );
    try {
      film = await sendFilm(file, sending.signal);
      if (mine !== turn) return void dropFilm(film.id).catch(() => {});
      await follow(mine);
    } catch (error) {
      if (mine !== turn || closed) return;
      film = null;
      paint();
      problem.show(wordsFor(error, words));
    }
  }

  /** Have the server forget the film, after the answer about it that is on its way. */
  function drop() {
    const id = film?.id;
    if (id) polling.catch(() => {}).finally(() => dropFilm(id).catch(() => {}));
  }

  async function follow(mine) {
    let failed = 0;
    while (mine === turn && !closed) {
      paint();
      if (film.state === "failed") throw new Problem("video-refused", {}, film.fault);
      if (film.state === "done") return;
      await new Promise((resolve) => setTimeout(resolve, ASK_MS));
      if (mine !== turn || closed) return; // the server has forgotten the film
      try {
        polling = fetchFilm(film.id);
        const next = await polling;
        if (mine !== turn || closed) return;
        film = next;
        failed = 0;
      } catch (error) {
        failed += 1;
        if (failed >= GIVE_UP || error.code === "not-here") throw error;
      }
    }
  }

  return {
    element,
    bar: bar.element,
    paint: () => player.paint(),
    close() {
      closed = true;
      turn += 1;
      sending?.abort();
      drop();
      bar.close();
      player.close();
    },
  };
}
