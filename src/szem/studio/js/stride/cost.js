// What an atrous kernel costs in this browser, beside the dense kernel with as many taps and the one with as much reach.

import { h } from "../dom.js";
import { button } from "../controls.js";
import { planesOf } from "../kernels/planes.js";

const ROUNDS = 7;
export const KERNELS = [
  { name: "same-taps", side: 3, rate: 1 },
  { name: "atrous", side: 3, rate: 4 },
  { name: "same-reach", side: 9, rate: 1 },
];

/** The weighted sum at every pixel that the kernel fits around, tap by tap, with no shortcut. Pure. */
export function correlate({ data, height, width }, weights, side, rate) {
  const reach = (side - 1) * rate;
  const [tall, wide] = [height - reach, width - reach];
  const out = new Float32Array(Math.max(0, tall) * Math.max(0, wide));
  for (let j = 0; j < side; j++) {
    for (let i = 0; i < side; i++) {
      const weight = weights[j * side + i];
      for (let y = 0; y < tall; y++) {
        const from = (y + j * rate) * width + i * rate;
        for (let x = 0; x < wide; x++) out[y * wide + x] += weight * data[from + x];
      }
    }
  }
  return out;
}

/** @returns {element, show(still), close()} */
export function costPart(app) {
  const { t, number } = app.words;
  let still = null;
  let closed = false;
  const rows = KERNELS.map(({ name, side, rate }) => {
    const bar = h("span", { class: "bar" });
    const time = h("output", { data: { cost: name }, text: "…" });
    const reach = (side - 1) * rate + 1;
    const row = h(
      "tr",
      {},
      h("th", { scope: "row", text: t(`stride.cost.${name}`) }),
      h("td", { text: `${reach} × ${reach}` }),
      h("td", { text: number(side * side) }),
      h("td", { class: "time" }, bar, time),
    );
    return { row, bar, time };
  });
  const again = button({ text: t("stride.cost.again"), name: "cost-again", press: measure });
  const said = h("p", { class: "section-text", data: { name: "cost-said" }, "aria-live": "polite" });

  /** In turns, so that what else the machine does meets all alike; the least time of each counts. */
  async function measure() {
    if (!still?.rgba) return;
    const mine = still;
    again.disabled = true;
    const plane = planesOf(still.rgba, still.height, still.width, "grey")[0];
    const kernels = KERNELS.map((kernel) => ({ ...kernel, weights: Float32Array.from({ length: kernel.side ** 2 }, (_, k) => Math.sin(k + 1)) }));
    const least = kernels.map(() => Infinity);
    for (let round = 0; round < ROUNDS; round++) {
      for (const [k, { weights, side, rate }] of kernels.entries()) {
        const begun = performance.now();
        correlate(plane, weights, side, rate);
        least[k] = Math.min(least[k], performance.now() - begun);
        await new Promise((resolve) => setTimeout(resolve));
        if (closed || mine !== still) return;
      }
    }
    const most = Math.max(...least);
    rows.forEach(({ bar, time }, k) => {
      bar.style.setProperty("--share", `${(100 * least[k]) / most}%`);
      time.textContent = `${number(least[k], 1)} ms`;
      time.dataset.ms = String(least[k]);
    });
    const times = least[2] / Math.max(least[1], 0.01);
    said.textContent = t("stride.cost.said", { times: number(times, 1) });
    said.dataset.times = String(times);
    again.disabled = false;
  }

  const element = h(
    "section",
    { class: "shelf cost", "aria-label": t("stride.cost") },
    h("h2", { text: t("stride.cost") }),
    h("p", { class: "section-text", text: t("stride.cost.text") }),
    h(
      "div",
      { class: "stack-table", tabindex: "0", role: "region", "aria-label": t("stride.cost") },
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, ["stack", "field", "products", "time"].map((key) => h("th", { scope: "col", text: t(`stride.table.${key}`) })))),
        h("tbody", {}, rows.map(({ row }) => row)),
      ),
    ),
    said,
    again,
  );
  return {
    element,
    show(next) {
      still = next;
      measure();
    },
    close() {
      closed = true;
    },
  };
}
