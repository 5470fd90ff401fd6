// Why there is no reading, in the visitor's language. The reader says it in English, with its numbers; a reason that is not
// known here is shown as it was said. Pure.

const REASONS = [
  [/^no face is seen$/, "face"],
  [/^the face is seen for ([\d.]+) s only$/, "short"],
  [/^the face is seen in (\d+)\s?% of the frames only$/, "share"],
  [/^(\d+) frames a second, lips need (\d+)/, "rate"],
  [/^the mouth is too small: the eyes are (\d+) pixels apart, (\d+) are needed/, "small"],
  [/^the face does not move$/, "still"],
  [/^the film is ([\d.]+) s long, at most (\d+) s/, "long"],
  [/^the film has no sound$/, "no-sound"],
  [/^the sound is silent$/, "silent"],
  [/^only ([\d.]+) s of sound$/, "short-sound"],
  [/^the sound is longer than (\d+) s/, "long-sound"],
  [/^no word is said$/, "no-word"],
  [/^not a sentence of the kind it knows/, "unknown"],
];

/** {name, values} of a reason; null where it is none of those known. */
export function findReason(said) {
  for (const [pattern, name] of REASONS) {
    const [, a = "", b = ""] = pattern.exec(said) ?? [];
    if (pattern.test(said)) return { name, values: { a, b } };
  }
  return null;
}

export function reasonText(said, words) {
  const parts = (said ?? "").split(", and ").map((part) => {
    const found = findReason(part);
    if (!found) return part.replace(/\.?$/, ".");
    const local = (text) => (text === "" ? "" : words.number(Number(text), 1));
    return words.t(`lips.reason.${found.name}`, { a: local(found.values.a), b: local(found.values.b) });
  });
  return parts.join(" ");
}
