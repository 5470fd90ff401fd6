// The page's own measurement of itself: frames a second and milliseconds a frame. Pure; times come from outside.

/** Keeps what happened within the last `spanMs`, and two frames at least: a rate below one in that span is one too. */
export function createFrameMeter({ spanMs = 1000 } = {}) {
  let frames = [];
  return {
    /** @param nowMs when a frame was finished; @param tookMs how long the work for it took */
    add(nowMs, tookMs) {
      frames.push({ nowMs, tookMs });
      const from = nowMs - spanMs;
      while (frames.length > 2 && frames[0].nowMs < from) frames.shift();
    },
    /** {rate: frames a second, tookMs: the median work, count} over the span; rate 0 before two frames are there. */
    read() {
      if (frames.length === 0) return { rate: 0, tookMs: 0, count: 0 };
      const took = frames.map((frame) => frame.tookMs).sort((a, b) => a - b);
      const tookMs = took[Math.floor(took.length / 2)];
      const covered = frames.at(-1).nowMs - frames[0].nowMs;
      const rate = frames.length > 1 && covered > 0 ? ((frames.length - 1) * 1000) / covered : 0;
      return { rate, tookMs, count: frames.length };
    },
    clear() {
      frames = [];
    },
  };
}
