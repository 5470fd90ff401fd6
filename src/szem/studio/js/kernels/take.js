// What can be taken along: the code that makes the same picture, the picture itself, the link.

import { button, codeBlock, copyButton } from "../controls.js";
import { h } from "../dom.js";
import { kernelIn, viewsOf } from "./settings.js";
import { commandText, numbersText, pythonText } from "./snippets.js";

/**
 * @param sample () -> the bundled picture's name, or ""; @param canvas () -> what is downloaded
 * @returns {element, refresh()}
 */
export function takeSection(app, table, { sample, canvas }) {
  const { t } = app.words;
  const { state } = app;
  const done = { doneText: t("copied"), failText: t("copy-failed") };
  const code = codeBlock({
    label: t("take.code"),
    name: "code",
    words: { text: t("copy"), ...done },
    versions: [
      { value: "python", text: "Python", code: () => pythonText(state, table, sample()) },
      {
        value: "command",
        text: t("take.command"),
        code: () => commandText(state, table, sample()) || t("take.command.not"),
      },
      { value: "numbers", text: t("take.numbers"), code: () => numbersText(state, table) },
    ],
  });

  function download() {
    const [view] = viewsOf(state);
    canvas().toBlob((blob) => {
      const name = state.mode === "edges" ? state.edges : kernelIn(state, 0, table).name.replaceAll(":", "-");
      const link = h("a", { href: URL.createObjectURL(blob), download: `szem-${name}-${view}.png` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    }, "image/png");
  }

  const element = h(
    "section",
    { class: "take", "aria-labelledby": "take-title" },
    h(
      "div",
      {},
      h("h2", { id: "take-title", text: t("take.title") }),
      h("p", { class: "section-text", text: t("take.text") }),
      h(
        "div",
        { class: "take-buttons" },
        button({ text: t("take.download"), image: "download", kind: "strong", name: "download", press: download }),
        copyButton({ text: t("take.link"), ...done, name: "link", content: app.link }),
      ),
    ),
    code.element,
  );
  return { element, refresh: code.refresh };
}
