// The picture of the moment. It outlives a change of page or language: the same picture travels through the studio.

import { Problem } from "../problems.js";
import { fetchBlob, fetchSamples } from "../server.js";
import { openCamera } from "./camera.js";
import { CLIPS, fetchClip } from "./clips.js";
import { decodeStill } from "./decode.js";
import { isFilm, openFilm } from "./film.js";
import { keepOwn, keptOwn } from "./own.js";

export function createStore() {
  const listeners = new Set();
  let source = null;
  let samples = null;
  let turn = 0; // the number of the newest wish
  let shown = 0; // of the wish whose picture is on show
  const under = new Map(); // the wishes under way: number -> a promise that ends with it

  function put(next, mine) {
    if (source?.kind === "live" && source !== next) source.stop();
    [source, shown] = [next, mine];
    for (const listener of listeners) listener({ source });
  }

  function tell(error) {
    for (const listener of listeners) listener({ error });
  }

  const openOwn = (file) =>
    isFilm(file) ? openFilm(file) : decodeStill(file, { id: "yours", title: file.name || "picture" });

  /** Whether a newer wish than this came true; those that are still under way are waited for. */
  async function isLate(mine) {
    while (mine > shown) {
      const newer = [...under].filter(([number]) => number > mine).map(([, end]) => end);
      if (newer.length === 0) return false;
      await Promise.all(newer);
    }
    return true;
  }

  /**
   * Do one of the things below. The newest wish that comes true wins, however long an older one takes; one that fails
   * takes nothing away. Errors go to the listeners.
   * @returns true where its picture is on show now, false where it failed, null where a newer one is there instead
   */
  async function attempt(run) {
    const mine = ++turn;
    let end;
    under.set(mine, new Promise((resolve) => (end = resolve)));
    for (const listener of listeners) listener({ busy: true });
    try {
      const next = await run();
      if (await isLate(mine)) {
        if (next.kind === "live") next.stop();
        return null;
      }
      put(next, mine);
      return true;
    } catch (error) {
      if (mine === turn) tell(error);
      return (await isLate(mine)) ? null : false;
    } finally {
      under.delete(mine);
      end();
      if (under.size === 0) for (const listener of listeners) listener({ busy: false });
    }
  }

  return {
    get source() {
      return source;
    },

    /** Whether a picture is on its way. */
    get busy() {
      return under.size > 0;
    },

    async samples() {
      samples ??= await fetchSamples();
      return samples;
    },

    /** Hear of {source}, {error} and {busy}; gives back the way to stop. */
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    openSample(name) {
      return attempt(async () => {
        const clip = CLIPS.find((one) => one.name === name);
        if (clip) return openFilm(await fetchClip(name), { id: name, title: clip.title });
        const list = (samples ??= await fetchSamples());
        const sample = list.find((one) => one.name === name);
        if (!sample) throw new Problem("sample-unknown", { name });
        return decodeStill(await fetchBlob(sample.url), { id: name, title: sample.title, credit: sample.credit });
      });
    },

    async openFile(file) {
      const done = await attempt(() => openOwn(file));
      if (done) await keepOwn(file); // the address names it once it is kept
      return done;
    },

    /** Open the own file that this tab had before it was loaded again. */
    openKept() {
      return attempt(async () => {
        const file = await keptOwn();
        if (!file) throw new Problem("own-gone");
        return openOwn(file);
      });
    },

    /** Use a still that is there already, a frame of the camera for one. */
    use(still) {
      put(still, ++turn);
    },

    startCamera() {
      return attempt(() =>
        openCamera({
          ended: () => tell(new Problem("camera-lost")),
        }),
      );
    },
  };
}
