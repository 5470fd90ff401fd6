"""Network streams from a server of our own on this machine, which stalls, breaks and comes back."""

import contextlib
import io
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from szem.errors import EmptyFileError, FormatError, MediaError, NotFoundError, RangeError
from szem.media.frames import Frame
from szem.media.live import LiveReader, is_camera, is_url
from szem.media.pipeline import Pipeline, Stage
from szem.media.video_writer import VideoWriter

PATIENCE_S = 60.0  # only a test that fails waits so long
Script = Callable[[int, "Handler"], None]  # called with the number of the connection, from 0


class Handler(BaseHTTPRequestHandler):
    """A camera that speaks motion JPEG, as its script says."""

    script: Script
    count = 0

    def do_GET(self) -> None:
        number, type(self).count = type(self).count, type(self).count + 1
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.script(number, self)

    def begin(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()

    def show(self, level: int) -> None:
        file = io.BytesIO()
        Image.new("RGB", (64, 48), (level, level, level)).save(file, "JPEG")
        data = file.getvalue()
        head = f"--frame\r\ncontent-type: image/jpeg\r\ncontent-length: {len(data)}\r\n\r\n"
        self.wfile.write(head.encode() + data + b"\r\n")
        self.wfile.flush()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def camera() -> Iterator[Callable[[Script], str]]:
    """Start a camera with a script; its address."""
    servers = []

    def start(script: Script) -> str:
        kind = type("Scripted", (Handler,), {"script": staticmethod(script), "count": 0})
        server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/live"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def levels(frames: list[int]) -> list[int]:
    return [round(level / 10) for level in frames]


def test_a_stream_that_breaks_is_opened_again(camera: Callable[[Script], str]) -> None:
    def script(number: int, client: Handler) -> None:
        if number == 1:  # one refusal between
            client.send_error(503)
            return
        client.begin()
        for k in range(4):
            client.show(10 * k + 100 * (number > 0))
            time.sleep(0.02)

    on_report: list[str] = []
    reader = LiveReader(camera(script), on_report=on_report.append)
    assert reader.is_live
    seen, times = [], []
    for frame in reader:
        seen.append(int(frame.picture.mean()))
        times.append(frame.time_s)
        if len(seen) >= 6:
            reader.stop()
    assert levels(seen)[:5] == [0, 1, 2, 3, 10] or levels(seen)[:4] == [
        0,
        1,
        2,
        10,
    ]  # the last may be cut with the line
    assert times == sorted(times)
    assert reader.reopened == 1
    assert "trying again in 0.5 s" in on_report[0]
    assert "trying again in 1.0 s" in on_report[1]
    assert "back" in on_report[-1]


def test_a_stream_that_stalls_is_opened_again(camera: Callable[[Script], str]) -> None:
    is_over = threading.Event()

    def script(number: int, client: Handler) -> None:
        client.begin()
        for k in range(3):
            client.show(10 * k + 100 * number)
        if number == 0:
            is_over.wait(PATIENCE_S)  # silent, but the line stays open
            return
        for _ in range(50):
            client.show(200)

    on_report: list[str] = []
    reader = LiveReader(camera(script), stall_s=1, on_report=on_report.append)
    started = time.monotonic()
    seen = []
    for frame in reader:
        seen.append(int(frame.picture.mean()))
        if seen[-1] > 90:
            reader.stop()
    is_over.set()
    assert reader.reopened == 1
    assert seen[-1] > 90  # from the second line, for the first shows none so bright
    assert time.monotonic() - started > 1
    assert "no answer in time" in on_report[0]


def test_patience_ends_where_it_is_asked_to(camera: Callable[[Script], str]) -> None:
    def script(number: int, client: Handler) -> None:
        if number == 0:
            client.begin()
            for _ in range(5):
                client.show(9)
        else:
            client.send_error(404)

    with pytest.raises(MediaError, match="nothing came for"):
        list(LiveReader(camera(script), give_up_s=0.2))


def test_frames_are_dropped_when_the_work_is_slow(camera: Callable[[Script], str]) -> None:
    def script(number: int, client: Handler) -> None:
        client.begin()
        for k in range(60):
            client.show(4 * k)
            time.sleep(0.01)

    reader = LiveReader(camera(script), give_up_s=0.01)
    newest, is_over = [0], threading.Event()

    def frames() -> Iterator[Frame]:
        try:
            for frame in reader:
                newest[0] = frame.index
                yield frame
        finally:
            is_over.set()

    def work(frame: Frame) -> int:
        """Takes as long as five frames."""
        until = time.monotonic() + PATIENCE_S
        while newest[0] < frame.index + 5 and not is_over.wait(0.002):
            assert time.monotonic() < until, "the source waits"
        return int(frame.picture.mean())

    flow = Pipeline(frames(), [Stage(work)], live=reader.is_live)
    seen: list[int] = []
    with pytest.raises(MediaError):
        seen.extend(flow)
    assert flow.dropped > 40
    assert len(seen) + flow.dropped >= 55
    assert seen[-1] > 200  # the newest, not the ones that waited


def test_a_video_on_a_server_is_read_like_a_file(camera: Callable[[Script], str], tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", rate_hz=10) as writer:
        for k in range(12):
            writer.write(np.full((48, 64, 3), 20 * k, np.uint8))
    data = (tmp_path / "a.mp4").read_bytes()

    def script(number: int, client: Handler) -> None:
        first = int(client.headers.get("range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        client.send_response(206)
        client.send_header("content-length", str(len(data) - first))
        client.send_header("accept-ranges", "bytes")
        client.send_header("content-range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        client.end_headers()
        client.wfile.write(data[first:])

    reader = LiveReader(camera(script))
    assert not reader.is_live
    assert [round(f.time_s, 1) for f in reader] == [round(k / 10, 1) for k in range(12)]


@pytest.mark.parametrize(
    ("source", "error", "match"),
    [
        ("63", NotFoundError, "camera 63: cannot be opened"),
        ("http://127.0.0.1:9/live", MediaError, "cannot be opened"),
        ("rtsp://127.0.0.1:9/live", MediaError, "cannot be opened"),
    ],
)
def test_a_source_that_is_not_there_is_said_at_once(source: str, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        LiveReader(source)


def test_what_is_no_video_is_said_at_once(camera: Callable[[Script], str]) -> None:
    def script(number: int, client: Handler) -> None:
        client.send_response(200)
        client.end_headers()
        client.wfile.write(b"<html>no camera here</html>" * 20)

    with pytest.raises((FormatError, MediaError, EmptyFileError), match="cannot be opened"):
        LiveReader(camera(script))


def test_silence_must_be_longer_than_nothing() -> None:
    with pytest.raises(RangeError, match="stall_s must be positive"):
        LiveReader("0", stall_s=0)


@pytest.mark.parametrize(
    ("text", "camera", "url"),
    [
        ("0", True, False),
        ("12", True, False),
        ("2026", False, False),  # more likely a folder
        ("-1", False, False),
        ("rtsp://10.0.0.2/h264", False, True),
        ("HTTPS://example.org/a.m3u8", False, True),
        ("file:///etc/passwd", False, False),
        ("C://a.mp4", False, False),
    ],
)
def test_what_is_typed_is_distinguished(text: str, camera: bool, url: bool) -> None:
    assert (is_camera(text), is_url(text)) == (camera, url)


def test_pictures_of_several_slices_are_whole(rtsp_camera: Callable[..., Any]) -> None:
    """As cameras send them that must not be late: each picture in slices, which share no thread's luck."""
    camera = rtsp_camera()
    camera.start([np.full((120, 160, 3), 180, np.uint8)] * 60)
    reader = LiveReader(camera.address)
    for frame in reader:
        rows = frame.picture.mean(axis=(1, 2))
        assert abs(rows - 180).max() < 8, rows
        if frame.index > 20:
            reader.stop()
