// The row where a film is chosen: a file (button, drop, paste), or a few seconds recorded here.

import { button, messagePlace } from "../controls.js";
import { fill, h, icon } from "../dom.js";
import { fetchClip } from "../pictures/clips.js";
import { isFilm } from "../pictures/film.js";
import { Problem, wordsFor } from "../problems.js";
import { takeDrops } from "./drop.js";
import { openRecorder } from "./recorder.js";

const COUNT_S = 3; // until recording begins
const LONGEST_S = 6;

/**
 * @param chosen called with a File
 * @param recording where it can be recorded: called with the camera's video element while it is on, with null after
 * @param mostBytes the largest file the server takes
 * @param sample a clip of the studio that can be tried: {name, text}
 * @returns {element, fail(error), trySample(), say(text), close()}
 */
export function filmChoice(app, { chosen, recording = null, mostBytes, sample = null }) {
  const { words } = app;
  const { t } = words;
  const message = messagePlace("film-problem");
  const file = h("input", {
    type: "file",
    accept: "video/*,.mkv,.avi",
    class: "unseen",
    tabindex: "-1",
    "aria-hidden": "true",
    data: { name: "film-file" },
  });
  file.addEventListener("change", () => {
    if (file.files.length > 0) take(file.files[0]);
    file.value = "";
  });
  const upload = button({ text: t("video.choose"), image: "upload", name: "film-upload", kind: "strong", press: () => file.click() });
  const record = recording ? button({ text: "", name: "film-record", press: toggle }) : null;
  const trial = sample ? button({ text: sample.text, image: "play", name: "film-sample", press: trySample }) : null;
  const said = h("p", { class: "yours", "aria-live": "polite", data: { name: "film-said" } });
  const element = h(
    "section",
    { class: "source-bar", "aria-label": t("video.choose") },
    h("div", { class: "source-row" }, h("div", { class: "source-buttons" }, trial, upload, record, file)),
    said,
    message.element,
  );
  const stopDrops = takeDrops(t("video.drop"), take);
  let session = null; // {recorder, take, timer, video}
  let closed = false;

  function take(one) {
    message.clear();
    if (session) end();
    if (!isFilm(one)) return fail(new Problem("file-no-video", { name: one.name || one.type }));
    if (one.size === 0) return fail(new Problem("video-empty", { name: one.name }));
    if (one.size > mostBytes) {
      return fail(new Problem("file-too-large", { name: one.name, size: Math.ceil(one.size / 1e6), most: Math.floor(mostBytes / 1e6) }));
    }
    said.textContent = one.name;
    return chosen(one);
  }

  async function trySample() {
    try {
      return await take(await fetchClip(sample.name));
    } catch (error) {
      return fail(error);
    }
  }

  function fail(error) {
    message.show(wordsFor(error, words));
  }

  async function toggle() {
    message.clear();
    if (session?.take) session.take.stop();
    else if (session) end();
    else await begin();
  }

  async function begin() {
    session = { recorder: null, take: null, timer: 0 };
    const mine = session;
    paint(t("video.wait"));
    try {
      mine.recorder = await openRecorder();
    } catch (error) {
      if (session === mine) end();
      return fail(error);
    }
    if (session !== mine) return mine.recorder.close();
    const video = h("video", { playsinline: true, class: "mirrored", data: { name: "film-camera" } });
    Object.assign(video, { muted: true, srcObject: mine.recorder.stream });
    video.play().catch(() => {});
    const count = h("output", { class: "film-count", "aria-live": "assertive" });
    recording(h("div", { class: "film-recording" }, video, count));
    said.textContent = mine.recorder.hasSound ? "" : t("video.no-microphone");
    for (let left = COUNT_S; left > 0; left--) {
      count.textContent = String(left);
      await new Promise((resolve) => (mine.timer = setTimeout(resolve, 700)));
      if (session !== mine) return null;
    }
    count.textContent = "";
    mine.take = mine.recorder.record();
    const began = performance.now();
    const tick = () => {
      const seconds = (performance.now() - began) / 1000;
      paint(t("video.stop", { seconds: words.number(seconds, 1) }), true);
      if (seconds >= LONGEST_S) mine.take.stop();
    };
    mine.timer = setInterval(tick, 100);
    tick();
    try {
      const made = await mine.take.done;
      if (session !== mine || closed) return null;
      end();
      said.textContent = t("video.recorded");
      return chosen(made, { recorded: true });
    } catch (error) {
      if (session === mine) end();
      return fail(error);
    }
  }

  function end() {
    clearInterval(session.timer);
    clearTimeout(session.timer);
    session.recorder?.close();
    session = null;
    recording(null);
    paint();
  }

  function paint(text = t("video.record"), on = false) {
    if (!record) return;
    record.classList.toggle("active", on);
    fill(record, icon(session ? "stop" : "camera"), h("span", { text }));
  }

  paint();
  return {
    element,
    fail,
    trySample,
    say: (text) => (said.textContent = text),
    clear: () => message.clear(),
    close() {
      closed = true;
      if (session) end();
      stopDrops();
    },
  };
}
