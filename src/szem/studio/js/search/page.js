// The search page: pictures by a sentence, or those like a picture, among the samples or a folder. Where nothing fits,
// it says so and shows the nearest.

import { button, codeBlock, messagePlace } from "../controls.js";
import { fill, h } from "../dom.js";
import { wordsFor } from "../problems.js";
import { searchPictures } from "../server.js";
import { words as text } from "../url-state.js";
import { folderCollection, forget, picturesAmong, sampleCollection } from "./collection.js";
import { curlText, pythonText, shellText } from "./snippets.js";

export const fields = { query: text("a cat", 500) };

const TOP = 24; // pictures shown
const EXAMPLES = ["a cat", "a red cup", "a person", "a rocket", "three zebras"]; // in English: so is the sentence encoder

export async function mount(root, app) {
  const { words, state } = app;
  const { t, number, percent } = words;
  let collection = null;
  let like = -1; // index of the picture whose like is wanted; -1: the sentence counts
  let turn = 0; // of answers
  let filling = 0; // of collections
  let closed = false;

  const problem = messagePlace("search-problem");
  const query = h("input", {
    type: "search",
    name: "query",
    value: state.query,
    maxlength: "500",
    autocomplete: "off",
    lang: "en",
    "aria-label": t("search.query"),
  });
  const form = h(
    "form",
    {
      class: "search-form",
      role: "search",
      on: {
        submit: (event) => {
          event.preventDefault();
          ask(query.value.trim());
        },
      },
    },
    query,
    h("button", { type: "submit", class: "button", data: { name: "go" }, text: t("search.go") }),
  );
  const examples = h(
    "div",
    { class: "search-examples", role: "group", "aria-label": t("search.examples") },
    EXAMPLES.map((example) => button({ text: example, name: "example", lang: "en", press: () => ask(example) })),
  );
  const folder = h("input", {
    type: "file",
    class: "unseen",
    tabindex: "-1",
    "aria-hidden": "true",
    multiple: true,
    webkitdirectory: true,
    data: { name: "folder-files" },
  });
  folder.addEventListener("change", () => {
    if (folder.files.length > 0) takeFolder([...folder.files]);
    folder.value = "";
  });
  const choose = button({ text: t("search.folder"), image: "upload", name: "folder", press: () => folder.click() });
  const samples = button({ text: t("search.samples"), image: "swap", name: "samples", press: takeSamples });
  const among = h("p", { class: "section-text", data: { name: "among" }, "aria-live": "polite" });
  const progress = h("progress", { class: "search-progress", max: "1", "aria-label": t("search.encoding"), hidden: true });
  const verdict = h("p", { class: "search-verdict", data: { name: "verdict" }, "aria-live": "polite" });
  const list = h("ol", { class: "search-hits", "aria-label": t("search.found") });
  const code = codeBlock({
    label: t("search.code"),
    name: "code",
    words: { text: t("copy"), doneText: t("copied"), failText: t("copy-failed") },
    versions: [
      { value: "shell", text: "szem", code: () => shellText(state) },
      { value: "python", text: "Python", code: () => pythonText(state) },
      { value: "curl", text: "curl", code: () => curlText(location.origin, state) },
    ],
  });

  fill(
    root,
    h("div", { class: "page-head" }, h("div", {}, h("h1", { text: t("page.search.title") }), h("p", { class: "lead", text: t("search.lead") }))),
    h("section", { class: "search-ask", "aria-label": t("search.query") }, form, examples),
    problem.element,
    h(
      "section",
      { class: "shelf" },
      h("div", { class: "figure-head" }, h("h2", { text: t("search.found") }), h("div", { class: "search-sources" }, choose, samples, folder)),
      among,
      progress,
      verdict,
      list,
    ),
    h("section", { class: "shelf" }, h("h2", { text: t("search.how") }), h("p", { class: "section-text", text: t("search.how.text") })),
    h(
      "section",
      { class: "shelf" },
      h("h2", { text: t("recognise.program") }),
      h("p", { class: "section-text", text: t("search.program.text") }),
      h("div", { class: "program" }, code.element),
    ),
  );

  /** Encode pictures and search them; what is chosen meanwhile takes over. */
  async function fillWith(make, note) {
    const mine = ++filling;
    const isWanted = () => mine === filling && !closed;
    problem.clear();
    progress.hidden = false;
    progress.removeAttribute("value");
    among.textContent = t("search.encoding");
    try {
      const found = await make((done, all) => isWanted() && Object.assign(progress, { value: done / all }), isWanted);
      if (!isWanted()) return forget(found);
      forget(collection);
      [collection, like] = [found, -1];
      const skipped = found.skipped.length > 0 ? ` ${t("search.skipped", { count: number(found.skipped.length), name: found.skipped[0] })}` : "";
      among.textContent = `${note(found)}${skipped}`;
      await ask(state.query);
    } catch (error) {
      if (isWanted()) {
        among.textContent = "";
        problem.show(wordsFor(error, words));
      }
    } finally {
      if (mine === filling) progress.hidden = true;
    }
  }

  function takeSamples() {
    samples.hidden = true;
    return fillWith(sampleCollection, ({ pictures }) => t("search.among-samples", { count: number(pictures.length) }));
  }

  function takeFolder(all) {
    const { files, left } = picturesAmong(all);
    if (files.length === 0) {
      among.textContent = t("search.no-pictures");
      return null;
    }
    samples.hidden = false;
    const more = left > 0 ? ` ${t("search.left", { count: number(left) })}` : "";
    const note = ({ pictures }) => `${t("search.among-folder", { count: number(pictures.length) })}${more}`;
    return fillWith((onProgress, isWanted) => folderCollection(files, onProgress, isWanted), note);
  }

  /** Search by a sentence; or, with `place`, for what is like a picture. */
  async function ask(sentence, place = -1) {
    if (place < 0) {
      app.set({ query: sentence });
      query.value = sentence;
      code.refresh();
    }
    if (!collection || collection.rows.length === 0 || (place < 0 && !sentence)) return;
    like = place;
    const mine = ++turn;
    root.toggleAttribute("data-busy", true);
    try {
      const asked = place < 0 ? { text: sentence } : { like: place };
      const answer = await searchPictures({ ...asked, rows: collection.rows, top: TOP });
      if (mine !== turn || closed) return;
      problem.clear();
      paint(answer);
    } catch (error) {
      if (mine === turn && !closed) problem.show(wordsFor(error, words));
    } finally {
      if (mine === turn) root.toggleAttribute("data-busy", false);
    }
  }

  function paint({ hits, searched, threshold }) {
    const fitting = hits.filter((hit) => hit.fits).length;
    verdict.dataset.fitting = String(like < 0 ? fitting : searched);
    if (like >= 0) verdict.textContent = t("search.like", { name: collection.pictures[like].title });
    else if (fitting === 0) verdict.textContent = t("search.nothing", { threshold: percent(threshold) });
    else verdict.textContent = t("search.fits", { count: number(fitting), all: number(searched) });
    fill(list, hits.map(hitView));
  }

  function hitView({ index, score, fits }) {
    const { title, url } = collection.pictures[index];
    return h(
      "li",
      { data: { index: String(index), score: String(score), fits: String(fits) } },
      h("img", { src: url, alt: title, loading: "lazy" }),
      h(
        "div",
        { class: "search-hit-text" },
        h("span", { class: "search-name", text: title }),
        h("output", { text: like >= 0 ? t("search.near", { score: number(score, 2) }) : fits ? percent(score) : t("search.not-fit", { score: percent(score) }) }),
      ),
      button({ text: t("search.more-like"), label: t("search.more-like-of", { name: title }), name: "like", press: () => ask("", index) }),
    );
  }

  takeSamples(); // the page is ready before the pictures are

  return {
    close() {
      closed = true;
      forget(collection);
    },
  };
}
