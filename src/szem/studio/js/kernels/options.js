// The controls under the stage: how the kernel walks (stride, dilation, beyond the edge) and what follows (pooling).

import { segmented, select, slider, toggle } from "../controls.js";
import { h } from "../dom.js";
import { BORDERS } from "./borders.js";
import { OPERATIONS } from "./settings.js";

/** @returns the element; `change` is called with changes of the state */
export function optionsBand(app, state, change) {
  const { t } = app.words;
  let padded = state.border === "valid" ? "reflect" : state.border;
  const border = select({
    label: t("options.border"),
    name: "border",
    groups: [
      {
        group: "",
        options: BORDERS.filter((value) => value !== "valid").map((value) => ({ value, text: t(`border.${value}`) })),
      },
    ],
    value: padded,
    change: (value) => {
      padded = value;
      change({ border: value });
    },
  });
  const list = border.querySelector("select");
  list.disabled = state.border === "valid";
  const padding = segmented({
    label: t("options.padding"),
    name: "padding",
    options: ["same", "valid"].map((value) => ({ value, text: t(`options.padding.${value}`) })),
    value: state.border === "valid" ? "valid" : "same",
    change: (value) => {
      list.disabled = value === "valid";
      change({ border: value === "valid" ? "valid" : padded });
    },
  });
  const windowSize = slider({
    label: t("options.window"),
    name: "window",
    value: state.window,
    least: 2,
    greatest: 4,
    show: (n) => `${n} × ${n}`,
    change: (window) => change({ window }),
  });
  const windowInput = windowSize.querySelector("input");
  windowInput.disabled = state.pool === "none";
  return h(
    "section",
    { class: "options", "aria-label": t("options.title") },
    slider({
      label: t("options.stride"),
      name: "stride",
      value: state.stride,
      least: 1,
      greatest: 4,
      change: (stride) => change({ stride }),
    }),
    slider({
      label: t("options.dilation"),
      name: "dilation",
      value: state.dilation,
      least: 1,
      greatest: 8,
      change: (dilation) => change({ dilation }),
    }),
    padding,
    border,
    segmented({
      label: t("options.pool"),
      name: "pool",
      options: ["none", "max", "average"].map((value) => ({ value, text: t(`options.pool.${value}`) })),
      value: state.pool,
      change: (pool) => {
        windowInput.disabled = pool === "none";
        change({ pool });
      },
    }),
    windowSize,
    segmented({
      label: t("options.operation"),
      name: "operation",
      options: OPERATIONS.map((value) => ({
        value,
        text: t(`options.operation.${value}`),
        title: t(`options.operation.${value}.text`),
      })),
      value: state.operation,
      change: (operation) => change({ operation }),
    }),
    toggle({
      label: t("kernels.true-size"),
      name: "size",
      value: state.size === "true",
      change: (on) => change({ size: on ? "true" : "fit" }),
    }),
  );
}
