// The row where a picture is chosen: bundled pictures, a file (button, drop, paste), the camera. A video file gets its
// buttons here too.

import { button, messagePlace } from "../controls.js";
import { fill, h, icon } from "../dom.js";
import { takeDrops } from "../films/drop.js";
import { Problem, wordsFor } from "../problems.js";
import { CLIPS, thumbAddress } from "./clips.js";
import { filmControls } from "./film-controls.js";
import { isFilm } from "./film.js";

const TYPES = "image/*,video/*,.mkv,.avi";

/**
 * @param app {words, store}
 * @param chosen called with the id of a picture once it is there: a sample's name, "yours" or "camera"
 * @param moving whether the moving samples are offered too
 * @param other offered every file first; true says that it has taken the file, which is no picture
 * @returns {element, close()}
 */
export function sourceBar(app, { chosen, other = () => false, moving = false }) {
  const { words, store } = app;
  const { t } = words;
  const clips = moving ? CLIPS.map((clip) => ({ ...clip, url: thumbAddress(clip.name), moves: true })) : [];
  const message = messagePlace("picture-problem");
  const thumbs = h("div", { class: "thumbs", role: "group", "aria-label": t("picture.bundled") });
  const file = h("input", {
    type: "file",
    accept: TYPES,
    class: "unseen",
    tabindex: "-1",
    "aria-hidden": "true",
    data: { name: "file" },
  });
  file.addEventListener("change", () => {
    if (file.files.length > 0) open(file.files[0]);
    file.value = "";
  });
  const upload = button({
    text: t("picture.upload"),
    title: t("picture.upload.title"),
    image: "upload",
    name: "upload",
    press: () => file.click(),
  });
  const camera = button({ text: t("picture.camera"), image: "camera", name: "camera", press: toggleCamera });
  const yours = h("p", { class: "yours", data: { name: "yours" } });
  const film = filmControls(words);
  const element = h(
    "section",
    { class: "source-bar", "aria-label": t("picture.choose") },
    h("div", { class: "source-row" }, thumbs, h("div", { class: "source-buttons" }, upload, camera, file)),
    yours,
    film.element,
    message.element,
  );

  async function open(one) {
    message.clear();
    if (other(one)) return;
    if (one.type && !one.type.startsWith("image/") && !isFilm(one)) {
      show(new Problem("file-no-picture", { name: one.name || one.type }));
      return;
    }
    if (await store.openFile(one)) chosen("yours");
  }

  async function toggleCamera() {
    message.clear();
    if (store.source?.id === "camera") {
      store.use(await store.source.still(t("picture.yours")));
      chosen("yours");
    } else if (await store.startCamera()) chosen("camera");
  }

  function show(error) {
    message.show(wordsFor(error, words));
  }

  function paint() {
    const id = store.source?.id ?? "";
    for (const thumb of thumbs.children) thumb.setAttribute("aria-pressed", String(thumb.dataset.name === id));
    const live = id === "camera";
    camera.classList.toggle("active", live);
    fill(camera, icon(live ? "stop" : "camera"), h("span", { text: live ? t("picture.hold") : t("picture.camera") }));
    const { source } = store;
    const played = source?.kind === "live" && !live;
    film.show(played ? source.video : null);
    const full = source?.from ? `${source.from.width} × ${source.from.height}` : "";
    const scaled = () => t("picture.scaled", { width: source.width, height: source.height, full });
    yours.textContent = played ? "" : full ? scaled() : id === "yours" ? t("picture.stays") : "";
  }

  const stopListening = store.listen(({ error, source, busy }) => {
    if (error) show(error);
    if (source) paint();
    if (busy !== undefined) element.toggleAttribute("data-busy", busy);
  });

  store.samples().then(
    (samples) => {
      const images = [...clips, ...samples].map((sample) => {
        const name = words.has(`sample.${sample.name}`) ? t(`sample.${sample.name}`) : sample.title;
        return h(
          "button",
          {
            type: "button",
            class: "thumb",
            data: { name: sample.name },
            "aria-label": name,
            "aria-pressed": "false",
            title: `${name} · ${sample.credit}`,
            on: {
              click: async () => {
                message.clear();
                if (await store.openSample(sample.name)) chosen(sample.name);
              },
            },
          },
          sample.moves ? icon("play") : null,
          h("img", { src: sample.url, alt: "", width: "56", height: "56", loading: "lazy", decoding: "async" }),
        );
      });
      fill(thumbs, images);
      paint();
    },
    (error) => show(error),
  );

  const stopDrops = takeDrops(t("picture.drop"), open);
  element.toggleAttribute("data-busy", store.busy); // with what was asked for on the page before
  paint();

  return {
    element,
    close() {
      stopListening();
      film.show(null);
      stopDrops();
    },
  };
}
