// The lecture: 18 steps, the same on every page, in the hand-out and in docs/lecture.md. The text is in lecture/*.json.

import { h } from "../dom.js";
import { readAddress } from "../url-state.js";

const loaded = new Map();

async function load(name) {
  if (!loaded.has(name)) {
    const answer = await fetch(new URL(`../../lecture/${name}.json`, import.meta.url));
    if (!answer.ok) throw new Error(`lecture/${name}.json: ${answer.status}`);
    loaded.set(name, await answer.json());
  }
  return loaded.get(name);
}

/**
 * The lecture in a language: {words, steps}. A step: {number, name, part, title, text, look, question, note, commands,
 * places: [{text, page, params}], pages: what is said instead on another page of the step}; its first place is where it
 * is shown.
 */
export async function lectureOf(code) {
  const [table, words] = await Promise.all([load("steps"), load(code)]);
  const steps = table.map(({ name, part, links, commands }, i) => {
    const { links: texts, ...said } = words.steps[name];
    const places = links.map((link, k) => ({ text: texts[k], ...readAddress(link) }));
    return { number: i + 1, name, part, commands, ...said, places };
  });
  return { words, steps };
}

/**
 * The step that an address is on, as it is said on this page: the one it names if that leads here, else the first that
 * begins here; or null.
 */
export function stepAt(steps, page, asked) {
  const here = steps.filter((step) => step.places.some((place) => place.page === page));
  const begins = here.find((step) => step.places[0].page === page);
  const step = here.find(({ number }) => String(number) === asked) ?? begins ?? here[0] ?? null;
  return step && { ...step, ...step.pages?.[page] };
}

/** Text with *emphasis* and `code` as nodes. */
export function marked(text) {
  return text.split(/(\*[^*]+\*|`[^`]+`)/).map((part) => {
    if (/^\*[^*]+\*$/.test(part)) return h("em", { text: part.slice(1, -1) });
    if (/^`[^`]+`$/.test(part)) return h("code", { text: part.slice(1, -1) });
    return part;
  });
}
