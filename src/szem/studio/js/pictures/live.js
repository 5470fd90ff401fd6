// What a camera and a film have in common: a video element whose frames are drawn, followed and held. A source of this
// kind is {kind: "live", id, title, credit, width, height, from, video, draw(context), onFrame(run), still(title), stop()}.

/**
 * @param video the element, playing or ready to
 * @param paint called with a 2D context: draws the frame of this moment over width × height
 */
export function liveSource({ id, title, width, height, from = null, video, paint, stop }) {
  let running = true;

  /** Call `run` for every new frame until the function that comes back is called. */
  function onFrame(run) {
    let on = true;
    const again = () => {
      if (!on || !running) return;
      run();
      next();
    };
    const next = () =>
      video.requestVideoFrameCallback ? video.requestVideoFrameCallback(again) : requestAnimationFrame(again);
    next();
    return () => (on = false);
  }

  /** The frame of this moment as a still picture. */
  async function still(name) {
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    paint(context);
    const { data: rgba } = context.getImageData(0, 0, width, height);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    return { kind: "still", id: "yours", title: name, credit: "", width, height, rgba, canvas, blob, from: null };
  }

  return {
    kind: "live",
    id,
    title,
    credit: "",
    width,
    height,
    from,
    video,
    draw: paint,
    onFrame,
    still,
    stop() {
      running = false;
      stop();
    },
  };
}
