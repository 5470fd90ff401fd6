// Building the page: elements from calls, never from text, so that nothing a file or a server says becomes markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. Props: class, text, on (events), data (dataset), vars (CSS custom properties), everything else an attribute
 * (true writes it bare, false and null leave it out). Children: nodes, text, null, arrays of these.
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else if (name === "on") for (const [event, run] of Object.entries(value)) element.addEventListener(event, run);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "vars") for (const [key, v] of Object.entries(value)) element.style.setProperty(`--${key}`, v);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Put these children in place of what an element holds. Where it holds just these, nothing is touched: an element that
 * is taken out and put back loses focus and the drag under way. */
export function fill(element, ...children) {
  const wanted = children.flat(3).filter((child) => child !== null && child !== undefined && child !== false);
  const isSame = wanted.length === element.childNodes.length && wanted.every((child, n) => child === element.childNodes[n]);
  if (!isSame) element.replaceChildren(...wanted);
  return element;
}

/** Make a canvas as large as it is shown: its context, which counts in pixels of the screen, and its sides in them. */
export function sizeCanvas(canvas) {
  const ratio = Math.min(devicePixelRatio || 1, 2);
  const [wide, tall] = [Math.max(1, canvas.clientWidth), Math.max(1, canvas.clientHeight)];
  const [width, height] = [Math.round(wide * ratio), Math.round(tall * ratio)];
  if (canvas.width !== width) canvas.width = width; // setting a side clears the canvas, also where it stays the same
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, wide, tall);
  return { context, wide, tall };
}

const PATHS = {
  upload: "M12 16V4m0 0L7 9m5-5 5 5M4 16v4h16v-4",
  camera: "M3 7h4l2-2h6l2 2h4v12H3zM12 9.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7z",
  stop: "M6 6h12v12H6z",
  play: "M7 4.5v15l12-7.5z",
  pause: "M8 5v14M16 5v14",
  copy: "M8 8h12v12H8zM4 16V4h12",
  download: "M12 4v12m0 0 5-5m-5 5-5-5M4 20h16",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  sun: "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM12 2v2m0 16v2M2 12h2m16 0h2M5 5l1.4 1.4m11.2 11.2L19 19M5 19l1.4-1.4M17.6 6.4 19 5",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z",
  pin: "M12 3a6 6 0 0 1 6 6c0 4.5-6 12-6 12S6 13.5 6 9a6 6 0 0 1 6-6zM12 7.5a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3z",
  screen: "M3 4h18v12H3zM12 16v4M8 20h8",
  more: "M5 8h14M5 12h14M5 16h9",
  swap: "M7 4 3 8l4 4M3 8h14M17 20l4-4-4-4m4 4H7",
  warn: "M12 3 2 20h20zM12 9v5m0 2.5v.5",
  link: "M10 14a4 4 0 0 0 6 .5l3-3a4 4 0 0 0-6-6l-1 1m2 3a4 4 0 0 0-6-.5l-3 3a4 4 0 0 0 6 6l1-1",
  close: "M5 5l14 14M19 5 5 19",
  sound: "M4 9.5h4l5-4.5v14l-5-4.5H4zM16.5 8.5a5 5 0 0 1 0 7M19 6a8.5 8.5 0 0 1 0 12",
};

/** A line icon; it says nothing to a screen reader, its button must. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(path);
  return svg;
}

/** An SVG element with attributes and children. */
export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.flat());
  return element;
}

let counter = 0;
/** A fresh id, to tie a label to its control. */
export function freshId(what) {
  counter += 1;
  return `${what}-${counter}`;
}

/**
 * Work that matters only while an element is on the screen: gives `ask()`, which does it now, or once the element comes
 * near the screen, and `close()`.
 */
export function whenSeen(element, work) {
  let near = false;
  let due = false;
  const watcher = new IntersectionObserver(
    ([entry]) => {
      near = entry.isIntersecting;
      if (near && due) run();
    },
    { rootMargin: "120px" },
  );
  watcher.observe(element);
  function run() {
    due = false;
    work();
  }
  return {
    ask() {
      due = true;
      if (near) run();
    },
    close: () => watcher.disconnect(),
  };
}
