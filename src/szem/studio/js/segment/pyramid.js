// The atrous pyramid of a network, found in the lab's table of its layers, and the pixels each rate looks at. Pure.
//
// Nothing here is assumed of the network but this: branches of a pyramid read the same maps, with the same kernel, at
// different rates. Places, distances and sizes are those the lab found in the exported file.

/**
 * The branches of the pyramid: [{layer, rate, kernel}], the smallest rate first; [] where a network has none.
 * Of several groups the one with the widest rate counts.
 */
export function pyramidOf(layers) {
  const groups = new Map();
  for (const layer of layers) {
    if (!layer.kernel || !layer.dilation || Math.max(...layer.kernel) < 2 || !layer.field_stride_px) continue;
    const key = `${layer.inputs[0]} ${layer.kernel} ${layer.output_shape.slice(1)}`;
    groups.set(key, [...(groups.get(key) ?? []), { layer, rate: layer.dilation[0], kernel: layer.kernel }]);
  }
  const pyramids = [...groups.values()].filter((group) => new Set(group.map(({ rate }) => rate)).size > 1);
  const widest = (group) => Math.max(...group.map(({ rate }) => rate));
  pyramids.sort((a, b) => widest(b) - widest(a));
  return (pyramids[0] ?? []).sort((a, b) => a.rate - b.rate);
}

/** The cell of a branch's maps that lies over a pixel of the network's input (the maps are enlarged to it later). */
export function cellOver({ layer }, x, y, [height, width]) {
  const [, rows, columns] = layer.output_shape;
  const inside = (v, n) => Math.min(n - 1, Math.max(0, v));
  return { row: inside(Math.floor((y * rows) / height), rows), column: inside(Math.floor((x * columns) / width), columns) };
}

/**
 * Where the taps of a branch stand, for one cell.
 * @returns [{row, column, inside, x0, y0, x1, y1}]: the cell each tap reads, and the square of the network's input that
 *   the cell stands for (in the middle of what it sees, as wide as cells are apart)
 */
export function tapsOfCell({ layer, rate, kernel }, { row, column }) {
  const [, rows, columns] = layer.output_shape;
  const [jumpY, jumpX] = layer.field_stride_px;
  const [centreY, centreX] = layer.centre_px;
  const taps = [];
  for (let i = 0; i < kernel[0]; i++) {
    for (let j = 0; j < kernel[1]; j++) {
      const r = row + (i - Math.floor(kernel[0] / 2)) * rate;
      const c = column + (j - Math.floor(kernel[1] / 2)) * rate;
      const [y, x] = [centreY + 0.5 + r * jumpY, centreX + 0.5 + c * jumpX];
      taps.push({
        row: r,
        column: c,
        inside: r >= 0 && c >= 0 && r < rows && c < columns,
        x0: x - jumpX / 2,
        y0: y - jumpY / 2,
        x1: x + jumpX / 2,
        y1: y + jumpY / 2,
      });
    }
  }
  return taps;
}

/** What a branch does, in numbers: how far its taps are apart, how wide they span, how many are in the picture. */
export function factsOf(branch, cell) {
  const { layer, rate, kernel } = branch;
  const taps = tapsOfCell(branch, cell);
  return {
    rate,
    apart: rate * layer.field_stride_px[1],
    span: ((kernel[1] - 1) * rate + 1) * layer.field_stride_px[1],
    inside: taps.filter((tap) => tap.inside).length,
    taps: taps.length,
    field: layer.field_px,
    parameters: layer.parameters,
    multiplications: layer.multiplications,
  };
}

/** From pixels of the network's input to shares (0..1) of the picture, through the part of it that the input holds. */
export function inputToPicture(x, y, [height, width], [x0, y0, x1, y1], picture) {
  return [(x0 + (x / width) * (x1 - x0)) / picture.width, (y0 + (y / height) * (y1 - y0)) / picture.height];
}

/** The way back. */
export function pictureToInput(x, y, [height, width], [x0, y0, x1, y1], picture) {
  return [((x * picture.width - x0) / (x1 - x0)) * width, ((y * picture.height - y0) / (y1 - y0)) * height];
}
