// Who does the arithmetic: the graphics card where there is one, typed arrays everywhere else.

import { createArraysEngine } from "./engine-arrays.js";
import { createWebglEngine } from "./engine-webgl.js";

/** @param wish "auto", "webgl" or "arrays"; a card that is only pretended is slower than arrays and has to be asked for */
export function chooseEngine(wish) {
  if (wish !== "arrays") {
    const engine = createWebglEngine();
    if (engine && (wish === "webgl" || !engine.software)) return engine;
    engine?.close();
  }
  return createArraysEngine();
}
