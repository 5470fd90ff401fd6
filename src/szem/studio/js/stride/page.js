// Stride, pooling, locality: what is left of a picture, how steady an answer is, how far one neuron sees.

import { fill, h } from "../dom.js";
import { beginWithPicture } from "../pictures/begin.js";
import { sourceBar } from "../pictures/source-bar.js";
import { choice, whole, words as text } from "../url-state.js";
import { costPart } from "./cost.js";
import { RATES, localityPart } from "./locality.js";
import { reducePart } from "./reduce.js";
import { shiftPart } from "./shift.js";

export const fields = {
  picture: text("cat", 100),
  stride: whole(2, 1, 8),
  show: choice("restored", ["restored", "lost"]),
  network: text("", 120),
  shift: whole(0, 0, 16),
  pooling: choice("max", ["max", "mean"]),
  layers: whole(3, 1, 6),
  kernel: whole(3, 3, 7),
  step: whole(1, 1, 2),
  rate: choice("2", RATES),
};

export async function mount(root, app) {
  const { words, store, state } = app;
  const { t } = words;
  if (![1, 2, 3, 4, 8].includes(state.stride)) app.set({ stride: 2 });
  if (state.kernel % 2 === 0) app.set({ kernel: 3 });
  const bar = sourceBar(app, { chosen: (id) => id !== state.picture && app.set({ picture: id }) });
  const parts = [reducePart(app), shiftPart(app), localityPart(app), costPart(app)];
  fill(
    root,
    h("div", { class: "page-head" }, h("div", {}, h("h1", { text: t("page.stride.title") }), h("p", { class: "lead", text: t("stride.lead") })), bar.element),
    parts.map((part) => part.element),
  );

  let pause = 0;
  async function use(source) {
    clearTimeout(pause);
    if (source.kind === "live") {
      // A moving picture is looked at again and again, with pauses for the measurements.
      pause = setTimeout(async () => {
        if (store.source !== source) return;
        const frame = await source.still("");
        parts[0].show(frame);
        use(source);
      }, 200);
      return;
    }
    for (const part of parts) part.show(source);
  }
  const stopListening = store.listen(({ source }) => source && use(source));
  beginWithPicture(app, fields.picture.initial, use);

  return {
    close() {
      clearTimeout(pause);
      stopListening();
      bar.close();
      for (const part of parts) part.close?.();
    },
  };
}
