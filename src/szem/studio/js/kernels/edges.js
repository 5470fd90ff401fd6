// Edges in both directions: two answers become one strength and one direction. Pure; the twin of szem.kernels.edges.

/** sqrt(x² + y²), pixel by pixel. */
export function magnitudeOf(across, down) {
  return combine(across, down, (x, y) => Math.sqrt(x * x + y * y));
}

/** atan2(y, x) in radians, pixel by pixel: 0 where brightness grows to the right, π/2 where it grows downward. */
export function angleOf(across, down) {
  return combine(across, down, (x, y) => Math.atan2(y, x));
}

function combine(across, down, rule) {
  const data = new Float32Array(across.data.length);
  for (let i = 0; i < data.length; i++) data[i] = rule(across.data[i], down.data[i]);
  return { data, height: across.height, width: across.width };
}

/**
 * The pairs of kernels in the server's table that look across and down: [{name: "sobel", x: kernel, y: kernel}, ...].
 * A pair is two kernels of one name that end in "-x" and "-y".
 */
export function edgePairs(kernels) {
  const byName = new Map(kernels.map((kernel) => [kernel.name, kernel]));
  return kernels
    .filter(({ name }) => name.endsWith("-x") && byName.has(`${name.slice(0, -2)}-y`))
    .map((x) => ({ name: x.name.slice(0, -2), x, y: byName.get(`${x.name.slice(0, -2)}-y`) }));
}
