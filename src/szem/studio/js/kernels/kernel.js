// A kernel as rows of numbers: reading, writing, sums, normalising, flipping, taking apart. Pure.

/** Sides of a kernel given as rows. */
export function sidesOf(rows) {
  return { height: rows.length, width: rows[0].length };
}

export function sumOf(rows) {
  let sum = 0;
  for (const row of rows) for (const w of row) sum += w;
  return tidy(sum);
}

/** Takes the dust of binary fractions off a number: 0.1 + 0.2 is 0.3, and -0 is 0. */
export function tidy(x) {
  const rounded = Math.round(x * 1e9) / 1e9;
  return rounded === 0 ? 0 : rounded;
}

/** Rows divided by their sum, or null where the sum is 0 (edge kernels have no such form). */
export function normalised(rows) {
  const sum = sumOf(rows);
  if (Math.abs(sum) < 1e-9) return null;
  return rows.map((row) => row.map((w) => w / sum));
}

export function isNormalised(rows) {
  return Math.abs(sumOf(rows) - 1) < 1e-6;
}

/** Turned by half a turn: what tells convolution from correlation. */
export function flipped(rows) {
  return rows.map((row) => [...row].reverse()).reverse();
}

/** The same numbers in the middle of a grid of n × n; what does not fit is cut off. */
export function resized(rows, n) {
  const { height, width } = sidesOf(rows);
  const dy = Math.floor(n / 2) - Math.floor(height / 2);
  const dx = Math.floor(n / 2) - Math.floor(width / 2);
  return Array.from({ length: n }, (_, y) => Array.from({ length: n }, (_, x) => rows[y - dy]?.[x - dx] ?? 0));
}

/** A number as people write one: 0.5, ,5, -2, −2, 1/9, 1e-3. NaN where it is none. */
export function parseNumber(text) {
  const plain = text.trim().replace(/[−–]/g, "-").replace(",", ".");
  const fraction = plain.match(/^([+-]?[\d.]+)\s*\/\s*([\d.]+)$/);
  if (fraction) return Number(fraction[2]) === 0 ? NaN : Number(fraction[1]) / Number(fraction[2]);
  return plain !== "" && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain) ? Number(plain) : NaN;
}

/**
 * Rows from text, the way szem's command line takes a kernel: numbers apart by blanks, rows by ";" or a line end.
 * @returns rows, or null where a number is not one or the rows differ in length.
 */
export function parseRows(text) {
  const rows = text
    .split(/[;\n]/)
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => line.split(/[\s\t]+/).map(parseNumber));
  if (rows.length === 0 || rows.some((row) => row.length !== rows[0].length || row.some((w) => !Number.isFinite(w)))) {
    return null;
  }
  return rows;
}

/** A weight as short text that reads back as the same number to nine digits. */
export function weightText(w) {
  return String(Number(w.toPrecision(9)) || 0);
}

/** Rows as text that `parseRows` and `szem filter --kernel` read. */
export function rowsText(rows, { between = "; " } = {}) {
  return rows.map((row) => row.map(weightText).join(" ")).join(between);
}

export function sameRows(a, b) {
  return (
    a.length === b.length &&
    a[0].length === b[0].length &&
    a.every((row, y) => row.every((w, x) => Math.abs(w - b[y][x]) < 1e-9))
  );
}

/**
 * Columns and rows whose products add up to the kernel: [{down, across}, ...], as few as its rank (one for a box, a
 * Gaussian, Sobel). A short pass down and one across for each then do the work of one large pass.
 * Found by taking off the cross through the largest number left, again and again.
 */
export function separated(rows) {
  const left = rows.map((row) => [...row]);
  const most = Math.max(...left.flat().map(Math.abs));
  const parts = [];
  while (parts.length < Math.min(rows.length, rows[0].length)) {
    let best = 0;
    let [py, px] = [0, 0];
    left.forEach((row, y) =>
      row.forEach((w, x) => {
        if (Math.abs(w) > best) [best, py, px] = [Math.abs(w), y, x];
      }),
    );
    if (best <= most * 1e-7) break;
    const across = [...left[py]];
    const down = left.map((row) => row[px] / across[px]);
    left.forEach((row, y) => row.forEach((_, x) => (row[x] -= down[y] * across[x])));
    parts.push({ down, across });
  }
  return parts;
}

/** The one kernel that does what two kernels in a row do (away from the border). */
export function composed(first, second) {
  const [a, b] = [sidesOf(first), sidesOf(second)];
  const rows = Array.from({ length: a.height + b.height - 1 }, () => new Array(a.width + b.width - 1).fill(0));
  first.forEach((row, y) =>
    row.forEach((w, x) => second.forEach((r, j) => r.forEach((v, i) => (rows[y + j][x + i] += w * v)))),
  );
  return rows;
}
