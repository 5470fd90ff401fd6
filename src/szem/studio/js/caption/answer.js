// What the server said about a picture, in the form the page draws. Pure.

/**
 * {caption, source, confidence, tags, sentences}: `source` is "model", "tags" or "none"; `sentences` are the network's own, also where its
 * answer is not used. A sentence is {text, confidence, probability, words}; a word {text, probability, attention, others}. The end of
 * the sentence is its last word, "." , so that a sentence can go on from there too.
 */
export function readCaption(answer) {
  const source = answer?.source ?? "model";
  const own = source === "model" ? answer?.sentences : answer?.guesses;
  const sentences = (own ?? []).map(({ text, confidence = 0, probability, words, ending }) => ({
    text,
    confidence,
    probability,
    words: [...(words ?? []), ...(ending ? [{ ...ending, end: true }] : [])].map(readWord),
  }));
  return { caption: answer?.caption ?? "", source, confidence: answer?.confidence ?? 0, tags: answer?.tags ?? [], sentences };
}

/** What is said about the caption, beside the network's own sentence: [key of the text, its values]. */
export function verdict({ source, confidence }, percent) {
  if (source === "none") return ["caption.silent", {}];
  if (source === "tags") return ["caption.from-tags", { share: percent(confidence) }];
  return [confidence < 0.5 ? "caption.low-confidence" : "caption.confidence", { share: percent(confidence) }];
}

/** The tags in the visitor's language, "2 person, cup" with names of that language. @param nameOf label -> name */
export function tagsText(tags, nameOf) {
  return tags.map(({ name, count = 1 }) => `${count > 1 ? `${count} ` : ""}${nameOf(name)}`).join(", ");
}

function readWord({ text, probability, attention = null, others = [], end = false }) {
  return { text, probability, attention, end, others: others.map((other) => ({ text: other.text, probability: other.probability })) };
}

/** Attention of a word as {rows: numbers 0..1}, the strongest place at 1; null where there is none. */
export function heatRows(attention) {
  if (!attention) return null;
  const values = attention.flat();
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return attention.map((row) => row.map((value) => (most > least ? (value - least) / (most - least) : 0)));
}

/** The words before one, and another in its place: how the sentence is to begin. */
export function startWith(words, place, text) {
  return [...words.slice(0, place).map((word) => word.text), text].filter((word) => word !== ".").join(" ");
}

/** A probability for people: never 0 % for what may still happen. */
export function probabilityText(words, probability) {
  if (probability < 0.001) return `< ${words.percent(0.001, 1)}`;
  return words.percent(probability, probability < 0.1 ? 1 : 0);
}
