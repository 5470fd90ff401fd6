// The table of pages, in the order of the lecture. One that is aside is not in the menu.
//
// A module gives `fields` (what its address holds, see url-state.js) and `mount(root, app)`, which fills the element
// and gives back {close()}. Its words are in i18n under page.NAME.* (title, nav).

export const PAGES = [
  { name: "start", load: () => import("./start/page.js"), aside: true },
  { name: "kernels", load: () => import("./kernels/page.js") },
  { name: "neuron", load: () => import("./neuron/page.js") },
  { name: "stride", load: () => import("./stride/page.js") },
  { name: "triangle", load: () => import("./triangle/page.js") },
  { name: "network", load: () => import("./network/page.js") },
  { name: "recognise", load: () => import("./recognise/page.js") },
  { name: "detect", load: () => import("./detect/page.js") },
  { name: "segment", load: () => import("./segment/page.js") },
  { name: "lips", load: () => import("./lips/page.js") },
  { name: "guard", load: () => import("./guard/page.js") },
  { name: "caption", load: () => import("./caption/page.js") },
  { name: "search", load: () => import("./search/page.js") },
  { name: "draw", load: () => import("./draw/page.js") },
  { name: "handout", load: () => import("./handout/page.js"), aside: true },
];

export function pageNamed(name) {
  return PAGES.find((page) => page.name === name) ?? PAGES[0];
}
