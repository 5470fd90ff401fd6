// What the server said about a film of a speaking face, in the form the page draws. Pure.

export const USES = ["lips", "sound", "both"];
/** Decibels of the speech over the noise; null is the sound as it came. */
export const LEVELS = [null, 20, 15, 10, 5, 0, -5, -10];

/** Noise so soft that it is none: how the server is asked about the clean sound. */
const CLEAN_DB = 100;

export const LEVELS_ASKED = LEVELS.map((level) => level ?? CLEAN_DB);

/**
 * The server's answer as the page uses it.
 * @returns {film: {width, height} | null, mouth: {times_s, corners_xy}, crops, times_s, begin_s, end_s, readings}; a
 *   reading has use, noise_db (null: none), words, confidence, reason, probabilities: {word: [0..1]}, letters: {text, attention}
 */
export function readAnswer(raw) {
  const rate = raw.rate_hz || 25;
  const begin = raw.begin_s ?? 0;
  const times = Array.from({ length: raw.frames ?? 0 }, (_, k) => begin + k / rate);
  const seen = raw.track?.frames ?? [];
  return {
    film: raw.track ? { width: raw.track.width, height: raw.track.height } : null,
    mouth: {
      times_s: seen.map((frame) => frame.time_s),
      corners_xy: seen.map((frame) => (frame.seen ? frame.corners_xy : null)),
    },
    crops: raw.crops ?? null,
    times_s: times,
    begin_s: begin,
    end_s: begin + times.length / rate,
    readings: (raw.levels ?? []).flatMap((row) =>
      USES.map((use) => {
        const { moments, spelled, ...said } = row[use];
        const noise_db = row.noise_db === CLEAN_DB ? null : row.noise_db;
        return { ...said, use, noise_db, probabilities: probabilitiesOf(moments ?? []), letters: lettersOf(spelled) };
      }),
    ),
  };
}

/** The answer about a single word in the same form, with labels, is_confident and reason, and without readings. */
export function readWordAnswer(raw) {
  const seen = raw.track?.frames ?? [];
  const times = { frames: seen.length, begin_s: seen[0]?.time_s };
  return { ...readAnswer({ ...raw, ...times }), labels: raw.labels, is_confident: raw.is_confident, reason: raw.reason };
}

/** word -> its probability at every moment, from the likeliest words of each moment. */
function probabilitiesOf(moments) {
  const rows = {};
  for (const [k, { words }] of moments.entries()) {
    for (const { text, probability } of words) (rows[text] ??= new Array(moments.length).fill(0))[k] = probability;
  }
  return rows;
}

function lettersOf(spelled) {
  return spelled ? { text: spelled.letters.join(""), attention: spelled.attention } : null;
}

/** The reading from one use at one level of noise; noise does not reach the lips. */
export function readingOf(answer, use, level) {
  const asked = use === "lips" ? null : level;
  return answer?.readings.find((one) => one.use === use && (one.noise_db ?? null) === asked) ?? null;
}

/** The last of rising times that is not after a moment; -1 before the first. */
export function placeAt(times, seconds) {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= seconds + 1e-6) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The four corners of the mouth at a moment, between the two frames around it; null where no mouth was found. */
export function cornersAt({ times_s: times, corners_xy: corners }, seconds) {
  const k = Math.max(0, placeAt(times, seconds));
  const [now, next] = [corners[k] ?? null, corners[k + 1] ?? null];
  if (!now || !next) return now;
  const share = Math.min(1, Math.max(0, (seconds - times[k]) / (times[k + 1] - times[k])));
  return now.map(([x, y], i) => [x + (next[i][0] - x) * share, y + (next[i][1] - y) * share]);
}

/** The place of the word said at a moment; -1 between words. */
export function wordAt(words, seconds) {
  return words.findIndex((word) => seconds >= word.start_s && seconds < word.end_s);
}

/** Lower case, without marks: as words are compared. */
export function plainWords(text) {
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}'\s]/gu, " ")
    .split(/\s+/)
    .filter(Boolean);
}

/**
 * How many words must be put in, taken out or changed to get what was said from what was read, and which of the words
 * read are right. Levenshtein distance over words.
 * @returns {errors, right: [boolean for each word read]}
 */
export function compareWords(read, said) {
  const [rows, columns] = [read.length + 1, said.length + 1];
  const cost = Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, j) => (i === 0 ? j : j === 0 ? i : 0)));
  for (let i = 1; i < rows; i++) {
    for (let j = 1; j < columns; j++) {
      const same = read[i - 1] === said[j - 1] ? 0 : 1;
      cost[i][j] = Math.min(cost[i - 1][j - 1] + same, cost[i - 1][j] + 1, cost[i][j - 1] + 1);
    }
  }
  const right = read.map(() => false);
  let [i, j] = [rows - 1, columns - 1];
  while (i > 0 && j > 0) {
    const same = read[i - 1] === said[j - 1];
    if (cost[i][j] === cost[i - 1][j - 1] + (same ? 0 : 1)) {
      right[i - 1] = same;
      [i, j] = [i - 1, j - 1];
    } else if (cost[i][j] === cost[i - 1][j] + 1) i -= 1;
    else j -= 1;
  }
  return { errors: cost[rows - 1][columns - 1], right };
}

/** The rows of a picture of probabilities: those that ever reach `least`, in the order in which they are strongest. */
export function strongRows(rows, least = 0.04) {
  const peak = ({ values }) => values.reduce((best, v, k) => (v > values[best] ? k : best), 0);
  return rows
    .filter(({ values }) => Math.max(...values) >= least)
    .map((row) => ({ ...row, peak: peak(row) }))
    .sort((a, b) => a.peak - b.peak || a.name.localeCompare(b.name));
}
