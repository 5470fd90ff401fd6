"""What the guard's tests share: analyzer that tell what a script says, events, and films."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np

from szem.guard.event_store import EventStore
from szem.guard.service import GuardService
from szem.guard.sources import name_sources
from szem.media.frames import Frame
from szem.media.sound import SoundBlock
from szem.results.events import Event
from szem.tasks.surveillance.rules import ClipSettings, Rules


@dataclass
class Scripted:
    """Senses: events that are due are reported with the first frame at or after their moment."""

    script: Sequence[tuple[float, Event]] = ()
    rate_hz: int = 16000
    hears: bool = True
    seen: list[float] = field(default_factory=list)
    heard: list[tuple[float, int]] = field(default_factory=list)
    loudest: float = 0.0
    fails_at: float | None = None
    sounds: Sequence[tuple[float, Event]] = ()  # reported with the first block that goes on to their moment

    def see(self, frame: Frame) -> list[Event]:
        self.seen.append(frame.time_s)
        if self.fails_at is not None and frame.time_s >= self.fails_at:
            self.fails_at = None
            raise RuntimeError("a bug")
        due = [event for at_s, event in self.script if at_s <= frame.time_s]
        self.script = [pair for pair in self.script if pair[0] > frame.time_s]
        return due

    def hear(self, block: SoundBlock) -> list[Event]:
        self.heard.append((block.time_s, len(block.samples)))
        self.loudest = max(self.loudest, float(np.abs(block.samples).max()))
        end_s = block.time_s + len(block.samples) / self.rate_hz
        due = [event for at_s, event in self.sounds if at_s <= end_s]
        self.sounds = [pair for pair in self.sounds if pair[0] > end_s]
        return due

    def finish(self) -> list[Event]:
        return []


def happening(start_s: float = 2.0, end_s: float = 3.0, **values: object) -> Event:
    """An event as a film has them."""
    known = {"kind": "enters", "score": 0.9, "channels": {"video": 0.9}, "contributions": {"video": 2.0}}
    return Event(start_s=start_s, end_s=end_s, **(known | values))  # type: ignore[arg-type]


def make_sound(path: Path, *, seconds: float = 8.0, codec: str = "aac") -> Path:
    """A tone of 440 Hz without pictures."""
    with av.open(str(path), "w") as out:
        tone: Any = out.add_stream(codec, rate=16000)
        at = np.arange(round(seconds * 16000))
        wave = (0.3 * np.sin(2 * np.pi * 440 * at / 16000)).astype(np.float32)[None]
        raw = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        raw.sample_rate, raw.pts = 16000, 0
        for frame in av.AudioResampler(format=tone.format, rate=16000).resample(raw):
            frame.pts = None
            out.mux(tone.encode(frame))
        out.mux(tone.encode(None))
    return path


def make_video(
    path: Path, *, seconds: float = 8.0, rate_hz: int = 10, codec: str = "libx264", sound: str = "aac"
) -> Path:
    """A film whose pictures get brighter with time, so that each tells when it is, with a tone of 440 Hz."""
    with av.open(str(path), "w") as out:
        video = out.add_stream(codec, rate=rate_hz)
        video.width, video.height = 160, 120
        video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if codec == "libx265":
            video.options = {"x265-params": f"keyint={rate_hz}:log-level=none", "preset": "ultrafast"}
        elif codec == "mpeg4":
            video.codec_context.gop_size = rate_hz
        if codec == "libx264":
            video.options = {"g": str(rate_hz), "preset": "ultrafast", "threads": "1"}
        tone = out.add_stream(sound, rate=16000) if sound else None
        shape = "fltp" if sound == "aac" else "s16"
        for k in range(round(seconds * rate_hz)):
            level = round(20 + 200 * k / (seconds * rate_hz))
            frame = av.VideoFrame.from_ndarray(np.full((120, 160, 3), level, np.uint8), format="rgb24")
            out.mux(video.encode(frame))
            if tone is not None:
                at = np.arange(16000 // rate_hz) + k * (16000 // rate_hz)
                wave = 0.3 * np.sin(2 * np.pi * 440 * at / 16000)[None]
                wave = wave.astype(np.float32) if shape == "fltp" else (wave * 32767).astype(np.int16)
                samples = av.AudioFrame.from_ndarray(wave, format=shape, layout="mono")
                samples.sample_rate, samples.pts = 16000, int(at[0])
                out.mux(tone.encode(samples))
        out.mux(video.encode(None))
        if tone is not None:
            out.mux(tone.encode(None))
    return path


def guard_videos(
    store: EventStore, films: list[str], analyzer: dict[str, Scripted], rules: Rules | None = None
) -> GuardService:
    """A guard of films that began at a known time."""
    rules = rules or Rules(clips=ClipSettings(before_s=1.0, after_s=1.0))
    return GuardService(
        store,
        rules,
        name_sources(films, rules),
        make_analyzer=lambda source: analyzer[source.name],
        began=1_000_000.0,
    )


@contextmanager
def live_line(answer: Callable[[], bytes]) -> Iterator[str]:
    """A line over HTTP that sends what `answer` gives, a little at a time, and breaks off; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            sent = answer()
            with suppress(OSError):
                for k in range(0, len(sent), 2000):
                    self.wfile.write(sent[k : k + 2000])
                    time.sleep(0.02)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/live"
    finally:
        server.shutdown()
        server.server_close()
