// Where the layers of a network stand on the map: blocks in a row, layers in columns and lanes within a block. Pure.

/**
 * Group layers into blocks, in order, and give each layer a column (how deep in its block) and a lane (which branch).
 * @param layers [{index, block, inputs, output_shape, kind}]
 * @returns [{name, rows, columns, lanes, kind, layers: [{layer, column, lane}], links: [[from, to]]}]
 */
export function arrange(layers) {
  const blocks = [];
  for (const layer of layers) {
    if (blocks.at(-1)?.name !== layer.block) blocks.push({ name: layer.block, layers: [] });
    blocks.at(-1).layers.push(layer);
  }
  return blocks.map(({ name, layers: own }) => {
    const inside = new Map(own.map((layer) => [layer.index, layer]));
    const placed = new Map();
    const taken = new Set();
    for (const layer of own) {
      const before = layer.inputs.filter((i) => inside.has(i)).map((i) => placed.get(i));
      const column = before.length ? Math.max(...before.map((p) => p.column)) + 1 : 0;
      let lane = before.length ? Math.min(...before.map((p) => p.lane)) : 0;
      while (taken.has(`${column},${lane}`)) lane += 1;
      taken.add(`${column},${lane}`);
      placed.set(layer.index, { layer, column, lane });
    }
    const list = [...placed.values()];
    const last = own.at(-1);
    return {
      name,
      kind: kindOf(own),
      size: last.output_shape.slice(1),
      columns: Math.max(...list.map((p) => p.column)) + 1,
      lanes: Math.max(...list.map((p) => p.lane)) + 1,
      layers: list,
      links: own.flatMap((layer) => layer.inputs.filter((i) => inside.has(i)).map((i) => [i, layer.index])),
    };
  });
}

/** What a block is called by its shape: residual, parallel (Inception and its kin), or a chain. */
export function kindOf(layers) {
  const inside = new Set(layers.map((layer) => layer.index));
  const joins = (kind) => layers.some((layer) => layer.kind === kind && layer.inputs.length > 1);
  if (joins("concat") && layers.some((layer) => layer.kind === "concat" && layer.inputs.filter((i) => inside.has(i)).length > 1)) return "parallel";
  return joins("add") ? "residual" : "chain";
}

/** Runs of blocks whose maps have the same size: [{size: [rows, columns], blocks}]. */
export function stagesOf(blocks) {
  const stages = [];
  for (const block of blocks) {
    const size = block.size.join("×");
    if (stages.at(-1)?.key !== size) stages.push({ key: size, size: block.size, blocks: [] });
    stages.at(-1).blocks.push(block);
  }
  return stages;
}

/**
 * Where a neuron's field lies in the network's input: {x0, y0, x1, y1}, last pixel included, cut at the edges.
 * null where the layer does not see the picture place by place.
 */
export function fieldOf(layer, row, column, [height, width]) {
  if (layer.sees_all) return { x0: 0, y0: 0, x1: width - 1, y1: height - 1 };
  if (!layer.field_px) return null;
  const span = (k, i, side) => {
    const middle = layer.centre_px[k] + i * layer.field_stride_px[k];
    const half = (layer.field_px[k] - 1) / 2;
    return [Math.max(0, Math.floor(middle - half)), Math.min(side - 1, Math.ceil(middle + half))];
  };
  const [y0, y1] = span(0, row, height);
  const [x0, x1] = span(1, column, width);
  return { x0, y0, x1, y1 };
}

/** A rectangle of input pixels as shares of the input: {left, top, width, height} in 0..1. */
export function shareOf({ x0, y0, x1, y1 }, [height, width]) {
  return { left: x0 / width, top: y0 / height, width: (x1 - x0 + 1) / width, height: (y1 - y0 + 1) / height };
}

/** A number of the packed maps. */
export function numberAt(packed, map, row, column) {
  const { rows, columns, low, high, bytes } = packed;
  return low[map] + (bytes[(map * rows + row) * columns + column] / 255) * (high[map] - low[map]);
}

/** In what share of its places a map answers with more than 0 (and more than the rounding of its bytes). */
export function awakeShare({ rows, columns, low, high, bytes }, map) {
  const size = rows * columns;
  const step = (high[map] - low[map]) / 255;
  let awake = 0;
  for (let i = map * size; i < (map + 1) * size; i++) awake += Number(low[map] + bytes[i] * step > step / 2);
  return awake / size;
}

/**
 * The order in which maps are shown: as they are, by how strongly each answers, or each beside the one most like it.
 * @returns map numbers
 */
export function orderOf(packed, how) {
  const numbers = Array.from({ length: packed.maps }, (_, m) => m);
  if (how === "strength") return numbers.sort((a, b) => packed.high[b] - packed.high[a] || a - b);
  if (how !== "likeness") return numbers;
  const small = numbers.map((m) => signature(packed, m));
  const left = new Set(numbers);
  const order = [numbers.reduce((a, b) => (packed.high[b] > packed.high[a] ? b : a), 0)];
  left.delete(order[0]);
  while (left.size) {
    const from = small[order.at(-1)];
    let [best, most] = [-1, -Infinity];
    for (const m of left) {
      let likeness = 0;
      for (let i = 0; i < from.length; i++) likeness += from[i] * small[m][i];
      if (likeness > most) [best, most] = [m, likeness];
    }
    order.push(best);
    left.delete(best);
  }
  return order;
}

/** A map as at most 8 × 8 numbers, mean 0 and length 1: the product of two is how alike they are (correlation). */
function signature({ rows, columns, bytes }, map) {
  const [h, w] = [Math.min(rows, 8), Math.min(columns, 8)];
  const out = new Float32Array(h * w);
  for (let y = 0; y < rows; y++) for (let x = 0; x < columns; x++) out[Math.floor((y * h) / rows) * w + Math.floor((x * w) / columns)] += bytes[(map * rows + y) * columns + x];
  const mean = out.reduce((a, b) => a + b, 0) / out.length;
  let length = 0;
  for (let i = 0; i < out.length; i++) length += (out[i] -= mean) ** 2;
  length = Math.sqrt(length) || 1;
  return out.map((v) => v / length);
}
