// What the server said about a picture, in the form the page draws. Pure.

/**
 * {sentences, sure}: a sentence is {text, probability, words}; a word {text, chance, looked, others}. The end of the sentence
 * is its last word, "." , so that a sentence can go on from there too.
 */
export function readCaption(answer) {
  const sentences = (answer?.sentences ?? []).map(({ text, probability, words, ending }) => ({
    text,
    probability,
    words: [...(words ?? []), ...(ending ? [{ ...ending, end: true }] : [])].map(readWord),
  }));
  return { sentences, sure: answer?.confidence ?? 0 };
}

function readWord({ text, chance, looked = null, others = [], end = false }) {
  return { text, chance, looked, end, others: others.map((other) => ({ text: other.text, chance: other.chance })) };
}

/** Where a word looked as {rows: numbers 0..1}, the strongest place at 1; null where it is not told. */
export function heatRows(looked) {
  if (!looked) return null;
  const values = looked.flat();
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return looked.map((row) => row.map((value) => (most > least ? (value - least) / (most - least) : 0)));
}

/** The words before one, and another in its place: how the sentence is to begin. */
export function startWith(words, place, text) {
  return [...words.slice(0, place).map((word) => word.text), text].filter((word) => word !== ".").join(" ");
}

/** A chance for people: never 0 % for what may still happen. */
export function chanceText(words, chance) {
  if (chance < 0.001) return `< ${words.percent(0.001, 1)}`;
  return words.percent(chance, chance < 0.1 ? 1 : 0);
}
