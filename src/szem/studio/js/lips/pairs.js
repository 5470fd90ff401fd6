// "Bar or far?": pairs of words that the sound mixes up in noise and the lips tell apart, and the other way round. The
// numbers and the curves of the mouths are measured by benchmarks/lips_or_sound.py; only landmarks, no pictures.

import { slider } from "../controls.js";
import { fill, h, s } from "../dom.js";
import { movesLittle } from "../theme.js";

const ADDRESS = new URL("../../samples/lips-or-sound.json", import.meta.url).pathname;
const [WIDTH, HEIGHT] = [300, 150];
const SCALE = 1.7; // pixels for a hundredth of the eyes' distance
const [CHART_WIDTH, CHART_HEIGHT] = [620, 170];
const EDGE = { left: 40, right: 10, top: 12, bottom: 30 };
const STEP_MS = 90;
const OUTER = 12; // of the 20 points, the first are the outer outline

/** @returns {element, close()} */
export function pairsView(app) {
  const { words } = app;
  const { t, number, percent } = words;
  const tables = h("div", { class: "pair-tables" });
  const shown = h("div", { class: "pair-shown", data: { name: "pair-shown" } });
  const note = h("p", { class: "section-text" });
  const element = h("div", { class: "pairs", data: { name: "lip-pairs" } }, tables, shown, note);
  let found = null;
  let timer = 0;
  let closed = false;

  function start() {
    fetch(ADDRESS)
      .then((answer) => answer.json())
      .then((measured) => {
        if (closed) return;
        found = measured;
        const { letter } = measured.slots;
        note.textContent = t("lips.pairs.note", {
          sentences: number(measured.sentences),
          lips: percent(letter.lips),
          noise: percent(letter.noise),
          clean: percent(letter.clean),
        });
        fill(tables, ["lips", "sound"].map(table));
        press(measured.pairs[0], { moves: false });
      })
      .catch(() => fill(tables, h("p", { class: "section-text", text: t("lips.pairs.missing") })));
  }

  function table(better) {
    const rows = found.pairs.filter((pair) => pair.better === better);
    return h(
      "table",
      { class: "pair-table" },
      h("caption", { text: t(`lips.pairs.${better}`) }),
      h("thead", {}, h("tr", {}, ["pair", "by-lips", "by-noise", "by-clean"].map((name) => h("th", { scope: "col", text: t(`lips.pairs.${name}`) })))),
      h(
        "tbody",
        {},
        rows.map((pair) =>
          h(
            "tr",
            {},
            h(
              "th",
              { scope: "row" },
              h("button", { type: "button", class: "pair", lang: "en", text: pair.words.join(" / "), data: { pair: pair.words.join("-") }, on: { click: () => press(pair, { moves: true }) } }),
            ),
            ["lips", "noise", "clean"].map((channel) => cell(pair[channel])),
          ),
        ),
      ),
    );
  }

  function cell([mixed, said]) {
    return h("td", { vars: { filled: mixed / said } }, h("span", { text: t("lips.pairs.of", { mixed: number(mixed), said: number(said) }) }));
  }

  function press(pair, { moves }) {
    clearInterval(timer);
    for (const one of tables.querySelectorAll("button")) one.setAttribute("aria-pressed", String(one.dataset.pair === pair.words.join("-")));
    const mouths = pair.words.map((word) => found.mouths[word]);
    const moments = mouths[0].outline.length;
    const drawings = pair.words.map((word, k) => mouthDrawing(word, mouths[k], k));
    const chart = openingChart(pair.words, mouths);
    const place = slider({ label: t("lips.pairs.moment"), name: "pair-moment", value: 0, least: 0, greatest: moments - 1, show: (k) => percent(k / (moments - 1)), change: (k) => (clearInterval(timer), paint(k)) });
    const paint = (k) => {
      for (const drawing of drawings) drawing.at(k);
      chart.at(k);
    };
    fill(shown, h("div", { class: "pair-mouths" }, drawings.map((drawing) => drawing.element)), h("div", { class: "pair-chart" }, chart.element, place));
    const middle = Math.floor(moments / 2);
    place.set(middle);
    paint(middle);
    if (!moves || movesLittle()) return;
    let k = 0;
    timer = setInterval(() => {
      place.set(k);
      paint(k);
      k += 1;
      if (k >= moments) clearInterval(timer);
    }, STEP_MS);
  }

  function mouthDrawing(word, mouth, place) {
    const outer = s("path", { class: "mouth-lips" });
    const inner = s("path", { class: "mouth-open" });
    const svg = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": t("lips.pairs.mouth", { word }) }, outer, inner);
    return {
      element: h("figure", { class: "pair-mouth", data: { place } }, svg, h("figcaption", {}, h("strong", { lang: "en", text: word }), " ", h("small", { text: t("lips.pairs.takes", { n: number(mouth.takes) }) }))),
      at(k) {
        const points = mouth.outline[k];
        outer.setAttribute("d", outlinePath(points.slice(0, OUTER)));
        inner.setAttribute("d", outlinePath(points.slice(OUTER)));
      },
    };
  }

  function openingChart(names, mouths) {
    const most = Math.max(...mouths.flatMap((mouth) => mouth.opening), 1);
    const x = (k) => EDGE.left + (k / (mouths[0].opening.length - 1)) * (CHART_WIDTH - EDGE.left - EDGE.right);
    const y = (value) => EDGE.top + (1 - value / most) * (CHART_HEIGHT - EDGE.top - EDGE.bottom);
    const here = s("path", { class: "lip-here" });
    const lines = mouths.map((mouth, k) => s("path", { class: `pair-line pair-line-${k}`, d: mouth.opening.map((value, n) => `${n ? "L" : "M"}${x(n).toFixed(1)} ${y(value).toFixed(1)}`).join("") }));
    const axis = s("g", { class: "chart-axis" }, s("path", { d: `M${EDGE.left} ${y(0)}H${CHART_WIDTH - EDGE.right}` }));
    const svg = s("svg", { viewBox: `0 0 ${CHART_WIDTH} ${CHART_HEIGHT}`, class: "chart", role: "img", "aria-label": t("lips.pairs.chart", { one: names[0], other: names[1] }) }, axis, here, lines);
    return {
      element: h("figure", { class: "chart-figure" }, svg, h("figcaption", { class: "section-text", text: t("lips.pairs.chart", { one: names[0], other: names[1] }) })),
      at: (k) => here.setAttribute("d", `M${x(k)} ${EDGE.top - 6}V${CHART_HEIGHT - EDGE.bottom}`),
    };
  }

  start();
  return {
    element,
    close() {
      closed = true;
      clearInterval(timer);
    },
  };
}

/** A closed path through points given in hundredths of the eyes' distance about the mouth's middle. Pure. */
export function outlinePath(points) {
  return `${points.map(([px, py], k) => `${k ? "L" : "M"}${(WIDTH / 2 + px * SCALE).toFixed(1)} ${(HEIGHT / 2 + py * SCALE).toFixed(1)}`).join("")}Z`;
}
