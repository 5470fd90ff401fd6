// What the guard kept: sources, filters, the events over time and as cards, and the way to take them away.

import { button, messagePlace, segmented, select, slider } from "../controls.js";
import { fill, h, icon } from "../dom.js";
import { wordsFor } from "../problems.js";
import { saveFile } from "../server.js";
import { movesLittle } from "../theme.js";
import { eventCard } from "./card.js";
import { kindName, momentText } from "./names.js";
import { exportAddress, fetchEvents, markEvent, markedAddress, overview } from "./routes.js";
import { stripView } from "./strip.js";

const PAGE = 24;
const ASK_MS = 5000;
const SPANS = ["", "1h", "24h", "7d", "30d"];
const MARKS = ["", "none", "right", "wrong"];
const CHANNELS = ["", "sound", "video", "both"];

/** @param seen called with the overview each time it comes */
export function eventsView(app, { seen }) {
  const { words, state } = app;
  const { t, number } = words;
  const problem = messagePlace("events-problem");
  const sources = h("ul", { class: "guard-sources", "aria-label": t("guard.sources"), data: { name: "sources" } });
  const filters = h("div", { class: "guard-filters", data: { name: "filters" } });
  const strip = stripView(app, show);
  const cards = h("ol", { class: "ev-cards", data: { name: "events" } });
  const count = h("p", { class: "meter", "aria-live": "polite", data: { name: "event-count" } });
  const more = button({ text: t("guard.more"), name: "more", press: () => load({ on: true }) });
  const take = h("p", { class: "guard-take" });
  const nothing = h("div", { class: "guard-nothing", data: { name: "no-events" } });
  const element = h(
    "div",
    { class: "guard-events" },
    problem.element,
    sources,
    filters,
    h("div", { class: "figure-head" }, count, take),
    strip.element,
    nothing,
    cards,
    h("p", { class: "guard-more" }, more),
  );
  let events = [];
  let token = "";
  let known = null; // the overview
  let turn = 0;
  let timer = 0;
  let closed = false;
  let made = "";
  let taken = "";

  const wish = () => ({ source: state.source, kind: state.kind, mark: state.mark, channel: state.channel, score: state.score, since: state.since });
  const isChosen = () => Object.entries(wish()).some(([, value]) => value !== "" && value !== 0);

  function choose(changes) {
    app.set(changes);
    load();
  }

  /** The filters; made anew only when there is something new to choose from. */
  function paintFilters() {
    const kinds = Object.entries(known?.kinds ?? {});
    const names = Object.entries(known?.events_of ?? {});
    const signature = JSON.stringify([kinds.map(([k]) => k), names.map(([k]) => k), wish()]);
    if (signature === made || filters.contains(document.activeElement)) return;
    made = signature;
    const any = { value: "", text: t("guard.any") };
    const counted = (rows, name) => [any, ...rows.map(([value, n]) => ({ value, text: `${name(value)} (${number(n)})` }))];
    const list = (name, options) =>
      select({ label: t(`guard.filter.${name}`), name: `filter-${name}`, groups: [{ options }], value: state[name], change: (value) => choose({ [name]: value }) });
    fill(
      filters,
      list("kind", counted(kinds, (kind) => kindName(words, kind))),
      list("source", counted(names, (name) => name)),
      list("since", SPANS.map((value) => ({ value, text: value ? t(`guard.since.${value}`) : t("guard.since.all") }))),
      list("channel", CHANNELS.map((value) => (value ? { value, text: t(`guard.by.${value}`) } : any))),
      list("mark", MARKS.map((value) => (value ? { value, text: t(`guard.marked.${value}`) } : any))),
      slider({
        label: t("guard.filter.score"),
        name: "filter-score",
        value: state.score,
        least: 0,
        greatest: 95,
        step: 5,
        show: (n) => words.percent(n / 100),
        change: (n) => choose({ score: n }),
      }),
    );
  }

  function paintSources() {
    fill(
      sources,
      (known?.sources ?? []).map((one) =>
        h(
          "li",
          { class: "guard-source", data: { state: one.state } },
          h("i", { class: "guard-lamp", "aria-hidden": "true" }),
          h("strong", { text: one.name }),
          h("span", { text: t(`guard.state.${one.state}`) }),
          one.reason ? h("small", { text: one.reason }) : one.seen ? h("small", { text: momentText(words, one.seen) }) : null,
        ),
      ),
    );
  }

  function paint(total) {
    const present = known?.present !== false;
    count.textContent = total === null ? "" : total > events.length ? t("guard.count-of", { n: number(events.length), total: number(total) }) : t("guard.count", { n: number(events.length) });
    closeCards();
    fill(
      cards,
      events.map((event) => eventCard(app, event, { mark })),
    );
    paintTake();
    strip.show(events);
    strip.element.hidden = events.length === 0;
    more.hidden = !token;
    nothing.hidden = events.length > 0;
    fill(
      nothing,
      present && (isChosen() || known?.total)
        ? [h("p", { text: t("guard.none-fit") }), button({ text: t("guard.all"), name: "all", press: () => { made = ""; choose({ source: "", kind: "", mark: "", channel: "", score: 0, since: "" }); paintFilters(); } })]
        : [h("p", { text: t("guard.none-yet") }), h("pre", { class: "code", tabindex: "0", "aria-label": t("guard.none-yet"), text: "szem watch rtsp://192.168.1.20/stream garden=garden.mp4 --rules guard.toml" })],
    );
  }

  /** The ways to take events away; made anew only when they are others. */
  function paintTake() {
    const link = (href, text, file) =>
      h("a", { class: "button quiet", href, download: file, on: { click: (event) => save(event, href, file) } }, icon("download"), h("span", { text }));
    const marked = (known?.marks?.right ?? 0) + (known?.marks?.wrong ?? 0);
    const signature = JSON.stringify([events.length > 0, wish(), marked]);
    if (signature === taken) return; // a link that is being pressed stays where it is
    taken = signature;
    fill(
      take,
      events.length > 0 ? [link(exportAddress(wish(), "csv"), "CSV", "events.csv"), link(exportAddress(wish(), "json"), "JSON", "events.json")] : null,
      marked > 0 ? link(markedAddress, t("guard.take-marked", { n: number(marked) }), "marked.zip") : null,
    );
  }

  /** A link asks without the key: the file is fetched, then saved. */
  async function save(event, path, file) {
    event.preventDefault();
    try {
      await saveFile(path, file);
    } catch (error) {
      problem.show(wordsFor(error, words));
    }
  }

  function closeCards() {
    for (const card of cards.children) card.close?.();
  }

  async function mark(event, value, note) {
    try {
      const next = await markEvent(event.id, value, note);
      problem.clear();
      events = events.map((one) => (one.id === event.id ? next : one));
      strip.show(events);
      refreshOverview();
      return next;
    } catch (error) {
      problem.show(wordsFor(error, words));
      return null;
    }
  }

  /** Bring an event's card into sight. */
  function show(event) {
    const card = cards.querySelector(`[data-id="${event.id}"]`);
    card?.scrollIntoView({ block: "center", behavior: movesLittle() ? "auto" : "smooth" });
    card?.focus({ preventScroll: true });
  }

  async function refreshOverview() {
    known = await overview();
    if (closed) return;
    seen(known);
    paintSources();
    paintFilters();
    paintTake();
  }

  async function load({ on = false } = {}) {
    const mine = ++turn;
    clearTimeout(timer);
    try {
      await refreshOverview();
      const answer = await fetchEvents(wish(), { size: PAGE, token: on ? token : "" });
      if (mine !== turn || closed) return;
      events = on ? [...events, ...answer.events] : answer.events;
      token = answer.nextPageToken;
      problem.clear();
      paint(answer.total);
      element.dataset.loaded = "yes";
    } catch (error) {
      if (mine === turn && !closed) problem.show(wordsFor(error, words));
    }
    if (mine === turn && !closed) timer = setTimeout(look, ASK_MS);
  }

  /** Whether there is something new; what is being looked at stays where it is. */
  async function look() {
    const mine = turn;
    try {
      if (!document.hidden) {
        await refreshOverview();
        const answer = await fetchEvents(wish(), { size: PAGE });
        const busy = cards.contains(document.activeElement) || cards.querySelector("video");
        const changed = (row) => `${row.id} ${row.open} ${row.picture ?? ""} ${row.clip ?? ""} ${row.end_s}`;
        const same = answer.events.map(changed).join() === events.slice(0, answer.events.length).map(changed).join();
        if (mine === turn && !closed && !same && !busy) {
          const ids = new Set(answer.events.map(({ id }) => id));
          events = [...answer.events, ...events.filter(({ id }) => !ids.has(id))];
          if (events.length === answer.events.length) token = answer.nextPageToken;
          paint(answer.total);
        }
      }
    } catch {
      // it is asked again
    }
    if (mine === turn && !closed) timer = setTimeout(look, ASK_MS);
  }

  paint(null);
  nothing.hidden = true;
  load();
  return {
    element,
    close() {
      closed = true;
      clearTimeout(timer);
      closeCards();
    },
  };
}
