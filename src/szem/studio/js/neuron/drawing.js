// One neuron: nine pixels, nine weights, the sum, the answer.

import { fill, h, s } from "../dom.js";
import { shortWeight } from "../kernels/editor.js";

const SIDE = 52;
const STEP = 58;
const BODY = { x: 322, y: 96, r: 40 };

/** @returns {element, show(found)}: `found` comes from kernels/look.js */
export function neuronDrawing({ t, number, plain }, words) {
  const svg = s("svg", { viewBox: "0 0 480 192", class: "neuron-drawing", role: "img" });

  function show({ explained, rows, output }) {
    const most = Math.max(...rows.flat().map(Math.abs), 1e-9);
    const cells = explained.cells.map((cell, k) => {
      const [x, y] = [(k % 3) * STEP + 8, Math.floor(k / 3) * STEP + 12];
      const shade = Math.round(Math.min(255, Math.max(0, cell.value)));
      const ink = shade > 127 ? "#16160f" : "#fff";
      const wire = s("path", {
        d: `M${x + SIDE} ${y + SIDE / 2}L${BODY.x - BODY.r} ${BODY.y}`,
        class: `wire ${cell.weight < 0 ? "minus" : cell.weight > 0 ? "plus" : "zero"}`,
        "stroke-width": cell.weight === 0 ? 0.8 : 1 + (4 * Math.abs(cell.weight)) / most,
      });
      const square = s("rect", { x, y, width: SIDE, height: SIDE, rx: 3, fill: `rgb(${shade} ${shade} ${shade})`, class: "pixel" });
      const line = (text, dy, kind) => {
        const label = s("text", { x: x + SIDE / 2, y: y + dy, fill: ink, class: kind });
        label.textContent = text;
        return label;
      };
      return { wire, square, texts: [line(plain(cell.value), 22, "value"), line(`× ${shortWeight(words, cell.weight)}`, 42, "weight")] };
    });
    const text = (x, y, content, kind) => {
      const label = s("text", { x, y, class: kind });
      label.textContent = content;
      return label;
    };
    const shown = Math.round(output.shown);
    svg.setAttribute("aria-label", t("neuron.said", { sum: number(explained.sum, 1), shown: number(shown) }));
    fill(
      svg,
      cells.map(({ wire }) => wire),
      cells.map(({ square }) => square),
      cells.flatMap(({ texts }) => texts),
      s("circle", { cx: BODY.x, cy: BODY.y, r: BODY.r, class: "body" }),
      text(BODY.x, BODY.y - 12, "Σ", "sigma"),
      text(BODY.x, BODY.y + 16, number(explained.sum, 1), "sum"),
      s("path", { d: `M${BODY.x + BODY.r} ${BODY.y}H406`, class: "wire" }),
      s("rect", { x: 406, y: 66, width: 60, height: 60, rx: 3, class: "pixel", fill: `rgb(${shown} ${shown} ${shown})` }),
      s("text", { x: 436, y: 103, fill: shown > 127 ? "#16160f" : "#fff", class: "value" }),
    );
    svg.lastChild.textContent = number(shown);
  }

  return { element: h("div", { class: "neuron-body" }, svg), show };
}
