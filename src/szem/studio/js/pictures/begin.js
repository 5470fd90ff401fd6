// The picture a page begins with: the one that is there already, else the one its address names.

import { hasKept } from "./own.js";

const OWN = ["yours", "camera"]; // these cannot travel in a link

/** Whether a picture's id is the name of a bundled one. */
export const isBundled = (id) => Boolean(id) && !OWN.includes(id);

/**
 * @param app {store, state, set}
 * @param initial the bundled picture to fall back to
 * @param open called at once where the store holds the picture already; else the store's listeners hear of it
 */
export function beginWithPicture({ store, state, set }, initial, open) {
  const { source } = store;
  if (source && (state.picture === source.id || OWN.includes(source.id))) {
    set({ picture: source.id });
    open(source);
    return;
  }
  const orInitial = (done) => done === false && store.openSample(initial);
  if (state.picture === "yours") {
    hasKept().then((kept) => (kept ? store.openKept().then(orInitial) : store.openSample(initial)));
    return;
  }
  const first = isBundled(state.picture) ? state.picture : initial;
  store.openSample(first).then((done) => done === false && first !== initial && store.openSample(initial));
}
