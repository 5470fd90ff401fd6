// Playing, holding and winding a video file.

import { button, slider } from "../controls.js";
import { fill, h, icon } from "../dom.js";

const STEPS = 1000; // of the line one winds along

/** @returns {element, show(video)}: null hides it */
export function filmControls(words) {
  const { t } = words;
  let film = null;
  const play = button({ label: t("video.hold"), image: "pause", kind: "quiet square", name: "play", press: toggle });
  const line = slider({
    label: t("video.place"),
    name: "film-place",
    value: 0,
    least: 0,
    greatest: STEPS,
    show: () => (film ? clock(film.currentTime) : ""),
    change: (step) => {
      if (film) film.currentTime = (step / STEPS) * film.duration;
    },
  });
  const element = h("div", { class: "film-controls", hidden: true, data: { name: "film" } }, play, line);

  function toggle() {
    if (film.paused) film.play().catch(() => {});
    else film.pause();
  }

  function paint() {
    const label = t(film.paused ? "video.play" : "video.hold");
    play.setAttribute("aria-label", label);
    play.title = label;
    fill(play, icon(film.paused ? "play" : "pause"));
    move();
  }

  function move() {
    if (!Number.isFinite(film.duration)) return;
    const text = `${clock(film.currentTime)} / ${clock(film.duration)}`;
    line.set(Math.round((film.currentTime / film.duration) * STEPS), text);
  }

  const heard = { play: paint, pause: paint, timeupdate: move, seeked: move };
  return {
    element,
    show(video) {
      if (video === film) return;
      if (film) for (const [event, run] of Object.entries(heard)) film.removeEventListener(event, run);
      film = video;
      element.hidden = !film;
      if (!film) return;
      for (const [event, run] of Object.entries(heard)) film.addEventListener(event, run);
      paint();
    },
  };
}

/** Seconds as minutes and seconds: 65 is 1:05. */
export function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
