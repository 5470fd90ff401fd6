// The film's own sound as numbers, and noise that is heard with it: white, as loud beside the speech as the reader gets it.

const RATE_HZ = 16_000;
const SECONDS = 4; // of noise, again and again

/** Loudest value of each of `count` equal parts. Pure. */
export function peaksOf(samples, count) {
  const peaks = new Array(count).fill(0);
  for (let k = 0; k < samples.length; k++) {
    const part = Math.min(count - 1, Math.floor((k * count) / samples.length));
    peaks[part] = Math.max(peaks[part], Math.abs(samples[k]));
  }
  return peaks;
}

/** Root mean square. Pure. */
export function loudnessOf(samples) {
  let sum = 0;
  for (const value of samples) sum += value * value;
  return Math.sqrt(sum / Math.max(1, samples.length));
}

/** How loud noise is that lies `decibels` below a sound. Pure. */
export function noiseLoudness(loudness, decibels) {
  return decibels === null ? 0 : loudness * 10 ** (-decibels / 20);
}

/** How far everything must be turned down so that speech and noise together do not overload the loudspeaker. Pure. */
export function headroom(loudness, noise) {
  const together = Math.hypot(loudness, noise) * 4;
  return together > 1 ? 1 / together : 1;
}

/** {samples, loudness} of a film's sound; null where there is none, or none that this browser can read. */
export async function soundOf(file) {
  try {
    const context = new OfflineAudioContext(1, 1, RATE_HZ);
    const buffer = await context.decodeAudioData(await file.arrayBuffer());
    const samples = buffer.getChannelData(0);
    const loudness = loudnessOf(samples);
    return loudness > 1e-5 ? { samples, loudness, seconds: buffer.duration } : null;
  } catch {
    return null;
  }
}

/** Noise that goes with a video element: on while it plays. */
export function noiseMaker(video) {
  let context = null;
  let gain = null;
  let level = 0; // root mean square wanted

  function start() {
    if (context || level === 0) return;
    context = new AudioContext();
    const buffer = context.createBuffer(1, context.sampleRate * SECONDS, context.sampleRate);
    const data = buffer.getChannelData(0);
    for (let k = 0; k < data.length; k++) {
      // Box and Muller: two even numbers to one of a bell curve
      data[k] = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
    }
    gain = context.createGain();
    const source = context.createBufferSource();
    Object.assign(source, { buffer, loop: true });
    source.connect(gain).connect(context.destination);
    gain.gain.value = 0;
    source.start();
  }

  function follow() {
    const on = !video.paused && !video.ended && !video.muted;
    if (on) start();
    if (gain) gain.gain.setTargetAtTime(on ? level : 0, context.currentTime, 0.02);
    if (on) context?.resume();
  }

  const events = ["play", "playing", "pause", "ended", "volumechange"];
  for (const event of events) video.addEventListener(event, follow);
  return {
    set(loudness) {
      level = loudness;
      follow();
    },
    close() {
      for (const event of events) video.removeEventListener(event, follow);
      context?.close();
    },
  };
}
