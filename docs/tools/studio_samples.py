"""Make the moving samples that the studio opens with: `python docs/tools/studio_samples.py`.

`moving.mp4` moves over photographs that scikit-image carries: Chelsea the cat (Stéfan van der Walt, CC0), a cup of
coffee (Rachel Michetti, CC0) and Eileen Collins (NASA, public domain). `yard.mp4` is drawn by `benchmarks.scenes`; its
siren is made of tones. Both are small enough for a package; the pictures beside them are their thumbnails.
"""

import sys
from pathlib import Path

import av
import cv2
import numpy as np
from guard_pictures import SOUND_HZ, make_sound
from numpy.typing import NDArray

from szem.media.samples import read_sample
from szem.studio import studio_folder

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the scene simulator is not in the wheel
from benchmarks.scenes.sprites import draw_sprites
from benchmarks.scenes.stories import compose_scene

Frames = list[NDArray[np.uint8]]
SAMPLES = studio_folder() / "samples"
RATE_HZ = 12
SIDES = (480, 360)
# For each photograph: where the window's centre begins and ends, and its width, as fractions of the picture.
PATHS = (
    ("cat", ((0.50, 0.50, 1.0), (0.56, 0.42, 0.72))),
    ("coffee", ((0.45, 0.50, 0.95), (0.52, 0.52, 0.75))),
    ("astronaut", ((0.50, 0.50, 1.0), (0.45, 0.38, 0.8))),
)
SHOT_S = 3.0
YARD_S = 30.0
YARD_SEED = 6
YARD_THUMB_S = 8.0


def moving_frames() -> Frames:
    """A camera that moves over the photographs, one after the other."""
    frames: Frames = []
    count = round(SHOT_S * RATE_HZ)
    for name, (first, last) in PATHS:
        picture = read_sample(name)
        height, width = picture.shape[:2]
        for k in range(count):
            t = (1 - np.cos(np.pi * k / (count - 1))) / 2
            x, y, share = (a + (b - a) * t for a, b in zip(first, last, strict=True))
            wide = min(width * share, height * share * SIDES[0] / SIDES[1])
            tall = wide * SIDES[1] / SIDES[0]
            cx, cy = np.clip(x * width, wide / 2, width - wide / 2), np.clip(y * height, tall / 2, height - tall / 2)
            scale = SIDES[0] / wide
            turn = np.array([[scale, 0, SIDES[0] / 2 - cx * scale], [0, scale, SIDES[1] / 2 - cy * scale]])
            frames.append(cv2.warpAffine(picture, turn, SIDES, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT))
    return frames


def yard_frames() -> Frames:
    """Somebody leaves a bag in a drawn yard."""
    scene = compose_scene("left", YARD_SEED, draw_sprites(YARD_SEED), rate_hz=10, duration_s=YARD_S, extras=False)
    return [picture for _, picture in scene.frames()]


def write(
    name: str,
    frames: Frames,
    rate_hz: int,
    quality: int,
    sound: NDArray[np.float32] | None = None,
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
    write("moving", moving_frames(), RATE_HZ, 30)
    write("yard", yard_frames(), 10, 30, make_sound(YARD_S), thumb_s=YARD_THUMB_S)
