// Class names in the visitor's language. A program, the address and a test get the label itself.

const ADDRESSES = { hu: new URL("../i18n/imagenet-hu.json", import.meta.url) };
const loaded = new Map();

/** The name of a class of objects or areas; one that is not known stays as the model calls it. */
export function className(words, label) {
  const key = `segment.class.${label}`;
  return words.has(key) ? words.t(key) : label.replaceAll("_", " ");
}

/** A function from an ImageNet label to its name in a language; English, and labels of other models, stay. */
export async function imagenetNames(code) {
  if (ADDRESSES[code] && !loaded.has(code)) {
    const answer = await fetch(ADDRESSES[code]).catch(() => null);
    if (answer?.ok) loaded.set(code, await answer.json());
  }
  const names = loaded.get(code) ?? {};
  return (label) => (Object.hasOwn(names, label) ? names[label] : label);
}
