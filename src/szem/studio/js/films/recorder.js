// A few seconds from the visitor's camera and microphone, as a file that the browser itself made.

import { Problem } from "../problems.js";
import { nameOfCameraError } from "../pictures/camera.js";

const TYPES = ["video/mp4;codecs=avc1.42E01E,mp4a.40.2", "video/webm;codecs=vp8,opus", "video/webm", "video/mp4"];

/**
 * Open camera and microphone; without a microphone the film is silent.
 * @returns {stream, hasSound, record() -> {stop(), done: Promise<File>}, close()}
 * @throws Problem with what the visitor can do
 */
export async function openRecorder() {
  if (!navigator.mediaDevices?.getUserMedia || !globalThis.MediaRecorder) throw new Problem("camera-insecure");
  const video = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 25 }, facingMode: "user" };
  let stream;
  try {
    // The reader wants the sound as it is: what browsers do against noise takes speech away too.
    const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: true };
    stream = await navigator.mediaDevices.getUserMedia({ video, audio });
  } catch {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
    } catch (error) {
      throw new Problem(nameOfCameraError(error));
    }
  }
  const type = TYPES.find((one) => MediaRecorder.isTypeSupported(one)) ?? "";

  function record() {
    const recorder = new MediaRecorder(stream, { ...(type ? { mimeType: type } : {}), videoBitsPerSecond: 4_000_000 });
    const parts = [];
    recorder.addEventListener("dataavailable", ({ data }) => data.size > 0 && parts.push(data));
    const done = new Promise((resolve, reject) => {
      recorder.addEventListener("error", () => reject(new Problem("camera-lost")));
      recorder.addEventListener("stop", () => {
        const kind = (recorder.mimeType || type || "video/webm").split(";")[0];
        resolve(new File(parts, kind === "video/mp4" ? "recorded.mp4" : "recorded.webm", { type: kind }));
      });
    });
    recorder.start(250);
    return { done, stop: () => recorder.state !== "inactive" && recorder.stop() };
  }

  return {
    stream,
    hasSound: stream.getAudioTracks().length > 0,
    record,
    close() {
      for (const track of stream.getTracks()) track.stop();
    },
  };
}
