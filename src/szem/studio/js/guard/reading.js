// Rules read out in plain words. Pure but for the words it is given.

import { kindName, thingName } from "./names.js";

const lowered = (text) => text.charAt(0).toLowerCase() + text.slice(1);

/** One rule as a sentence. @param rule as the server tells it */
export function ruleText(words, rule) {
  const { t, percent, number } = words;
  const or = (names) => names.join(t("guard.rule.or"));
  const kinds = rule.events.includes("*") ? t("guard.rule.anything") : or(rule.events.map((kind) => lowered(kindName(words, kind))));
  const parts = [kinds];
  if (rule.classes.length) parts.push(or(rule.classes.map((label) => thingName(words, label))));
  const places = [...rule.zones, ...rule.lines];
  if (places.length) parts.push(t("guard.rule.where", { places: or(places) }));
  if (rule.cameras.length) parts.push(t("guard.rule.cameras", { names: or(rule.cameras) }));
  if (rule.direction) parts.push(t(`guard.rule.to-${rule.direction}`));
  if (rule.hours.length) parts.push(rule.hours.map((span) => span.replace("-", "–")).join(", "));
  if (rule.days.length) parts.push(rule.days.map((day) => t(`guard.day.${day}`)).join(", "));
  if (rule.channels.length) parts.push(t(`guard.rule.found-in-${rule.channels.length > 1 ? "both" : rule.channels[0]}`));
  if (rule.score > 0) parts.push(t("guard.rule.minimum", { share: percent(rule.score) }));
  const done = rule.do.map((what) => (["save", "log"].includes(what) ? t(`guard.do.${what}`) : what.replace(":", " ")));
  const pause = rule.cooldown_s ? [t("guard.rule.pause", { seconds: number(rule.cooldown_s) })] : [];
  return { when: parts.join(" · "), then: [...done, ...pause].join(", ") };
}

/** Rules ready to be put in: name -> values, given the names of zones and lines there are. */
export const TEMPLATES = {
  "left-behind": ({ zones }) => ({ name: "left behind", events: ["left behind", "removed"], ...(zones.length ? { zones: [zones[0]] } : {}), do: ["save"] }),
  night: ({ zones }) => ({ name: "person at night", events: ["enters"], classes: ["person"], ...(zones.length ? { zones: [zones[0]] } : {}), hours: ["22:00-06:00"], do: ["save"] }),
  line: ({ lines }) => ({ name: "over the line", events: ["crosses"], ...(lines.length ? { lines: [lines[0]] } : {}), do: ["save"] }),
  heard: () => ({ name: "heard", events: ["*"], channels: ["sound"], score: 0.6, do: ["save"], cooldown_s: 10 }),
  camera: () => ({ name: "camera", events: ["camera covered", "camera moved", "camera frozen"], do: ["save", "log"] }),
};
