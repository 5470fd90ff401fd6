// The small network of the triangle page: two layers of convolution, pooling between, and one answer per kind of shape.
// Pure. Numbers lie in Float32Arrays, maps one after the other, rows within a map one after the other.
//
//   picture S×S → conv 5×5, K maps → ReLU → max pool 2×2 → conv 9×9, M maps → ReLU → strongest place → dense → softmax

/** Sides of everything, from the side of the picture. */
export function shapeOf({ side = 40, kernel1 = 5, kernel2 = 9, maps1 = 6, maps2 = 8, classes = 3 } = {}) {
  const side1 = side - kernel1 + 1;
  const pooled = side1 >> 1;
  const side2 = pooled - kernel2 + 1;
  return { side, kernel1, kernel2, maps1, maps2, classes, side1, pooled, side2 };
}

/** How many numbers each group of weights has. */
export function sizesOf(shape) {
  return {
    w1: shape.maps1 * shape.kernel1 ** 2,
    b1: shape.maps1,
    w2: shape.maps2 * shape.maps1 * shape.kernel2 ** 2,
    b2: shape.maps2,
    w3: shape.classes * shape.maps2,
    b3: shape.classes,
  };
}

/** A network with all weights 0. */
export function emptyNet(shape) {
  const weights = {};
  for (const [name, size] of Object.entries(sizesOf(shape))) weights[name] = new Float32Array(size);
  return { shape, weights };
}

/**
 * Random weights of a good size (He); the first layer begins at half of that, so that what it learns soon outweighs
 * the dice. `random` gives numbers in 0..1.
 */
export function randomNet(shape, random) {
  const net = emptyNet(shape);
  const { w1, w2, w3 } = net.weights;
  const gauss = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const fillWith = (array, inputs) => {
    for (let i = 0; i < array.length; i++) array[i] = gauss() * Math.sqrt(2 / inputs);
  };
  fillWith(w1, 4 * shape.kernel1 ** 2);
  fillWith(w2, shape.maps1 * shape.kernel2 ** 2);
  fillWith(w3, shape.maps2);
  return net;
}

/** Valid cross-correlation of all input maps with all kernels, plus bias. */
export function convolveMaps(input, inMaps, side, weights, bias, outMaps, kernel) {
  const outSide = side - kernel + 1;
  const out = new Float32Array(outMaps * outSide * outSide);
  for (let m = 0; m < outMaps; m++) {
    const from = m * outSide * outSide;
    out.fill(bias[m], from, from + outSide * outSide);
    for (let c = 0; c < inMaps; c++) {
      for (let ky = 0; ky < kernel; ky++) {
        const w = ((m * inMaps + c) * kernel + ky) * kernel;
        for (let y = 0; y < outSide; y++) {
          const o = from + y * outSide;
          const i = c * side * side + (y + ky) * side;
          for (let x = 0; x < outSide; x++) {
            let sum = 0;
            for (let kx = 0; kx < kernel; kx++) sum += weights[w + kx] * input[i + x + kx];
            out[o + x] += sum;
          }
        }
      }
    }
  }
  return out;
}

/** Everything the network computes for one picture (side × side numbers). */
export function forward(net, picture) {
  const s = net.shape;
  const { w1, b1, w2, b2, w3, b3 } = net.weights;
  const a1 = convolveMaps(picture, 1, s.side, w1, b1, s.maps1, s.kernel1);
  for (let i = 0; i < a1.length; i++) if (a1[i] < 0) a1[i] = 0;
  const pooled = new Float32Array(s.maps1 * s.pooled * s.pooled);
  const from = new Int32Array(pooled.length); // where each pooled number came from
  for (let c = 0, o = 0; c < s.maps1; c++) {
    for (let y = 0; y < s.pooled; y++) {
      for (let x = 0; x < s.pooled; x++, o++) {
        const i = c * s.side1 * s.side1 + 2 * y * s.side1 + 2 * x;
        let best = i;
        if (a1[i + 1] > a1[best]) best = i + 1;
        if (a1[i + s.side1] > a1[best]) best = i + s.side1;
        if (a1[i + s.side1 + 1] > a1[best]) best = i + s.side1 + 1;
        pooled[o] = a1[best];
        from[o] = best;
      }
    }
  }
  const sum2 = convolveMaps(pooled, s.maps1, s.pooled, w2, b2, s.maps2, s.kernel2);
  const places = s.side2 * s.side2;
  const strongest = new Float32Array(s.maps2); // after ReLU
  const at = new Int32Array(s.maps2);
  for (let m = 0; m < s.maps2; m++) {
    let best = m * places;
    for (let i = best + 1; i < (m + 1) * places; i++) if (sum2[i] > sum2[best]) best = i;
    at[m] = best;
    strongest[m] = Math.max(0, sum2[best]);
  }
  const scores = new Float32Array(s.classes);
  for (let k = 0; k < s.classes; k++) {
    let sum = b3[k];
    for (let m = 0; m < s.maps2; m++) sum += w3[k * s.maps2 + m] * strongest[m];
    scores[k] = sum;
  }
  return { picture, a1, pooled, from, sum2, strongest, at, scores, probabilities: softmax(scores) };
}

export function softmax(scores) {
  const top = Math.max(...scores);
  const odds = Array.from(scores, (v) => Math.exp(v - top));
  const sum = odds.reduce((a, b) => a + b, 0);
  return Float32Array.from(odds, (v) => v / sum);
}

/** Cross-entropy of the right class. */
export function lossOf(state, label) {
  return -Math.log(Math.max(state.probabilities[label], 1e-12));
}

/** Add the gradients of one picture's loss to `grads` (as `net.weights`). */
export function backward(net, state, label, grads) {
  const s = net.shape;
  const { w2, w3 } = net.weights;
  const { picture, pooled, from, sum2, strongest, at, probabilities } = state;
  const places = s.side2 * s.side2;
  const gPooled = new Float32Array(pooled.length);
  const gStrongest = new Float32Array(s.maps2);
  for (let k = 0; k < s.classes; k++) {
    const g = probabilities[k] - (k === label ? 1 : 0);
    grads.b3[k] += g;
    for (let m = 0; m < s.maps2; m++) {
      grads.w3[k * s.maps2 + m] += g * strongest[m];
      gStrongest[m] += g * w3[k * s.maps2 + m];
    }
  }
  // Only the strongest place of a map passes the gradient on.
  for (let m = 0; m < s.maps2; m++) {
    const g = gStrongest[m];
    if (g === 0 || sum2[at[m]] <= 0) continue;
    grads.b2[m] += g;
    const place = at[m] - m * places;
    const [y, x] = [Math.floor(place / s.side2), place % s.side2];
    for (let c = 0; c < s.maps1; c++) {
      for (let ky = 0; ky < s.kernel2; ky++) {
        let w = ((m * s.maps1 + c) * s.kernel2 + ky) * s.kernel2;
        let i = c * s.pooled * s.pooled + (y + ky) * s.pooled + x;
        for (let kx = 0; kx < s.kernel2; kx++, w++, i++) {
          grads.w2[w] += g * pooled[i];
          gPooled[i] += g * w2[w];
        }
      }
    }
  }
  for (let o = 0; o < pooled.length; o++) {
    const g = gPooled[o];
    if (g === 0 || pooled[o] <= 0) continue;
    const c = Math.floor(o / (s.pooled * s.pooled));
    const place = from[o] - c * s.side1 * s.side1;
    const [y, x] = [Math.floor(place / s.side1), place % s.side1];
    grads.b1[c] += g;
    for (let ky = 0; ky < s.kernel1; ky++) {
      let w = (c * s.kernel1 + ky) * s.kernel1;
      let i = (y + ky) * s.side + x;
      for (let kx = 0; kx < s.kernel1; kx++, w++, i++) grads.w1[w] += g * picture[i];
    }
  }
}

/** Which pixels of the picture a neuron of the second layer sees: {x, y, side}, in pixels. */
export function fieldOf(shape, row, column) {
  return { x: 2 * column, y: 2 * row, side: 2 * (shape.kernel2 - 1) + 2 + shape.kernel1 - 1 };
}
