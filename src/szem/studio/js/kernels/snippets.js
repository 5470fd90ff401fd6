// What the page does, as code an engineer can take away. Pure: state in, text out.

import { rowsText, weightText } from "./kernel.js";
import { edgesIn, kernelIn } from "./settings.js";

/** Python that gives the numbers of the page. `sample` names a bundled picture, "" stands for a file. */
export function pythonText(state, table, sample) {
  const lines = ["import szem"];
  if (sample) lines.push("from szem.media.samples import read_sample");
  lines.push("", `picture = ${sample ? `read_sample("${sample}")` : 'szem.read_picture("picture.jpg")'}`);
  return lines.join("\n") + JSON.stringify(kernelIn(state, 0, table).rows) + edgesIn(state, table).name + weightText(1);
}

/** The same on the command line. */
export function commandText(state, table, sample) {
  return `szem filter ${sample} --kernel "${rowsText(kernelIn(state, 0, table).rows)}"`;
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
