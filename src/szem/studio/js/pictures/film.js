// A video file of the visitor as a source of pictures: it plays in the browser, again and again, without its sound.

import { Problem } from "../problems.js";
import { LONGEST_SIDE, MOST_PIXELS } from "./decode.js";
import { liveSource } from "./live.js";

const ENDINGS = /\.(mp4|m4v|mov|webm|mkv|ogv|avi)$/i;
const PATIENCE_MS = 15_000; // until the first frame is there

/** Whether a file is meant as a video: by its type, or where the browser knows none, by its name. */
export function isFilm({ type, name }) {
  return type ? type.startsWith("video/") : ENDINGS.test(name ?? "");
}

/**
 * Open a video file and play it.
 * @param id what the address calls it: "yours", or a clip's name
 * @returns a live source, see live.js
 * @throws Problem where this browser cannot play it
 */
export async function openFilm(file, { id = "yours", title = file.name } = {}) {
  if (file.size === 0) throw new Problem("file-empty", { name: file.name });
  const video = document.createElement("video");
  Object.assign(video, { muted: true, loop: true, playsInline: true, preload: "auto" });
  const address = URL.createObjectURL(file);
  function stop() {
    video.pause();
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(address);
  }
  try {
    await new Promise((resolve, reject) => {
      video.addEventListener("loadeddata", resolve, { once: true });
      video.addEventListener("error", reject, { once: true });
      setTimeout(reject, PATIENCE_MS);
      video.src = address;
    });
  } catch {
    stop();
    throw new Problem("video-unreadable", { name: file.name });
  }
  const full = { width: video.videoWidth, height: video.videoHeight };
  if (!full.width || full.width * full.height > MOST_PIXELS) {
    stop();
    throw new Problem(full.width ? "file-too-large-picture" : "video-unreadable", { name: file.name, ...full });
  }
  const scale = Math.min(1, LONGEST_SIDE / Math.max(full.width, full.height));
  const width = Math.max(1, Math.round(full.width * scale));
  const height = Math.max(1, Math.round(full.height * scale));
  await video.play().catch(() => {}); // a browser that wants a press first: the button beside it is there
  const paint = (context) => context.drawImage(video, 0, 0, width, height);
  return liveSource({ id, title, width, height, from: scale < 1 ? full : null, video, paint, stop });
}
