// Trains in the background, so that the page stays quick; sends what it has learned a few times a second.

import { randomNet, shapeOf } from "./net.js";
import { seededRandom } from "./shapes.js";
import { createAdam, drawExamples, scoreOn, trainBatch } from "./train.js";

const BATCH = 24;
const TEST = 180;
const REPORT_MS = 120;
const SCORE_STEPS = 20;

let run = 0;

onmessage = ({ data }) => {
  run += 1;
  if (data.command === "train") train(run, data);
};

/** @param side pictures; maps1 kernels of the first layer; steps; seed; turn in radians */
async function train(mine, { side, maps1, maps2, steps, seed, turn }) {
  const random = seededRandom(seed);
  const net = randomNet(shapeOf({ side, maps1, maps2 }), random);
  const adam = createAdam(net);
  const test = drawExamples(TEST, side, seededRandom(seed + 1000003), { turn });
  const history = [];
  const started = performance.now();
  let [reportedAt, score] = [0, scoreOn(net, test)];
  const tell = (step, done) =>
    postMessage({ step, steps, done, seconds: (performance.now() - started) / 1000, score, fresh: step % SCORE_STEPS === 0, history: history.splice(0), weights: net.weights, seen: step * BATCH });
  tell(0, false);
  for (let step = 1; step <= steps; step++) {
    const { loss, right } = trainBatch(net, adam, drawExamples(BATCH, side, random, { turn }));
    history.push([step, loss, right]);
    const now = performance.now();
    if (step % SCORE_STEPS === 0) score = scoreOn(net, test);
    if (now - reportedAt > REPORT_MS || step % SCORE_STEPS === 0 || step === steps) {
      tell(step, step === steps);
      reportedAt = performance.now();
      await new Promise((next) => setTimeout(next)); // let a message to stop come in
      if (mine !== run) return;
    }
  }
}
