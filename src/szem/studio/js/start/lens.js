// The cameraman under a lens: inside it the picture is what a kernel makes of it.

import { segmented } from "../controls.js";
import { h } from "../dom.js";
import { kernelTitle } from "../kernels/editor.js";
import { sumOf } from "../kernels/kernel.js";
import { runPlan, signedFull } from "../kernels/plan.js";
import { paintClipped, paintSigned } from "../kernels/planes.js";
import { decodeStill } from "../pictures/decode.js";
import { fetchBlob } from "../server.js";
import { movesLittle } from "../theme.js";

const WISHED = ["sobel-x", "outline", "emboss", "sharpen", "box"];
const STEP = 0.03;

/**
 * @returns {element, ready: a promise that fails with a Problem, close()}
 */
export function createLens(app) {
  const { words } = app;
  const { t } = words;
  const below = h("canvas", { width: 512, height: 512, "aria-hidden": "true" });
  const inside = h("canvas", { width: 512, height: 512, "aria-hidden": "true" });
  const glass = h("div", { class: "lens-glass" }, inside);
  const frame = h(
    "div",
    {
      class: "lens-frame",
      tabindex: "0",
      role: "application",
      "aria-label": t("start.lens.label"),
      data: { name: "lens" },
    },
    below,
    glass,
  );
  const choice = h("div", { class: "lens-choice" });
  const place = { x: 0.47, y: 0.33 };
  let held = movesLittle();
  let closed = false;

  function move(x, y) {
    place.x = Math.min(Math.max(x, 0), 1);
    place.y = Math.min(Math.max(y, 0), 1);
    frame.style.setProperty("--x", place.x.toFixed(4));
    frame.style.setProperty("--y", place.y.toFixed(4));
  }

  frame.addEventListener("pointermove", (event) => {
    held = true;
    const box = frame.getBoundingClientRect();
    move((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  });
  frame.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    if (!by) return;
    event.preventDefault();
    held = true;
    move(place.x + by[0], place.y + by[1]);
  });

  /** Until someone takes it, the lens wanders over the scene by itself. */
  function wander(now) {
    if (closed || held) return;
    move(0.5 + 0.26 * Math.sin(now / 2600 + 1), 0.42 + 0.2 * Math.sin(now / 3700));
    requestAnimationFrame(wander);
  }

  async function load() {
    const [samples, table] = await Promise.all([app.store.samples(), app.kernels()]);
    const still = await decodeStill(await fetchBlob(samples[0].url), { id: samples[0].name, title: samples[0].title });
    below.width = inside.width = still.width;
    below.height = inside.height = still.height;
    frame.style.setProperty("--aspect", String(still.width / still.height));
    below.getContext("2d").drawImage(still.canvas, 0, 0);
    const kernels = WISHED.map((name) => table.find((entry) => entry.name === name)).filter(Boolean);
    const show = (entry) => {
      const plan = { colour: "grey", mode: "one", kernels: [entry.weights], operation: "correlation" };
      Object.assign(plan, { stride: 1, dilation: 1, border: "reflect", pool: "none", window: 2 });
      const planes = runPlan(still.rgba, still.height, still.width, plan);
      const image = new ImageData(still.width, still.height);
      if (sumOf(entry.weights) === 0) paintSigned(planes, image.data, signedFull(plan));
      else paintClipped(planes, image.data);
      inside.getContext("2d").putImageData(image, 0, 0);
    };
    choice.append(
      segmented({
        label: t("start.lens"),
        name: "lens-kernel",
        options: kernels.map((entry) => ({ value: entry.name, text: kernelTitle(words, entry.name) })),
        value: kernels[0].name,
        change: (name) => show(kernels.find((entry) => entry.name === name)),
      }),
    );
    show(kernels[0]);
    frame.dataset.ready = "yes";
    requestAnimationFrame(wander);
  }

  move(place.x, place.y);
  return {
    element: h("div", { class: "lens" }, frame, choice),
    ready: load(),
    close() {
      closed = true;
    },
  };
}
