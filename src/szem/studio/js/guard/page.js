// The guard page: try a film at once, read what was kept while nobody watched, and say what counts.

import { fill, h } from "../dom.js";
import { movesLittle } from "../theme.js";
import { choice, whole, words as text } from "../url-state.js";
import { eventsView } from "./events.js";
import { rulesEditor } from "./rules.js";
import { filmTrial } from "./try.js";

export const fields = {
  kind: text("", 80),
  source: text("", 200),
  since: choice("", ["", "1h", "24h", "7d", "30d"]),
  channel: choice("", ["", "sound", "video", "both"]),
  mark: choice("", ["", "none", "right", "wrong"]),
  score: whole(0, 0, 95), // percent, at least
  film: choice("yard", ["yard", "none"]), // what is tried at once
};

export async function mount(root, app) {
  const { t } = app.words;
  let trial = null;
  const rules = rulesEditor(app, { changed: () => trial?.paint() });
  trial = filmTrial(app, { areas: rules.everywhere, framed: rules.film });
  const events = eventsView(app, { seen: ({ sources }) => rules.sources(sources) });
  const jump = (name) => h("a", { href: `#guard-${name}`, class: "button", text: t(`guard.${name}`), on: { click: (event) => goTo(event, name) } });
  const shelf = (name, ...children) =>
    h("section", { class: "shelf", id: `guard-${name}`, tabindex: "-1" }, h("h2", { text: t(`guard.${name}`) }), h("p", { class: "section-text", text: t(`guard.${name}.text`) }), children);

  function goTo(event, name) {
    event.preventDefault(); // the address is the page's own
    const section = root.querySelector(`#guard-${name}`);
    section.scrollIntoView({ behavior: movesLittle() ? "auto" : "smooth" });
    section.focus({ preventScroll: true });
  }

  fill(
    root,
    h(
      "div",
      { class: "page-head" },
      h("div", {}, h("h1", { text: t("page.guard.title") }), h("p", { class: "lead", text: t("guard.lead") }), h("p", { class: "guard-jumps" }, jump("kept"), jump("rules"))),
      trial.bar,
    ),
    trial.element,
    shelf("kept", events.element),
    shelf("rules", rules.element),
  );
  return {
    close() {
      trial.close();
      events.close();
      rules.close();
    },
  };
}
