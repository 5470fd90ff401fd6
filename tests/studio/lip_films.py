"""A drawn speaking face, and an answer of the reader's that fits it: for tests of the page, not of the reading."""

import base64
import math
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from szem.media.pictures import encode_picture

__all__ = ["LEVELS", "SAID", "make_answer", "make_video", "no_reading"]

LEVELS = (100, 20, 15, 10, 5, 0, -5, -10)  # the first is no noise at all
SAID = ("bin", "blue", "at", "f", "two", "now")
TIMES = ((0.6, 0.85), (0.85, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.7), (1.7, 2.2))
SIDES = (360, 288)
FRAMES, RATE_HZ, SOUND_HZ = 75, 25, 16_000
PER_ROW = 15


def opening(second: float) -> float:
    """How far the mouth is open, 0..1."""
    return next((abs(math.sin(math.pi * (second - a) / (b - a))) for a, b in TIMES if a <= second < b), 0.0)


def draw_face(second: float) -> np.ndarray:
    """A face with a mouth that moves, sways a little."""
    face = np.full((SIDES[1], SIDES[0], 3), (46, 60, 78), np.uint8)
    x, y = centre(second)
    cv2.ellipse(face, (x, y - 50), (78, 108), 0, 0, 360, (222, 184, 150), -1, cv2.LINE_AA)
    for side in (-30, 30):
        cv2.ellipse(face, (x + side, y - 80), (11, 6), 0, 0, 360, (250, 250, 250), -1, cv2.LINE_AA)
        cv2.circle(face, (x + side, y - 80), 5, (60, 40, 30), -1, cv2.LINE_AA)
    cv2.ellipse(face, (x, y), (28, 8 + round(14 * opening(second))), 0, 0, 360, (168, 74, 74), -1, cv2.LINE_AA)
    cv2.ellipse(face, (x, y), (20, 1 + round(11 * opening(second))), 0, 0, 360, (60, 16, 20), -1, cv2.LINE_AA)
    return face


def centre(second: float) -> tuple[int, int]:
    """Where the mouth is."""
    return round(180 + 14 * math.sin(2 * second)), 200


def corners(second: float) -> list[list[float]]:
    """The four corners of the crop."""
    x, y = centre(second)
    return [[x - 50, y - 30], [x + 50, y - 30], [x + 50, y + 30], [x - 50, y + 30]]


def make_video(path: Path) -> Path:
    """Three seconds of it, with a sound in each word."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=RATE_HZ)
        video.width, video.height = SIDES
        video.pix_fmt = "yuv420p"
        audio = out.add_stream("aac", rate=SOUND_HZ, layout="mono")
        for k in range(FRAMES):
            out.mux(video.encode(av.VideoFrame.from_ndarray(draw_face(k / RATE_HZ), format="rgb24")))
        out.mux(video.encode())
        seconds = np.arange(3 * SOUND_HZ) / SOUND_HZ
        loud = np.array([opening(s) for s in seconds]) * np.sin(2 * np.pi * 180 * seconds) * 0.4
        frame = av.AudioFrame.from_ndarray(loud.astype(np.float32)[None], format="fltp", layout="mono")
        frame.sample_rate = SOUND_HZ
        out.mux(audio.encode(frame))
        out.mux(audio.encode())
    return path


def make_answer() -> dict[str, Any]:
    """Lips that are always nearly right, sound that fails as noise grows, both that hold out longer."""
    times = [k / RATE_HZ for k in range(FRAMES)]
    rows = math.ceil(FRAMES / PER_ROW)
    sheet = np.zeros((rows * 48, PER_ROW * 80), np.uint8)
    for k, second in enumerate(times):
        x, y = centre(second)
        grey = cv2.cvtColor(draw_face(second)[y - 30 : y + 30, x - 50 : x + 50], cv2.COLOR_RGB2GRAY)
        top, left = k // PER_ROW * 48, k % PER_ROW * 80
        sheet[top : top + 48, left : left + 80] = cv2.resize(grey, (80, 48), interpolation=cv2.INTER_AREA)
    url = "data:image/png;base64," + base64.b64encode(encode_picture(np.repeat(sheet[..., None], 3, axis=2))).decode()
    near = ("bin", "blue", "at", "s", "two", "now")
    levels = []
    for level in LEVELS:
        decibels = min(level, 40)
        heard = tuple("again" if k < (12 - decibels) // 3 else word for k, word in enumerate(SAID))
        sound = make_reading("sound", heard, min(0.99, max(0.05, (decibels + 10) / 50)))
        if decibels <= -5:
            sound = no_reading("sound", "not a sentence of the kind it knows, or too unclear", " ".join(heard))
        both = make_reading("both", SAID if decibels >= 0 else near, min(0.99, 0.8 + decibels / 200))
        levels.append({"noise_db": level, "lips": make_reading("lips", near, 0.74), "sound": sound, "both": both})
    seen = [{"time_s": s, "seen": True, "faces": 1, "corners_xy": corners(s)} for s in times]
    return {
        **levels[0]["both"],
        "known": 0.98,
        "rate_hz": RATE_HZ,
        "begin_s": 0.0,
        "frames": FRAMES,
        "track": {"width": SIDES[0], "height": SIDES[1], "frames": seen},
        "crops": {"url": url, "count": FRAMES, "per_row": PER_ROW, "width": 80, "height": 48},
        "levels": levels,
    }


def make_reading(used: str, text: tuple[str, ...], confidences: float) -> dict[str, Any]:
    """A reading with chances that rise in each word's time, and letters that look there."""
    seconds = np.arange(FRAMES) / RATE_HZ

    def bump(start: float, end: float) -> np.ndarray:
        return np.exp(-(((seconds - (start + end) / 2) / ((end - start) / 2)) ** 2))

    spans = list(zip(text, TIMES, strict=True))
    moments = []
    for second in range(FRAMES):
        found = sorted(((confidences * float(bump(*span)[second]), word) for word, span in spans), reverse=True)[:3]
        moments.append({"silence": 0.0, "words": [{"text": word, "probability": round(c, 3)} for c, word in found]})
    letters = " ".join(text)
    at = np.interp(np.arange(len(letters)), [0, len(letters) - 1], [0.6, 2.2])
    return {
        "model": "toy",
        "used": used,
        "is_read": True,
        "text": letters,
        "confidence": round(confidences, 4),
        "words": [
            {"text": word, "start_s": a, "end_s": b, "confidence": round(max(0.02, confidences - 0.04 * k), 4)}
            for k, (word, (a, b)) in enumerate(spans)
        ],
        "moments": moments,
        "spelled": {"letters": list(letters), "attention": [bump(s - 0.12, s + 0.12).round(2).tolist() for s in at]},
    }


def no_reading(used: str, reason: str, guess: str = "") -> dict[str, Any]:
    """None, and why."""
    words: list[Any] = []
    return {
        "model": "toy", "used": used, "is_read": False, "text": "", "confidence": 0.0, "words": words, "reason": reason,
        "guess": guess,
    }  # fmt: skip
