// The lecture beside a page: what this step is about, what to look at, a question for the class, and the way on.

import { button } from "../controls.js";
import { fill, h, icon } from "../dom.js";
import { recall, remember } from "../theme.js";
import { marked } from "./lecture.js";

const KEY = "szem.lecture";
const WIDE = "(min-width: 75rem)"; // as in lecture.css: here the panel stands beside the page

/**
 * @param step the one on show; @param present whether in large type, without menus
 * @param addressOf (step, place) -> address; @param handout the hand-out's address
 * @returns the element
 */
export function lecturePanel({ words, lecture, step, present, addressOf, setPresent, handout }) {
  const { t } = words;
  const { steps } = lecture;
  const kept = recall(KEY);
  let open = present || (kept ? kept === "open" : matchMedia(WIDE).matches);

  const fold = button({
    label: t("lecture.fold"),
    image: "close",
    kind: "bare",
    name: "lecture-fold",
    press: () => {
      open = !open;
      remember(KEY, open ? "open" : "folded");
      paint();
    },
  });
  const way = (other, name, image) =>
    other
      ? h(
          "a",
          {
            class: "button",
            href: addressOf(other),
            "aria-label": t(`lecture.${name}.label`, { title: other.title }),
            title: t(`lecture.${name}.label`, { title: other.title }),
            data: { name: `step-${name}` },
          },
          icon(image),
        )
      : null;
  const ask = (kind, title, text) =>
    h("div", { class: `lecture-ask ${kind}` }, h("h3", { text: title }), h("p", {}, marked(text)));
  const leave = button({ text: t("lecture.leave"), image: "close", name: "present-leave", press: () => setPresent(false) });
  const enter = button({ label: t("lecture.present"), image: "screen", name: "present", press: () => setPresent(true) });
  const element = h(
    "aside",
    { class: "lecture", "aria-label": t("lecture.label"), data: { step: String(step.number) } },
    h(
      "div",
      { class: "lecture-head" },
      h("span", {
        class: "lecture-number",
        role: "img",
        "aria-label": t("lecture.step", { step: step.number, count: steps.length }),
        text: String(step.number),
      }),
      h("h2", { text: step.title }),
      h(
        "div",
        { class: "lecture-way" },
        way(steps[step.number - 2], "previous", "left"),
        way(steps[step.number], "next", "right"),
        present ? leave : [enter, fold],
      ),
    ),
    h(
      "div",
      { class: "lecture-body" },
      present ? null : h("p", { class: "lecture-text" }, marked(step.text)),
      ask("look", lecture.words.look, step.look),
      ask("question", lecture.words.ask, step.question),
      present
        ? null
        : h(
            "ul",
            { class: "lecture-places", "aria-label": t("lecture.places") },
            step.places.map((place) => h("li", {}, h("a", { href: addressOf(step, place), text: place.text }))),
            h("li", {}, h("a", { href: handout, text: t("page.handout.title") })),
          ),
    ),
  );

  function paint() {
    element.dataset.open = open ? "yes" : "no";
    fold.setAttribute("aria-expanded", String(open));
    const label = t(open ? "lecture.fold" : "lecture.open");
    fold.setAttribute("aria-label", label);
    fold.title = label;
    fill(fold, icon(open ? "close" : "more"));
  }
  paint();
  return element;
}

/** The keys of the presenter view: a clicker's Page Down and Page Up lead on and back, Escape leaves. */
export function presenterKey(event) {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return null;
  if (event.target instanceof Element && event.target.closest("input:not([type=range], [type=radio], [type=checkbox]), textarea, select")) return null;
  return { PageDown: "next", PageUp: "previous", Escape: "leave" }[event.key] ?? null;
}
