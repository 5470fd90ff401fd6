// Why there is no reading, in the visitor's language. The reader says it in English, with its numbers; a reason that is not
// known here is shown as it was said. Pure.

const REASONS = [
  [/^no face is seen$/, "face"],
  [/^only (\d+) faces? (?:is|are) seen, number (\d+) was asked for$/, "face-number"],
  [/^the face is seen for ([\d.]+) s only$/, "short"],
  [/^the face is seen in (\d+)\s?% of the frames only$/, "fraction"],
  [/^(\d+) frames a second, lips need (\d+)/, "rate"],
  [/^the mouth is too small: the eyes are (\d+) pixels apart, (\d+) are needed/, "small"],
  [/^the face does not move$/, "still"],
  [/^the video is ([\d.]+) s long, at most (\d+) s/, "long"],
  [/^the video has no sound$/, "no-sound"],
  [/^the sound is silent$/, "silent"],
  [/^only ([\d.]+) s of sound$/, "short-sound"],
  [/^the sound is longer than (\d+) s/, "long-sound"],
  [/^no word is said$/, "no-word"],
  [/^not a sentence of the kind it knows/, "unknown"],
  [/^lips and sound say different things: lips '([^']*)' [^,]*, sound '([^']*)'/, "different"],
];
const NOTES = [
  [/^the sound is about ([\d.]+) s late/, "late"],
  [/^the sound is about ([\d.]+) s early/, "early"],
];

/** {name, values} of a reason; null where it is none of those known. */
export function findReason(said, known = REASONS) {
  for (const [pattern, name] of known) {
    const [, a = "", b = ""] = pattern.exec(said) ?? [];
    if (pattern.test(said)) return { name, values: { a, b } };
  }
  return null;
}

export function reasonText(said, words) {
  return (said ?? "").split(", and ").map((part) => worded(part, words, REASONS, (name) => `lips.reason.${name}`)).join(" ");
}

/** What the reader notes beside a reading. */
export function noteText(said, words) {
  return (said ?? []).map((note) => worded(note, words, NOTES, (name) => `lips.note.${name}`)).join(" ");
}

function worded(said, words, known, keyOf) {
  const found = findReason(said, known);
  if (!found) return said.replace(/\.?$/, ".");
  const local = (text) => (/^[\d.]+$/.test(text) ? words.number(Number(text), 1) : text);
  return words.t(keyOf(found.name), { a: local(found.values.a), b: local(found.values.b) });
}
