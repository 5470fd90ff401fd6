// What the server says about a drawing, in the form the page shows it. Pure.

/** Base64 of a picture file as an address for an img. */
export const pngUrl = (content) => `data:image/png;base64,${content}`;

/** The same as a file. */
export function fileOf(content, type = "image/png") {
  return new Blob([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], { type });
}

/**
 * {pictures: [{picture, sketch}], unknown, isSubject, influence, film}, with empty lists for what is not there.
 * `picture` and `sketch` are base64 of PNG files.
 */
export function readDrawing(raw) {
  const sketches = raw.sketches ?? [];
  return {
    pictures: (raw.pictures ?? []).map((picture, k) => ({ picture, sketch: sketches[k] ?? null })),
    unknown: raw.unknown ?? [],
    isSubject: raw.names_subject ?? true,
    influence: raw.influence ?? [],
    film: raw.video ?? [],
  };
}

/** Lengths of the words' bars, 0..1 of the longest: [{word, fraction, of}]. */
export function barsOf(influence) {
  const most = Math.max(...influence.map(({ fraction }) => fraction), 1e-6);
  return influence.map(({ word, fraction }) => ({ word, fraction, of: fraction / most }));
}

/** How many pictures of an album are kept at most: as many as can be searched at once. */
export const ALBUM = 63;

/** An album with new drawings in front; the same drawing is there once. */
export function withNew(album, fresh) {
  const names = new Set(fresh.map(({ name }) => name));
  return [...fresh, ...album.filter(({ name }) => !names.has(name))].slice(0, ALBUM);
}
