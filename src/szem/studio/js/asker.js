// One question at a time, always about the newest thing: what comes while one is being answered is not queued, only the
// last of it is asked about next.

/**
 * @param work async, called with the newest thing; it deals with its own errors
 * @returns {ask(thing), close()}
 */
export function createAsker(work) {
  let busy = false;
  let next = null; // {thing}
  let closed = false;

  async function ask(thing) {
    next = { thing };
    if (busy) return;
    busy = true;
    try {
      while (next && !closed) {
        const now = next.thing;
        next = null;
        await work(now);
      }
    } finally {
      busy = false;
    }
  }

  return {
    ask,
    close() {
      closed = true;
    },
  };
}
