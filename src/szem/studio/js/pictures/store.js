// The picture of the moment. It outlives a change of page or language: the same picture travels through the studio.

import { Problem } from "../problems.js";
import { fetchBlob, fetchSamples } from "../server.js";
import { openCamera } from "./camera.js";
import { decodeStill } from "./decode.js";
import { isFilm, openFilm } from "./film.js";

export function createStore() {
  const listeners = new Set();
  let source = null;
  let samples = null;
  let turn = 0; // the newest wish wins, however long an older one takes

  function put(next) {
    if (source?.kind === "live" && source !== next) source.stop();
    source = next;
    for (const listener of listeners) listener({ source });
  }

  function tell(error) {
    for (const listener of listeners) listener({ error });
  }

  /** Do one of the things below; a newer one makes an older one void. Errors go to the listeners. */
  async function attempt(run) {
    const mine = ++turn;
    for (const listener of listeners) listener({ busy: true });
    try {
      const next = await run();
      if (mine !== turn) {
        if (next.kind === "live") next.stop();
        return false;
      }
      put(next);
      return true;
    } catch (error) {
      if (mine === turn) tell(error);
      return false;
    } finally {
      if (mine === turn) for (const listener of listeners) listener({ busy: false });
    }
  }

  return {
    get source() {
      return source;
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
        const list = (samples ??= await fetchSamples());
        const sample = list.find((one) => one.name === name);
        if (!sample) throw new Problem("sample-unknown", { name });
        return decodeStill(await fetchBlob(sample.url), { id: name, title: sample.title, credit: sample.credit });
      });
    },

    openFile(file) {
      return attempt(() =>
        isFilm(file) ? openFilm(file) : decodeStill(file, { id: "yours", title: file.name || "picture" }),
      );
    },

    /** Use a still that is there already, a frame of the camera for one. */
    use(still) {
      turn++;
      put(still);
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
