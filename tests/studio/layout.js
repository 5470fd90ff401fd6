// What of a page cannot be read or pressed: texts and controls that are clipped, overflow, or are covered.
// Given to the page by test_layout.py; gives back a list of [what, how].
() => {
  const found = new Map();
  const report = (element, how) => {
    const text = (element.textContent || element.getAttribute("aria-label") || element.value || "").trim().slice(0, 40);
    const name = `${element.tagName.toLowerCase()}${element.className?.baseVal === undefined && element.className ? `.${String(element.className).trim().replaceAll(/\s+/g, ".")}` : ""} "${text}"`;
    found.set(`${name} ${how}`, [name, how]);
  };
  const isShown = (element) =>
    element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !element.closest(".unseen, .skip, svg, [inert]");
  const scrolls = (style) => /auto|scroll/.test(style.overflowX) || /auto|scroll/.test(style.overflowY);
  const hides = (style) => /hidden|clip/.test(style.overflowX) || /hidden|clip/.test(style.overflowY);
  const SLACK = 2;

  /** The boxes of an element's own text. */
  const textBoxes = (element) =>
    [...element.childNodes]
      .filter((node) => node.nodeType === Node.TEXT_NODE && node.data.trim())
      .flatMap((node) => {
        const range = document.createRange();
        range.selectNodeContents(node);
        return [...range.getClientRects()];
      })
      .filter((box) => box.width > 1 && box.height > 1);

  const texts = [...document.body.querySelectorAll("*")].filter((e) => !["SCRIPT", "STYLE", "NOSCRIPT", "OPTION", "OPTGROUP", "CANVAS"].includes(e.tagName) && isShown(e));
  const own = texts.map((element) => ({ element, boxes: textBoxes(element) })).filter(({ boxes }) => boxes.length > 0);

  for (const { element, boxes } of own) {
    const left = Math.min(...boxes.map((box) => box.left));
    const right = Math.max(...boxes.map((box) => box.right));
    const top = Math.min(...boxes.map((box) => box.top));
    const bottom = Math.max(...boxes.map((box) => box.bottom));
    let inScroller = false;
    for (let e = element; e && e !== document.body; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (scrolls(style)) {
        inScroller = true;
        break;
      }
      const box = e.getBoundingClientRect();
      if (hides(style) && style.textOverflow !== "ellipsis" && box.width > 2) {
        if (left < box.left - SLACK || right > box.right + SLACK || top < box.top - SLACK - 2 || bottom > box.bottom + SLACK + 2) {
          report(element, "is clipped");
          break;
        }
      }
      const isBox = style.display !== "inline" && style.display !== "contents";
      if (e === element && isBox && (left < box.left - SLACK || right > box.right + SLACK)) report(element, "is wider than its box");
    }
    if (!inScroller && (left < -1 || right > innerWidth + 1)) report(element, "is beyond the window");
  }
  for (const field of document.querySelectorAll("input.cell"))
    if (isShown(field) && field.scrollWidth > field.clientWidth + SLACK) report(field, "does not show its whole number");
  if (document.documentElement.scrollWidth > innerWidth) report(document.documentElement, `is ${document.documentElement.scrollWidth} wide`);
  for (const nav of document.querySelectorAll(".site-head nav"))
    if (isShown(nav) && innerWidth > 1000 && nav.scrollWidth > nav.clientWidth + 1) report(nav, "does not show all pages");

  // what lies over it, window by window down the page
  const pressed = [...document.querySelectorAll("a, button, input, select, textarea")].filter((e) => isShown(e) || e.matches("label input"));
  const seen = new Set();
  const seenTwice = new Set();
  const targets = [...own.map(({ element, boxes }) => ({ element, box: boxes[0] })), ...pressed.map((element) => ({ element, box: element.getBoundingClientRect() }))]
    .filter(({ box }) => box.width > 3 && box.height > 3)
    .map(({ element, box }) => ({ element, x: box.left + box.width / 2, y: box.top + box.height / 2 + scrollY }));
  const head = document.querySelector(".site-head")?.getBoundingClientRect().height ?? 0;
  const before = scrollY;
  const step = innerHeight - head - 40;
  for (let y = 0; y < document.documentElement.scrollHeight; y += step) {
    scrollTo({ top: y, behavior: "instant" });
    for (const target of targets) {
      const { element, x } = target;
      const at = target.y - scrollY;
      const fixed = element.closest(".site-head, .lecture");
      if (fixed || seen.has(target) || at < head + 4 || at > innerHeight - 4 || x < 0 || x > innerWidth) continue;
      seen.add(target);
      if (element.closest("pre, .code, [class*=scroll]") || getComputedStyle(element).pointerEvents === "none") continue;
      const scroller = (function up(e) { return !e || e === document.body ? null : scrolls(getComputedStyle(e)) ? e : up(e.parentElement); })(element.parentElement);
      if (scroller) continue;
      const top = document.elementFromPoint(x, at);
      if (!top || top === element || element.contains(top) || top.contains(element)) continue;
      // what stays on the screen while the page moves below it covers nothing for good
      const stays = (function up(e) { return e && e !== document.body && (getComputedStyle(e).position === "sticky" || up(e.parentElement)); })(top);
      if (stays && !seenTwice.has(target)) {
        seenTwice.add(target);
        element.scrollIntoView({ block: "end", behavior: "instant" });
        const box = element.getBoundingClientRect();
        const again = document.elementFromPoint(box.left + Math.min(box.width / 2, 8), box.top + box.height / 2);
        scrollTo({ top: y, behavior: "instant" });
        if (!again || again === element || element.contains(again) || again.contains(element)) continue;
      }
      const group = top.closest("label, button, a, .frame, .field, svg");
      if (group?.contains(element)) continue;
      report(element, `is covered by ${top.tagName.toLowerCase()}.${top.className?.baseVal ?? top.className}`);
    }
  }
  scrollTo({ top: before, behavior: "instant" });
  return [...found.values()];
};
