// The visitor's camera as a source of pictures: a square of 512 × 512 out of the middle, mirrored like a mirror.

import { Problem } from "../problems.js";
import { liveSource } from "./live.js";

export const SIDE = 512;

/**
 * Start the camera.
 * @param ended called when the camera goes away by itself
 * @returns a live source, see live.js
 * @throws Problem with what the visitor can do
 */
export async function openCamera({ ended }) {
  if (!navigator.mediaDevices?.getUserMedia) throw new Problem("camera-insecure");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      // small and quick: most cameras give 60 frames a second here, and 30 at larger sizes
      video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 60 }, facingMode: "user" },
    });
  } catch (error) {
    throw new Problem(nameOfCameraError(error));
  }
  const [track] = stream.getVideoTracks();
  const mirrored = track.getSettings().facingMode !== "environment";
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.srcObject = stream;
  let running = true;
  track.addEventListener("ended", () => running && ended());
  try {
    await video.play();
  } catch {
    stop();
    throw new Problem("camera-busy");
  }

  function paint(context) {
    const side = Math.min(video.videoWidth, video.videoHeight);
    const left = (video.videoWidth - side) / 2;
    const top = (video.videoHeight - side) / 2;
    if (mirrored) context.setTransform(-1, 0, 0, 1, SIDE, 0);
    context.drawImage(video, left, top, side, side, 0, 0, SIDE, SIDE);
    context.setTransform(1, 0, 0, 1, 0, 0);
  }

  function stop() {
    running = false;
    for (const one of stream.getTracks()) one.stop();
    video.srcObject = null;
  }

  return liveSource({ id: "camera", title: "", width: SIDE, height: SIDE, video, paint, stop });
}

/** The problem.* key for what getUserMedia refused. */
export function nameOfCameraError(error) {
  return (
    {
      NotAllowedError: "camera-denied",
      SecurityError: "camera-denied",
      NotFoundError: "camera-none",
      OverconstrainedError: "camera-none",
      NotReadableError: "camera-busy",
      AbortError: "camera-busy",
    }[error?.name] ?? "camera-none"
  );
}
