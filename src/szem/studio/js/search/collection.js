// The pictures that are searched: the samples, or those of a folder that the visitor chooses. Each is encoded once; the
// rows the server gives stay here and are sent with every query.

import { base64Of, decodeStill, sendable } from "../pictures/decode.js";
import { fetchBlob, fetchSamples, searchPictures } from "../server.js";

export const MOST_PICTURES = 500;
const TOGETHER = 4; // pictures of one request
const LONGEST_PX = 640; // of a picture that is sent: the networks see less
const SUFFIX = /\.(jpe?g|png|webp|gif|bmp|avif)$/i;

let samples = null; // encoded once for the whole visit

/** What is searched: {name, pictures: [{title, url}], rows, skipped}. */
export async function sampleCollection(onProgress, isWanted) {
  if (samples) return samples;
  const known = await fetchSamples();
  const found = await encodeAll(known.map((one) => ({ title: one.title, blob: () => fetchBlob(one.url) })), onProgress, isWanted);
  if (isWanted()) samples = found;
  return found;
}

/** Of the files of a folder the pictures, in the order of their paths, at most MOST_PICTURES. */
export function picturesAmong(files) {
  const path = (file) => file.webkitRelativePath || file.name;
  const shown = [...files].filter((file) => SUFFIX.test(file.name) && !path(file).split("/").some((part) => part.startsWith(".")));
  shown.sort((a, b) => (path(a) < path(b) ? -1 : 1));
  return { files: shown.slice(0, MOST_PICTURES), left: Math.max(0, shown.length - MOST_PICTURES) };
}

export async function folderCollection(files, onProgress, isWanted) {
  const wanted = files.map((file) => ({ title: file.webkitRelativePath || file.name, blob: () => Promise.resolve(file) }));
  return encodeAll(wanted, onProgress, isWanted);
}

/** Stop showing the pictures of a folder. */
export function forget(collection) {
  if (collection && collection !== samples) for (const { url } of collection.pictures) URL.revokeObjectURL(url);
}

async function encodeAll(wanted, onProgress, isWanted) {
  const out = { pictures: [], rows: [], skipped: [] };
  for (let start = 0; start < wanted.length && isWanted(); start += TOGETHER) {
    const stills = await Promise.all(wanted.slice(start, start + TOGETHER).map((one) => prepare(one, out.skipped)));
    const there = stills.filter(Boolean);
    if (there.length > 0 && isWanted()) {
      const { rows } = await searchPictures({ encode: true, images: there.map(({ content }) => ({ content })) });
      out.rows.push(...rows);
      out.pictures.push(...there.map(({ title, blob }) => ({ title, url: URL.createObjectURL(blob) })));
    }
    onProgress(Math.min(start + TOGETHER, wanted.length), wanted.length);
  }
  return out;
}

/** A picture small enough to send, and as it is shown; null where it cannot be read. */
async function prepare({ title, blob }, skipped) {
  try {
    const still = await decodeStill(await blob(), { id: "", title });
    const small = await sendable(still, { mostBytes: 0, longest: LONGEST_PX });
    return { title, blob: small, content: await base64Of(small) };
  } catch (error) {
    if (error?.code === "server-gone") throw error;
    skipped.push(title);
    return null;
  }
}
