// The film over time: the mouths that the network sees, the sound, the words, and what was likely at every moment.

import { heatColour } from "../colours.js";
import { fill, h, sizeCanvas } from "../dom.js";
import { placeAt, strongRows } from "./answer.js";

const MOST_ROWS = 22;

/**
 * @param jump called with seconds
 * @returns {element, film(answer), show(reading, shown), sound(peaks, noise), at(seconds), resize()}
 */
export function timelineView(app, jump) {
  const { t } = app.words;
  const crops = h("canvas", { class: "lip-strip", role: "img", "aria-label": t("lips.crops") });
  const wave = h("canvas", { class: "lip-wave", role: "img", "aria-label": t("lips.wave") });
  const track = h("div", { class: "lip-track" });
  const names = h("div", { class: "lip-row-names", lang: "en" });
  const heat = h("canvas", { class: "lip-heat", role: "img", data: { name: "lip-heat" } });
  const heatTitle = h("span", {});
  const needle = h("div", { class: "lip-needle", "aria-hidden": "true" });
  const head = (text) => h("span", { class: "lip-head", text });
  const place = (name, ...children) => h("div", { class: "lip-lane", data: { lane: name } }, ...children);
  const lanes = [place("crops", crops), place("sound", wave), place("words", track), place("heat", heat)];
  const element = h(
    "div",
    { class: "lip-timeline", data: { name: "lip-timeline" } },
    head(t("lips.row.mouth")),
    lanes[0],
    head(t("lips.row.sound")),
    lanes[1],
    head(t("lips.row.words")),
    lanes[2],
    h("div", { class: "lip-heads" }, heatTitle, names),
    lanes[3],
    h("div", { class: "lip-needle-lane", "aria-hidden": "true" }, needle),
  );
  let answer = null;
  let sheet = null; // the picture of all crops
  let duration = 1;
  let last = { reading: null, shown: "words", peaks: null, noise: 0 };

  for (const lane of lanes) {
    lane.addEventListener("pointerdown", (event) => {
      if (!answer || event.button !== 0 || event.target.closest("button")) return;
      lane.setPointerCapture(event.pointerId);
      jumpTo(event, lane);
    });
    lane.addEventListener("pointermove", (event) => lane.hasPointerCapture(event.pointerId) && jumpTo(event, lane));
  }

  function jumpTo(event, lane) {
    const { left, width } = lane.getBoundingClientRect();
    jump(Math.min(1, Math.max(0, (event.clientX - left) / width)) * duration);
  }

  function paintCrops() {
    const { context, wide, tall } = sizeCanvas(crops);
    if (!answer || !sheet) return;
    const { width, height, per_row: columns, count: most } = answer.crops;
    const each = (tall * width) / height;
    const count = Math.max(1, Math.floor(wide / each));
    const step = wide / count;
    for (let k = 0; k < count; k++) {
      const moment = placeAt(answer.times_s, ((k + 0.5) / count) * duration);
      if (moment < 0 || moment >= most || ((k + 0.5) / count) * duration > answer.end_s) continue;
      const [sx, sy] = [(moment % columns) * width, Math.floor(moment / columns) * height];
      context.drawImage(sheet, sx, sy, width, height, k * step + 1, 0, step - 2, tall);
    }
  }

  function paintWave() {
    const { context, wide, tall } = sizeCanvas(wave);
    const { peaks, noise } = last;
    const style = getComputedStyle(wave);
    const middle = tall / 2;
    if (!peaks) {
      context.fillStyle = style.getPropertyValue("--rule");
      context.fillRect(0, middle - 0.5, wide, 1);
      return;
    }
    const most = Math.max(noise * 1.6, ...peaks, 1e-6);
    context.fillStyle = style.getPropertyValue("--sound");
    const step = wide / peaks.length;
    peaks.forEach((peak, k) => {
      const half = Math.max(0.5, (peak / most) * (middle - 1));
      context.fillRect(k * step, middle - half, Math.max(1, step - 0.5), 2 * half);
    });
    if (noise > 0) {
      const half = ((noise * 1.6) / most) * (middle - 1);
      context.fillStyle = style.getPropertyValue("--noise");
      context.fillRect(0, middle - half, wide, 2 * half);
    }
  }

  function paintWords() {
    const said = last.reading?.words ?? [];
    fill(
      track,
      said.map((word) =>
        h(
          "button",
          {
            type: "button",
            class: "lip-block",
            lang: "en",
            tabindex: "-1", // the same words stand above, for the keyboard
            vars: { from: word.start_s / duration, to: word.end_s / duration, filled: word.confidence },
            on: { click: () => jump(word.start_s) },
          },
          h("span", { text: word.text }),
        ),
      ),
    );
  }

  function paintHeat() {
    const { reading, shown } = last;
    const rows =
      shown === "letters"
        ? (reading?.letters?.attention ?? []).map((values, k) => ({ name: reading.letters.text[k], values }))
        : strongRows(Object.entries(reading?.probabilities ?? {}).map(([name, values]) => ({ name, values }))).slice(0, MOST_ROWS);
    const most = shown === "letters" ? Math.max(0.05, ...rows.flatMap(({ values }) => values)) : 1;
    heatTitle.textContent = t(shown === "letters" ? "lips.row.letters" : "lips.row.probabilities");
    heat.setAttribute("aria-label", heatTitle.textContent);
    element.style.setProperty("--rows", String(Math.max(rows.length, 6)));
    element.dataset.rows = String(rows.length);
    fill(names, rows.map(({ name }) => h("span", { text: name === " " ? "␣" : name })));
    const columns = Math.max(1, answer?.times_s.length ?? 1);
    heat.style.setProperty("--from", String((answer?.begin_s ?? 0) / duration));
    heat.style.setProperty("--to", String(Math.min(1, (answer?.end_s ?? duration) / duration)));
    Object.assign(heat, { width: columns, height: Math.max(rows.length, 1) });
    const context = heat.getContext("2d");
    const image = context.createImageData(heat.width, heat.height);
    for (let y = 0; y < heat.height; y++) {
      for (let x = 0; x < columns; x++) {
        const [r, g, b] = heatColour(Math.sqrt((rows[y]?.values[x] ?? 0) / most));
        image.data.set([r, g, b, 255], (y * columns + x) * 4);
      }
    }
    context.putImageData(image, 0, 0);
  }

  const resized = new ResizeObserver(() => {
    paintCrops();
    paintWave();
  });
  resized.observe(element);
  heat.style.setProperty("image-rendering", "pixelated");

  return {
    element,
    film(next, picture, seconds) {
      [answer, sheet, duration] = [next, picture, Math.max(seconds, 0.04)];
      paintCrops();
    },
    show(reading, shown) {
      last = { ...last, reading, shown };
      paintWords();
      paintHeat();
    },
    /** @param peaks loudness of equal parts of the film, 0..1; null where there is no sound. noise: its loudness */
    sound(peaks, noise) {
      last = { ...last, peaks, noise };
      paintWave();
    },
    at(seconds) {
      needle.style.setProperty("--at", String(Math.min(1, seconds / duration)));
    },
    close: () => resized.disconnect(),
  };
}
