// How the picture shrinks on its way: sizes to scale, and what share of the data is left.

import { fill, h } from "../dom.js";
import { shareName } from "./sizes.js";

/** @returns {element, show(steps, multiplications, plan, {first, last})}: first and last are canvases to show in small */
export function dataFlow(app) {
  const { t, number, percent } = app.words;
  const line = h("ol", { class: "flow-steps" });
  const sentence = h("p", { class: "flow-sentence", data: { name: "share" } });
  const work = h("p", { class: "flow-work", data: { name: "work" } });

  let shown = "";
  let smalls = []; // [{small, canvas}]: what is drawn anew when only the picture has changed

  function show(steps, multiplications, plan, pictures) {
    const key = JSON.stringify([steps, multiplications, plan]);
    if (key !== shown) build(steps, multiplications, plan, pictures);
    shown = key;
    for (const { small, canvas } of smalls) small.getContext("2d").drawImage(canvas, 0, 0, small.width, small.height);
  }

  function build(steps, multiplications, plan, pictures) {
    smalls = [];
    const first = steps[0];
    const longest = Math.max(first.height, first.width);
    fill(
      line,
      steps.map((step, k) =>
        h(
          "li",
          { data: { step: step.step } },
          k === 0 ? null : h("span", { class: "flow-arrow", "aria-hidden": "true", text: "→" }),
          h(
            "div",
            { class: "flow-step" },
            h(
              "div",
              { class: "flow-room" },
              area(step, longest, [pictures.first, ...steps.slice(2).map(() => null), pictures.last][k]),
            ),
            h("p", { class: "flow-name", text: nameOf(step, k, plan) }),
            h("p", {
              class: "flow-size",
              text: `${step.width} × ${step.height}${step.channels > 1 ? ` × ${step.channels}` : ""}`,
            }),
            h("p", { class: "flow-numbers", text: t("flow.numbers", { count: number(step.numbers) }) }),
          ),
        ),
      ),
    );
    const share = steps.at(-1).numbers / first.numbers;
    const name = shareName(share);
    sentence.dataset.share = String(share);
    sentence.textContent =
      share === 0
        ? t("flow.nothing")
        : name
          ? t(`flow.${name}`)
          : t("flow.percent", { share: percent(share, share < 0.1 ? 1 : 0) });
    work.textContent = t("flow.work", { count: number(multiplications / 1e6, multiplications < 1e7 ? 2 : 1) });
  }

  /** A step's picture to scale; a step in between, that no one has drawn, is a plain area. */
  function area(step, longest, canvas) {
    const vars = { w: step.width / longest, h: step.height / longest };
    if (!canvas || step.numbers === 0) return h("div", { class: "flow-area", vars });
    const side = 224;
    const small = h("canvas", {
      class: "flow-area",
      vars,
      width: Math.max(1, Math.round(Math.min(step.width, side * vars.w))),
      height: Math.max(1, Math.round(Math.min(step.height, side * vars.h))),
      "aria-hidden": "true",
    });
    smalls.push({ small, canvas });
    return small;
  }

  function nameOf(step, k, plan) {
    if (step.step === "picture") return t("flow.picture");
    if (step.step === "pool") return t(`flow.pool.${plan.pool}`, { window: plan.window });
    if (plan.mode === "edges") return t("flow.edges");
    if (plan.mode === "two") return t(k === 1 ? "flow.kernel.first" : "flow.kernel.second");
    return t("flow.kernel");
  }

  return {
    element: h(
      "section",
      { class: "flow", "aria-labelledby": "flow-title" },
      h("h2", { id: "flow-title", text: t("flow.title") }),
      sentence,
      line,
      work,
    ),
    show,
  };
}
