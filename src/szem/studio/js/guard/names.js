// Kinds of events and things in the visitor's language, and how sure a channel is in words.

import { className } from "../names.js";

/** A kind's name; one that is not known here stays as the server calls it. */
export function kindName(words, kind) {
  const key = `guard.kind.${kind.replaceAll(/[^a-z]+/g, "-")}`;
  return words.has(key) ? words.t(`guard.kind.${kind.replaceAll(/[^a-z]+/g, "-")}`) : kind;
}

export function thingName(words, label) {
  if (label === "object") return ""; // of no kind that is known
  return className(words, label);
}

/** "09:41:07" and the day, as people of the language write them. */
export function momentText(words, iso) {
  const when = new Date(iso);
  const time = when.toLocaleTimeString(words.code, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  return `${when.toLocaleDateString(words.code, { month: "short", day: "numeric" })} ${time}`;
}

/** A channel's part of the judgement as a share of all parts, 0..1; null where it is not known. */
export function partsOf(contributions) {
  const rows = Object.entries(contributions ?? {}).filter(([, value]) => Number.isFinite(value));
  const all = rows.reduce((sum, [, value]) => sum + Math.abs(value), 0);
  if (rows.length < 2 || all === 0) return null;
  return Object.fromEntries(rows.map(([name, value]) => [name, value / all]));
}
