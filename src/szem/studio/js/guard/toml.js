// Zones, lines and rules written into the text of a rules file; what else a person wrote there stays as it is. Pure.

const HEADER = /^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$/;
const KEY = /^\s*("[^"]*"|'[^']*'|[A-Za-z0-9_-]+)((?:\s*\.\s*(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*=/;
const PART = /\s*("[^"]*"|'[^']*'|[^.\s]+)\s*\.?/g;

const partsOf = (dotted) => [...dotted.matchAll(PART)].map(([, part]) => part.replace(/^["']|["']$/g, ""));
const same = (a, b) => a.length === b.length && a.every((part, k) => part === b[k]);

/** A name as a key. */
export function quoted(name) {
  return /^[A-Za-z0-9_-]+$/.test(name) ? name : JSON.stringify(name);
}

/** Points as they are written: three digits are a thousandth of the picture. */
export function pointsText(points) {
  const share = (v) => String(Math.round(Math.min(1, Math.max(0, v)) * 1000) / 1000);
  return `[${points.map(([x, y]) => `[${share(x)}, ${share(y)}]`).join(", ")}]`;
}

/** The last line of a value that begins on a line: brackets may go over several. */
function endOfValue(lines, first) {
  let depth = 0;
  for (let k = first; k < lines.length; k++) {
    const code = lines[k].replace(/"(?:[^"\\]|\\.)*"|'[^']*'/g, "").replace(/#.*/, "");
    for (const sign of k === first ? code.slice(code.indexOf("=") + 1) : code) {
      if ("[{".includes(sign)) depth += 1;
      if ("]}".includes(sign)) depth -= 1;
    }
    if (depth <= 0) return k;
  }
  return lines.length - 1;
}

/** Where something is written: {first, last, own}: lines, and whether it is a table of its own; null: nowhere. */
function find(lines, path) {
  let here = [];
  for (let k = 0; k < lines.length; k++) {
    const header = HEADER.exec(lines[k]);
    if (header) {
      here = partsOf(header[2]);
      if (header[1] === "[" && same(here, path)) {
        let last = k;
        for (let n = k + 1; n < lines.length && !HEADER.test(lines[n]); n++) if (lines[n].trim()) last = n;
        return { first: k, last, own: true };
      }
      continue;
    }
    const key = KEY.exec(lines[k]);
    if (!key) continue;
    const last = endOfValue(lines, k);
    if (same([...here, ...partsOf(key[1] + key[2])], path)) return { first: k, last, own: false };
    k = last;
  }
  return null;
}

/** The last key of a table that is written with dots, `zones.door = …`: {last, prefix}; null where there is none. */
function findDotted(lines, table) {
  let here = [];
  let found = null;
  for (let k = 0; k < lines.length; k++) {
    const header = HEADER.exec(lines[k]);
    if (header) here = partsOf(header[2]);
    const key = header ? null : KEY.exec(lines[k]);
    if (!key) continue;
    const last = endOfValue(lines, k);
    const parts = [...here, ...partsOf(key[1] + key[2])];
    if (key[2] && here.length < table.length && same(parts.slice(0, -1), table)) {
      found = { last, prefix: table.slice(here.length).map(quoted).join(".") };
    }
    k = last;
  }
  return found;
}

/** Where a new key of a table goes: after its last line; null where there is no such table. */
function endOfTable(lines, table) {
  const at = lines.findIndex((line) => {
    const header = HEADER.exec(line);
    return header && header[1] === "[" && same(partsOf(header[2]), table);
  });
  if (at < 0) return null;
  let last = at;
  for (let n = at + 1; n < lines.length && !HEADER.test(lines[n]); n++) if (lines[n].trim()) last = n;
  return last + 1;
}

/**
 * The text with a zone or a line in it.
 * @param table where it stands: ["zones"], ["cameras", "yard", "lines"]
 * @param points [[x, y]] in shares of the picture
 */
export function putArea(text, table, name, points, { ignore = false } = {}) {
  const lines = text.split("\n");
  const value = ignore ? `{ points = ${pointsText(points)}, ignore = true }` : pointsText(points);
  const line = `${quoted(name)} = ${value}`;
  const found = find(lines, [...table, name]);
  if (found && !found.own) {
    const key = /^[^=]*=/.exec(lines[found.first])[0];
    lines.splice(found.first, found.last - found.first + 1, `${key} ${value}`);
    return lines.join("\n");
  }
  if (found) lines.splice(found.first, found.last - found.first + 1);
  const at = endOfTable(lines, table);
  const dotted = findDotted(lines, table);
  if (dotted) lines.splice(dotted.last + 1, 0, `${dotted.prefix}.${line}`);
  else if (at !== null) lines.splice(at, 0, line);
  else {
    const first = lines.findIndex((one) => HEADER.test(one));
    const block = [`[${table.map(quoted).join(".")}]`, line, ""];
    if (first < 0) lines.push(...(text.trim() ? [""] : []), ...block);
    else lines.splice(first, 0, ...block);
  }
  return `${lines.join("\n").replace(/^\n+/, "").trimEnd()}\n`;
}

/** The text without a zone or a line; rules that name it no longer do. */
export function dropArea(text, table, name) {
  const lines = text.split("\n");
  const found = find(lines, [...table, name]);
  if (!found) return text;
  lines.splice(found.first, found.last - found.first + 1);
  return renameInRules(lines.join("\n"), table.at(-1), name, null);
}

/** The text with a zone or line called otherwise, in the rules too. */
export function renameArea(text, table, name, next, points, options) {
  const lines = text.split("\n");
  const found = find(lines, [...table, name]);
  if (!found) return text;
  if (found.own) return renameInRules(putArea(dropLines(lines, found), table, next, points, options), table.at(-1), name, next);
  const key = KEY.exec(lines[found.first]);
  const dotted = partsOf(key[1] + key[2]).slice(0, -1).map(quoted);
  lines[found.first] = `${[...dotted, quoted(next)].join(".")} =${lines[found.first].slice(key[0].length)}`;
  return renameInRules(lines.join("\n"), table.at(-1), name, next);
}

function dropLines(lines, { first, last }) {
  return [...lines.slice(0, first), ...lines.slice(last + 1)].join("\n");
}

/** Change a name in the lists `zones` and `lines` of rules; null takes it out, and an empty list with it. */
function renameInRules(text, key, name, next) {
  const lines = text.split("\n");
  const out = [];
  let inRule = false;
  for (const line of lines) {
    const header = HEADER.exec(line);
    if (header) inRule = header[1] === "[[" && header[2].trim() === "rules";
    const list = inRule && new RegExp(`^(\\s*${key}\\s*=\\s*)\\[(.*)\\](\\s*(?:#.*)?)$`).exec(line);
    if (!list) {
      out.push(line);
      continue;
    }
    const names = [...list[2].matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'/g)].map(([all, a, b]) => (a === undefined ? b : JSON.parse(all)));
    const kept = names.flatMap((one) => (one === name ? (next === null ? [] : [next]) : [one]));
    if (kept.length > 0) out.push(`${list[1]}[${kept.map((one) => JSON.stringify(one)).join(", ")}]${list[3]}`);
  }
  return out.join("\n");
}

/** The text with one more rule at its end; `values` are strings, numbers or lists of strings. */
export function addRule(text, values) {
  const rows = Object.entries(values).map(([name, value]) => {
    const written = Array.isArray(value) ? `[${value.map((one) => JSON.stringify(one)).join(", ")}]` : JSON.stringify(value);
    return `${name} = ${written}`;
  });
  return `${text.trimEnd()}${text.trim() ? "\n\n" : ""}[[rules]]\n${rows.join("\n")}\n`;
}

/** A name that none of these has: the name itself, else with a number. */
export function freeName(name, taken) {
  if (!taken.includes(name)) return name;
  let k = 2;
  while (taken.includes(`${name} ${k}`)) k += 1;
  return `${name} ${k}`;
}
