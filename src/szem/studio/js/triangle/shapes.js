// Shapes drawn into small pictures: outlines of soft pen strokes, light on dark. Pure.

export const KINDS = ["triangle", "square", "circle"];

/** A repeatable source of numbers in 0..1 (mulberry32). */
export function seededRandom(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Corners of a shape around (x, y): `size` is a triangle's or square's side, a circle's diameter; `turn` in radians. */
export function cornersOf(kind, { x, y, size, turn = 0 }) {
  if (kind === "circle") return [];
  const count = kind === "triangle" ? 3 : 4;
  const radius = kind === "triangle" ? size / Math.sqrt(3) : size / Math.SQRT2;
  const first = kind === "triangle" ? -Math.PI / 2 : -Math.PI / 4;
  return Array.from({ length: count }, (_, k) => {
    const angle = first + turn + (k * 2 * Math.PI) / count;
    return [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
  });
}

/** Distance of a point from the line between two points. */
export function distanceToSegment(px, py, [ax, ay], [bx, by]) {
  const [dx, dy] = [bx - ax, by - ay];
  const t = Math.max(0, Math.min(1, ((px - ax) * dx + (py - ay) * dy) / (dx * dx + dy * dy || 1)));
  const [ex, ey] = [px - ax - t * dx, py - ay - t * dy];
  return Math.sqrt(ex * ex + ey * ey); // Math.hypot is many times slower
}

/** How light a pixel is at this distance from the middle of a stroke. */
export function penAt(distance, width) {
  return Math.max(0, Math.min(1, width / 2 + 0.5 - distance));
}

/** Draw one shape into a picture of side × side numbers in 0..1; lighter wins where strokes meet. */
export function drawShape(picture, side, kind, { x, y, size, turn = 0, pen = 1.6 }) {
  if (kind === "circle") return drawCircle(picture, side, x, y, size / 2, pen);
  const corners = cornersOf(kind, { x, y, size, turn });
  corners.forEach((corner, k) => drawStroke(picture, side, corner, corners[(k + 1) % corners.length], pen));
  return picture;
}

function drawCircle(picture, side, x, y, radius, pen) {
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const [dx, dy] = [column + 0.5 - x, row + 0.5 - y];
      const light = penAt(Math.abs(Math.sqrt(dx * dx + dy * dy) - radius), pen);
      const i = row * side + column;
      if (light > picture[i]) picture[i] = light;
    }
  }
  return picture;
}

/** A straight stroke of the pen. */
export function drawStroke(picture, side, from, to, pen = 1.6) {
  const [x0, x1] = [Math.min(from[0], to[0]) - pen, Math.max(from[0], to[0]) + pen];
  const [y0, y1] = [Math.min(from[1], to[1]) - pen, Math.max(from[1], to[1]) + pen];
  for (let row = Math.max(0, Math.floor(y0)); row < Math.min(side, Math.ceil(y1)); row++) {
    for (let column = Math.max(0, Math.floor(x0)); column < Math.min(side, Math.ceil(x1)); column++) {
      const light = penAt(distanceToSegment(column + 0.5, row + 0.5, from, to), pen);
      const i = row * side + column;
      if (light > picture[i]) picture[i] = light;
    }
  }
  return picture;
}

/** A random shape for training: any place where it fits, a little turned, with noise. {picture, label, shape} */
export function randomExample(side, random, { turn = Math.PI / 9, noise = 0.2 } = {}) {
  const label = Math.floor(random() * KINDS.length);
  const size = 14 + random() * 6;
  const room = side / 2 - size * 0.62 - 2;
  const shape = {
    x: side / 2 + (2 * random() - 1) * room,
    y: side / 2 + (2 * random() - 1) * room,
    size: label === 0 ? size * 1.15 : size,
    turn: (2 * random() - 1) * turn,
    pen: 1.4 + random() * 0.8,
  };
  const picture = drawShape(new Float32Array(side * side), side, KINDS[label], shape);
  for (let i = 0; i < picture.length; i++) {
    picture[i] = Math.max(0, Math.min(1, picture[i] + noise * (2 * random() - 1)));
  }
  return { picture, label, shape };
}
