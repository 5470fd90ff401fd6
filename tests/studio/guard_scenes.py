"""Drawn scenes for tests of the guard page: a store with events, and a film in which something happens."""

import time
import uuid
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from szem.guard.event_record import StoredEvent
from szem.guard.event_store import EventStore
from szem.media.pictures import encode_picture
from szem.media.video_writer import VideoWriter

__all__ = ["BOX", "fill_store", "make_covered_video"]

BOX = (240.0, 108.0, 290.0, 310.0)
# kind, source, place, channels: the last is the newest
EVENTS: tuple[tuple[str, str, str, dict[str, float]], ...] = (
    ("gun shot", "yard", "", {"sound": 0.97}),
    ("enters", "gate", "door", {"video": 0.91}),
    ("removed", "yard", "", {"sound": 0.55, "video": 0.79}),
    ("crosses", "gate", "line", {"video": 0.4}),
    ("enters", "yard", "door", {"video": 0.86}),
)


def draw_scene(x: int = 240) -> np.ndarray:
    """A yard with somebody in it."""
    picture = np.full((360, 640, 3), (96, 110, 104), np.uint8)
    picture[230:] = (140, 134, 126)
    cv2.rectangle(picture, (x, 150), (x + 50, 310), (40, 60, 120), -1)
    cv2.circle(picture, (x + 25, 130), 22, (200, 160, 130), -1)
    return picture


def fill_store(folder: Path) -> list[str]:
    """Five events of the last hours, two of them with picture and clip, and two sources; the ids, oldest first."""
    ids = []
    now = time.time()
    with closing(EventStore(folder)) as store:
        for n, (kind, source, place, channels) in enumerate(EVENTS):
            at = now - 600 * (len(EVENTS) - n) - (7200 if n < 2 else 0)
            values: dict[str, Any] = {"box_xyxy": BOX, "width_px": 640, "height_px": 360} if place == "door" else {}
            event = StoredEvent(
                id=uuid.uuid4().hex, source=source, kind=kind, started=at, ended=at + 4, start_s=60.0 * n,
                end_s=60.0 * n + 4, score=max(channels.values()), channels=channels, place=place, rule="everything",
                contributions={"sound": 0.5, "video": 1.5} if len(channels) == 2 else {}, **values,
            )  # fmt: skip
            if place == "door":
                event = replace(event, picture=store.name_media(event, ".jpg"), clip=store.name_media(event, ".mp4"))
                with store.writing(event.picture) as path:
                    path.write_bytes(encode_picture(draw_scene(), suffix=".jpg"))
                with store.writing(event.clip) as path:
                    video = path.with_suffix(".mp4")
                    with VideoWriter(video, rate_hz=10) as writer:
                        for k in range(20):
                            writer.write(draw_scene(240 + 4 * k))
                    video.replace(path)
            ids.append(store.add(event).id)
        still = "stills/yard_0123abcd.jpg"
        with store.writing(still) as path:
            path.write_bytes(encode_picture(draw_scene(), suffix=".jpg"))
        store.report_source("yard", state="live", seen=now, width_px=640, height_px=360, has_sound=True, still=still)
        store.report_source("gate", state="lost", reason="no answer")
    return ids


def make_covered_video(path: Path) -> Path:
    """Eight seconds: a scene with a little noise, from the fourth on a hand before the lens."""
    rng = np.random.default_rng(3)
    scene = np.kron(rng.integers(30, 220, (12, 16, 3)), np.ones((10, 10, 1))).astype(np.int16)
    with VideoWriter(path, rate_hz=10) as writer:
        for k in range(80):
            shown = scene if k < 40 else np.full_like(scene, 70)
            writer.write((shown + rng.integers(-4, 5, scene.shape)).clip(0, 255).astype(np.uint8))
    return path
