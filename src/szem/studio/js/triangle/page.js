// Three edges make a triangle: a network of two layers that is seen whole. Built by hand, then learned from nothing.

import { button, messagePlace, segmented, slider } from "../controls.js";
import { fill, h, s } from "../dom.js";
import { cellAt, paintNumbers, rangeOf, short } from "../lab/paint.js";
import { wordsFor } from "../problems.js";
import { movesLittle } from "../theme.js";
import { choice, whole } from "../url-state.js";
import { createBoard } from "./board.js";
import { DIRECTIONS, NEEDED, buildByHand, directionOf, wantedSides } from "./by-hand.js";
import { createChart } from "./chart.js";
import { fieldOf, forward, shapeOf } from "./net.js";
import { KINDS, randomExample, seededRandom } from "./shapes.js";
import { bestOf } from "./train.js";
import { createTrainer } from "./trainer.js";
import { reasonClass, reasonOne, reasonTwo, strongestPlace } from "./why.js";

export const PLAY_SIDE = 40;
export const TRAIN_SIDE = 32;
const STEPS = 240;
const SHOWN = 12; // examples under the training

export const fields = {
  net: choice("hand", ["hand", "learned"]),
  kind: choice("triangle", [...KINDS, "draw"]),
  x: whole(210, 30, 370), // tenths of a pixel
  y: whole(204, 30, 370),
  size: whole(17, 10, 26),
  turn: whole(0, -180, 180),
  kernels: whole(6, 3, 8),
  seed: whole(7, 1, 9999),
};

export async function mount(root, app) {
  const { words, state } = app;
  const { t, number, percent } = words;
  const byHand = buildByHand();
  let learned = null; // the newest weights of the training, on the board's side
  let net = byHand;
  let seen = null; // what the network computed for the board
  let chosen = { layer: 2, map: 0, place: null }; // place null: the strongest
  let history = 0;

  // --- the board ---------------------------------------------------------------------------------------------------
  const board = createBoard({
    side: PLAY_SIDE,
    label: t("triangle.board"),
    changed: (picture) => look(picture),
    moved: ({ x, y, turn }) => {
      app.set({ x: Math.round(x * 10), y: Math.round(y * 10), turn });
      turnSlider.set(turn);
    },
  });
  const kindPick = segmented({
    label: t("triangle.kind"),
    name: "kind",
    hideLabel: true,
    options: [...KINDS, "draw"].map((value) => ({ value, text: t(`triangle.kind.${value}`) })),
    value: state.kind,
    change: (kind) => {
      app.set({ kind });
      showShape();
    },
  });
  const sizeSlider = slider({
    label: t("triangle.size"),
    name: "size",
    value: state.size,
    least: 10,
    greatest: 26,
    show: (n) => t("pixels", { count: number(n) }),
    change: (size) => {
      app.set({ size });
      showShape();
    },
  });
  const turnSlider = slider({
    label: t("triangle.turn"),
    name: "turn",
    value: state.turn,
    least: -180,
    greatest: 180,
    show: (n) => `${number(n)}°`,
    change: (turn) => {
      app.set({ turn });
      showShape();
    },
  });
  const clear = button({ text: t("triangle.clear"), name: "clear", press: () => board.clear() });
  const shapeControls = h("div", { class: "board-controls" });

  // --- the layers --------------------------------------------------------------------------------------------------
  const layerOne = h("div", { class: "layer-one" });
  const layerTwo = h("div", { class: "layer-two" });
  const verdict = h("p", { class: "verdict", data: { name: "verdict" }, "aria-live": "polite" });
  const answer = h("div", { class: "answer-bars", data: { name: "answer" } });
  const why = h("div", { class: "why", data: { name: "why" } });
  const netPick = h("div", {});
  let tiles = { one: [], two: [] };

  function paintNetPick() {
    fill(
      netPick,
      segmented({
        label: t("triangle.net"),
        name: "net",
        hideLabel: true,
        options: ["hand", "learned"].map((value) => ({ value, text: t(`triangle.net.${value}`) })),
        value: state.net,
        change: (value) => {
          app.set({ net: value });
          choose();
        },
      }),
    );
    netPick.querySelector('input[value="learned"]').disabled = !learned;
    netPick.querySelector("fieldset").title = learned ? "" : t("triangle.train-first");
  }

  /** Take the network that the state names, and lay out its maps anew. */
  function choose() {
    net = state.net === "learned" && learned ? learned : byHand;
    chosen = { layer: 2, map: 0, place: null };
    layOut();
    look(board.picture);
  }

  function layOut() {
    const { maps1, maps2 } = net.shape;
    tiles = {
      one: Array.from({ length: maps1 }, (_, map) => createTile({ layer: 1, map, kernel: true })),
      two: Array.from({ length: maps2 }, (_, map) => createTile({ layer: 2, map, kernel: false })),
    };
    fill(layerOne, tiles.one.map((tile) => tile.element));
    layerOne.dataset.count = maps1 > 3 ? "many" : "few";
    layerTwo.dataset.count = maps2 > 1 ? "many" : "one";
    fill(layerTwo, tiles.two.map((tile) => tile.element));
    paintKernels();
  }

  function createTile({ layer, map, kernel }) {
    const name = layer === 1 ? (net === byHand ? t(`triangle.direction.${DIRECTIONS[map]}`) : t("triangle.kernel", { number: map + 1 })) : net === byHand ? t("triangle.detector") : t("triangle.kind-of-neuron", { number: map + 1 });
    const weights = kernel ? h("canvas", { class: "pixelated kernel", "aria-hidden": "true" }) : null;
    const canvas = h("canvas", { class: "pixelated", "aria-hidden": "true" });
    const ring = h("i", { class: "ring" });
    const place = h("div", { class: "map-place", tabindex: "0", role: "application", "aria-label": t("triangle.map", { name }), data: { map: `${layer}-${map}` } }, canvas, ring);
    const side = () => (layer === 1 ? net.shape.side1 : net.shape.side2);
    const pick = (cell) => {
      chosen = { layer, map, place: cell };
      explain();
    };
    canvas.addEventListener("pointermove", (event) => {
      const cell = cellAt(canvas, event, side(), side());
      if (cell) pick(cell);
    });
    canvas.addEventListener("click", (event) => {
      const cell = cellAt(canvas, event, side(), side());
      if (cell) pick(cell);
    });
    canvas.addEventListener("pointerleave", () => {
      chosen = { layer: 2, map: layer === 2 ? map : chosenKind(), place: null };
      explain();
    });
    place.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!step) return;
      event.preventDefault();
      const from = chosen.layer === layer && chosen.map === map && chosen.place ? chosen.place : strongest(layer, map);
      pick({ row: clamp(from.row + step[0], side()), column: clamp(from.column + step[1], side()) });
    });
    const value = h("output", { class: "tile-value" });
    const element = h(
      "div",
      { class: "map-tile" },
      h("div", { class: "tile-head" }, weights, net === byHand && layer === 1 ? directionSign(DIRECTIONS[map]) : null, h("span", { class: "tile-name", text: name }), value),
      place,
    );
    return { element, canvas, weights, ring, value, side };
  }

  const clamp = (v, side) => Math.max(0, Math.min(side - 1, v));
  const chosenKind = () => (net.shape.maps2 === 1 ? 0 : bestOf(reasonClass(net, seen, bestOf(seen.probabilities))));

  function strongest(layer, map) {
    if (layer === 2) return strongestPlace(net, seen, map);
    const side = net.shape.side1;
    const from = map * side * side;
    let best = from;
    for (let i = from; i < from + side * side; i++) if (seen.a1[i] > seen.a1[best]) best = i;
    return { row: Math.floor((best - from) / side), column: (best - from) % side };
  }

  function paintKernels() {
    const { maps1, kernel1 } = net.shape;
    for (let k = 0; k < maps1; k++) {
      const weights = net.weights.w1.subarray(k * kernel1 ** 2, (k + 1) * kernel1 ** 2);
      const top = Math.max(...weights.map(Math.abs)) || 1;
      paintNumbers(tiles.one[k].weights, weights, kernel1, kernel1, { range: { low: -top, high: top } });
    }
  }

  // --- looking -----------------------------------------------------------------------------------------------------
  function look(picture) {
    seen = forward(net, picture);
    const { side1, side2, maps1, maps2 } = net.shape;
    const range1 = { low: 0, high: Math.max(rangeOf(seen.a1).high, 0.2) };
    for (let c = 0; c < maps1; c++) {
      const from = c * side1 * side1;
      paintNumbers(tiles.one[c].canvas, seen.a1.subarray(from, from + side1 * side1), side1, side1, { range: range1 });
      tiles.one[c].value.textContent = short(rangeOf(seen.a1, from, from + side1 * side1).high, words);
    }
    const range2 = rangeOf(seen.sum2);
    const top = Math.max(range2.high, -range2.low, 0.5);
    for (let m = 0; m < maps2; m++) {
      const from = m * side2 * side2;
      paintNumbers(tiles.two[m].canvas, seen.sum2.subarray(from, from + side2 * side2), side2, side2, { range: { low: -top, high: top } });
      tiles.two[m].value.textContent = short(seen.strongest[m], words);
    }
    explain();
  }

  /** Show the sum of the chosen neuron, and what it sees. */
  function explain() {
    const { layer, map } = chosen;
    const place = chosen.place ?? strongest(layer, map);
    for (const tile of [...tiles.one, ...tiles.two]) tile.ring.hidden = true;
    const tile = (layer === 1 ? tiles.one : tiles.two)[map];
    const side = tile.side();
    Object.assign(tile.ring.style, { left: `${(place.column / side) * 100}%`, top: `${(place.row / side) * 100}%`, width: `${100 / side}%`, height: `${100 / side}%` });
    tile.ring.hidden = false;
    if (layer === 1) {
      const found = reasonOne(net, seen, map, place.row, place.column);
      board.mark(found.field);
      fill(why, h("h3", { text: t("triangle.why.one", { row: place.row, column: place.column }) }), patchTable(found), sumLine([["products", found.products], ["bias", found.bias]], found.value));
    } else {
      const found = reasonTwo(net, seen, map, place.row, place.column);
      const field = fieldOf(net.shape, place.row, place.column);
      board.mark(field, net === byHand ? wantedSides(field.side).map((line) => line.map(([x, y]) => [x + field.x, y + field.y])) : []);
      fill(
        why,
        h("h3", { text: t(chosen.place ? "triangle.why.two" : "triangle.why.strongest", { row: place.row, column: place.column }) }),
        partBars(found),
        sumLine([["products", found.parts.reduce((a, b) => a + b, 0)], ["bias", found.bias]], found.value),
      );
    }
    paintAnswer();
  }

  function patchTable({ inputs, weights }) {
    const k = net.shape.kernel1;
    const top = Math.max(...weights.map(Math.abs)) || 1;
    const grid = (numbers, kind) =>
      h(
        "div",
        { class: `patch-grid ${kind}`, vars: { columns: k } },
        numbers.map((v) => {
          const share = kind === "weights" ? Math.round((Math.abs(v) / top) * 60) : Math.round(v * 60);
          return h("span", { class: kind === "weights" ? (v < 0 ? "num minus" : "num plus") : "num", vars: { tint: `${share}%` }, text: v === 0 ? "0" : number(v, 2) });
        }),
      );
    return h("div", { class: "patch-sum" }, grid(inputs, "inputs"), h("span", { class: "sign", text: "×" }), grid(weights, "weights"));
  }

  function partBars({ parts, bias }) {
    const top = Math.max(...parts.map(Math.abs), Math.abs(bias), 1);
    return h(
      "div",
      { class: "part-bars" },
      parts.map((part, c) =>
        h(
          "div",
          { class: "part" },
          net === byHand ? directionSign(DIRECTIONS[c]) : h("span", { class: "part-name", text: t("triangle.kernel", { number: c + 1 }) }),
          h("span", { class: "bar", vars: { share: `${(Math.abs(part) / top) * 100}%` }, data: { sign: part < 0 ? "minus" : "plus" } }),
          h("output", { text: number(part, 2) }),
        ),
      ),
    );
  }

  function sumLine(parts, value) {
    return h(
      "p",
      { class: "answer-sum", data: { value: String(value) } },
      parts.map(([name, part], k) => [k > 0 || part < 0 ? h("span", { class: "sign", text: part < 0 ? "−" : "+" }) : null, h("span", { class: "sum-part" }, h("small", { text: t(`triangle.sum.${name}`) }), h("output", { text: number(Math.abs(part), 2) }))]),
      h("span", { class: "sign", text: "→" }),
      h("span", { class: "sum-part" }, h("small", { text: t("triangle.sum.answer") }), h("output", { class: "strong", text: number(value, 2) })),
    );
  }

  function paintAnswer() {
    if (net === byHand) {
      const found = reasonTwo(net, seen, 0, ...Object.values(strongestPlace(net, seen, 0)));
      const total = found.parts.reduce((a, b) => a + b, 0);
      const yes = total > NEEDED;
      verdict.textContent = t(yes ? "triangle.verdict.yes" : "triangle.verdict.no", { sum: number(total, 2), needed: number(NEEDED, 1) });
      verdict.dataset.yes = String(yes);
      fill(answer, h("div", { class: "threshold", vars: { share: `${Math.max(0, Math.min(1, total / 3.4)) * 100}%`, needed: `${(NEEDED / 3.4) * 100}%` }, data: { yes: String(yes) } }, h("i", {}), h("b", {})));
      return;
    }
    const best = bestOf(seen.probabilities);
    verdict.textContent = t("triangle.verdict.learned", { name: t(`triangle.kind.${KINDS[best]}`), share: percent(seen.probabilities[best]) });
    verdict.dataset.yes = "true";
    fill(
      answer,
      KINDS.map((kind, k) =>
        h("div", { class: "class-row" }, h("span", { text: t(`triangle.kind.${kind}`) }), h("span", { class: "bar", vars: { share: `${seen.probabilities[k] * 100}%` }, data: { sign: k === best ? "best" : "other" } }), h("output", { text: percent(seen.probabilities[k]) })),
      ),
    );
  }

  function showShape() {
    const { kind, x, y, size, turn } = state;
    board.show(kind === "draw" ? null : { kind, x: x / 10, y: y / 10, size, turn });
    fill(shapeControls, kindPick, kind === "draw" ? h("div", { class: "draw-note" }, h("p", { text: t("triangle.draw-note") }), clear) : [sizeSlider, turnSlider]);
  }

  // --- training ----------------------------------------------------------------------------------------------------
  const problem = messagePlace("train-problem");
  const chart = createChart(app);
  const progress = h("p", { class: "train-line", data: { name: "progress" }, "aria-live": "off" });
  const kernelsHolder = h("div", { class: "learning-kernels", data: { name: "kernels" } });
  const examplesHolder = h("div", { class: "examples", data: { name: "examples" } });
  const trainButton = button({ text: t("triangle.train"), name: "train", kind: "strong", press: toggleTraining });
  const useButton = button({
    text: t("triangle.use"),
    name: "use",
    press: () => {
      app.set({ net: "learned" });
      paintNetPick();
      choose();
      root.querySelector(".tri-stage").scrollIntoView({ behavior: movesLittle() ? "auto" : "smooth" });
    },
  });
  useButton.disabled = true;
  const kernelCount = slider({ label: t("triangle.kernel-count"), name: "kernel-count", value: state.kernels, least: 3, greatest: 8, change: (kernels) => (app.set({ kernels }), layKernels()) });
  const trainer = createTrainer(heard, (error) => problem.show(wordsFor(error, words)));
  let learning = []; // the kernels on show while they are learned
  const examples = Array.from({ length: SHOWN }, ((random) => () => randomExample(TRAIN_SIDE, random))(seededRandom(2024)));
  const exampleTiles = examples.map(({ picture, label }) => {
    const canvas = h("canvas", { class: "pixelated", role: "img", "aria-label": t(`triangle.kind.${KINDS[label]}`) });
    paintNumbers(canvas, picture, TRAIN_SIDE, TRAIN_SIDE, { range: { low: 0, high: 1 }, colours: "grey" });
    const guess = h("span", { class: "guess" });
    return { element: h("div", { class: "example" }, canvas, guess), guess };
  });
  fill(examplesHolder, exampleTiles.map((tile) => tile.element));

  function toggleTraining() {
    if (trainer.running) {
      trainer.stop();
      paintTraining(false);
      return;
    }
    problem.clear();
    chart.clear(STEPS);
    history = 0;
    layKernels();
    paintTraining(true);
    trainer.start({ side: TRAIN_SIDE, maps1: state.kernels, maps2: 8, steps: STEPS, seed: state.seed, turn: Math.PI / 9 });
  }

  function layKernels() {
    learning = Array.from({ length: state.kernels }, () => ({ canvas: h("canvas", { class: "pixelated blank", width: 5, height: 5, "aria-hidden": "true" }), note: h("span", { class: "kernel-note" }) }));
    fill(kernelsHolder, learning.map(({ canvas, note }) => h("div", { class: "learning-kernel" }, canvas, note)));
  }

  function paintTraining(running) {
    fill(trainButton, h("span", { text: t(running ? "triangle.stop" : history ? "triangle.again" : "triangle.train") }));
    kernelCount.querySelector("input").disabled = running;
  }

  function heard(message) {
    const { step, steps, done, seconds, score, fresh, weights, seen: count } = message;
    history += message.history.length;
    chart.add(message.history, step, fresh ? score.right : null);
    const shape = shapeOf({ side: TRAIN_SIDE, maps1: state.kernels, maps2: 8 });
    learning.forEach(({ canvas, note }, k) => {
      const own = weights.w1.subarray(k * 25, (k + 1) * 25);
      const top = Math.max(...own.map(Math.abs)) || 1;
      paintNumbers(canvas, own, 5, 5, { range: { low: -top, high: top } });
      const { degrees, choosiness } = directionOf(own);
      fill(note, choosiness > 0.3 ? [directionSign(degrees), h("span", { text: percent(choosiness) })] : h("span", { text: "·" }));
    });
    examples.forEach(({ picture, label }, k) => {
      const found = bestOf(forward({ shape, weights }, picture).probabilities);
      exampleTiles[k].guess.textContent = t(`triangle.kind.${KINDS[found]}`);
      exampleTiles[k].guess.dataset.right = String(found === label);
    });
    progress.textContent = t("triangle.progress", { step: number(step), steps: number(steps), seen: number(count), seconds: number(seconds, 1), right: percent(score.right, 1) });
    progress.dataset.step = String(step);
    progress.dataset.right = String(score.right);
    progress.dataset.seconds = String(seconds);
    progress.toggleAttribute("data-done", done);
    learned = { shape: shapeOf({ side: PLAY_SIDE, maps1: state.kernels, maps2: 8 }), weights };
    if (useButton.disabled) {
      useButton.disabled = false;
      paintNetPick();
    }
    if (state.net === "learned") {
      if (net === byHand || net.shape.maps1 !== learned.shape.maps1) choose();
      else {
        net = learned;
        paintKernels();
        look(board.picture);
      }
    }
    if (done) {
      trainer.stop();
      paintTraining(false);
    }
  }

  // --- the page ----------------------------------------------------------------------------------------------------
  fill(
    root,
    h("div", { class: "page-head" }, h("div", {}, h("h1", { text: t("page.triangle.title") }), h("p", { class: "lead", text: t("triangle.lead") })), netPick),
    h(
      "section",
      { class: "tri-stage", "aria-label": t("triangle.stage") },
      h("div", { class: "tri-column" }, h("h2", { text: t("triangle.picture") }), board.element, shapeControls),
      h("div", { class: "tri-column" }, h("h2", { text: t("triangle.layer-one") }), layerOne, h("p", { class: "section-text", text: t("triangle.layer-one.text") })),
      h("div", { class: "tri-column" }, h("h2", { text: t("triangle.layer-two") }), layerTwo, h("p", { class: "section-text", text: t("triangle.layer-two.text") })),
      h("div", { class: "tri-column tri-answer" }, h("h2", { text: t("triangle.answer") }), verdict, answer, why),
    ),
    h(
      "section",
      { class: "shelf train" },
      h("h2", { text: t("triangle.learn") }),
      h("p", { class: "section-text", text: t("triangle.learn.text") }),
      problem.element,
      h(
        "div",
        { class: "train-grid" },
        h("div", { class: "train-controls" }, h("div", { class: "train-buttons" }, trainButton, useButton), kernelCount, progress, h("h3", { text: t("triangle.kernels") }), kernelsHolder, h("p", { class: "section-text", text: t("triangle.kernels.text") })),
        chart.element,
        h("div", {}, h("h3", { text: t("triangle.examples") }), examplesHolder),
      ),
    ),
  );
  layKernels();
  if (state.net === "learned") app.set({ net: "hand" }); // nothing has been learned yet
  paintNetPick();
  layOut();
  showShape();

  return { close: () => trainer.stop() };
}

/** A short line in a direction: —, ╱, ╲. */
function directionSign(degrees) {
  const a = (degrees * Math.PI) / 180;
  const [dx, dy] = [8 * Math.cos(a), -8 * Math.sin(a)];
  return s("svg", { viewBox: "-11 -11 22 22", class: "direction-sign", "aria-hidden": "true" }, s("line", { x1: -dx, y1: -dy, x2: dx, y2: dy }));
}
