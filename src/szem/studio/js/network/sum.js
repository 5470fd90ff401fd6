// The sum behind one number, as numbers: which inputs, which weights, what they add up to, what followed.

import { fill, h } from "../dom.js";
import { short } from "../lab/paint.js";

const SHOWN_MAPS = 5; // patches in full; the rest as one number
const SHOWN_TERMS = 12; // products of a 1×1 or dense layer

/**
 * What each input map adds: [{map, sum, inputs, weights}], the largest in size first. Pure.
 * @param found the server's answer: inputs and weights as [map][row][column]
 */
export function partsOf({ inputs, weights, first }) {
  return inputs
    .map((rows, k) => {
      const numbers = rows.flat();
      const own = weights[k].flat();
      return { map: first[0] + k, sum: numbers.reduce((sum, v, i) => sum + v * own[i], 0), inputs: numbers, weights: own };
    })
    .sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum));
}

/** @returns {element, show(found, layer), clear(), busy()} */
export function sumPanel(app) {
  const { words } = app;
  const { t, number } = words;
  const element = h("div", { class: "sum-panel", data: { name: "sum" }, "aria-live": "polite" });

  function grid(numbers, columns, kind, inside) {
    const top = Math.max(...numbers.map(Math.abs), 1e-9);
    return h(
      "div",
      { class: `patch-grid ${kind}${columns > 4 ? " fine" : ""}`, vars: { columns } },
      numbers.map((v, i) => {
        const padded = inside && !inside[i];
        const tint = Math.round((Math.abs(v) / top) * 55);
        return h("span", { class: `num ${padded ? "padded" : v < 0 ? "minus" : "plus"}`, vars: { tint: `${tint}%` }, title: padded ? t("network.sum.padding") : null, text: padded ? "0" : columns < 5 ? short(v, words) : number(v, columns < 7 ? 2 : 1) });
      }),
    );
  }

  function patches(parts, columns, inside) {
    const shown = parts.slice(0, SHOWN_MAPS);
    const rest = parts.slice(SHOWN_MAPS);
    return [
      shown.map((part) =>
        h(
          "div",
          { class: "patch-row", data: { map: String(part.map) } },
          h("span", { class: "patch-name", text: t("network.sum.map", { number: part.map }) }),
          grid(part.inputs, columns, "inputs", inside),
          h("span", { class: "sign", text: "×" }),
          grid(part.weights, columns, "weights", null),
          h("span", { class: "sign", text: "=" }),
          h("output", { class: "patch-part", text: short(part.sum, words), data: { value: String(part.sum) } }),
        ),
      ),
      rest.length ? h("p", { class: "patch-rest" }, h("span", { text: t("network.sum.rest", { count: number(rest.length) }) }), h("output", { text: short(rest.reduce((sum, p) => sum + p.sum, 0), words) })) : null,
    ];
  }

  function terms(parts) {
    const shown = parts.slice(0, SHOWN_TERMS);
    const rest = parts.slice(SHOWN_TERMS);
    const top = Math.max(...parts.map((p) => Math.abs(p.sum)), 1e-9);
    return [
      h(
        "div",
        { class: "terms" },
        shown.map((part) =>
          h(
            "div",
            { class: "product" },
            h("span", { class: "product-name", text: t("network.sum.map", { number: part.map }) }),
            h("output", { text: `${short(part.inputs[0], words)} × ${short(part.weights[0], words)}` }),
            h("span", { class: "bar", vars: { share: `${(Math.abs(part.sum) / top) * 100}%` }, data: { sign: part.sum < 0 ? "minus" : "plus" } }),
            h("output", { text: short(part.sum, words) }),
          ),
        ),
      ),
      rest.length ? h("p", { class: "patch-rest" }, h("span", { text: t("network.sum.rest", { count: number(rest.length) }) }), h("output", { text: short(rest.reduce((sum, p) => sum + p.sum, 0), words) })) : null,
    ];
  }

  function body(found) {
    if (found.inputs === null) return h("p", { class: "section-text", text: t("network.sum.too-many", { count: number(found.input_count) }) });
    const columns = found.inputs[0]?.[0]?.length ?? 1;
    const inside = found.inside.flat();
    if (found.rule === "weighted sum") {
      const parts = partsOf(found);
      return inside.length > 1 ? patches(parts, columns, inside) : terms(parts);
    }
    if (found.rule === "other") return h("p", { class: "section-text", text: t("network.sum.other") });
    const numbers = found.inputs.flat(2);
    return [h("p", { class: "section-text", text: t(`network.rule.${found.rule in RULES ? RULES[found.rule] : "function"}`) }), numbers.length <= 400 ? h("div", { class: "patch-row single" }, grid(numbers, found.inputs.length > 1 ? numbers.length : columns, "inputs", found.inputs.length > 1 ? null : inside)) : null];
  }

  return {
    element,
    show(found) {
      const near = Math.abs(found.value - found.measured);
      Object.assign(element.dataset, { layer: found.layer, place: [found.map, found.row, found.column].join(",") });
      const steps = found.steps.length ? found.steps : [{ name: "measured", value: found.measured }];
      fill(
        element,
        h("h3", { text: t("network.sum.title", { map: found.map, row: found.row, column: found.column }) }),
        body(found),
        h(
          "ol",
          { class: "steps" },
          steps.map(({ name, value }) => h("li", {}, h("small", { text: words.has(`network.step.${name}`) ? t(`network.step.${name}`) : name }), h("output", { text: short(value, words), data: { step: name, value: String(value) } }))),
        ),
        h(
          "p",
          { class: "runtime", data: { name: "runtime", measured: String(found.measured), difference: String(near) } },
          t("network.sum.runtime", { value: number(found.measured, 5), difference: near < 1e-7 ? "0" : near.toExponential(0).replace("-", "−") }),
        ),
      );
    },
    hint(key) {
      fill(element, h("p", { class: "section-text", text: t(key) }));
    },
  };
}

const RULES = { maximum: "maximum", mean: "mean", sum: "sum", product: "product", copy: "copy" };
