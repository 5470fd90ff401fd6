// What the server said about a picture, in the form the page draws. Pure.

/** Corners of a crop hint as {x, y, width, height} in pixels; Google's JSON leaves zeros out. */
export function boxOf(polygon) {
  const vertices = polygon?.vertices ?? [];
  const xs = vertices.map(({ x = 0 }) => x);
  const ys = vertices.map(({ y = 0 }) => y);
  if (vertices.length === 0) return null;
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
}

/** [{red, green, blue, share, score}], the largest share first. */
export function coloursOf(annotation) {
  const colours = annotation?.imagePropertiesAnnotation?.dominantColors?.colors ?? [];
  return colours
    .map(({ color = {}, score = 0, pixelFraction = 0 }) => ({
      rgb: [color.red ?? 0, color.green ?? 0, color.blue ?? 0],
      score,
      share: pixelFraction,
    }))
    .sort((a, b) => b.share - a.share);
}

/** The crop hints in the order of the aspect ratios that were asked for. */
export function cropsOf(annotation) {
  const hints = annotation?.cropHintsAnnotation?.cropHints ?? [];
  return hints.map((hint) => ({ box: boxOf(hint.boundingPoly), confidence: hint.confidence ?? 0 })).filter(({ box }) => box);
}

/** [{name, score}] of LABEL_DETECTION. */
export function labelsOf(annotation) {
  return (annotation?.labelAnnotations ?? []).map(({ description = "", score = 0 }) => ({ name: description, score }));
}

/** TODO */
export function mapsOf(own, labels) {
  const map = (cy, cx) => Array.from({ length: 8 }, (_, y) => Array.from({ length: 8 }, (_, x) => Math.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 6)));
  return { labels, maps: labels.map((_, k) => map(3 + k / 2, 3.5)) };
}
