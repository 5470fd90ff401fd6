// The controls every page uses: made once here, styled once in controls.css.

import { fill, freshId, h, icon } from "./dom.js";

/** A button with an icon and words; `label` alone names it where there are no words. */
export function button({ text = "", label = "", name = "", image = null, kind = "quiet", press, ...rest }) {
  return h(
    "button",
    {
      type: "button",
      class: `button ${kind}`,
      "aria-label": label || null,
      title: label && !text ? label : null,
      data: name ? { name } : {},
      on: { click: press },
      ...rest,
    },
    image ? icon(image) : null,
    text ? h("span", { text }) : null,
  );
}

/**
 * One choice of a few, all in sight: radio buttons in a row.
 * @param options [{value, text, title}]
 */
export function segmented({ label, name, options, value, change, hideLabel = false }) {
  const group = freshId(name);
  const inputs = options.map((option) => {
    const input = h("input", {
      type: "radio",
      name: group,
      value: option.value,
      checked: option.value === value,
      on: { change: () => change(option.value) },
    });
    return h("label", { class: "segment", title: option.title ?? null }, input, h("span", { text: option.text }));
  });
  return h(
    "fieldset",
    { class: "field segmented", data: { name } },
    h("legend", { class: hideLabel ? "unseen" : "field-label", text: label }),
    h("div", { class: "segments" }, inputs),
  );
}

/** A number on a line, with the number itself as an output beside its name. The element has set(value, text). */
export function slider({ label, name, value, least, greatest, step = 1, show = String, change }) {
  const id = freshId(name);
  const output = h("output", { class: "field-value", for: id, text: show(value) });
  const input = h("input", {
    id,
    type: "range",
    min: least,
    max: greatest,
    step,
    on: {
      input: () => {
        paint();
        output.textContent = show(Number(input.value));
        change(Number(input.value));
      },
    },
  });
  input.value = value;
  const paint = () => {
    const share = (Number(input.value) - least) / (greatest - least);
    input.style.setProperty("--share", `${share * 100}%`);
    input.setAttribute("aria-valuetext", show(Number(input.value)));
  };
  const set = (number, text = show(number)) => {
    input.value = number;
    paint();
    output.textContent = text;
    input.setAttribute("aria-valuetext", text);
  };
  paint();
  const element = h(
    "div",
    { class: "field slider", data: { name } },
    h("label", { class: "field-label", for: id }, h("span", { text: label }), output),
    input,
  );
  return Object.assign(element, { set });
}

/** A list to choose from; options may be grouped: [{group, options: [{value, text}]}]. */
export function select({ label, name, groups, value, change, hideLabel = false }) {
  const id = freshId(name);
  const list = h("select", { id, on: { change: () => change(list.value) } });
  for (const { group, options } of groups) {
    const items = options.map((option) =>
      h("option", { value: option.value, selected: option.value === value, text: option.text }),
    );
    list.append(...(group ? [h("optgroup", { label: group }, items)] : items));
  }
  return h(
    "div",
    { class: "field select", data: { name } },
    h("label", { class: hideLabel ? "unseen" : "field-label", for: id, text: label }),
    list,
  );
}

/** Yes or no. */
export function toggle({ label, name, value, change, note = "" }) {
  const input = h("input", { type: "checkbox", checked: value, on: { change: () => change(input.checked) } });
  return h(
    "label",
    { class: "field toggle", data: { name } },
    input,
    h("span", { class: "toggle-box" }),
    h("span", { class: "toggle-text" }, h("span", { text: label }), note ? h("small", { text: note }) : null),
  );
}

/** A place where a message appears next to what it is about; empty it takes no room. */
export function messagePlace(name) {
  const place = h("div", { class: "message-place", role: "alert", data: { name } });
  return {
    element: place,
    /** @param message {{title, remedy}} */
    show({ title, remedy, closeLabel }) {
      fill(
        place,
        h(
          "div",
          { class: "message" },
          icon("warn"),
          h("p", {}, h("strong", { text: title }), " ", remedy),
          button({ label: closeLabel, image: "close", kind: "bare", press: () => fill(place) }),
        ),
      );
    },
    clear() {
      fill(place);
    },
  };
}

/** Text to the clipboard, also where the page is not served over a safe connection. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h("textarea", { class: "unseen", value: text });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** A button that copies and says so on itself for a moment. */
export function copyButton({ text, doneText, failText, name, content }) {
  const words = h("span", { text });
  const element = h(
    "button",
    { type: "button", class: "button quiet", data: { name }, "aria-live": "polite" },
    icon("copy"),
    words,
  );
  let timer = 0;
  element.addEventListener("click", async () => {
    const done = await copyText(content());
    element.dataset.copied = done ? "yes" : "no";
    words.textContent = done ? doneText : failText;
    clearTimeout(timer);
    timer = setTimeout(() => {
      words.textContent = text;
      delete element.dataset.copied;
    }, 1600);
  });
  return element;
}

/** Code with one or several versions to choose from: [{value, text, code()}]. */
export function codeBlock({ label, name, versions, words }) {
  let now = versions[0];
  const pre = h("pre", { class: "code", tabindex: "0", "aria-label": label, data: { name } });
  const show = () => {
    pre.textContent = now.code();
    pre.dataset.version = now.value;
  };
  const pick =
    versions.length > 1
      ? segmented({
          label,
          name: `${name}-version`,
          hideLabel: true,
          options: versions.map(({ value, text }) => ({ value, text })),
          value: now.value,
          change: (value) => {
            now = versions.find((version) => version.value === value);
            show();
          },
        })
      : h("span", { class: "field-label", text: label });
  const copy = copyButton({ ...words, name: `${name}-copy`, content: () => pre.textContent });
  show();
  return {
    element: h("div", { class: "code-block" }, h("div", { class: "code-head" }, pick, copy), pre),
    refresh: show,
  };
}
