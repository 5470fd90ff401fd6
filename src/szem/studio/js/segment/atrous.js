// Atrous rates on the picture: for one pixel of the answer, which places each branch of the network's pyramid looks at.
// The branches, their rates, distances and fields come from the exported network, through the lab.

import { segmented } from "../controls.js";
import { fill, h, s, whenSeen } from "../dom.js";
import { findTimes, look } from "../lab/server.js";
import { wordsFor } from "../problems.js";
import { cellOver, factsOf, inputToPicture, pictureToInput, pyramidOf, tapsOfCell } from "./pyramid.js";

const STEP = 0.02;
const MOST_MARGIN = 0.35; // room around the picture for taps that lie beyond it, in shares of the picture's sides

/**
 * @param place where problems are said, see messagePlace
 * @returns {element, use(network, still), canvas(canvas), close()}
 */
export function atrousPanel(app, { problem, at, rate, changed }) {
  const { words } = app;
  const { t, number } = words;
  const picture = h("canvas", { width: 480, height: 360, "aria-hidden": "true" });
  const marks = s("svg", { class: "atrous-marks", "aria-hidden": "true", preserveAspectRatio: "none" });
  const frame = h(
    "div",
    { class: "atrous-frame", tabindex: "0", role: "application", "aria-label": t("segment.atrous.frame"), data: { name: "atrous" } },
    h("div", { class: "atrous-picture" }, picture),
    marks,
  );
  const rates = h("div", { class: "atrous-rates" });
  const sentence = h("p", { class: "atrous-sentence", "aria-live": "polite", data: { name: "atrous-sentence" } });
  const table = h("table", { class: "atrous-table", data: { name: "atrous-table" } });
  const holder = h("div", { class: "atrous-holder", tabindex: "0", role: "region", "aria-label": t("segment.atrous") }, table);
  const note = h("p", { class: "section-text" });
  const open = h("a", { class: "button quiet", text: t("segment.atrous.open"), data: { name: "open-layer" } });
  const body = h("div", { class: "atrous", hidden: true }, frame, h("div", { class: "atrous-side" }, rates, sentence, holder, note, open));
  const none = h("p", { class: "section-text", hidden: true, text: t("segment.atrous.none") });
  const element = h(
    "section",
    { class: "shelf", "aria-labelledby": "atrous-title" },
    h("h2", { id: "atrous-title", text: t("segment.atrous") }),
    h("p", { class: "section-text", text: t("segment.atrous.text") }),
    none,
    body,
  );
  let wanted = null; // {network, still}: what is to be looked at once the panel is near the screen
  let seen = null; // the lab's look at it
  let key = "";
  let branches = [];
  let times = new Map();
  let turn = 0;

  const near = whenSeen(element, ask);

  async function ask() {
    if (!wanted || wanted.key === key) return;
    const { network, still } = wanted;
    key = wanted.key;
    const mine = ++turn;
    element.toggleAttribute("data-busy", true);
    try {
      const found = await look(network, await still());
      if (mine !== turn) return;
      seen = found;
      branches = pyramidOf(seen.layers);
      times = new Map();
      paintRates();
      paint();
      const measured = await findTimes(seen.look);
      if (mine !== turn) return;
      times = new Map(measured.layers.map((row) => [row.index, row.time_ms]));
      paint();
    } catch (error) {
      if (mine !== turn) return;
      key = "";
      problem.show(wordsFor(error, words));
    } finally {
      if (mine === turn) element.removeAttribute("data-busy");
    }
  }

  function paintRates() {
    none.hidden = branches.length > 0;
    body.hidden = branches.length === 0;
    if (branches.length === 0) return;
    if (rate() !== 0 && !branches.some((branch) => branch.rate === rate())) changed({ rate: 0 });
    const options = branches.map((branch) => ({ value: String(branch.rate), text: t("segment.rate", { rate: branch.rate }) }));
    fill(
      rates,
      segmented({
        label: t("segment.rates"),
        name: "rate",
        hideLabel: true,
        options: [{ value: "0", text: t("segment.rate.all") }, ...options],
        value: String(rate()),
        change: (value) => {
          changed({ rate: Number(value) });
          paint();
        },
      }),
    );
  }

  function paint() {
    if (!seen || branches.length === 0) return;
    const [x, y] = at();
    const { picture_size: size, input_size: input, crop_xyxy: crop } = seen;
    const shown = { height: size[0], width: size[1] };
    const place = pictureToInput(x, y, input, crop, shown);
    const cell = cellOver(branches[0], ...place, input);
    const chosen = branches.filter((branch) => rate() === 0 || branch.rate === rate());
    const squares = chosen.flatMap((branch) =>
      tapsOfCell(branch, cell).map((tap) => {
        const [left, top] = inputToPicture(tap.x0, tap.y0, input, crop, shown);
        const [right, bottom] = inputToPicture(tap.x1, tap.y1, input, crop, shown);
        const shape = { x: left * 1000, y: top * 1000, width: (right - left) * 1000, height: (bottom - top) * 1000 };
        return s("rect", { ...shape, class: `tap${tap.inside ? "" : " beyond"}`, "data-rate": String(branches.indexOf(branch)) });
      }),
    );
    const [edgeX, edgeY] = marginsOf(branches.at(-1), input, crop, shown);
    marks.setAttribute("viewBox", [-edgeX, -edgeY, 1 + 2 * edgeX, 1 + 2 * edgeY].map((v) => v * 1000).join(" "));
    const room = { "margin-x": edgeX, "margin-y": edgeY, aspect: (shown.width * (1 + 2 * edgeX)) / (shown.height * (1 + 2 * edgeY)) };
    for (const [name, value] of Object.entries(room)) frame.style.setProperty(`--${name}`, String(value));
    const dot = { cx: x * 1000, cy: y * 1000 };
    const [rx, ry] = shown.width > shown.height ? [9, (9 * shown.width) / shown.height] : [(9 * shown.height) / shown.width, 9];
    fill(
      marks,
      squares.reverse(), // wide rates below, narrow ones on top
      s("ellipse", { ...dot, rx: rx * 1.5, ry: ry * 1.5, class: "pixel-back" }),
      s("ellipse", { ...dot, rx, ry, class: "pixel" }),
    );
    marks.dataset.cell = `${cell.row},${cell.column}`;
    paintWords(cell, chosen);
  }

  function paintWords(cell, chosen) {
    const facts = branches.map((branch) => factsOf(branch, cell));
    const wide = facts[branches.indexOf(chosen.at(-1))];
    sentence.textContent = t(chosen.length > 1 ? "segment.atrous.sentence.all" : "segment.atrous.sentence", {
      row: cell.row,
      column: cell.column,
      taps: wide.taps,
      apart: number(wide.apart),
      span: number(wide.span),
      inside: wide.inside,
    });
    const heads = ["rate", "apart", "span", "inside", "field", "parameters", "products", "time"];
    const row = (fact, k) => {
      const ms = times.get(branches[k].layer.index);
      const cells = [
        h("th", { scope: "row" }, h("i", { class: "rate-swatch", data: { rate: String(k) } }), String(fact.rate)),
        ...[
          number(fact.apart),
          number(fact.span),
          t("segment.of", { count: fact.inside, all: fact.taps }),
          fieldText(fact.field),
          number(fact.parameters),
          t("stride.millions", { count: number(fact.multiplications / 1e6, 2) }),
          ms === undefined ? "…" : `${number(ms, 2)} ms`,
        ].map((text) => h("td", {}, h("output", { text }))),
      ];
      return h("tr", { class: chosen.includes(branches[k]) ? "" : "aside", data: { rate: String(fact.rate) } }, cells);
    };
    fill(
      table,
      h("thead", {}, h("tr", {}, heads.map((name) => h("th", { scope: "col", text: t(`segment.column.${name}`) })))),
      h("tbody", {}, facts.map(row)),
    );
    const { layer } = chosen.at(-1);
    note.textContent = t("segment.atrous.note", { name: layer.name, cell: number(layer.field_stride_px[1]), field: deepField() });
    const [y, x] = [cell.row, cell.column];
    open.href = app.address("network", { network: seen.network, layer: String(layer.index), at: `${y},${x}` });
  }

  /** A square by its side. */
  function fieldText(field) {
    if (!field) return "";
    return field[0] === field[1] ? number(field[0]) : `${number(field[1])} × ${number(field[0])}`;
  }

  /** What one cell of the maps that the pyramid reads was made from. */
  function deepField() {
    const below = seen.layers.find((one) => one.index === branches[0].layer.inputs[0]);
    return below?.field_px ? `${below.field_px[1]} × ${below.field_px[0]}` : "";
  }

  function move(x, y) {
    changed({ at: [x, y].map((v) => Math.min(0.999, Math.max(0, v))) });
    paint();
  }
  function follow(event) {
    const { left, top, width, height } = picture.getBoundingClientRect();
    move((event.clientX - left) / width, (event.clientY - top) / height);
  }
  frame.addEventListener("pointermove", (event) => event.pointerType !== "touch" && follow(event));
  frame.addEventListener("click", follow);
  frame.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const [x, y] = at();
    move(x + step[0] * STEP, y + step[1] * STEP);
  });

  return {
    element,
    /** Look at this with that network, once the panel is near the screen. `still()` gives the picture then. */
    use(network, { id, width, height }, still) {
      wanted = { key: `${network} ${id} ${width} ${height}`, network, still };
      near.ask();
    },
    /** Show the picture of the moment. */
    draw(canvas) {
      if (picture.width !== canvas.width) picture.width = canvas.width;
      if (picture.height !== canvas.height) picture.height = canvas.height;
      picture.getContext("2d").drawImage(canvas, 0, 0);
    },
    close() {
      turn++;
      near.close();
    },
  };
}

/** Room beside and above the picture for the taps of the widest branch, in shares of the picture's sides. */
function marginsOf(branch, input, crop, shown) {
  const reach = branch.rate * Math.floor(branch.kernel[1] / 2) + 0.5;
  const [jumpY, jumpX] = branch.layer.field_stride_px;
  const x = (reach * jumpX * (crop[2] - crop[0])) / input[1] / shown.width;
  const y = (reach * jumpY * (crop[3] - crop[1])) / input[0] / shown.height;
  return [x, y].map((margin) => Math.min(MOST_MARGIN, margin));
}
