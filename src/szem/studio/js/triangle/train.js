// Training from nothing: Adam on batches of freshly drawn shapes. Pure but for the numbers it changes.

import { backward, emptyNet, forward, lossOf } from "./net.js";
import { randomExample } from "./shapes.js";

/** Adam's memory for a network. */
export function createAdam(net, { rate = 0.006, decay = 2, beta1 = 0.9, beta2 = 0.999 } = {}) {
  return { rate, decay, beta1, beta2, step: 0, m: emptyNet(net.shape).weights, v: emptyNet(net.shape).weights };
}

/**
 * One step of Adam along gradients, with weights (not biases) decaying towards 0: what is of no use fades away.
 * Source: I. Loshchilov, F. Hutter, Decoupled Weight Decay Regularization, 2019, algorithm 2, arXiv:1711.05101.
 */
export function adamStep(net, grads, adam) {
  adam.step += 1;
  const fix1 = 1 - adam.beta1 ** adam.step;
  const fix2 = 1 - adam.beta2 ** adam.step;
  for (const [name, weights] of Object.entries(net.weights)) {
    const decay = name.startsWith("w") ? adam.decay : 0;
    const [m, v, g] = [adam.m[name], adam.v[name], grads[name]];
    for (let i = 0; i < weights.length; i++) {
      m[i] = adam.beta1 * m[i] + (1 - adam.beta1) * g[i];
      v[i] = adam.beta2 * v[i] + (1 - adam.beta2) * g[i] * g[i];
      weights[i] -= (adam.rate * (m[i] / fix1)) / (Math.sqrt(v[i] / fix2) + 1e-8) + adam.rate * decay * weights[i];
    }
  }
}

/** Learn from one batch: {loss, right} as shares of the batch, before the step. */
export function trainBatch(net, adam, examples) {
  const grads = emptyNet(net.shape).weights;
  const score = scoreOn(net, examples, (state, label) => backward(net, state, label, grads));
  for (const g of Object.values(grads)) for (let i = 0; i < g.length; i++) g[i] /= examples.length;
  adamStep(net, grads, adam);
  return score;
}

/** Score on examples: {loss, right}; `each` is called with what the net computed for an example, and its label. */
export function scoreOn(net, examples, each = () => {}) {
  let loss = 0;
  let right = 0;
  for (const { picture, label } of examples) {
    const state = forward(net, picture);
    loss += lossOf(state, label);
    right += Number(bestOf(state.probabilities) === label);
    each(state, label);
  }
  return { loss: loss / examples.length, right: right / examples.length };
}

/** `count` fresh examples. */
export function drawExamples(count, side, random, options) {
  return Array.from({ length: count }, () => randomExample(side, random, options));
}

export function bestOf(numbers) {
  let best = 0;
  for (let i = 1; i < numbers.length; i++) if (numbers[i] > numbers[best]) best = i;
  return best;
}
