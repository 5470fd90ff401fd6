// Files to pictures, in the browser. A still is {kind: "still", id, title, credit, width, height, rgba, canvas, blob, from}.

import { Problem } from "../problems.js";

/** As the server's own limits: 20 MB a file, 75 million pixels. */
export const MOST_BYTES = 20_000_000;
export const MOST_PIXELS = 75_000_000;
/** Kernels work on at most this many pixels a side; what is larger is scaled down, and the page says so. */
export const LONGEST_SIDE = 1024;

/**
 * A still from a file. Upright, transparency laid over white, colour profiles applied: as szem.read_picture.
 * `from` holds the true size where the picture was scaled down.
 */
export async function decodeStill(blob, { id, title, credit = "" }) {
  if (blob.size === 0) throw new Problem("file-empty", { name: title });
  if (blob.size > MOST_BYTES) {
    throw new Problem("file-too-large", { name: title, size: (blob.size / 1e6).toFixed(0), most: MOST_BYTES / 1e6 });
  }
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { premultiplyAlpha: "none" });
  } catch {
    throw new Problem("file-no-picture", { name: title });
  }
  const full = { width: bitmap.width, height: bitmap.height };
  if (full.width * full.height > MOST_PIXELS) {
    bitmap.close();
    throw new Problem("file-too-large-picture", { name: title, ...full });
  }
  const scale = Math.min(1, LONGEST_SIDE / Math.max(full.width, full.height));
  const width = Math.max(1, Math.round(full.width * scale));
  const height = Math.max(1, Math.round(full.height * scale));
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  const { data: rgba } = context.getImageData(0, 0, width, height);
  return { kind: "still", id, title, credit, width, height, rgba, canvas, blob, from: scale < 1 ? full : null };
}

/** The picture as bytes small enough to send: the file itself, or a JPEG at most `longest` a side. */
export async function sendable(still, { mostBytes = 6_000_000, longest = 1600 } = {}) {
  const plain = ["image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp"].includes(still.blob?.type);
  if (still.blob && plain && still.blob.size <= mostBytes) return still.blob;
  const scale = Math.min(1, longest / Math.max(still.width, still.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(still.width * scale);
  canvas.height = Math.round(still.height * scale);
  canvas.getContext("2d").drawImage(still.canvas, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
}

/** Bytes as base64 text. */
export async function base64Of(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}
