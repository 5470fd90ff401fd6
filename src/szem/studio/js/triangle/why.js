// Why a neuron answers: its sum, taken apart. Pure.

/** A neuron of layer one: the 25 numbers it reads, its weights, and the sum. */
export function reasonOne(net, state, map, row, column) {
  const { side, kernel1, side1 } = net.shape;
  const inputs = [];
  const weights = [];
  let products = 0;
  for (let ky = 0; ky < kernel1; ky++) {
    for (let kx = 0; kx < kernel1; kx++) {
      const input = state.picture[(row + ky) * side + column + kx];
      const weight = net.weights.w1[(map * kernel1 + ky) * kernel1 + kx];
      inputs.push(input);
      weights.push(weight);
      products += input * weight;
    }
  }
  const bias = net.weights.b1[map];
  return { inputs, weights, products, bias, value: state.a1[map * side1 * side1 + row * side1 + column], field: { x: column, y: row, side: kernel1 } };
}

/** A neuron of layer two: how much each map of layer one gives, and the sum. */
export function reasonTwo(net, state, map, row, column) {
  const { maps1, kernel2, pooled, side2 } = net.shape;
  const parts = [];
  for (let c = 0; c < maps1; c++) {
    let part = 0;
    for (let ky = 0; ky < kernel2; ky++) {
      for (let kx = 0; kx < kernel2; kx++) {
        part += net.weights.w2[((map * maps1 + c) * kernel2 + ky) * kernel2 + kx] * state.pooled[c * pooled * pooled + (row + ky) * pooled + column + kx];
      }
    }
    parts.push(part);
  }
  const bias = net.weights.b2[map];
  const sum = state.sum2[map * side2 * side2 + row * side2 + column];
  return { parts, bias, sum, value: Math.max(0, sum) };
}

/** Where a map of layer two answers most: {row, column}. */
export function strongestPlace(net, state, map) {
  const place = state.at[map] - map * net.shape.side2 ** 2;
  return { row: Math.floor(place / net.shape.side2), column: place % net.shape.side2 };
}

/** What each kind of neuron of layer two adds to a class. */
export function reasonClass(net, state, k) {
  const { maps2 } = net.shape;
  return Array.from({ length: maps2 }, (_, m) => net.weights.w3[k * maps2 + m] * state.strongest[m]);
}
