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
  return hints
    .map((hint) => ({ box: boxOf(hint.boundingPoly), confidence: hint.confidence ?? 0 }))
    .filter(({ box }) => box);
}

const FAINT = 0.001;
const AT_LEAST = 5;

/**
 * szem's own answer: [{name, score, map}], without the faintest; a map is {rows: numbers 0..1, box: {x, y, width, height}}, or null. What
 * speaks against a name counts as 0, as szem draws it.
 */
export function ownLabels(answer) {
  const worth = (answer?.labels ?? []).filter(({ score }, k) => k < AT_LEAST || score >= FAINT);
  return worth.map(({ name, score, map, map_box_xyxy: sides }) => ({
    name,
    score,
    map:
      map && sides
        ? {
            rows: scaled(map),
            box: { x: sides[0], y: sides[1], width: sides[2] - sides[0], height: sides[3] - sides[1] },
          }
        : null,
  }));
}

function scaled(rows) {
  const most = Math.max(...rows.flat(), 1e-9);
  return rows.map((row) => row.map((value) => Math.max(0, value) / most));
}
