// Light or dark: what the address says, else what was chosen before, else what the system prefers.

const KEY = "szem.theme";

export const THEMES = ["auto", "light", "dark"];

export function rememberedTheme() {
  return recall(KEY) ?? "auto";
}

export function applyTheme(theme) {
  const root = document.documentElement;
  if (theme === "auto") delete root.dataset.theme;
  else root.dataset.theme = theme;
  remember(KEY, theme);
}

export function isDark(theme) {
  return theme === "dark" || (theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
}

/** Whether the visitor asked the system for little motion: nothing then moves by itself. */
export function movesLittle() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Storage that may be forbidden: then nothing is kept, and nothing breaks. */
export function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // private windows may forbid it
  }
}
