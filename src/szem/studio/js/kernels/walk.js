// The kernel walks by itself: from one number of the answer to the next, with pause and single steps.

import { button } from "../controls.js";
import { fill, h, icon } from "../dom.js";

const STEP_MS = 450; // slow enough to follow one sum

/**
 * @param step leads to the next pixel; @param stopped is called when the walk has come to rest
 * @returns {element, close()}
 */
export function createWalk({ t }, { step, stopped }) {
  let timer = 0;
  const run = button({ text: t("walk.start"), image: "play", name: "walk", press: () => (timer ? stop() : start()) });
  const one = button({
    label: t("walk.step"),
    image: "right",
    kind: "square",
    name: "walk-step",
    press: () => {
      stop();
      step();
    },
  });

  function start() {
    timer = setInterval(step, STEP_MS);
    step();
    paint();
  }

  function stop() {
    if (!timer) return;
    clearInterval(timer);
    timer = 0;
    paint();
    stopped();
  }

  function paint() {
    run.classList.toggle("active", timer !== 0);
    fill(run, icon(timer ? "pause" : "play"), h("span", { text: t(timer ? "walk.pause" : "walk.start") }));
  }

  return { element: h("div", { class: "walk" }, run, one), close: () => clearInterval(timer) };
}
