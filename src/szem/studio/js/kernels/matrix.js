// The picture as what it is to a machine: numbers. A window of the picture and of the answer around the pixel.

import { h } from "../dom.js";

const ROWS = 9;
const COLUMNS = 15;

/**
 * @param pick called with ("picture" | "answer", {x, y}) when a number is pressed
 * @returns {element, show(found)}: `found` comes from look.js
 */
export function numberMatrix(app, pick) {
  const { t, plain } = app.words;
  const sides = ["picture", "answer"].map((name) => {
    const cells = Array.from({ length: ROWS * COLUMNS }, (_, k) => {
      const cell = h("td", {});
      cell.addEventListener("click", () => {
        const place = placeOf(name, k);
        if (place) pick(name, place);
      });
      return cell;
    });
    const lines = Array.from({ length: ROWS }, (_, y) => h("tr", {}, cells.slice(y * COLUMNS, (y + 1) * COLUMNS)));
    const corner = { y: 0, x: 0, height: 0, width: 0 };
    return {
      name,
      cells,
      corner,
      table: h(
        "table",
        { class: "matrix", data: { name } },
        h("caption", { text: t(`matrix.${name}`) }),
        h("tbody", {}, lines),
      ),
    };
  });

  function placeOf(name, k) {
    const { corner } = sides.find((side) => side.name === name);
    const [y, x] = [corner.y + Math.floor(k / COLUMNS), corner.x + (k % COLUMNS)];
    return y >= 0 && x >= 0 && y < corner.height && x < corner.width ? { y, x } : null;
  }

  function paint(side, layer, centre, lit) {
    const { cells, corner } = side;
    corner.y = centre.y - Math.floor(ROWS / 2);
    corner.x = centre.x - Math.floor(COLUMNS / 2);
    corner.height = layer.height;
    corner.width = layer.width;
    const marked = new Set(lit.map(({ y, x }) => (y - corner.y) * COLUMNS + (x - corner.x)));
    cells.forEach((cell, k) => {
      const place = placeOf(side.name, k);
      cell.classList.toggle("lit", place !== null && marked.has(k));
      if (!place) {
        cell.textContent = "";
        cell.dataset.ink = "none";
        return;
      }
      const value = layer.at(place.y, place.x);
      const shade = Math.round(Math.min(255, Math.max(0, value)));
      cell.textContent = plain(value);
      cell.style.setProperty("--grey", `rgb(${shade} ${shade} ${shade})`);
      cell.dataset.ink = shade > 127 ? "dark" : "light";
    });
  }

  return {
    element: h(
      "section",
      { class: "matrices", "aria-labelledby": "matrix-title" },
      h("h2", { id: "matrix-title", text: t("matrix.title") }),
      h("p", { class: "section-text", text: t("matrix.text") }),
      h(
        "div",
        { class: "matrix-pair" },
        sides.map(({ table }) => table),
      ),
    ),
    show(found) {
      if (!found) return;
      const inside = found.taps.filter(
        ({ y, x }) => y >= 0 && x >= 0 && y < found.layers.picture.height && x < found.layers.picture.width,
      );
      paint(sides[0], found.layers.picture, found.centre, inside);
      paint(sides[1], found.layers.last, found.output, [found.output]);
    },
  };
}
