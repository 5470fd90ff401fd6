// The server's public routes, as the studio uses them. Every failure is a Problem with a name.

import { keyHeader } from "./key.js";
import { Problem } from "./problems.js";

export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: { ...keyHeader(), ...options.headers } });
  } catch {
    throw new Problem("server-gone");
  }
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => null);
  const detail = said?.error?.message ?? said?.detail ?? said?.message ?? "";
  const text = typeof detail === "string" ? detail : JSON.stringify(detail);
  if (answer.status === 401) throw new Problem("key-missing");
  if (answer.status === 413) throw new Problem("too-large-for-server", {}, text);
  if (answer.status === 429) {
    throw new Problem("server-busy", { seconds: answer.headers.get("Retry-After") ?? "1" });
  }
  if (answer.status === 404 || answer.status === 501) throw new Problem("not-here", { path }, text);
  if (answer.status >= 500) throw new Problem("server-failed", { status: answer.status }, text);
  throw new Problem("refused", { status: answer.status }, text);
}

/** [{name, title, credit, url, width, height}]: the bundled pictures. */
export async function fetchSamples() {
  return listOf(await (await ask("/v1/szem/samples")).json(), "samples");
}

/** [{name, family, text, weights}]: the named kernels of szem.kernels. */
export async function fetchKernels() {
  return listOf(await (await ask("/v1/szem/kernels")).json(), "kernels");
}

/** A kernel with its parameters in its name, "gaussian:2.5": {name, family, text, weights}. */
export async function fetchKernel(name) {
  const answer = await ask(`/v1/szem/kernels?name=${encodeURIComponent(name)}`);
  return listOf(await answer.json(), "kernels")[0];
}

function listOf(answer, name) {
  return Array.isArray(answer) ? answer : answer[name];
}

export async function fetchBlob(path) {
  return (await ask(path)).blob();
}

/** Save a file of the server that only comes with the key: a plain link would ask without it. */
export async function saveFile(path, name) {
  const url = URL.createObjectURL(await fetchBlob(path));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser reads it while it saves
}

function postJson(path, body) {
  return ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

/** The body of a Cloud Vision request for one picture, given as base64. */
export function visionRequest(content, aspectRatios) {
  return {
    requests: [
      {
        image: { content },
        features: [{ type: "LABEL_DETECTION", maxResults: 10 }, { type: "IMAGE_PROPERTIES" }, { type: "CROP_HINTS" }],
        imageContext: { cropHintsParams: { aspectRatios } },
      },
    ],
  };
}

/**
 * The whole answer of images:annotate for one picture, as it came. Some features may have failed while others are
 * there; only where nothing is there the error is a Problem.
 */
export async function annotate(content, aspectRatios) {
  const answer = await (await postJson("/v1/images:annotate", visionRequest(content, aspectRatios))).json();
  const { error, ...filled } = answer.responses?.[0] ?? {};
  if (error?.message && Object.keys(filled).length === 0) {
    throw new Problem(error.code === 12 ? "not-here" : "refused", {}, error.message);
  }
  return answer;
}

/** szem's own answer for one picture file: {model, labels: [{name, score, index, map, map_box_xyxy}]}. */
export async function classify(blob, top) {
  const headers = { "Content-Type": blob.type || "application/octet-stream" };
  return (await ask(`/v1/szem/classify?top=${top}&maps=true`, { method: "POST", headers, body: blob })).json();
}

/**
 * What every pixel is: {picture, model, background, classes, areas, size, map} and, for boxes, {outlines}.
 * @param wish {model, maxSide, boxes: [[x0, y0, x1, y1]] in pixels of the picture that is sent, answer}
 */
export async function segmentPicture(blob, wish) {
  return (await askSegment(blob, wish)).json();
}

/** The same as a file: `answer` "labels" (a palette PNG of classes) or "overlay". */
export async function segmentedFile(blob, wish) {
  return (await askSegment(blob, wish)).blob();
}

function askSegment(blob, { model, maxSide = 0, boxes = [], answer = "" }) {
  const query = new URLSearchParams({ model, masks: "png" });
  if (maxSide) query.set("maxSide", String(maxSide));
  if (boxes.length > 0) query.set("boxesXyxy", JSON.stringify(boxes));
  if (answer) query.set("answer", answer);
  const headers = { "Content-Type": blob.type || "application/octet-stream" };
  return ask(`/v1/szem/segment?${query}`, { method: "POST", headers, body: blob });
}

/**
 * Pictures by a sentence or by a picture: {hits: [{index, score, fits}], searched, threshold, rows}.
 * @param wish {text or like, images: [{content}], rows, encode, top}
 */
export async function searchPictures(wish) {
  return (await postJson("/v1/szem/search", wish)).json();
}

/** A sentence for one picture file: {model, caption, source, confidence, tags, guesses, sentences: [{text, probability, words, ending}]}. */
export async function describe(blob, { start, n, beams, others }) {
  const query = new URLSearchParams({ n, beams, others, attention: true, ...(start ? { start } : {}) });
  const headers = { "Content-Type": blob.type || "application/octet-stream" };
  return (await ask(`/v1/szem/caption?${query}`, { method: "POST", headers, body: blob })).json();
}

/** What can be drawn: {examples, ...} */
export async function fetchDrawable() {
  return (await ask("/v1/szem/generate")).json();
}

/** Pictures for a sentence: {pictures, sketches, unknown, note, influence, film}; see docs/api.md for the wish. */
export async function drawSentence(wish) {
  return (await postJson("/v1/szem/generate", wish)).json();
}

/**
 * What is said in a film of a speaking face: the answer of /v1/szem/lipread with what the networks saw, and with the
 * readings from lips, sound and both at each of these levels of noise.
 */
export async function readLips(file, levels, signal) {
  const query = new URLSearchParams({ use: "both", study: true, levels: JSON.stringify(levels) });
  const headers = { "Content-Type": file.type || "application/octet-stream" };
  return (await askWithFilm(`/v1/szem/lipread?${query}`, { method: "POST", headers, body: file, signal })).json();
}

/** The word or phrase that a video shows: {model, labels: [{name, score}], is_confident, reason, track, crops}. */
export async function readLipWord(file, signal) {
  const headers = { "Content-Type": file.type || "application/octet-stream" };
  return (await askWithFilm("/v1/szem/lipwords?study=true", { method: "POST", headers, body: file, signal })).json();
}

/** As `ask`, where what is refused is a film. */
export async function askWithFilm(path, options) {
  try {
    return await ask(path, options);
  } catch (error) {
    const name = { refused: "video-refused", "too-large-for-server": "video-too-large" }[error.code];
    throw name ? new Problem(name, error.values, error.detail) : error;
  }
}
