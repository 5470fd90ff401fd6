// The detect page: boxes over the live picture, with numbers that follow things, counts, and how fast it all is.

import { button, messagePlace, slider, toggle } from "../controls.js";
import { fill, h } from "../dom.js";
import { createFrameMeter } from "../kernels/frame-meter.js";
import { className } from "../names.js";
import { followPicture } from "../pictures/follow.js";
import { sourceBar } from "../pictures/source-bar.js";
import { Problem, wordsFor } from "../problems.js";
import { flag, whole, words as text } from "../url-state.js";
import { createChart } from "./chart.js";
import { openLine } from "./line.js";
import { css, colourOf } from "./palette.js";
import { createTally } from "./tally.js";
import { createView } from "./view.js";

export const fields = {
  picture: text("moving", 100),
  threshold: whole(0, 0, 95), // percent; 0: the model's own for each class
  classes: text("", 400), // with commas; none: all
  follow: flag(true),
  outlines: flag(false),
  model: text("", 100), // one of one's own, by name
};

const LONGEST_PX = 640; // of a frame that is sent: the network sees less
const QUALITY = 0.85;
const SLOW_MS = 150; // from picture to box: then the next frame waits, so that boxes are not older than they must
const PAINT_MS = 250; // between two paintings of numbers and chart

export async function mount(root, app) {
  const { words, store, state } = app;
  const { t, number, percent } = words;
  const nameOf = (label) => className(words, label);
  let classes = [];
  let aliases = {}; // other names of some of them
  let lowest = {};
  let closed = false;
  let encoding = false;
  let wanted = false; // a still that is to be looked at once there is a line
  let painted = -Infinity; // when numbers and chart were painted last; the first answer is painted at once
  let latest = null;
  const taken = new Map(); // frame -> seconds at which it was taken
  const rate = createFrameMeter({ spanMs: 2000 });
  const served = createFrameMeter({ spanMs: 2000 }); // the server's part of it
  const tally = createTally();

  const problem = messagePlace("detect-problem");
  const bar = sourceBar(app, { moving: true, chosen: (id) => id !== state.picture && app.set({ picture: id }) });
  const view = createView(app, nameOf);
  const chart = createChart(app, nameOf);
  const meter = h("p", { class: "meter", data: { name: "meter" } });
  const rows = h("ol", { class: "thing-rows", data: { name: "things" } });
  const chips = h("div", { class: "class-chips", role: "group", "aria-label": t("detect.classes"), data: { name: "classes" } });
  const small = h("canvas", { width: 1, height: 1 });
  const threshold = slider({
    label: t("detect.threshold"),
    name: "threshold",
    value: state.threshold,
    least: 0,
    greatest: 95,
    step: 5,
    show: (n) => (n === 0 ? t("detect.threshold.own") : percent(n / 100)),
    change: (n) => choose({ threshold: n }),
  });
  const follow = toggle({ label: t("detect.follow"), name: "follow", value: state.follow, note: t("detect.follow.note"), change: (on) => choose({ follow: on }, true) });
  const outlines = toggle({ label: t("detect.outlines"), name: "outlines", value: state.outlines, note: t("detect.outlines.note"), change: (on) => choose({ outlines: on }) });
  const again = button({ text: t("detect.again"), name: "again", press: startAnew });

  fill(
    root,
    h("div", { class: "page-head" }, h("div", {}, h("h1", { text: t("page.detect.title") }), h("p", { class: "lead", text: t("detect.lead") })), bar.element),
    problem.element,
    h(
      "section",
      { class: "live" },
      h("div", { class: "live-picture" }, view.element, meter),
      h("div", { class: "live-side" }, h("h2", { text: t("detect.objects") }), rows, threshold, h("div", { class: "live-toggles" }, follow, outlines)),
    ),
    h("section", { class: "shelf" }, h("h2", { text: t("detect.classes") }), h("p", { class: "section-text", text: t("detect.classes.text") }), chips),
    h(
      "section",
      { class: "shelf" },
      h("div", { class: "figure-head" }, h("h2", { text: t("detect.counts") }), again),
      h("p", { class: "section-text", text: t("detect.counts.text") }),
      chart.element,
    ),
  );
  paintMeter();
  chart.draw([], {}, []);

  const line = openLine(state.model, {
    ready(hello) {
      problem.clear();
      [classes, lowest, aliases] = [hello.classes, hello.thresholds, hello.aliases ?? {}];
      taken.clear();
      paintChips();
      askAgain();
    },
    boxes: take,
    fault(error) {
      problem.show(wordsFor(new Problem("refused", { status: error.code }, error.message), words));
      if (wanted) sendFrame();
    },
    lost({ busy, again: comesBack }) {
      taken.clear();
      if (comesBack) problem.show(wordsFor(new Problem(busy ? "live-busy" : "server-gone"), words));
    },
  });
  line.settle(settings());

  function seconds() {
    return performance.now() / 1000;
  }

  function isLive() {
    return store.source?.kind === "live";
  }

  /** The classes of the address, by the model's own names: a link may say `aeroplane` where the model says `airplane`. */
  function chosenClasses() {
    const names = state.classes.split(",").map((name) => aliases[name] ?? name);
    return names.filter((name) => name && (classes.length === 0 || classes.includes(name)));
  }

  function settings() {
    const chosen = chosenClasses();
    return {
      ...(state.threshold > 0 ? { threshold: state.threshold / 100 } : {}),
      classes: chosen,
      track: state.follow && isLive(),
      outlines: state.outlines,
    };
  }

  /** Change what is looked for; a still is then looked at again. */
  function choose(changes, anew = false) {
    app.set(changes);
    if (anew) startAnew();
    line.settle(settings());
    askAgain();
  }

  function startAnew() {
    tally.clear();
    chart.draw([], {}, classes);
  }

  function askAgain() {
    wanted = !isLive() && Boolean(store.source);
    if (wanted) sendFrame();
  }

  /** Send the picture of this moment, made small, if the line has room for it. */
  async function sendFrame() {
    const { source } = store;
    if (closed || encoding || !source || !line.hasRoom(rate.read().tookMs > SLOW_MS)) return;
    encoding = true;
    wanted = false;
    const at = seconds();
    const scale = Math.min(1, LONGEST_PX / Math.max(source.width, source.height));
    small.width = Math.max(1, Math.round(source.width * scale));
    small.height = Math.max(1, Math.round(source.height * scale));
    small.getContext("2d").drawImage(view.canvas, 0, 0, small.width, small.height);
    try {
      const blob = await new Promise((resolve) => small.toBlob(resolve, "image/jpeg", QUALITY));
      const frame = blob && store.source === source ? line.send(blob) : -1;
      if (frame >= 0) taken.set(frame, at);
    } finally {
      encoding = false;
    }
    if (wanted) sendFrame();
  }

  function take(answer) {
    const at = taken.get(answer.frame);
    for (const frame of taken.keys()) if (frame <= answer.frame) taken.delete(frame);
    if (at === undefined || closed) {
      if (wanted) sendFrame(); // of an earlier picture: now there is room for this one
      return;
    }
    rate.add(performance.now(), (seconds() - at) * 1000);
    served.add(performance.now(), answer.server_ms);
    latest = answer;
    view.show(answer, at);
    tally.add(answer.boxes, at);
    if (!isLive()) view.draw(at, { live: false });
    root.dataset.outlines = String(answer.boxes.filter((row) => row.outline).length);
    root.dataset.frames = String(Number(root.dataset.frames ?? 0) + 1);
    const now = performance.now();
    if (!isLive() || now - painted > PAINT_MS) {
      painted = now;
      paintRows();
      paintMeter();
      paintCounts();
      if (isLive()) chart.draw(tally.points, tally.total, classes);
    }
    if (wanted) sendFrame();
  }

  function paintMeter() {
    const { rate: perSecond, tookMs } = rate.read();
    const server = served.read().tookMs;
    meter.textContent = latest
      ? t(isLive() ? "detect.meter" : "detect.meter.still", { rate: number(perSecond), ms: number(tookMs), server: number(server) })
      : t("detect.meter.wait");
  }

  function paintRows() {
    const found = [...latest.boxes].sort((a, b) => (a.id ?? 0) - (b.id ?? 0) || b.score - a.score);
    fill(
      rows,
      found.slice(0, 12).map((row) =>
        h(
          "li",
          { class: "thing-row", vars: { key: css(colourOf(row.id === undefined ? row.index : row.id - 1)) } },
          h("span", { text: row.id === undefined ? nameOf(row.label) : `${nameOf(row.label)} ${row.id}` }),
          h("output", { text: percent(row.score) }),
        ),
      ),
    );
    if (found.length === 0) fill(rows, h("li", { class: "section-text", text: t("detect.nothing") }));
  }

  function paintChips() {
    const chosen = new Set(chosenClasses());
    fill(
      chips,
      classes.map((label, index) =>
        h(
          "button",
          {
            type: "button",
            class: "class-chip",
            "aria-pressed": String(chosen.has(label)),
            title: t("detect.class.own", { share: percent(lowest[label] ?? 0) }),
            data: { name: label },
            vars: { key: css(colourOf(index)) },
            on: {
              click: ({ currentTarget }) => {
                const on = !chosen.has(label);
                if (on) chosen.add(label);
                else chosen.delete(label);
                currentTarget.setAttribute("aria-pressed", String(on));
                choose({ classes: classes.filter((name) => chosen.has(name)).join(",") });
              },
            },
          },
          h("span", { text: nameOf(label) }),
          h("output", { "aria-hidden": "true" }),
        ),
      ),
    );
  }

  function paintCounts() {
    for (const chip of chips.children) {
      const count = tally.now[chip.dataset.name] ?? 0;
      chip.lastChild.textContent = count ? number(count) : "";
    }
  }

  const resized = new ResizeObserver(() => view.draw(seconds(), { live: false }));
  resized.observe(view.element);
  const stopFollowing = followPicture(app, fields.picture.initial, {
    canvas: view.canvas,
    opened(source) {
      view.clear();
      view.shape(source);
      [latest, painted] = [null, -Infinity];
      root.dataset.frames = "0";
      rate.clear();
      served.clear();
      taken.clear();
      startAnew();
      fill(rows);
      paintMeter();
      line.settle(settings());
    },
    frame(draw, moves) {
      draw();
      if (!moves) {
        askAgain();
        return;
      }
      view.draw(seconds(), { live: true });
      sendFrame();
    },
  });

  return {
    close() {
      closed = true;
      stopFollowing();
      resized.disconnect();
      line.close();
      bar.close();
    },
  };
}
