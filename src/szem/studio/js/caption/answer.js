// What the server said about a picture, in the form the page draws. Pure.

/**
 * {sentences, confidence}: a sentence is {text, probability, words}; a word {text, probability, attention, others}. The end of the sentence
 * is its last word, "." , so that a sentence can go on from there too.
 */
export function readCaption(answer) {
  const sentences = (answer?.sentences ?? []).map(({ text, probability, words, ending }) => ({
    text,
    probability,
    words: [...(words ?? []), ...(ending ? [{ ...ending, end: true }] : [])].map(readWord),
  }));
  return { sentences, confidence: answer?.confidence ?? 0 };
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
