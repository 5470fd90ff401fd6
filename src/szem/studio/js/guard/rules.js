// The rules editor: zones and lines drawn on a camera's picture, the TOML beside it, its faults, and what it says in words.

import { button, messagePlace, select, toggle } from "../controls.js";
import { fill, h, icon } from "../dom.js";
import { wordsFor } from "../problems.js";
import { fetchBlob } from "../server.js";
import { areaEditor } from "./draw.js";
import { ruleText, TEMPLATES } from "./reading.js";
import { checkAreas, checkRules, fetchRules, saveRules, stillAddress } from "./routes.js";
import { addRule, dropArea, freeName, putArea, renameArea } from "./toml.js";

const CHECK_MS = 350;
const FILM = "film "; // the frame of the film that was sent; no source's name begins so

let draft = null; // what was written and not saved: it outlives a change of page or language

/** @param changed called when zones and lines may be others */
export function rulesEditor(app, { changed }) {
  const { words } = app;
  const { t } = words;
  const problem = messagePlace("rules-problem");
  const lines = h("ol", { class: "rules-numbers", "aria-hidden": "true" });
  const text = h("textarea", {
    class: "rules-text",
    spellcheck: "false",
    autocapitalize: "off",
    autocomplete: "off",
    wrap: "off",
    rows: "16",
    "aria-label": t("guard.rules-text"),
    placeholder: t("guard.rules-empty"),
    data: { name: "rules-text" },
    on: {
      input: () => edited(text.value),
      scroll: () => (lines.style.transform = `translateY(${-text.scrollTop}px)`),
      keydown: (event) => (event.ctrlKey || event.metaKey) && event.key === "s" && (event.preventDefault(), save()),
    },
  });
  const fault = h("p", { class: "rules-fault", role: "status", data: { name: "rules-fault" } });
  const keep = button({ text: t("guard.save"), kind: "strong", name: "save-rules", press: save });
  const undo = button({ text: t("guard.undo"), name: "undo-rules", press: () => edited(saved.text, { now: true }) });
  const state = h("span", { class: "rules-state", "aria-live": "polite", data: { name: "rules-state" } });
  const inWords = h("ol", { class: "rules-summary", data: { name: "rules-summary" } });
  const table = h("ul", { class: "area-list", data: { name: "area-list" } });
  const hint = h("p", { class: "section-text area-hint", "aria-live": "polite" });
  const where = h("div", { class: "area-where" });
  const editor = areaEditor(app, { drawn, moved, drawing: paintHint });
  const begin = (kind) => button({ text: t(`guard.new-${kind}`), name: `new-${kind}`, press: () => editor.begin(kind) });
  const areasFile = h("input", {
    type: "file",
    accept: ".json,application/json",
    class: "unseen",
    tabindex: "-1",
    "aria-hidden": "true",
    data: { name: "areas-file" },
    on: { change: () => readAreas() },
  });
  const take = button({ text: t("guard.take-areas"), image: "download", kind: "quiet", name: "take-areas", press: takeAreas });
  const bring = button({ text: t("guard.bring-areas"), kind: "quiet", name: "bring-areas", press: () => areasFile.click() });
  const templates = h(
    "div",
    { class: "rules-templates", role: "group", "aria-label": t("guard.add-rule") },
    h("span", { class: "field-label", text: t("guard.add-rule") }),
    Object.keys(TEMPLATES).map((name) => button({ text: t(`guard.template.${name}`), name: `template-${name}`, press: () => add(name) })),
  );
  const element = h(
    "div",
    { class: "rules" },
    h(
      "div",
      { class: "rules-picture" },
      where,
      editor.element,
      h("div", { class: "area-buttons" }, begin("zone"), begin("line"), bring, take, areasFile, hint),
      table,
    ),
    h(
      "div",
      { class: "rules-file" },
      h("div", { class: "rules-sheet" }, h("div", { class: "rules-gutter" }, lines), text),
      fault,
      h("div", { class: "rules-buttons" }, keep, undo, state),
      problem.element,
      templates,
    ),
    h("div", { class: "rules-words" }, h("h3", { text: t("guard.rules-say") }), inWords),
  );
  let saved = { text: "", path: "" };
  let rules = null; // as last read without a fault
  let sources = [];
  let film = null; // {video, name}
  let picture = ""; // the source whose picture is drawn on
  let camera = ""; // whose zones are changed; "": those for every camera
  let timer = 0;
  let turn = 0;
  let closed = false;
  let made = "";

  function areas() {
    const of = (holder, own) => [
      ...(holder?.zones ?? []).map((zone) => ({ ...zone, kind: "zone", own })),
      ...(holder?.lines ?? []).map((line) => ({ ...line, kind: "line", own })),
    ];
    if (!rules) return [];
    return camera ? [...of(rules, false), ...of(rules.cameras[camera], true)] : of(rules, true);
  }
  const tableOf = (kind) => (camera ? ["cameras", camera, `${kind}s`] : [`${kind}s`]);
  const names = () => [...(rules?.zones ?? []), ...(rules?.lines ?? []), ...Object.values(rules?.cameras ?? {}).flatMap((one) => [...one.zones, ...one.lines])].map(({ name }) => name);

  // Drawing writes the text; the text, once read by the server, draws.
  function drawn(kind, points) {
    edited(putArea(text.value, tableOf(kind), freeName(t(`guard.first-${kind}`), names()), points), { now: true });
  }
  function moved(area, points) {
    edited(putArea(text.value, tableOf(area.kind), area.name, points, { ignore: area.ignore }), { now: true });
  }
  /** What a file of JSON draws goes into the text; a name that is taken gets a number. */
  async function readAreas() {
    const [file] = areasFile.files;
    areasFile.value = "";
    if (!file) return;
    try {
      const found = await checkAreas(await file.text());
      if (closed) return;
      const taken = names();
      let next = text.value;
      for (const kind of ["zone", "line"]) {
        for (const area of found[`${kind}s`]) {
          taken.push(freeName(area.name, taken));
          next = putArea(next, tableOf(kind), taken.at(-1), area.points, { ignore: area.ignore ?? false });
        }
      }
      problem.clear();
      edited(next, { now: true });
    } catch (error) {
      if (!closed) problem.show(wordsFor(error, words));
    }
  }

  /** Zones and lines of this table, as `szem watch --areas` takes them. */
  function takeAreas() {
    const own = areas().filter((area) => area.own);
    const zones = own.filter(({ kind }) => kind === "zone").map(({ name, points, ignore }) => ({ name, points, ignore }));
    const lines = own.filter(({ kind }) => kind === "line").map(({ name, points }) => ({ name, points }));
    const address = URL.createObjectURL(new Blob([`${JSON.stringify({ zones, lines }, null, 2)}\n`], { type: "application/json" }));
    h("a", { href: address, download: "zones.json" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }

  function add(name) {
    const values = TEMPLATES[name]({ zones: (rules?.zones ?? []).map((one) => one.name), lines: (rules?.lines ?? []).map((one) => one.name) });
    values.name = freeName(values.name, (rules?.rules ?? []).map((one) => one.name));
    edited(addRule(text.value, values), { now: true });
    text.scrollTop = text.scrollHeight;
  }

  function edited(next, { now = false } = {}) {
    draft = next === saved.text ? null : next;
    if (text.value !== next) text.value = next;
    paintState();
    clearTimeout(timer);
    timer = setTimeout(check, now ? 0 : CHECK_MS);
  }

  async function check() {
    const mine = ++turn;
    try {
      const found = await checkRules(text.value);
      if (mine !== turn || closed) return;
      read(found);
    } catch (error) {
      if (mine === turn && !closed) problem.show(wordsFor(error, words));
    }
  }

  function read(found) {
    fault.textContent = found.fault;
    fault.dataset.line = found.line ?? "";
    element.dataset.fault = found.fault ? "yes" : "no";
    if (found.rules) rules = found.rules;
    paintNumbers(found.line);
    paintState();
    paintAreas();
    paintWhere();
    fill(
      inWords,
      (rules?.rules ?? []).map((rule) => {
        const { when, then } = ruleText(words, rule);
        const name = rule.name === "everything" && !text.value.trim() ? t("guard.rule.everything") : rule.name; // szem's own, where none is written
        return h("li", {}, h("strong", { text: name }), h("span", { text: when }), h("span", { class: "rule-then" }, icon("right"), h("span", { text: then })));
      }),
    );
    element.dataset.read = String(Number(element.dataset.read ?? 0) + 1);
    changed();
  }

  function paintNumbers(bad) {
    const count = text.value.split("\n").length;
    fill(lines, Array.from({ length: count }, (_, k) => h("li", { class: k + 1 === bad ? "bad-line" : "", text: String(k + 1) })));
  }

  function paintState() {
    const isFaulty = element.dataset.fault === "yes";
    keep.disabled = draft === null || isFaulty;
    undo.disabled = draft === null;
    state.textContent = draft !== null ? t("guard.unsaved") : saved.path ? t(saved.saved ? "guard.saved-at" : "guard.not-yet", { path: saved.path }) : "";
  }

  async function save() {
    if (keep.disabled) return;
    try {
      const sent = text.value;
      saved = await saveRules(sent);
      if (closed) return;
      if (text.value === sent) draft = null;
      problem.clear();
      read(saved);
    } catch (error) {
      if (!closed) problem.show(wordsFor(error, words));
    }
  }

  function paintHint(kind) {
    hint.textContent = kind ? t(`guard.hint.${kind}`) : "";
  }

  function paintAreas() {
    const all = areas();
    if (!element.querySelector(".area-frame[data-drawing]")) editor.show(all);
    if (table.contains(document.activeElement) && document.activeElement.tagName === "INPUT" && document.activeElement.type === "text") return;
    fill(
      table,
      all.filter(({ own }) => own).map((area) => {
        const name = h("input", {
          type: "text",
          value: area.name,
          maxlength: "80",
          "aria-label": t(`guard.name-of-${area.kind}`),
          data: { area: area.name },
          on: {
            change: () => {
              const next = name.value.trim();
              if (!next || next === area.name) name.value = area.name;
              else edited(renameArea(text.value, tableOf(area.kind), area.name, next, area.points, { ignore: area.ignore }), { now: true });
            },
            keydown: (event) => event.key === "Enter" && name.blur(),
          },
        });
        return h(
          "li",
          { class: `area-item area-is-${area.kind}` },
          h("i", { "aria-hidden": "true" }),
          name,
          area.kind === "zone"
            ? toggle({
                label: t("guard.ignore"),
                name: "ignore",
                value: area.ignore,
                change: (on) => edited(putArea(text.value, tableOf("zone"), area.name, area.points, { ignore: on }), { now: true }),
              })
            : h("span", { class: "section-text", text: t("guard.arrow") }),
          button({
            label: t("guard.remove", { name: area.name }),
            image: "close",
            kind: "bare",
            press: () => edited(dropArea(text.value, tableOf(area.kind), area.name), { now: true }),
          }),
        );
      }),
    );
    if (all.length === 0) fill(table, h("li", { class: "section-text", text: t("guard.no-areas") }));
  }

  /** The choices of a picture and of a camera; the picture itself. */
  function paintWhere() {
    const stills = sources.filter((one) => one.has_still).map(({ name }) => ({ value: name, text: name }));
    const choices = [...(film ? [{ value: FILM, text: t("guard.your-video", { name: film.name }) }] : []), ...stills];
    if (!choices.some(({ value }) => value === picture)) {
      picture = choices[0]?.value ?? "";
      draw();
    }
    const cameras = [{ value: "", text: t("guard.every-camera") }, ...Object.keys(rules?.cameras ?? {}).map((name) => ({ value: name, text: name }))];
    const signature = JSON.stringify([choices, cameras, picture, camera]);
    if (signature === made) return;
    made = signature;
    fill(
      where,
      choices.length > 0
        ? select({ label: t("guard.draw-on"), name: "draw-on", groups: [{ options: choices }], value: picture, change: (value) => { picture = value; draw(); } })
        : h("p", { class: "section-text", text: t("guard.no-still") }),
      cameras.length > 1
        ? select({ label: t("guard.areas-of"), name: "areas-of", groups: [{ options: cameras }], value: camera, change: (value) => { camera = value; paintAreas(); } })
        : null,
    );
  }

  async function draw() {
    if (picture === FILM && film) return editor.picture(film.video, film.video.videoWidth, film.video.videoHeight);
    if (!picture) return editor.picture(null);
    const wanted = picture;
    const image = new Image();
    try {
      image.src = URL.createObjectURL(await fetchBlob(stillAddress(wanted)));
      await image.decode();
      if (!closed && picture === wanted) editor.picture(image, image.naturalWidth, image.naturalHeight);
    } catch {
      if (!closed && picture === wanted) editor.picture(null);
    } finally {
      URL.revokeObjectURL(image.src);
    }
    return null;
  }

  async function open() {
    try {
      saved = await fetchRules();
      if (closed) return;
      text.value = draft ?? saved.text;
      if (draft === null) read(saved);
      else await check();
      paintWhere();
    } catch (error) {
      if (!closed) problem.show(wordsFor(error, words));
    }
  }

  editor.picture(null);
  paintWhere();
  paintAreas();
  paintNumbers(null);
  paintState();
  open();
  return {
    element,
    /** Zones and lines for every camera, to be drawn elsewhere too. */
    everywhere: () => ({ zones: rules?.zones ?? [], lines: rules?.lines ?? [] }),
    sources(next) {
      sources = next;
      paintWhere();
    },
    film(video, name) {
      film = { video, name };
      picture = FILM;
      paintWhere();
      draw();
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
