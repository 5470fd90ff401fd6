// The sentences that the shipped reader knows: six places, each with its words. Source: M. Cooke et al., An audio-visual
// corpus for speech perception and automatic speech recognition (GRID), 2006. Pure.

export const GRAMMAR = [
  { name: "command", words: ["bin", "lay", "place", "set"] },
  { name: "colour", words: ["blue", "green", "red", "white"] },
  { name: "preposition", words: ["at", "by", "in", "with"] },
  { name: "letter", words: [..."abcdefghijklmnopqrstuvxyz"] }, // without w
  { name: "digit", words: ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"] },
  { name: "adverb", words: ["again", "now", "please", "soon"] },
];

/** A sentence to be said. @param random a number in 0..1, each time another */
export function makeSentence(random = Math.random) {
  return GRAMMAR.map(({ words }) => words[Math.floor(random() * words.length)]).join(" ");
}
