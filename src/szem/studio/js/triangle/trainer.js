// The page's handle on the training worker.

/**
 * @param heard called with every message of the worker, the weights among them
 * @param failed called when it cannot run
 */
export function createTrainer(heard, failed) {
  let worker = null;
  const stop = () => {
    worker?.terminate();
    worker = null;
  };
  return {
    start(settings) {
      stop();
      const mine = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
      worker = mine;
      worker.onmessage = ({ data }) => mine === worker && heard(data); // one on its way may come after the end
      worker.onerror = (event) => failed(new Error(event.message || "worker"));
      worker.postMessage({ command: "train", ...settings });
    },
    stop,
    get running() {
      return worker !== null;
    },
  };
}
