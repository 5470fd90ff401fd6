// Where the arrays of a computation come from. A live picture asks for the same ones at every frame: used again, they
// cost nothing. Pure but for the arrays it keeps.

/** A new array each time: what is computed once is kept. */
export const fresh = (length) => new Float32Array(length);

/**
 * Arrays that are used again: after `begin()`, the n-th one asked for is the n-th of last time, if it is as long.
 * What is in it is left over, so whoever asks must write all of it.
 */
export function createScratch() {
  const kept = [];
  let next = 0;
  return {
    begin() {
      next = 0;
    },
    take(length) {
      const at = next++;
      if (kept[at]?.length !== length) kept[at] = new Float32Array(length);
      return kept[at];
    },
  };
}
