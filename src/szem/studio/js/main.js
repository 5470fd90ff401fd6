// Starts the studio: language, theme, header, and the page that the address names.

import { segmented } from "./controls.js";
import { fill, h, icon } from "./dom.js";
import { LANGUAGES, firstLanguage, wordsOf } from "./i18n.js";
import { lectureOf, stepAt } from "./lecture/lecture.js";
import { lecturePanel, presenterKey } from "./lecture/panel.js";
import { PAGES, pageNamed } from "./pages.js";
import { refreshKey } from "./key.js";
import { createStore } from "./pictures/store.js";
import { fetchKernels } from "./server.js";
import { THEMES, applyTheme, isDark, recall, remember, rememberedTheme } from "./theme.js";
import { readAddress, readState, writeAddress, writeState } from "./url-state.js";

const LANGUAGE_KEY = "szem.language";

const store = createStore();
let kernels = null;
let open = null; // the page on show: {name, mounted, state, fields}
let language = "";
let theme = "auto";
let step = null; // of the lecture, which the address is on
let present = false; // large type, no menus
let turn = 0;
let address = ""; // as last read or written; another one is where the visitor is going
let saving = 0; // the timer of a change that the address has yet to follow
let isComing = false; // the page of that address is not on show yet

/** Read the address and show what it says. */
async function show() {
  const mine = ++turn;
  delete document.documentElement.dataset.ready;
  clearTimeout(saving);
  refreshKey();
  address = location.hash;
  isComing = true;
  const { page: asked, params } = readAddress(address);
  language = firstLanguage(params.get("lang") ?? language, recall(LANGUAGE_KEY), navigator.languages ?? []);
  theme = THEMES.includes(params.get("theme")) ? params.get("theme") : rememberedTheme();
  applyTheme(theme);
  const page = pageNamed(asked || "start");
  const [words, module, lecture] = await Promise.all([wordsOf(language), page.load(), lectureOf(language)]);
  if (mine !== turn) return;
  step = stepAt(lecture.steps, page.name, params.get("step"));
  present = step !== null && params.get("present") === "1";
  document.documentElement.toggleAttribute("data-present", present);
  open?.mounted?.close();
  document.documentElement.lang = language;
  document.title = page.name === "start" ? words.t("site.title") : `${words.t(`page.${page.name}.title`)} · szem`;
  const state = readState(params, module.fields);
  open = { name: page.name, fields: module.fields, state, mounted: null };
  isComing = false;
  const root = h("main", { id: "main", class: "page", tabindex: "-1", data: { page: page.name } });
  const work = h("div", { class: "work" }, step ? lectureBeside(words, lecture) : null, root);
  fill(document.getElementById("app"), skipLink(words, root), header(words), work, footer(words));
  showHere();
  const mounted = await module.mount(root, appFor(words, state));
  if (mine !== turn) {
    mounted.close();
    return;
  }
  open.mounted = mounted;
  document.documentElement.dataset.ready = page.name;
}

/** What a page may use. */
function appFor(words, state) {
  return {
    words,
    store,
    state,
    pages: PAGES,
    get dark() {
      return isDark(theme);
    },
    /** Change some of the page's fields: the address follows. */
    set(changes) {
      Object.assign(state, changes);
      saveSoon();
    },
    /** The address of all that is on show, the newest change with it. */
    link() {
      save();
      return location.href;
    },
    /** The address of a page, in the language and theme of now. */
    address(name, params = {}) {
      return addressOf(name, new URLSearchParams(params));
    },
    /** The table of szem.kernels, asked for once. */
    async kernels() {
      kernels ??= await fetchKernels();
      return kernels;
    },
  };
}

/** A page's address; within one step of the lecture the step and the view stay. */
function addressOf(name, params, at = null) {
  if (at) params.set("step", at.number);
  if (at && present) params.set("present", "1");
  params.set("lang", language);
  if (theme !== "auto") params.set("theme", theme);
  return writeAddress(name, params);
}

function saveSoon() {
  clearTimeout(saving);
  saving = setTimeout(save, 120); // browsers refuse a flood of changes of the address
}

function save() {
  clearTimeout(saving);
  if (isComing || location.hash !== address) return; // it would take back where the visitor is going
  history.replaceState(null, "", addressOf(open.name, writeState(open.state, open.fields), step));
  address = location.hash;
}

function lectureBeside(words, lecture) {
  return lecturePanel({
    words,
    lecture,
    step,
    present,
    addressOf: (at, place = at.places[0]) => addressOf(place.page, new URLSearchParams(place.params), at),
    setPresent,
    handout: addressOf("handout", new URLSearchParams()),
  });
}

function setPresent(on) {
  present = on;
  save();
  show().then(() => document.getElementById("main")?.focus());
}

function header(words) {
  const { t } = words;
  const links = PAGES.filter((page) => !page.aside).map((page) =>
    h("a", {
      href: addressOf(page.name, new URLSearchParams()),
      "aria-current": page.name === open.name ? "page" : null,
      text: t(`page.${page.name}.nav`),
    }),
  );
  const switchLanguage = segmented({
    label: t("site.language"),
    name: "language",
    hideLabel: true,
    options: LANGUAGES.map(({ code, name, short }) => ({ value: code, text: short, title: name })),
    value: language,
    change: (code) => {
      remember(LANGUAGE_KEY, code);
      language = code;
      save();
      show().then(() => document.querySelector('[data-name="language"] input:checked')?.focus());
    },
  });
  const themeButton = h("button", { type: "button", class: "button bare", data: { name: "theme" } });
  const paintTheme = () => {
    const label = t(isDark(theme) ? "site.to-light" : "site.to-dark");
    themeButton.setAttribute("aria-label", label);
    themeButton.title = label;
    fill(themeButton, icon(isDark(theme) ? "sun" : "moon"));
  };
  themeButton.addEventListener("click", () => {
    theme = isDark(theme) ? "light" : "dark";
    applyTheme(theme);
    paintTheme();
    save();
  });
  paintTheme();
  const nav = h("nav", { "aria-label": t("site.pages"), on: { scroll: () => tellMore(nav) } }, links);
  return h(
    "header",
    { class: "site-head" },
    h(
      "a",
      { class: "brand", href: addressOf("start", new URLSearchParams()), "aria-label": t("site.home") },
      mark(),
      h("span", { text: "szem" }),
    ),
    nav,
    h("div", { class: "site-switches" }, switchLanguage, themeButton),
  );
}

/** Bring the page on show into the middle of the menu. */
function showHere() {
  const nav = document.querySelector(".site-head nav");
  const here = nav?.querySelector("[aria-current]");
  if (here) nav.scrollLeft = here.offsetLeft - (nav.clientWidth - here.clientWidth) / 2;
  tellMore(nav);
}

/** Where not all pages have room, say on which side there are more: the style sheet fades them out there. */
function tellMore(nav) {
  if (!nav) return; // the window was resized before the header stood
  const sides = [nav.scrollLeft > 1 && "left", nav.scrollLeft + nav.clientWidth < nav.scrollWidth - 1 && "right"];
  const more = sides.filter(Boolean).join(" ");
  if (more) nav.dataset.more = more;
  else delete nav.dataset.more;
}

/** The mark: a 3 × 3 kernel whose centre is an iris. */
function mark() {
  const cells = Array.from({ length: 9 }, (_, i) => h("i", { class: i === 4 ? "iris" : "" }));
  return h("span", { class: "mark", "aria-hidden": "true" }, cells);
}

function skipLink(words, root) {
  const press = (event) => {
    event.preventDefault();
    root.focus();
  };
  return h("a", { class: "skip", href: "#main", text: words.t("site.skip"), on: { click: press } });
}

function footer(words) {
  return h("footer", { class: "site-foot" }, h("p", { text: words.t("site.foot") }));
}

addEventListener("resize", showHere);
addEventListener("keydown", (event) => {
  const wish = present ? presenterKey(event) : null;
  if (!wish) return;
  event.preventDefault();
  if (wish === "leave") setPresent(false);
  else document.querySelector(`[data-name="step-${wish}"]`)?.click();
});
addEventListener("hashchange", () => {
  show().then(() => scrollTo(0, 0));
});
show();
