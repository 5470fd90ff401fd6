// The lists of the recognise page: labels with bars, colours, crops.

import { hexOf, inkOn } from "../colours.js";
import { fill, h } from "../dom.js";

const CONFIDENT_SCORE = 0.3; // below it the likeliest label is a guess, and folded away

/** Labels with bars; one is chosen, its map lies over the picture. Where none is likely, they are folded away. */
export function labelList(app, nameOf, choose) {
  const { t, percent } = app.words;
  const list = h("ol", { class: "labels", "aria-label": t("recognise.labels") });
  const doubt = h("summary", {});
  const fold = h("details", { class: "labels-fold", data: { name: "labels-fold" } }, doubt, list);
  return {
    element: fold,
    /** @param labels [{name, score, key}] */
    show(labels, chosen) {
      const most = Math.max(...labels.map(({ score }) => score), 1e-6);
      const isSure = most >= CONFIDENT_SCORE;
      if (fold.dataset.sure !== String(isSure)) fold.open = isSure; // what the visitor opened stays open
      fold.dataset.sure = String(isSure);
      doubt.textContent = t("recognise.low-confidence", { share: percent(most) });
      fill(
        list,
        labels.map(({ name, score }, k) =>
          h(
            "li",
            {},
            h(
              "button",
              {
                type: "button",
                class: "label-row",
                "aria-pressed": String(k === chosen),
                data: { label: name, score: String(score) },
                vars: { share: score, of: score / most },
                on: { click: () => choose(k) },
              },
              h("span", { class: "label-name", text: nameOf(name), title: nameOf(name) === name ? null : name }),
              h("output", { class: "label-score", text: percent(score, score < 0.1 ? 1 : 0) }),
              h("span", { class: "label-bar", "aria-hidden": "true" }),
            ),
          ),
        ),
      );
    },
  };
}

/** The dominant colours as one band: each as wide as its share of the pixels. */
export function colourBand(app) {
  const { t, percent } = app.words;
  const band = h("ol", { class: "colour-band", "aria-label": t("recognise.colours") });
  return {
    element: band,
    show(colours) {
      fill(
        band,
        colours.map(({ rgb, share, score }) =>
          h(
            "li",
            {
              class: "colour",
              title: t("recognise.colour", { hex: hexOf(rgb), share: percent(share, 1), score: percent(score) }),
              data: { ink: inkOn(rgb), hex: hexOf(rgb) },
              vars: { fill: hexOf(rgb), share: Math.max(share, 0.04) },
            },
            h("span", { text: hexOf(rgb) }),
            h("output", { text: percent(share) }),
          ),
        ),
      );
    },
  };
}

/** What each aspect ratio would keep, cut out; pressing one shows it on the picture. */
export function cropRow(app, choose) {
  const { t, percent } = app.words;
  const row = h("div", { class: "crops", role: "group", "aria-label": t("recognise.crops") });
  return {
    element: row,
    /** @param crops [{ratio: {name, value}, box, confidence}] */
    show(crops, canvas, chosen) {
      fill(
        row,
        crops.map(({ ratio, box, confidence }, k) => {
          const tall = 168;
          const cut = h("canvas", {
            width: Math.max(1, Math.round((tall * box.width) / box.height)),
            height: tall,
            "aria-hidden": "true",
          });
          const context = cut.getContext("2d");
          context.imageSmoothingQuality = "high";
          context.drawImage(canvas, box.x, box.y, box.width, box.height, 0, 0, cut.width, cut.height);
          return h(
            "button",
            {
              type: "button",
              class: "crop-choice",
              "aria-pressed": String(k === chosen),
              data: { ratio: ratio.name, box: `${box.x},${box.y},${box.width},${box.height}` },
              on: { click: () => choose(k) },
            },
            cut,
            h("span", { class: "crop-name", text: ratio.name }),
            h("output", { text: t("recognise.crop.confidence", { share: percent(confidence) }) }),
          );
        }),
      );
    },
  };
}
