// A picture as the bytes that go to the server, and how its pixels and the server's belong together.

import { LONGEST_SIDE } from "../pictures/decode.js";

const LIVE_SIDE = 640; // longest side of a frame that is sent
const LIVE_MAP = 320; // and of the map that comes back for it
const LIVE_QUALITY = 0.85;

/** The canvas that holds the frame being asked about. */
export function picturesOf() {
  return { scratch: document.createElement("canvas") };
}

/**
 * @param scratch a canvas; for a live source it then holds the frame that was sent, in the size of the source
 * @returns {blob, scale, mapSide}: pixels of the sent picture for one of the shown, and the longest side of the map to ask for
 */
export async function encode(source, scratch) {
  if (source.kind === "still") {
    // the file itself where it is shown pixel by pixel; else what is on show
    if (source.blob && !source.from) return { blob: source.blob, scale: 1, mapSide: LONGEST_SIDE };
    return { blob: await blobOf(source.canvas, "image/png"), scale: 1, mapSide: 0 };
  }
  const { width, height } = source;
  if (scratch.width !== width || scratch.height !== height) Object.assign(scratch, { width, height });
  const context = scratch.getContext("2d");
  source.draw(context);
  const scale = Math.min(1, LIVE_SIDE / Math.max(width, height));
  if (scale === 1) return { blob: await blobOf(scratch, "image/jpeg"), scale, mapSide: LIVE_MAP };
  const small = document.createElement("canvas");
  Object.assign(small, { width: Math.round(width * scale), height: Math.round(height * scale) });
  small.getContext("2d").drawImage(scratch, 0, 0, small.width, small.height);
  return { blob: await blobOf(small, "image/jpeg"), scale: small.width / width, mapSide: LIVE_MAP };
}

function blobOf(canvas, type) {
  return new Promise((resolve) => canvas.toBlob(resolve, type, LIVE_QUALITY));
}
