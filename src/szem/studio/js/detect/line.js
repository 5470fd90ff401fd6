// The line to the server over which live frames go: /v1/szem/detect/live. Opened again when it breaks.

import { keyProtocols } from "../key.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;
const BUSY = 1013; // all places are taken
const FAILED = 1011; // nothing to look with

/**
 * @param model its name; empty for the server's own choice
 * @param heard {ready(hello), boxes(answer), fault(error), lost({code, reason, again})}
 * @returns {settle(settings), send(blob) -> number of the frame or -1, hasRoom(isSlow), close()}
 */
export function openLine(model, heard) {
  let socket = null;
  let wait = FIRST_WAIT_MS;
  let timer = 0;
  let closed = false;
  let settings = null;
  let sent = 0; // frames on this connection
  let under = new Set(); // frames without an answer
  let hello = null;
  let refused = false;

  function open() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(`${scheme}//${location.host}/v1/szem/detect/live?model=${encodeURIComponent(model)}`, keyProtocols());
    socket.addEventListener("message", ({ data }) => take(JSON.parse(data)));
    socket.addEventListener("close", ({ code, reason }) => {
      hello = null;
      under = new Set();
      if (closed) return;
      const again = !refused && code !== FAILED;
      heard.lost({ code, reason, busy: code === BUSY, again });
      if (!again) return;
      timer = setTimeout(open, wait);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    });
  }

  function take(answer) {
    if (answer.type === "ready") {
      [hello, sent, wait] = [answer, 0, FIRST_WAIT_MS];
      if (settings) socket.send(JSON.stringify(settings));
      heard.ready(answer);
      return;
    }
    under.delete(answer.frame);
    if (answer.type === "boxes") heard.boxes(answer);
    if (answer.type === "error") {
      refused ||= !hello;
      heard.fault(answer.error);
    }
  }

  open();
  return {
    /** Have the server use these settings, now and whenever the line is opened anew. */
    settle(next) {
      settings = next;
      if (hello) socket.send(JSON.stringify(settings));
    },
    /** Whether a frame may be sent: the server drops what is more; where it is slow, the next one waits for its answer. */
    hasRoom(isSlow) {
      return Boolean(hello) && socket.readyState === WebSocket.OPEN && under.size < (isSlow ? 1 : hello.window);
    },
    send(blob) {
      if (!hello || socket.readyState !== WebSocket.OPEN) return -1;
      socket.send(blob);
      under.add(sent);
      return sent++;
    },
    close() {
      closed = true;
      clearTimeout(timer);
      socket.close(1000);
    },
  };
}
