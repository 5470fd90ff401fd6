// The circle closes: the captioner says what it sees in a drawing, and drawings are found again by a sentence.

import { button, messagePlace } from "../controls.js";
import { fill, h } from "../dom.js";
import { readCaption, verdict } from "../caption/answer.js";
import { createAsker } from "../asker.js";
import { decodeStill } from "../pictures/decode.js";
import { wordsFor } from "../problems.js";
import { describe, searchPictures } from "../server.js";
import { fileOf, pngUrl } from "./answer.js";

/** What is said of the chosen drawing. @returns {element, show(drawing), close()} */
export function sayBack(app) {
  const { words, store } = app;
  const { t, percent } = words;
  let shown = null;
  const said = h("p", { class: "said-back", lang: "en", data: { name: "said-back" } });
  const sure = h("p", { class: "section-text", data: { name: "said-sure" } });
  const problem = messagePlace("said-problem");
  const open = button({ text: t("draw.open"), name: "open-caption", press: openIt });
  const asker = createAsker(async (drawing) => {
    try {
      const answer = readCaption(await describe(fileOf(drawing.picture), { n: 1, beams: 10, others: 0 }));
      if (drawing !== shown) return;
      problem.clear();
      said.textContent = answer.caption;
      sure.textContent = t(...verdict(answer, percent));
    } catch (error) {
      if (drawing === shown) problem.show(wordsFor(error, words));
    }
  });

  async function openIt() {
    if (!shown) return;
    store.use(await decodeStill(fileOf(shown.picture), { id: "yours", title: shown.text }));
    location.hash = app.address("caption", { picture: "yours" });
  }

  return {
    element: h("div", { class: "say-back" }, said, sure, problem.element, open),
    show(drawing) {
      if (drawing === shown) return;
      shown = drawing;
      open.disabled = !drawing;
      if (drawing) asker.ask(drawing);
      else fill(said);
    },
    close() {
      shown = null;
      asker.close();
    },
  };
}

/** All drawings of this visit, ordered by a sentence. @returns {element, show(album)} */
export function searchAlbum(app, { query, changed }) {
  const { words } = app;
  const { t, number } = words;
  let album = [];
  let scores = new Map(); // name -> score
  let turn = 0;
  const problem = messagePlace("search-problem");
  const list = h("ol", { class: "album", "aria-label": t("draw.album"), data: { name: "album" } });
  const input = h("input", {
    type: "search",
    name: "query",
    value: query,
    maxlength: "500",
    autocomplete: "off",
    spellcheck: "false",
    lang: "en",
    placeholder: t("draw.query-example"),
    "aria-label": t("draw.search"),
  });
  const form = h(
    "form",
    {
      class: "begin",
      on: {
        submit: (event) => {
          event.preventDefault();
          search();
        },
      },
    },
    input,
    h("button", { type: "submit", class: "button", data: { name: "search" }, text: t("draw.search.go") }),
  );

  async function search() {
    const text = input.value.trim();
    const mine = ++turn;
    changed(text);
    scores = new Map();
    if (!text || album.length === 0) {
      paint();
      return;
    }
    try {
      const asked = album;
      const images = asked.map(({ picture }) => ({ content: picture }));
      const { hits } = await searchPictures({ text, images, top: images.length });
      if (mine !== turn) return;
      problem.clear();
      scores = new Map(hits.map(({ index, score }) => [asked[index].name, score]));
      paint();
    } catch (error) {
      if (mine === turn) problem.show(wordsFor(error, words));
    }
  }

  function paint() {
    const sorted = scores.size ? [...album].sort((a, b) => (scores.get(b.name) ?? -2) - (scores.get(a.name) ?? -2)) : album;
    fill(
      list,
      sorted.map(({ name, picture, text }) =>
        h(
          "li",
          { class: "album-cell", title: text, data: { text, score: scores.has(name) ? String(scores.get(name)) : "" } },
          h("img", { src: pngUrl(picture), alt: text, lang: "en", width: "128", height: "128", loading: "lazy" }),
          scores.has(name) ? h("output", { text: number(scores.get(name), 2) }) : null,
        ),
      ),
    );
  }

  return {
    element: h("div", {}, form, problem.element, list),
    show(next) {
      album = next;
      if (scores.size) search();
      else paint();
    },
  };
}
