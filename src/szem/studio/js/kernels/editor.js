// The kernel panel: which kernel (or two, or a pair for edges), its numbers to edit, their sum, normalising, its size.

import { button, segmented, select, slider } from "../controls.js";
import { fill, h } from "../dom.js";
import { edgePairs } from "./edges.js";
import {
  composed,
  isNormalised,
  normalised,
  parseNumber,
  resized,
  rowsText,
  sidesOf,
  sumOf,
  weightText,
} from "./kernel.js";
import { MODES } from "./plan.js";
import { CUSTOM, edgesIn, kernelIn, slotChange } from "./settings.js";

const LARGEST_EDITED = 9;
const LARGEST_WEIGHT = 10_000;

const DIRECTED = /^(sobel|prewitt|scharr)-(x|y|n|ne|e|se|s|sw|w|nw)$/;

/** A kernel's name in the visitor's language; the table's own name where no one has translated it yet. */
export function kernelTitle(words, name) {
  const { t, has } = words;
  if (has(`kernel.${name}`)) return t(`kernel.${name}`);
  const [, family, way] = name.match(DIRECTED) ?? [];
  if (family) return t("kernel.directed", { family: capital(family), way: t(`way.${way}`) });
  const preset = name.match(/^setosa-(.+)$/)?.[1];
  return preset ? t("kernel.setosa", { preset }) : capital(name);
}

/** What a kernel does, in a sentence; the table's own where no one has translated it yet. */
export function kernelText(words, entry) {
  const { t, has } = words;
  if (!entry) return t("kernel.custom.text");
  if (has(`kernel.${entry.name}.text`)) return t(`kernel.${entry.name}.text`);
  const [, , way] = entry.name.match(DIRECTED) ?? [];
  if (way)
    return t(way === "x" || way === "y" ? `kernel.directed.${way}.text` : "kernel.directed.text", {
      way: t(`way.${way}.towards`),
    });
  return entry.name.startsWith("setosa-") ? t("kernel.setosa.text") : entry.text;
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function familyTitle(words, family) {
  const key = `family.${family}`;
  return words.has(key) ? words.t(key) : family;
}

/** Kernels in groups by family, as `select` takes them; order as in the table. */
export function groupsOf(words, table) {
  const groups = new Map();
  for (const entry of table) {
    if (!groups.has(entry.family)) groups.set(entry.family, []);
    groups.get(entry.family).push({ value: entry.name, text: kernelTitle(words, entry.name) });
  }
  return [...groups].map(([family, options]) => ({ group: familyTitle(words, family), options }));
}

/**
 * @param app {words}
 * @param table the kernels
 * @param state the page's state; @param change called with changes of it
 * @returns {element, paint()}: paint after the state has changed from outside
 */
export function kernelPanel(app, table, state, change) {
  const { words } = app;
  const { t } = words;
  const body = h("div", { class: "kernel-slots" });
  const mode = segmented({
    label: t("kernels.mode"),
    name: "mode",
    hideLabel: true,
    options: MODES.map((value) => ({ value, text: t(`kernels.mode.${value}`) })),
    value: state.mode,
    change: (value) => {
      change({ mode: value });
      paint();
    },
  });

  const together = h("p", { class: "together", data: { name: "together" } });

  /** What two kernels in a row come to as one. */
  function paintTogether() {
    const { height, width } = sidesOf(composed(kernelIn(state, 0, table).rows, kernelIn(state, 1, table).rows));
    together.textContent = t("kernels.together", { height, width });
  }

  const changeSlot = (changes) => {
    change(changes);
    paintTogether();
  };

  function paint() {
    body.dataset.mode = state.mode;
    paintTogether();
    if (state.mode === "edges") fill(body, edgePair(words, table, state, change, paint));
    else if (state.mode === "two")
      fill(body, slot(0), h("div", { class: "then", text: t("kernels.then") }), slot(1), together);
    else fill(body, slot(0));
  }

  const slot = (which) => kernelSlot(words, table, state, which, changeSlot);
  paint();
  return { element: h("section", { class: "kernel-panel", "aria-label": t("kernels.kernel") }, mode, body), paint };
}

/** One kernel: which, what it does, its numbers, their sum, its size. */
function kernelSlot(words, table, state, which, change) {
  const { t } = words;
  const groups = groupsOf(words, table);
  const names = groups.flatMap(({ options }) => options.map(({ value }) => value)); // as the list shows them
  const grid = h("div", { class: "kernel-holder" });
  const text = h("p", { class: "kernel-text" });
  const sum = h("div", { class: "sum-line" });
  const own = h("option", { value: CUSTOM, text: t("kernel.custom") });

  const picker = select({
    label: which === 0 ? t("kernels.kernel") : t("kernels.second"),
    name: which === 0 ? "kernel" : "second",
    hideLabel: true,
    groups,
    value: "",
    change: (name) => name !== CUSTOM && put(name),
  });
  const list = picker.querySelector("select");
  const size = slider({
    label: t("kernels.size"),
    name: "kernel-size",
    value: 3,
    least: 3,
    greatest: LARGEST_EDITED,
    show: (n) => `${n} × ${n}`,
    change: (n) => put(CUSTOM, resized(kernelIn(state, which, table).rows, n), { sizing: true }),
  });

  function put(name, rows = null, how = {}) {
    change(slotChange(which, name, rows ? rowsText(rows) : ""));
    refresh(how);
  }

  function step(by) {
    const at = names.indexOf(kernelIn(state, which, table).name);
    put(names[(at + by + names.length) % names.length]);
  }

  /** Show what the state says; while a cell is typed in or the size is dragged, that control is left alone. */
  function refresh({ typing = false, sizing = false } = {}) {
    const { name, rows, entry } = kernelIn(state, which, table);
    if (name === CUSTOM) list.prepend(own);
    else own.remove();
    list.value = name;
    text.textContent = kernelText(words, entry);
    const sides = sidesOf(rows);
    const most = Math.max(sides.height, sides.width);
    if (!sizing) size.set(Math.min(Math.max(most, 3), LARGEST_EDITED), `${sides.height} × ${sides.width}`);
    if (!typing) {
      const edited = (now) => put(CUSTOM, now, { typing: true });
      fill(
        grid,
        most > LARGEST_EDITED
          ? stillGrid(words, rows, `${sides.height} × ${sides.width}`)
          : editGrid(words, rows, edited),
      );
    }
    fill(
      sum,
      sumParts(words, rows, () => put(CUSTOM, normalised(rows))),
    );
  }

  refresh();
  return h(
    "div",
    { class: "kernel-slot", data: { slot: String(which) } },
    h(
      "div",
      { class: "kernel-pick" },
      button({ label: t("kernels.previous"), image: "left", kind: "square", name: "previous", press: () => step(-1) }),
      picker,
      button({ label: t("kernels.next"), image: "right", kind: "square", name: "next", press: () => step(1) }),
    ),
    text,
    grid,
    sum,
    size,
  );
}

/** The numbers as fields; `edited` is called with all rows after each good change. */
function editGrid(words, rows, edited) {
  const { height, width } = sidesOf(rows);
  const now = rows.map((row) => [...row]);
  const cells = now.map((row, y) => row.map((_, x) => cell(y, x)));
  const paintCells = () => cells.forEach((line, y) => line.forEach((one, x) => tint(one, now[y][x], now)));

  function cell(y, x) {
    const input = h("input", {
      type: "text",
      class: "cell",
      autocomplete: "off",
      spellcheck: "false",
      "aria-label": words.t("kernels.cell", { row: y + 1, column: x + 1 }),
      data: { row: String(y), column: String(x) },
      value: shortWeight(words, now[y][x]),
    });
    input.addEventListener("focus", () => {
      input.value = longWeight(words, now[y][x]);
      input.select();
    });
    input.addEventListener("input", () => {
      const value = parseNumber(input.value);
      const good = Number.isFinite(value) && Math.abs(value) <= LARGEST_WEIGHT;
      input.setAttribute("aria-invalid", String(!good));
      if (!good) return;
      now[y][x] = value;
      paintCells();
      edited(now);
    });
    input.addEventListener("blur", () => {
      input.setAttribute("aria-invalid", "false");
      input.value = shortWeight(words, now[y][x]);
    });
    input.addEventListener("keydown", (event) => {
      const by = { ArrowUp: -width, ArrowDown: width, Enter: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      cells.flat()[(y * width + x + by + height * width) % (height * width)].focus();
    });
    return input;
  }

  paintCells();
  return h(
    "div",
    {
      class: `kernel-grid${width > 5 ? " many" : ""}`,
      role: "group",
      "aria-label": words.t("kernels.numbers"),
      vars: { columns: width, rows: height },
    },
    cells,
  );
}

/** A kernel to look at: too large to edit, or one of a pair. */
function stillGrid(words, rows, caption) {
  const { height, width } = sidesOf(rows);
  const written = Math.max(height, width) <= LARGEST_EDITED;
  const cells = rows.flat().map((weight) => {
    const cell = h("span", { class: "cell still", text: written ? shortWeight(words, weight) : "" });
    tint(cell, weight, rows);
    return cell;
  });
  return h(
    "figure",
    { class: "kernel-still" },
    h(
      "div",
      { class: "kernel-grid", role: "img", "aria-label": rowsText(rows), vars: { columns: width, rows: height } },
      cells,
    ),
    h("figcaption", { text: caption }),
  );
}

/** The sum, what it means for a constant area, and the button that makes it 1. */
function sumParts(words, rows, normalise) {
  const { t } = words;
  const sum = sumOf(rows);
  const scaled = normalised(rows);
  const meaning = sum === 0 ? "zero" : isNormalised(rows) ? "one" : sum < 0 ? "negative" : sum > 1 ? "more" : "less";
  return [
    h(
      "p",
      { class: "sum" },
      h("span", { class: "sum-name", text: t("kernels.sum") }),
      h("output", { class: "sum-value", data: { name: "sum" }, text: words.number(sum, 3) }),
      h("span", { class: "sum-meaning", text: t(`kernels.sum.${meaning}`, { sum: words.number(sum, 2) }) }),
    ),
    button({
      text: t("kernels.normalise"),
      name: "normalise",
      disabled: !scaled || isNormalised(rows),
      title: scaled ? null : t("kernels.normalise.not"),
      press: normalise,
    }),
  ];
}

/** The two kernels that look for edges across and down. */
function edgePair(words, table, state, change, repaint) {
  const { t } = words;
  const pair = edgesIn(state, table);
  const picker = select({
    label: t("kernels.edges"),
    name: "edges",
    hideLabel: true,
    groups: [
      { group: "", options: edgePairs(table).map(({ name }) => ({ value: name, text: kernelTitle(words, name) })) },
    ],
    value: pair.name,
    change: (name) => {
      change({ edges: name });
      repaint();
    },
  });
  return [
    picker,
    h("p", { class: "kernel-text", text: t("kernels.edges.text") }),
    h(
      "div",
      { class: "edge-pair" },
      stillGrid(words, pair.x.weights, t("kernels.across")),
      stillGrid(words, pair.y.weights, t("kernels.down")),
    ),
    h(
      "p",
      { class: "formula", "aria-label": t("kernels.edges.formula") },
      "√(",
      h("i", { text: "x" }),
      "² + ",
      h("i", { text: "y" }),
      "²)",
    ),
  ];
}

const LARGEST_DENOMINATOR = 81; // of the kernels that are averages

/** A weight in few characters, as the visitor's language writes it: 1/9 where three decimals would round it. */
export function shortWeight(words, weight) {
  if (Math.abs(weight) < 1 && Math.abs(weight * 1000 - Math.round(weight * 1000)) > 1e-6) {
    for (let low = 3; low <= LARGEST_DENOMINATOR; low += 1) {
      const high = Math.round(weight * low);
      if (high !== 0 && Math.abs(high) < 10 && Math.abs(weight - high / low) < 1e-7) return `${high}/${low}`;
    }
  }
  return words.plain(weight, Math.abs(weight) >= 100 ? 0 : Math.abs(weight) >= 10 ? 1 : 3);
}

function longWeight(words, weight) {
  const text = weightText(weight);
  return words.code === "hu" ? text.replace(".", ",") : text;
}

/** Blue below 0, orange above, as strong as the weight is beside the kernel's largest. */
export function tint(element, weight, rows) {
  const most = Math.max(...rows.flat().map(Math.abs), 1e-9);
  element.style.setProperty("--strength", String(Math.abs(weight) / most));
  element.dataset.sign = weight < 0 ? "minus" : weight > 0 ? "plus" : "zero";
}
