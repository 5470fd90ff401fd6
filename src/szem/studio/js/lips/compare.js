// The three readings side by side, and how each fares as the noise grows.

import { fill, h, s } from "../dom.js";
import { LEVELS, USES, compareWords, plainWords, readingOf } from "./answer.js";
import { reasonText } from "./reasons.js";

const [WIDTH, HEIGHT] = [640, 240];
const MARGIN = { left: 64, right: 12, top: 14, bottom: 40 };

/**
 * @param choose called with the use that is pressed
 * @param level called with the place of a level of noise that is pressed
 * @returns {element, chart, show(answer, state, said)}
 */
export function compareView(app, { choose, level }) {
  const { words } = app;
  const { t, number, percent } = words;
  const cards = h("div", { class: "lip-cards", data: { name: "lip-cards" } });
  const axis = s("g", { class: "chart-axis" });
  const lines = s("g", { class: "lip-lines" });
  const here = s("path", { class: "lip-here" });
  const label = h("figcaption", { class: "section-text" });
  const svg = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img" }, axis, here, lines);
  const chart = h("figure", { class: "chart-figure lip-chart", data: { name: "lip-chart" } }, svg, label);
  const x = (k) => MARGIN.left + (k / (LEVELS.length - 1)) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (share) => MARGIN.top + (1 - share) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  svg.addEventListener("click", (event) => {
    const { left, width } = svg.getBoundingClientRect();
    const at = (((event.clientX - left) / width) * WIDTH - MARGIN.left) / (WIDTH - MARGIN.left - MARGIN.right);
    level(Math.min(LEVELS.length - 1, Math.max(0, Math.round(at * (LEVELS.length - 1)))));
  });
  paintAxis();

  function paintAxis() {
    const rows = [0, 0.5, 1].flatMap((share) => {
      const text = s("text", { x: MARGIN.left - 8, y: y(share) + 4, "text-anchor": "end" });
      text.textContent = percent(share);
      return [s("path", { d: `M${MARGIN.left} ${y(share)}H${WIDTH - MARGIN.right}` }), text];
    });
    const marks = LEVELS.map((value, k) => {
      const text = s("text", { x: x(k), y: HEIGHT - 20, "text-anchor": k === LEVELS.length - 1 ? "end" : "middle" });
      text.textContent = value === null ? t("lips.clean") : number(value);
      return text;
    });
    const name = s("text", { x: WIDTH - MARGIN.right, y: HEIGHT - 4, "text-anchor": "end" });
    name.textContent = t("lips.axis");
    axis.replaceChildren(...rows, ...marks, name);
  }

  function card(use, reading, said, chosen) {
    const result = reading && said.length > 0 ? compareWords(reading.words.map(({ text }) => text), said) : null;
    const text = !reading
      ? h("p", { class: "lip-read none", text: "—" })
      : reading.words.length > 0
        ? h(
            "p",
            { class: "lip-read", lang: "en" },
            reading.words.map((word, k) => [
              k ? " " : null,
              h("span", { class: result && !result.right[k] ? "wrong-word" : "", text: word.text }),
            ]),
          )
        : h("p", { class: "lip-read none" }, h("strong", { text: `${t("lips.none")}:` }), " ", reasonText(reading.reason, words));
    const sure = reading?.words.length ? t("lips.confidence", { share: percent(reading.confidence) }) : "";
    const errors = result ? t("lips.errors", { errors: number(result.errors), words: number(said.length) }) : "";
    return h(
      "button",
      {
        type: "button",
        class: "lip-card",
        "aria-pressed": String(use === chosen),
        data: { use, text: reading?.text ?? "" },
        on: { click: () => choose(use) },
      },
      h("span", { class: "lip-card-name", text: t(`lips.use.${use}`) }),
      text,
      h("output", {}, [sure, errors].filter(Boolean).join(" · ")),
    );
  }

  return {
    element: cards,
    chart,
    /** @param said what was really said, as words; none where nobody knows */
    show(answer, { use, noise }, said) {
      fill(cards, USES.map((one) => card(one, readingOf(answer, one, LEVELS[noise]), said, use)));
      here.setAttribute("d", `M${x(noise)} ${MARGIN.top - 6}V${HEIGHT - MARGIN.bottom}`);
      const isKnown = said.length > 0;
      const worth = (reading) => {
        if (!isKnown) return reading.words.length > 0 ? reading.confidence : 0;
        return Math.max(0, 1 - compareWords(reading.words.map(({ text }) => text), said).errors / said.length);
      };
      lines.replaceChildren(
        ...USES.flatMap((one) => {
          const points = LEVELS.map((value, k) => [k, readingOf(answer, one, value)])
            .filter(([, reading]) => reading)
            .map(([k, reading]) => [x(k), y(worth(reading))]);
          if (points.length === 0) return [];
          const d = points.map(([px, py], k) => `${k ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`).join("");
          const marks = points.map(([px, py]) => s("circle", { cx: px.toFixed(1), cy: py.toFixed(1), r: 4 }));
          return [s("g", { class: `line-${one}`, "data-use": one }, s("path", { d }), ...marks)];
        }),
      );
      label.textContent = answer ? t(isKnown ? "lips.chart.right" : "lips.chart.confidence") : t("lips.chart.empty");
      svg.setAttribute("aria-label", label.textContent);
    },
  };
}
