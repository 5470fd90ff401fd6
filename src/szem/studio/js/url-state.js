// What a page shows, as the text after "?" in its address and back. Pure.
//
// A page lists its fields once: name -> {initial, read(text)}; read gives undefined for what it does not take, and a
// field at its initial value is left out of the address.

/** One of a list of words. */
export function choice(initial, words) {
  return { initial, read: (text) => (words.includes(text) ? text : undefined) };
}

/** A whole number within bounds. */
export function whole(initial, least, greatest) {
  return {
    initial,
    read: (text) => {
      const n = /^-?\d+$/.test(text) ? Number(text) : NaN;
      return n >= least && n <= greatest ? n : undefined;
    },
  };
}

/** Any short text. */
export function words(initial, longest = 2000) {
  return { initial, read: (text) => (text.length <= longest ? text : undefined) };
}

/** Yes or no, written 1 and 0. */
export function flag(initial) {
  return { initial, read: (text) => ({ 1: true, 0: false })[text] };
}

/** State from a URLSearchParams: every field of the list, with its initial value where nothing usable is written. */
export function readState(params, fields) {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => {
      const text = params.get(name);
      return [name, (text === null ? undefined : field.read(text)) ?? field.initial];
    }),
  );
}

/** URLSearchParams of a state, without what is at its initial value. */
export function writeState(state, fields) {
  const params = new URLSearchParams();
  for (const [name, field] of Object.entries(fields)) {
    const value = state[name];
    if (value === field.initial || value === undefined) continue;
    params.set(name, typeof value === "boolean" ? String(Number(value)) : String(value));
  }
  return params;
}

/** "#/kernels?x=1" -> {page: "kernels", params}. */
export function readAddress(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  return { page: path, params: new URLSearchParams(query) };
}

/** The reverse, with readable commas, semicolons and colons. */
export function writeAddress(page, params) {
  const query = params.toString().replace(/%2C/g, ",").replace(/%3B/g, ";").replace(/%3A/g, ":").replace(/%2F/g, "/");
  return `#/${page}${query ? `?${query}` : ""}`;
}
