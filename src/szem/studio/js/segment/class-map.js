// The class of every pixel, as the server sends it and as the page paints it. Pure, but for the decoding of PNG.

/** "#rrggbb" as three numbers. */
export function rgbOf(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

/** A grey PNG in base64 as {width, height, values}: a byte a pixel. */
export async function readGreyPng(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const how = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }), how);
  const { width, height } = bitmap;
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const values = new Uint8Array(width * height);
  for (let i = 0, j = 0; i < values.length; i++, j += 4) values[i] = data[j];
  return { width, height, values };
}

/** The class at a place given in shares (0..1) of the picture's width and height. */
export function classAt({ width, height, values }, x, y) {
  const column = Math.min(width - 1, Math.max(0, Math.floor(x * width)));
  const row = Math.min(height - 1, Math.max(0, Math.floor(y * height)));
  return values[row * width + column];
}

/**
 * Paint a map into RGBA bytes: each class in its colour, a dark line where one class meets another.
 * @param classes [{index, color}]
 * @param hidden indices of the classes that are not drawn
 * @param only index of the one class that is drawn, or -1 for all
 */
export function paintClasses({ width, height, values }, rgba, { classes, hidden = [], only = -1 }) {
  const pixels = new Uint32Array(rgba.buffer, rgba.byteOffset, width * height);
  const table = new Uint32Array(256);
  for (const { index, color } of classes) {
    if (hidden.includes(index) || (only >= 0 && index !== only)) continue;
    const [r, g, b] = rgbOf(color);
    table[index] = (0xff000000 | (b << 16) | (g << 8) | r) >>> 0;
  }
  const LINE = 0xff0f1616;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const here = values[i];
      const right = x + 1 < width ? values[i + 1] : here;
      const below = y + 1 < height ? values[i + width] : here;
      const edge = (here !== right && (table[here] || table[right])) || (here !== below && (table[here] || table[below]));
      pixels[i] = edge ? LINE : table[here];
    }
  }
}

/** A box from two corners in any order, cut to the picture; null where it holds less than `least` pixels a side. */
export function boxBetween([ax, ay], [bx, by], width, height, least = 4) {
  const cut = (v, most) => Math.min(most, Math.max(0, Math.round(v)));
  const box = [cut(Math.min(ax, bx), width), cut(Math.min(ay, by), height)];
  box.push(cut(Math.max(ax, bx), width), cut(Math.max(ay, by), height));
  return box[2] - box[0] < least || box[3] - box[1] < least ? null : box;
}
