// The picture a page looks at: drawn when it is opened, followed while it moves, and handed to the page to ask about.

import { beginWithPicture } from "./begin.js";

/**
 * @param app {store, state, set}
 * @param initial the bundled picture to begin with where there is none
 * @param canvas where it is drawn
 * @param opened called with a source before it is drawn
 * @param frame called for each picture, with the way to draw it and whether it moves; draws it if left out
 * @param look called once for a still and again and again for what moves, with the way to take a still of this moment
 *   and whether it moves; gives the milliseconds until it is called again
 * @param ready a promise to wait for before the first picture is opened
 * @returns close()
 */
export function followPicture(app, initial, { canvas, opened, frame = (draw) => draw(), look = null, ready = null }) {
  const { store } = app;
  const context = canvas.getContext("2d");
  let closed = false;
  let stopFrames = () => {};

  function open() {
    const { source } = store;
    const moves = source.kind === "live";
    stopFrames();
    opened(source);
    const show = () => frame(() => (moves ? source.draw(context) : context.drawImage(source.canvas, 0, 0)), moves);
    stopFrames = moves ? source.onFrame(show) : () => {};
    show();
    if (look) ask(source, moves);
  }

  async function ask(source, moves) {
    const take = async () => (moves ? source.still("") : source);
    do {
      const pauseMs = await look(take, moves);
      if (moves) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    } while (moves && !closed && store.source === source);
  }

  const stopListening = store.listen(({ source }) => source && open());
  if (ready) ready.then(() => !closed && beginWithPicture(app, initial, open), () => {});
  else beginWithPicture(app, initial, open);

  return () => {
    closed = true;
    stopFrames();
    stopListening();
  };
}
