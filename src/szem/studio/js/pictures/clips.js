// The moving samples that come with the studio; docs/tools/studio_samples.py makes them.

import { Problem } from "../problems.js";

export const CLIPS = [
  { name: "moving", title: "The cat and the astronaut", credit: "Stéfan van der Walt, CC0; NASA" },
  { name: "street", title: "A drawn street, seen from a car", credit: "szem, docs/tools/drawn_street.py" },
];

/** The files of a clip: the video, and its thumbnail. */
export const clipAddress = (name) => new URL(`../../samples/${name}.mp4`, import.meta.url).pathname;
export const thumbAddress = (name) => new URL(`../../samples/${name}.jpg`, import.meta.url).pathname;

/** A clip as a file, as if the visitor had chosen it. */
export async function fetchClip(name) {
  const answer = await fetch(clipAddress(name));
  if (!answer.ok) throw new Problem("sample-unknown", { name });
  return new File([await answer.blob()], `${name}.mp4`, { type: "video/mp4" });
}
