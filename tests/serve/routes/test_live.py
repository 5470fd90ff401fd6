"""Live frames over a real WebSocket: boxes, back-pressure, limits, keys, hostile callers."""

import asyncio
import io
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from szem.serve.handlers.live import LiveView
from szem.serve.routes.live import LIVE_PATH
from szem.serve.settings import ServeSettings

Run = Callable[..., AbstractContextManager[httpx.Client]]
PATIENCE_S = 60.0  # only a test that fails waits so long


@pytest.fixture(scope="module")
def home(color_detector: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user's folder with the little network that really looks, as `squares`."""
    home = tmp_path_factory.mktemp("live")
    shutil.copytree(color_detector, home / "models" / "squares")
    before = os.environ.get("SZEM_HOME")
    os.environ["SZEM_HOME"] = str(home)
    yield home
    if before is None:
        del os.environ["SZEM_HOME"]
    else:
        os.environ["SZEM_HOME"] = before


@pytest.fixture(scope="module")
def url(home: Path, run_server: Run) -> Iterator[str]:
    with run_server(max_live=16, max_live_frame_bytes=100_000) as client:
        yield address(client)


def address(client: httpx.Client, query: str = "model=squares") -> str:
    return f"{client.base_url}".replace("http://", "ws://").rstrip("/") + f"{LIVE_PATH}?{query}"


def frame(x: int = 32, *, width: int = 256, height: int = 192, fmt: str = "JPEG") -> bytes:
    """A red square whose left side is at x."""
    picture = np.full((height, width, 3), 40, np.uint8)
    picture[16:96, x : x + 80] = (255, 0, 0)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, fmt)
    return file.getvalue()


@contextmanager
def opened(url: str, **options: Any) -> Iterator[ClientConnection]:
    with connect(url, **options) as line:
        hello = answer(line)
        assert hello["type"] == "ready", hello
        yield line


def answer(line: ClientConnection) -> dict[str, Any]:
    return json.loads(line.recv(timeout=PATIENCE_S))


def ask(line: ClientConnection, data: bytes) -> dict[str, Any]:
    line.send(data)
    return answer(line)


def closed_with(line: ClientConnection) -> tuple[int, str]:
    """Read on until the server closes."""
    with pytest.raises(ConnectionClosed) as end:
        read_on(line)
    assert end.value.rcvd is not None, "the connection broke without a closing message"
    return end.value.rcvd.code, end.value.rcvd.reason


def read_on(line: ClientConnection) -> None:
    while True:
        line.recv(timeout=PATIENCE_S)


def test_the_server_says_what_it_knows(url: str) -> None:
    with connect(url) as line:
        hello = answer(line)
    assert hello["classes"] == ["red", "green", "blue"]
    assert set(hello["thresholds"]) == {"red", "green", "blue"}
    assert hello["aliases"] == {}
    assert hello["window"] >= 1


def test_frames_are_answered_with_numbered_boxes(url: str) -> None:
    with opened(url) as line:
        rows = [ask(line, frame(64)) for _ in range(6)]
    assert [row["frame"] for row in rows] == list(range(6))
    assert {row["type"] for row in rows} == {"boxes"}
    last = rows[-1]
    assert [(box["label"], box["id"]) for box in last["boxes"]] == [("red", 1)]
    assert last["boxes"][0]["box_xyxy"] == pytest.approx([64, 16, 144, 96], abs=4)
    assert (last["width"], last["height"]) == (256, 192)
    assert last["took_ms"]["detect"] > 0


def test_settings_change_what_is_found_and_counted(url: str) -> None:
    with opened(url) as line:
        line.send(json.dumps({"lines": ["gate=0.55,0 0.55,1"], "anchor": "center"}))
        assert answer(line)["type"] == "settings"
        rows = [ask(line, frame(min(144, 16 + 16 * k))) for k in range(16)]
        assert rows[-1]["counts"][0] | {"right": None, "left": None} == {
            "line": "gate", "right": None, "left": None, "right_total": 0, "left_total": 1,
        }  # fmt: skip
        assert [e["to"] for row in rows for e in row["events"]] == ["left"]
        line.send(json.dumps({"classes": ["blue"]}))
        assert answer(line)["type"] == "settings"
        for _ in range(8):
            row = ask(line, frame(16))
        line.send(json.dumps({"track": False, "threshold": 0.2}))
        assert answer(line) == {"type": "settings", "threshold": 0.2, "track": False}
        row = ask(line, frame(32))
        assert {box["label"] for box in row["boxes"]} == {"red"}
        assert "id" not in row["boxes"][0]
        line.send(json.dumps({"threshold": 1.0, "track": False}))
        answer(line)
        assert ask(line, frame(32))["boxes"] == []


def test_outlines_come_where_they_are_asked_for(url: str) -> None:
    with opened(url) as line:
        line.send(json.dumps({"outlines": True}))
        answer(line)
        row = ask(line, frame(32))
    shape = np.array(row["boxes"][0]["outline"])
    assert shape.ndim == 2
    assert shape.shape[1] == 2
    assert (shape.min(0) >= [0, 0]).all()
    assert (shape.max(0) <= [256, 192]).all()


def test_a_caller_who_floods_learns_what_was_dropped_and_gets_the_newest(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, begun, go = LiveView.look, threading.Event(), threading.Event()

    async def slow(self: LiveView, data: bytes, *, time_s: float) -> dict[str, Any]:
        begun.set()
        assert await asyncio.to_thread(go.wait, PATIENCE_S)
        return await look(self, data, time_s=time_s)

    monkeypatch.setattr(LiveView, "look", slow)
    data = frame(32)
    try:
        with opened(url) as line:
            line.send(data)
            assert begun.wait(PATIENCE_S)
            for _ in range(39):
                line.send(data)
            dropped = [answer(line) for _ in range(38)]
            go.set()
            looked_at = [answer(line) for _ in range(2)]
    finally:
        go.set()
    assert [(row["type"], row["frame"]) for row in dropped] == [("dropped", n) for n in range(1, 39)]
    assert [(row["type"], row["frame"]) for row in looked_at] == [("boxes", 0), ("boxes", 39)]


HOSTILE = {
    "nothing": b"",
    "text in a frame": b"hello there",
    "cut JPEG head": frame()[:40],
    "bomb": b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0" + b"\0" * 20,
    "a film": b"\0\0\0\x20ftypisom" + b"\0" * 200,
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_frame_that_is_none_gets_an_error_and_the_line_goes_on(name: str, url: str) -> None:
    with opened(url) as line:
        row = ask(line, HOSTILE[name])
        assert (row["type"], row["frame"]) == ("error", 0)
        assert row["error"]["code"] == 3
        assert row["error"]["message"]
        assert ask(line, frame())["type"] == "boxes"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", "JSON"),
        ("[]", ""),
        ('{"treshold": 0.4}', "treshold"),
        ('{"threshold": "high"}', "threshold"),
        ('{"threshold": 7}', "threshold must lie in 0..1"),
        ('{"classes": ["dragon"]}', "no class called 'dragon'"),
        ('{"lines": ["0,0"]}', "a line is two points"),
        ('{"lines": ["0,0 1,1"], "track": false}', "leave track on"),
        ('{"lines": ["0,0 1,1"], "anchor": "nose"}', "no anchor called 'nose'"),
        ('{"anchor": "nose"}', "no anchor called 'nose'"),
        (json.dumps({"zones": ["0,0 1,0 1,1"] * 30}), "at most 16"),
    ],
)
def test_wrong_settings_get_an_error_and_the_old_ones_stay(text: str, match: str, url: str) -> None:
    with opened(url) as line:
        line.send(text)
        row = answer(line)
        assert row["type"] == "error"
        assert match in row["error"]["message"]
        assert [box["label"] for box in ask(line, frame())["boxes"]] == ["red"]


def test_names_of_voc_stand_for_those_of_coco(url: str) -> None:
    with opened(url.replace("model=squares", "model=detect")) as line:
        line.send('{"classes": ["aeroplane", "tvmonitor"]}')
        assert answer(line)["type"] == "settings"
        row = ask(line, frame())
        assert row["type"] == "boxes", row
        assert {box["label"] for box in row["boxes"]} <= {"airplane", "tv"}


def test_too_many_wrong_messages_in_a_row_end_the_line(url: str) -> None:
    with opened(url) as line:
        for _ in range(20):
            line.send("{")
        assert closed_with(line)[0] == 1003


def test_too_many_wrong_frames_in_a_row_end_the_line_and_are_no_fault(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(url) as line:
        for n in range(20):
            assert ask(line, b"no picture")["frame"] == n
        assert closed_with(line)[0] == 1003
    with opened(url) as line:  # by now the first line's end is cleared away
        assert ask(line, frame())["type"] == "boxes"
    assert "a live line failed" not in caplog.text


def test_a_frame_that_is_too_large_ends_the_line(url: str) -> None:
    with opened(url) as line:
        line.send(b"\xff\xd8" + b"\0" * 200_000)
        assert closed_with(line)[0] == 1009


def test_places_are_few_and_given_back(home: Path, run_server: Run) -> None:
    with run_server(max_live=2) as client:
        url = address(client)
        with opened(url), opened(url):
            with connect(url) as third:
                code, reason = closed_with(third)
            assert code == 1013
            assert "try again" in reason
        until = time.monotonic() + PATIENCE_S
        while not has_place(url):  # given back once the server has seen the callers go
            assert time.monotonic() < until, "the places are not given back"
            time.sleep(0.02)


def has_place(url: str) -> bool:
    """Whether a caller gets in; then a frame is answered."""
    with connect(url) as line:
        try:
            assert answer(line)["type"] == "ready"
        except ConnectionClosed:
            return False
        assert ask(line, frame())["type"] == "boxes"
        return True


def test_a_model_that_is_not_there_is_reported(url: str) -> None:
    for wrong in ("nothing-like-it", "../../etc"):
        with connect(url.replace("model=squares", f"model={wrong}")) as line:
            row = answer(line)
            assert row["type"] == "error"
            assert closed_with(line)[0] == 1011


def test_a_silent_line_is_closed(home: Path, run_server: Run) -> None:
    with run_server(live_idle_s=0.3) as client, opened(address(client)) as line:
        assert closed_with(line) == (1008, "nothing came for 0.3 s")


def test_the_line_outlives_the_time_limit_for_heads(home: Path, run_server: Run) -> None:
    with run_server(header_timeout_s=2.0) as client, opened(address(client)) as line:
        time.sleep(2.2)
        assert ask(line, frame())["type"] == "boxes"


def test_strangers_are_kept_out(home: Path, run_server: Run) -> None:
    with run_server(api_keys=("secret",)) as client:
        for headers in ({}, {"x-goog-api-key": "guess"}):
            with pytest.raises(InvalidStatus, match="403"):
                connect(address(client), additional_headers=headers)
        with opened(address(client, "model=squares&key=secret")) as line:
            assert ask(line, frame())["type"] == "boxes"
        with opened(address(client), additional_headers={"x-goog-api-key": "secret"}):
            pass


def test_pages_of_other_sites_may_not_open_a_line(home: Path, run_server: Run) -> None:
    with run_server() as client:
        with pytest.raises(InvalidStatus, match="403"):
            connect(address(client), origin="http://evil.example")
        host, port = client.base_url.host, client.base_url.port
        other = address(client).replace(f"{host}:{port}", f"evil.example:{port}")  # a name that points here
        with socket.create_connection((host, port)) as plain, pytest.raises(InvalidStatus, match="403"):
            connect(other, sock=plain)


def test_the_servers_own_pages_may(home: Path, run_server: Run) -> None:
    with run_server() as client, opened(address(client), origin=str(client.base_url).rstrip("/")) as line:
        assert ask(line, frame())["type"] == "boxes"


def test_live_frames_are_counted(home: Path, run_server: Run) -> None:
    with run_server() as client:
        with opened(address(client)) as line:
            ask(line, frame())
            ask(line, b"nothing")
        metrics = client.get("/metrics").text
    assert 'szem_live_frames_total{outcome="answered"} 1.0' in metrics
    assert 'szem_live_frames_total{outcome="refused"} 1.0' in metrics


def test_the_defaults_are_bounded() -> None:
    settings = ServeSettings()
    assert 1 <= settings.max_live <= 16
    assert settings.max_live_frame_bytes <= 8 << 20
