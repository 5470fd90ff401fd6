"""How many cameras two cores guard, picture and sound, and whether memory stays flat.

Run:  python benchmarks/watch.py --video cars.mp4 [--sound street.wav] [--cameras 6] [--seconds 120]
The film is coded once as a camera sends it (640×360, 10 frames/s, H.264 with AAC, MPEG-TS), and served over HTTP at
that pace by a process of its own, to each camera from its own beginning. The guard is the one that `szem watch` runs:
detector, listener, rules, database, clips. Printed: frames that came and that were looked at, sound listened to,
processor time in cores, memory every ten seconds, and how much it grew from the second third to the last.
"""

import argparse
import io
import logging
import multiprocessing
import tempfile
import time
from contextlib import closing, suppress
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np

from machine import describe_machine
from szem.guard.analyzer import build_analyzer
from szem.guard.event_record import EventQuery
from szem.guard.event_store import EventStore
from szem.guard.listener_pool import make_listening
from szem.guard.service import GuardService
from szem.guard.sources import name_sources
from szem.media.sound import read_sound
from szem.media.video import VideoReader
from szem.tasks.surveillance.rules import Rules
from szem.tasks.video.detect_video import open_video_detector

RATE_HZ, SIZE, SOUND_HZ = 10, (640, 360), 16000
EVERY_S = 10.0


def code_stream(video: Path, sound: Path | None, *, seconds: float) -> list[bytes]:
    """What a camera sends in so many seconds, a piece for each frame: the film, again and again."""
    pictures, due_s = [], 0.0
    for frame in VideoReader(video):
        if frame.time_s >= due_s:
            pictures.append(frame.scaled(*SIZE))
            due_s += 1 / RATE_HZ
    heard = read_sound(sound or video, rate_hz=SOUND_HZ)
    step = SOUND_HZ // RATE_HZ
    pieces, wire = [], io.BytesIO()
    with av.open(wire, "w", format="mpegts", options={"flush_packets": "1"}, buffer_size=188) as stream:
        coded = stream.add_stream("libx264", rate=RATE_HZ)
        coded.width, coded.height, coded.pix_fmt = *SIZE, "yuv420p"
        coded.options = {"preset": "veryfast", "tune": "zerolatency", "g": str(2 * RATE_HZ), "crf": "25"}
        tone = stream.add_stream("aac", rate=SOUND_HZ)
        for k in range(round(seconds * RATE_HZ)):
            stream.mux(coded.encode(av.VideoFrame.from_ndarray(pictures[k % len(pictures)], format="rgb24")))
            part = np.take(heard, np.arange(k * step, (k + 1) * step), mode="wrap")[None]
            samples = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format="fltp", layout="mono")
            samples.sample_rate, samples.pts, samples.time_base = SOUND_HZ, k * step, Fraction(1, SOUND_HZ)
            stream.mux(tone.encode(samples))
            pieces.append(wire.getvalue())
            wire.seek(0)
            wire.truncate()
    return pieces


def serve_cameras(pieces: list[bytes], ports: Any) -> None:
    """Send the stream to whoever asks, at its own pace."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "video/mp2t")
            self.end_headers()
            began = time.monotonic()
            with suppress(OSError):
                for k, piece in enumerate(pieces):
                    time.sleep(max(0.0, began + k / RATE_HZ - time.monotonic()))
                    self.wfile.write(piece)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    ports.put(server.server_port)
    server.serve_forever()


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--sound", type=Path, default=None)
    parser.add_argument("--cameras", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=120)
    args = parser.parse_args()
    logging.getLogger("szem.guard").setLevel(logging.CRITICAL)
    print(describe_machine("szem", "onnxruntime", "av"))
    with tempfile.TemporaryDirectory() as folder:
        pieces = code_stream(args.video, args.sound, seconds=args.seconds + 60)
        ports: Any = multiprocessing.Queue()
        server = multiprocessing.Process(target=serve_cameras, args=(pieces, ports), daemon=True)
        server.start()
        try:
            guard_cameras(Path(folder) / "store", ports.get(timeout=30), args.cameras, args.seconds)
        finally:
            server.terminate()
            server.join()


def guard_cameras(folder: Path, port: int, cameras: int, seconds: float) -> None:
    rules = Rules()
    sources = name_sources([f"cam{k}=http://127.0.0.1:{port}/{k}" for k in range(cameras)], rules)
    detector, listen = open_video_detector(None, workers=1, threads=None), make_listening(rules)
    with closing(EventStore(folder)) as store:
        guard = GuardService(
            store,
            rules,
            sources,
            make_analyzer=lambda s: build_analyzer(s.name, rules, detector=detector, listen=listen),
        )
        began, spent, sizes, reported = time.monotonic(), time.process_time(), [], 0.0

        def tick() -> None:
            nonlocal reported
            now_s = time.monotonic() - began
            if now_s - reported >= EVERY_S:
                reported = now_s
                sizes.append(resident_mib())
                print(f"{now_s:6.0f} s  {sizes[-1]:7.1f} MiB  {(time.process_time() - spent) / now_s:.2f} cores")
            if now_s >= seconds:
                guard.stop()

        guard.run(each_tick=tick)
        cores = (time.process_time() - spent) / (time.monotonic() - began)
        value = guard.metrics.registry.get_sample_value
        names = [{"source": source.name} for source in sources]
        looked = [value("szem_guard_frames_total", name) or 0.0 for name in names]
        dropped = [value("szem_guard_frames_dropped_total", name) or 0.0 for name in names]
        heard = [value("szem_guard_sound_seconds_total", name) or 0.0 for name in names]
        came = np.add(looked, dropped)
        print(
            f"{cameras} cameras, {seconds:.0f} s: {came.min() / seconds:.2f} to {came.max() / seconds:.2f} frames/s "
            f"came of each, {sum(looked) / came.sum():.1%} were looked at; "
            f"{min(heard) / seconds:.1%} to {max(heard) / seconds:.1%} of the sound was heard"
        )
        third = max(len(sizes) // 3, 1)
        grown = float(np.median(sizes[-third:]) - np.median(sizes[third : 2 * third] or sizes))
        print(
            f"{cores:.2f} cores; {store.count(EventQuery())} events, "
            f"{value('szem_guard_lost_total', {'what': 'clip'}) or 0:.0f} clips left out; "
            f"memory grew by {grown:+.1f} MiB from the second third to the last"
        )


if __name__ == "__main__":
    main()
