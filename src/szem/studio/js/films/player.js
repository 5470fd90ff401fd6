// A film that plays with its sound, with a drawing over it that goes with the moment, and its buttons below.

import { fill, h, sizeCanvas } from "../dom.js";
import { filmControls } from "../pictures/film-controls.js";
import { Problem } from "../problems.js";

const PATIENCE_MS = 15_000;
const FAR_S = 1e7;

/**
 * @param label what a screen reader calls the picture
 * @param empty an element shown while there is no film
 * @param moved called with the film's time, at every frame on the screen and after every jump
 * @param draw called with (context, width, height, seconds): draws over the picture, in pixels of the screen
 */
export function filmPlayer(words, { label, empty, moved, draw = () => {} }) {
  const video = h("video", { playsinline: true, preload: "auto", "aria-label": label, data: { name: "film-video" } });
  const over = h("canvas", { class: "over", "aria-hidden": "true", data: { name: "over" } });
  const picture = h("div", { class: "frame-picture", hidden: true }, video, over);
  const frame = h("div", { class: "frame film-frame" }, picture, empty);
  const controls = filmControls(words);
  let address = "";
  let turn = 0;
  let running = 0;

  function paint() {
    const { context, wide, tall } = sizeCanvas(over);
    draw(context, wide, tall, video.currentTime);
    moved(video.currentTime, !video.paused && !video.ended);
  }

  function follow() {
    cancelAnimationFrame(running);
    paint();
    if (!video.paused && !video.ended) running = requestAnimationFrame(follow);
  }

  for (const event of ["play", "playing", "pause", "ended", "seeked", "timeupdate"]) video.addEventListener(event, follow);
  video.addEventListener("click", () => toggle());
  const resized = new ResizeObserver(paint);
  resized.observe(frame);

  function toggle() {
    if (video.paused) video.play().catch(() => {});
    else video.pause();
  }

  function drop() {
    video.pause();
    video.removeAttribute("src");
    video.load();
    if (address) URL.revokeObjectURL(address);
    address = "";
  }

  /** Show a film; true once its first frame is there. @throws Problem where this browser cannot play it */
  async function open(source, name) {
    const mine = ++turn;
    controls.show(null);
    drop();
    address = typeof source === "string" ? "" : URL.createObjectURL(source);
    try {
      await until("loadeddata", () => (video.src = address || source));
      if (!Number.isFinite(video.duration)) {
        // What a browser recorded does not say how long it is until it was read to its end.
        await until("durationchange", () => (video.currentTime = FAR_S));
        await until("seeked", () => (video.currentTime = 0));
      }
    } catch {
      if (mine !== turn) return false;
      clear();
      throw new Problem("video-unreadable", { name });
    }
    if (mine !== turn) return false;
    frame.style.setProperty("--aspect", String(video.videoWidth / video.videoHeight || 4 / 3));
    picture.hidden = false;
    empty.hidden = true;
    controls.show(video);
    paint();
    return true;
  }

  function until(event, begin) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(reject, PATIENCE_MS);
      const done = (run) => () => {
        clearTimeout(timer);
        run();
      };
      video.addEventListener(event, done(resolve), { once: true });
      video.addEventListener("error", done(reject), { once: true });
      begin();
    });
  }

  function clear() {
    controls.show(null);
    drop();
    picture.hidden = true;
    empty.hidden = false;
  }

  return {
    element: h("div", { class: "film" }, frame, h("div", { class: "film-under" }, controls.element)),
    frame,
    video,
    open,
    clear,
    paint,
    /** Go to a moment, and on playing from there if asked. */
    seek(seconds, { play = false } = {}) {
      const most = Number.isFinite(video.duration) ? video.duration : seconds;
      video.currentTime = Math.min(Math.max(0, seconds), most);
      if (play) video.play().catch(() => {});
    },
    /** Put something else in place of the picture: the camera while it records; null: the picture again. */
    cover(element) {
      frame.querySelector(".film-cover")?.remove();
      if (element) frame.append(h("div", { class: "film-cover" }, element));
    },
    close() {
      turn += 1;
      cancelAnimationFrame(running);
      resized.disconnect();
      controls.show(null);
      drop();
      fill(frame);
    },
  };
}
