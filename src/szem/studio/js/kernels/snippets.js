// What the page does, as code an engineer can take away. Pure: state in, text out.

import { rowsText } from "./kernel.js";
import { CUSTOM, edgesIn, kernelIn } from "./settings.js";

/** A kernel as szem takes it: by name, or its numbers as text. */
function kernelName(state, slot, table) {
  const { name, rows } = kernelIn(state, slot, table);
  return name === CUSTOM ? rowsText(rows) : name;
}

function isGrey(state) {
  return state.colour === "grey" || state.mode === "edges";
}

/** Options that differ from szem's own; the mode is always said, people differ on it. */
function pythonOptions(state, { stride, mode = true }) {
  const options = [];
  if (stride !== 1) options.push(`stride_px=${stride}`);
  if (state.dilation !== 1) options.push(`dilation=${state.dilation}`);
  if (state.border !== "reflect") options.push(`border="${state.border}"`);
  if (mode) options.push(`mode="${state.operation}"`);
  return options.map((option) => `, ${option}`).join("");
}

/** Python that gives the numbers of the page in `answer`. `sample` names a bundled picture, "" stands for a file. */
export function pythonText(state, table, sample) {
  const { stride } = state;
  const lines = [];
  if (isGrey(state)) lines.push("import cv2");
  lines.push("import szem", "from szem.kernels import view");
  if (sample) lines.push("from szem.media.samples import read_sample");
  lines.push("", `picture = ${sample ? `read_sample("${sample}")` : 'szem.read_picture("picture.jpg")'}`);
  if (isGrey(state)) lines.push("picture = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)");
  const convolve = (from, slot, step) =>
    `answer = szem.convolve(${from}, "${kernelName(state, slot, table)}"${pythonOptions(state, { stride: step })})`;
  if (state.mode === "edges") {
    const options = pythonOptions(state, { stride, mode: false });
    lines.push(`edges = szem.edges(picture, "${edgesIn(state, table).name}"${options})`, "answer = edges.magnitude");
  } else if (state.mode === "two") {
    lines.push(convolve("picture", 0, 1), convolve("answer", 1, stride));
  } else {
    lines.push(convolve("picture", 0, stride));
  }
  if (state.pool !== "none") lines.push(`answer = szem.${state.pool}_pool(answer, ${state.window})`);
  lines.push("", 'szem.write_picture("answer.png", view(answer))');
  return lines.join("\n");
}

/** The same on the command line, or "" for what takes more than one command. */
export function commandText(state, table, sample) {
  if (state.mode === "two" || state.pool !== "none") return "";
  const parts = ["szem filter"];
  if (sample !== "cameraman") parts.push(sample ? `${sample}.png` : "picture.jpg"); // without a picture it takes him
  if (isGrey(state)) parts.push("--grey");
  parts.push(state.mode === "edges" ? "--edges" : `--kernel "${kernelName(state, 0, table)}"`);
  if (state.stride !== 1) parts.push(`--stride ${state.stride}`);
  if (state.dilation !== 1) parts.push(`--dilation ${state.dilation}`);
  if (state.border !== "reflect") parts.push(`--border ${state.border}`);
  if (state.operation !== "correlation" && state.mode !== "edges") parts.push(`--mode ${state.operation}`);
  parts.push(`--view ${state.view === "signed" && state.mode !== "edges" ? "signed" : "clip"}`);
  return parts.join(" ");
}

/** The kernel's numbers alone, to paste into a table. */
export function numbersText(state, table) {
  if (state.mode === "edges") {
    const { x, y } = edgesIn(state, table);
    return [x.weights, y.weights].map((rows) => rowsText(rows, { between: "\n" })).join("\n\n");
  }
  const slots = state.mode === "two" ? [0, 1] : [0];
  return slots.map((slot) => rowsText(kernelIn(state, slot, table).rows, { between: "\n" })).join("\n\n");
}
