// The words of the studio: one file a language in i18n/, the same keys in each.

export const LANGUAGES = [
  { code: "en", name: "English", short: "EN" },
  { code: "hu", name: "Magyar", short: "HU" },
];

const loaded = new Map();

/** The language to begin with: what the address says, else what was chosen before, else what the browser prefers. */
export function firstLanguage(asked, remembered, preferred) {
  const known = (code) => LANGUAGES.some((language) => language.code === code);
  if (known(asked)) return asked;
  if (known(remembered)) return remembered;
  const found = preferred.map((tag) => tag.slice(0, 2).toLowerCase()).find(known);
  return found ?? "en";
}

async function load(code) {
  if (!loaded.has(code)) {
    const answer = await fetch(new URL(`../i18n/${code}.json`, import.meta.url));
    if (!answer.ok) throw new Error(`i18n/${code}.json: ${answer.status}`);
    loaded.set(code, await answer.json());
  }
  return loaded.get(code);
}

/**
 * The words of a language: {code, t, has, number, plain, percent}.
 * t(key, values) gives the text with {name} replaced; a key that is missing shows itself.
 */
export async function wordsOf(code) {
  const texts = await load(code);
  const formats = new Map();
  const grouping = code === "hu" ? "min2" : "always"; // Hungarian parts thousands from five digits on
  const format = (digits, useGrouping) => {
    const key = `${digits} ${useGrouping}`;
    if (!formats.has(key))
      formats.set(
        key,
        new Intl.NumberFormat(code, { maximumFractionDigits: digits, useGrouping: useGrouping && grouping }),
      );
    return formats.get(key);
  };
  const write = (value, digits, grouped) => {
    const text = format(digits, grouped).format(value).replace("-", "−");
    return /^−0([.,]0*)?$/.test(text) ? text.slice(1) : text; // no minus before a zero
  };
  const number = (value, digits = 0) => write(value, digits, true);
  return {
    code,
    has: (key) => key in texts,
    t: (key, values = {}) => (texts[key] ?? key).replace(/\{(\w+)\}/g, (all, name) => String(values[name] ?? all)),
    number,
    /** Without gaps between thousands: for cells and fields. */
    plain: (value, digits = 0) => write(value, digits, false),
    percent: (share, digits = 0) => `${number(share * 100, digits)}${code === "hu" ? " " : ""}%`,
  };
}
