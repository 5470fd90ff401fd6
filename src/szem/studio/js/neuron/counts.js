// How many numbers a layer has to learn: with one set of weights for all places, with a set for each, and fully connected.

/**
 * @param kinds how many kinds of neurons; each has `inputs` weights and a bias; one neuron of each kind a pixel
 * @returns {neurons, shared, unshared, dense}
 */
export function countWeights({ height, width, kinds, inputs }) {
  const places = height * width;
  return {
    neurons: kinds * places,
    shared: kinds * (inputs + 1),
    unshared: kinds * places * (inputs + 1),
    dense: kinds * places * (places + 1),
  };
}
