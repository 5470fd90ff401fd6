// What has been seen so far: how many things of each class there are now, were in all, and over the last minute. Pure.

/** @returns {add(boxes, seconds), now, total, points, clear()} */
export function createTally({ spanS = 60, stepS = 0.5 } = {}) {
  let ids = new Map(); // class -> numbers of the things seen
  let points = []; // [seconds, {class: most at once within the step}]
  let now = {};

  return {
    /** @param boxes [{label, id}]; without an id a box is in the count of now only */
    add(boxes, seconds) {
      now = {};
      for (const { label, id } of boxes) {
        now[label] = (now[label] ?? 0) + 1;
        if (id === undefined) continue;
        if (!ids.has(label)) ids.set(label, new Set());
        ids.get(label).add(id);
      }
      const last = points.at(-1);
      if (last && seconds - last[0] < stepS) {
        for (const [label, count] of Object.entries(now)) last[1][label] = Math.max(last[1][label] ?? 0, count);
      } else points.push([seconds, { ...now }]);
      while (points.length > 0 && points[0][0] < seconds - spanS) points.shift();
    },
    /** class -> how many are in sight */
    get now() {
      return now;
    },
    /** class -> how many different things there were */
    get total() {
      return Object.fromEntries([...ids].map(([label, numbers]) => [label, numbers.size]));
    },
    /** [[seconds, {class: count}]], the oldest first */
    get points() {
      return points;
    },
    clear() {
      [ids, points, now] = [new Map(), [], {}];
    },
  };
}

/**
 * Where a box is a little later, going by where the same thing was before: the picture moves on while a frame is on
 * its way. Never further than `mostS`, which is about how long an answer takes.
 * @param before, now {box_xyxy, seconds}
 */
export function carried(before, now, seconds, mostS = 0.4) {
  if (!before || now.seconds <= before.seconds) return now.box_xyxy;
  const share = Math.min(seconds - now.seconds, mostS) / (now.seconds - before.seconds);
  return now.box_xyxy.map((side, k) => side + (side - before.box_xyxy[k]) * Math.max(0, share));
}
