"""Make the moving samples that the studio opens with: `python docs/tools/studio_samples.py`; with names, only those.

`moving.mp4` moves along photographs that scikit-image carries: Chelsea the cat (Stéfan van der Walt, CC0) and Eileen
Collins (NASA, public domain). `street.mp4` is drawn by `drawn_street.py`, `yard.mp4` by `benchmarks.scenes`; its
siren is made of tones. `speaking.mp4` is a drawn face that says a word (`speaking_face.py`). All are small enough
for a package; the pictures beside them are their thumbnails.
"""

import sys
from pathlib import Path

import av
import cv2
import numpy as np
import speaking_face
from drawn_street import street_frame
from numpy.typing import NDArray

from szem.media.samples import read_sample
from szem.studio import studio_folder

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the scene simulator is not in the wheel
from benchmarks.scenes.sprites import draw_sprites
from benchmarks.scenes.stories import compose_scene

Frames = list[NDArray[np.uint8]]
SAMPLES = studio_folder() / "samples"
RATE_HZ = 12
SOUND_HZ = 16_000
SIREN_S = (16.0, 28.0)  # from first to last heard
SIDES = (480, 360)
WALL = ("cat", "astronaut")
GAP = 40  # between two photographs
ROUND_S = 10.0
STREET_S = 8.0
YARD_S = 30.0
YARD_SEED = 6
YARD_THUMB_S = 8.0
SPOKEN = "s t a a r t"  # start: a word the reader takes this drawing's mouth for


def moving_frames() -> Frames:
    """A camera that moves along two photographs on a wall, there and back: no cut, and the end is the beginning."""
    wide, tall = SIDES
    parts = []
    for name in WALL:
        picture = read_sample(name)
        width = round(picture.shape[1] * tall / picture.shape[0])
        parts.append(cv2.resize(picture, (width, tall), interpolation=cv2.INTER_AREA))
        parts.append(np.full((tall, GAP, 3), 240, np.uint8))
    wall = np.concatenate(parts[:-1], axis=1)
    count = round(ROUND_S * RATE_HZ)
    places = (1 - np.cos(2 * np.pi * np.arange(count) / count)) / 2 * (wall.shape[1] - wide)
    return [cv2.getRectSubPix(wall, SIDES, (x + (wide - 1) / 2, (tall - 1) / 2)) for x in places]


def yard_frames() -> Frames:
    """Somebody leaves a bag in a drawn yard; leaves move in the wind, so the picture is never quite still."""
    scene = compose_scene("left", YARD_SEED, draw_sprites(YARD_SEED), rate_hz=10, duration_s=YARD_S, extras=False)
    rng = np.random.default_rng(YARD_SEED)
    reach = rng.uniform(0, 1, 160) ** 0.7  # from the corner outwards
    angle, turn, phase = rng.uniform(0, np.pi / 2, 160), rng.uniform(0, 180, 160), rng.uniform(0, 1.5, 160)
    color = np.array([[46, 84, 40]]) * rng.uniform(0.6, 1.3, (160, 1))
    places = np.stack([170 * reach * np.cos(angle), 130 * reach * np.sin(angle)], axis=1)
    frames = []
    for time_s, picture in scene.frames():
        wind = np.sin(1.3 * time_s + phase) + 0.5 * np.sin(2.9 * time_s + 2 * phase)
        moved = places + np.stack([2.2 * reach * wind, 1.2 * reach * wind], axis=1)
        for leaf in np.argsort(reach):
            centre = tuple(round(16 * float(v)) for v in moved[leaf])  # in sixteenths of a pixel
            angle_deg = float(turn[leaf] + 6 * wind[leaf])
            shade = tuple(float(v) for v in color[leaf])
            cv2.ellipse(picture, centre, (16 * 15, 16 * 6), angle_deg, 0, 360, shade, -1, cv2.LINE_AA, 4)
        frames.append(picture)
    return frames


def make_sound(seconds: float) -> NDArray[np.float32]:
    """Wind, and in it a siren that wails up and down, comes nearer and goes away, with the echo of walls."""
    rng = np.random.default_rng(YARD_SEED)
    count = round(seconds * SOUND_HZ)
    at = np.arange(count) / SOUND_HZ
    hz = np.fft.rfftfreq(count, 1 / SOUND_HZ)
    wind = np.fft.irfft(np.fft.rfft(rng.standard_normal(count)) / np.maximum(hz, 20) * (hz < 400), count)
    wind *= 0.01 / wind.std() * (1 + 0.4 * np.sin(2 * np.pi * at / 7 + 1))
    start, end = SIREN_S
    from_middle = np.clip((2 * at - start - end) / (end - start), -1, 1)
    doppler = np.where(from_middle < 0, 1.02, 0.98)
    pitch_hz = 600 * (1400 / 600) ** (0.5 - 0.5 * np.cos(2 * np.pi * at / 4)) * doppler
    turn = 2 * np.pi * np.cumsum(pitch_hz) / SOUND_HZ
    wail = sum(np.sin(k * turn) / k for k in range(1, 6)) * (0.5 + 0.5 * np.cos(np.pi * from_middle)) ** 2
    late = np.arange(round(1.2 * SOUND_HZ)) / SOUND_HZ
    echo = rng.standard_normal(len(late)) * np.exp(-late / 0.2)
    echo /= np.sqrt((echo**2).sum())
    size = count + len(late)
    reflected = np.fft.irfft(np.fft.rfft(wail, size) * np.fft.rfft(echo, size), size)[:count]
    return (wind + 0.2 * (0.4 * wail + 0.6 * reflected)).astype(np.float32)


def write(
    name: str,
    frames: Frames,
    rate_hz: int,
    quality: int,
    sound: NDArray[np.float32] | None = None,
    *,
    thumb_s: float = 1.5,
) -> None:
    """Write a clip and its thumbnail, the frame at `thumb_s`."""
    path = SAMPLES / f"{name}.mp4"
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as out:
        video = out.add_stream("libx264", rate=rate_hz, options={"crf": str(quality), "preset": "slow"})
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p"
        audio = out.add_stream("aac", rate=SOUND_HZ, layout="mono") if sound is not None else None
        if audio is not None:
            audio.bit_rate = 32_000
        for picture in frames:
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(video.encode())
        if audio is not None and sound is not None:
            frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            frame.sample_rate = SOUND_HZ
            out.mux(audio.encode(frame))
            out.mux(audio.encode())
    middle = frames[round(thumb_s * rate_hz)]
    side = min(middle.shape[:2])
    left = (middle.shape[1] - side) // 2
    small = cv2.resize(middle[:side, left : left + side], (112, 112), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(SAMPLES / f"{name}.jpg"), small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])
    print(path.name, path.stat().st_size)


if __name__ == "__main__":
    SAMPLES.mkdir(exist_ok=True)
    names = sys.argv[1:] or ["moving", "street", "yard", "speaking"]
    if "moving" in names:
        write("moving", moving_frames(), RATE_HZ, 26)
    if "street" in names:
        street = [street_frame(index / RATE_HZ) for index in range(round(STREET_S * RATE_HZ))]
        write("street", street, RATE_HZ, 29, thumb_s=3)
    if "yard" in names:
        write("yard", yard_frames(), 10, 30, make_sound(YARD_S), thumb_s=YARD_THUMB_S)
    if "speaking" in names:
        write("speaking", speaking_face.speak(SPOKEN), speaking_face.RATE_HZ, 18, thumb_s=0.5)
