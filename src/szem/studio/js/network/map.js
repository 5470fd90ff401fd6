// The whole network as a map: stages by the size of their maps, blocks, and a tile per layer with the picture in it.

import { fill, h, s } from "../dom.js";
import { HEAT_TABLE } from "../lab/paint.js";
import { arrange, stagesOf } from "./layout.js";

export const THUMB = 48;
const [TILE_W, TILE_H] = [76, 84]; // a layer's place, in pixels

/** @returns {element, show(layers), thumbs(bytes, {flow}), times(byIndex), mark(index)} */
export function networkMap(app, pick) {
  const { t, number, percent } = app.words;
  const element = h("div", { class: "network-map", data: { name: "map" } });
  let tiles = new Map();

  function tileOf({ layer, column, lane }) {
    const canvas = h("canvas", { width: THUMB, height: THUMB, class: "pixelated", "aria-hidden": "true" });
    const share = h("i", { class: "tile-share" });
    const [maps, rows, columns] = layer.output_shape;
    const name = `${layer.name}: ${kindName(layer)}, ${maps} × ${rows} × ${columns}`;
    const button = h(
      "button",
      {
        type: "button",
        class: "layer-tile",
        title: name,
        data: { layer: String(layer.index), kind: layer.kind },
        vars: { column: column + 1, lane: lane + 1 },
        on: { click: () => pick(layer.index) },
      },
      canvas,
      h("span", { class: "tile-kind", text: sign(layer) }),
      h("span", { class: "tile-maps", text: number(maps) }),
      share,
      h("span", { class: "unseen", text: name }),
    );
    tiles.set(layer.index, { button, canvas, share });
    return button;
  }

  /** "16–96 kinds": how deep the layers of a stage are. */
  function kindsIn(stage) {
    const counts = stage.blocks.flatMap((block) => block.layers.map(({ layer }) => layer.output_shape[0]));
    const [least, most] = [Math.min(...counts), Math.max(...counts)];
    return t("network.stage-kinds", { count: least === most ? number(least) : `${number(least)}–${number(most)}` });
  }

  const kindName = (layer) => t(`network.kind.${layer.kind}`);

  /** A few characters that say what a layer does. */
  function sign({ kind, kernel, stride, dilation }) {
    const size = kernel ? `${kernel[0]}×${kernel[1]}` : "";
    const step = stride && Math.max(...stride) > 1 ? `/${stride[0]}` : "";
    const rate = dilation && Math.max(...dilation) > 1 ? ` r${dilation[0]}` : "";
    return kernel ? `${size}${step}${rate}` : ({ add: "+", multiply: "×", concat: "⧺", dense: "⊞", "global-average-pool": "⌀", softmax: "%", resize: "⤢" }[kind] ?? "·");
  }

  function blockOf(block) {
    const centre = (place) => [place.column * TILE_W + TILE_W / 2, place.lane * TILE_H + 30];
    const byIndex = new Map(block.layers.map((place) => [place.layer.index, place]));
    const lines = block.links.map(([from, to]) => {
      const [[x0, y0], [x1, y1]] = [centre(byIndex.get(from)), centre(byIndex.get(to))];
      const far = byIndex.get(to).column - byIndex.get(from).column;
      // A link that jumps over layers in its own lane goes below them.
      const dip = far > 1 && y0 === y1 ? 44 : 0;
      const bend = (x1 - x0) / 3;
      return s("path", { d: `M${x0} ${y0}C${x0 + bend} ${y0 + dip} ${x1 - bend} ${y1 + dip} ${x1} ${y1}` });
    });
    const [width, height] = [block.columns * TILE_W, block.lanes * TILE_H];
    return h(
      "li",
      { class: "block", data: { kind: block.kind } },
      h("span", { class: "block-name", text: block.name, title: `${block.name} · ${t(`network.block.${block.kind}`)}` }),
      h(
        "div",
        { class: "block-scroll" },
        h(
          "div",
          { class: "block-body", vars: { columns: block.columns, lanes: block.lanes } },
          s("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "links", "aria-hidden": "true" }, ...lines),
          block.layers.map(tileOf),
        ),
      ),
    );
  }

  return {
    element,
    show(layers) {
      tiles = new Map();
      fill(
        element,
        stagesOf(arrange(layers)).map((stage) =>
          h(
            "section",
            { class: "stage-row", "aria-label": t("network.stage", { size: stage.size.join(" × ") }) },
            h("p", { class: "stage-size" }, h("output", { text: stage.size.join(" × ") }), h("small", { text: kindsIn(stage) })),
            h("ol", { class: "blocks" }, stage.blocks.map(blockOf)),
          ),
        ),
      );
    },
    /** Put a small picture of what it found into every tile: (layers, THUMB, THUMB) bytes. */
    thumbs(bytes, { flow = false } = {}) {
      for (const [index, { canvas, button }] of tiles) {
        // The picture flows through: each tile lights up a moment after the one before it.
        button.style.setProperty("--after", `${Math.min(index * 14, 1200)}ms`);
        button.classList.remove("flowing");
        const context = canvas.getContext("2d");
        const image = context.createImageData(THUMB, THUMB);
        for (let i = 0, o = 0; i < THUMB * THUMB; i++, o += 4) {
          const c = bytes[index * THUMB * THUMB + i] * 3;
          image.data[o] = HEAT_TABLE[c];
          image.data[o + 1] = HEAT_TABLE[c + 1];
          image.data[o + 2] = HEAT_TABLE[c + 2];
          image.data[o + 3] = 255;
        }
        context.putImageData(image, 0, 0);
      }
      void element.offsetWidth; // the animation begins anew
      if (flow) for (const { button } of tiles.values()) button.classList.add("flowing");
      element.dataset.thumbs = "yes";
    },
    times(rows) {
      const top = Math.max(...rows.map((row) => row.time_fraction), 1e-9);
      for (const { index, time_fraction: share, time_ms } of rows) {
        const tile = tiles.get(index);
        if (!tile) continue;
        tile.share.style.setProperty("--share", `${(share / top) * 100}%`);
        tile.button.title = `${tile.button.getAttribute("aria-label")} · ${number(time_ms, 2)} ms, ${percent(share, 1)}`;
      }
    },
    mark(index) {
      for (const [key, { button }] of tiles) button.setAttribute("aria-pressed", String(key === index));
    },
  };
}
