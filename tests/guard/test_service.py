"""A whole guard on films and live lines: events, pictures, clips, sources that break, disks that are full."""

import errno
import io
import itertools
import os
import shutil
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from szem.errors import BusyError, FileMissingError, RangeError, StoreError
from szem.guard import service
from szem.guard.event_record import EventQuery
from szem.guard.event_store import EventStore
from szem.guard.service import GuardService
from szem.guard.sources import name_sources
from szem.media.frames import Frame
from szem.media.pictures import read_picture
from szem.media.video import VideoReader
from szem.results.events import Event
from szem.tasks.surveillance.rules import ClipSettings, Rules

from .acts import Scripted, guard_videos, happening, make_video

pytestmark = pytest.mark.slow  # cameras in real time


def test_an_event_of_a_video_gets_a_row_a_picture_and_a_clip(store: EventStore, video: Path) -> None:
    analyzer = Scripted([(3.0, happening(2.0, 3.0, best_s=2.5, box_xyxy=(1, 2, 30, 40)))])
    guard = guard_videos(store, [str(video)], {"yard": analyzer})
    ended = guard.run()
    assert [(p.state, p.events, p.frames) for p in ended] == [("ended", 1, 80)]
    (event,), _ = store.page(EventQuery(), size=10)
    assert (event.source, event.kind, event.started, event.ended) == ("yard", "enters", 1_000_002.0, 1_000_003.0)
    picture = read_picture(store.media_path(event.picture))
    assert picture.shape == (120, 160, 3)
    assert abs(picture.mean() - (20 + 200 * 25 / 80)) < 4  # the frame of 2.5 s, no other
    assert event.clip_start_s == pytest.approx(1.0)
    with av.open(str(store.media_path(event.clip))) as clip:
        assert [s.codec_context.name for s in clip.streams] == ["h264", "aac"]
        levels = [float(frame.to_ndarray(format="gray").mean()) for frame in clip.decode(video=0)]
    assert abs(levels[0] - (20 + 200 * 10 / 80)) < 4
    assert abs(levels[-1] - (20 + 200 * 40 / 80)) < 8
    assert event.media_bytes == sum(store.media_path(n).stat().st_size for n in (event.picture, event.clip))
    heard_s = sum(length for _, length in analyzer.heard) / 16000
    assert 7.5 < heard_s < 8.5
    assert 0.2 < analyzer.loudest < 0.4


def test_an_event_that_goes_on_is_kept_at_once_and_again_at_its_end(store: EventStore, video: Path) -> None:
    opened = happening(1.0, 2.0, is_open=True, number=1)
    ended = happening(1.0, 6.0, is_open=False, number=1, score=0.95)
    guard = guard_videos(store, [str(video)], {"yard": Scripted([(2.0, opened), (6.0, ended)])})
    guard.run()
    (event,), _ = store.page(EventQuery(), size=10)
    assert (event.start_s, event.end_s, event.score, event.is_open) == (1.0, 6.0, 0.95, False)
    assert event.picture
    with av.open(str(store.media_path(event.clip))) as clip:
        assert 6.5 < float(clip.duration or 0) / av.time_base < 8.5  # from 0 s to 7 s, and to the next whole second


def test_an_event_that_the_other_channel_bears_out_is_changed_at_once(store: EventStore, video: Path) -> None:
    """A bark is heard and goes on; a second later the dog is seen: one row tells of both."""
    sound, both = {"sound": 0.8}, {"sound": 0.8, "video": 0.7}
    heard = happening(1.0, 2.0, kind="dog bark", is_open=True, number=3, channels=sound, contributions={})
    joined = happening(
        1.0, 3.0, kind="dog bark", is_open=True, number=3, channels=both, contributions={"sound": 1.5, "video": 0.9},
        also="enters", label="dog", score=0.96, note="heard dog bark and seen dog (the same dog)",
    )  # fmt: skip
    rows: list[dict[str, float]] = []
    analyzer = Scripted([(2.0, heard), (3.0, joined)])
    guard = guard_videos(store, [str(video)], {"yard": analyzer})
    change = store.change

    def watched_change(id: str, **values: Any) -> None:
        change(id, **values)
        rows.append(dict(store.get(id).channels))

    store.change = watched_change  # type: ignore[method-assign]
    guard.run()
    assert rows[0] == both  # before it ended
    (event,), _ = store.page(EventQuery(channel="both"), size=10)
    assert (event.also, event.label, event.score) == ("enters", "dog", 0.96)
    assert event.contributions == {"sound": 1.5, "video": 0.9}


def test_an_event_that_never_ends_ends_with_its_source(store: EventStore, video: Path) -> None:
    analyzer = Scripted([(2.0, happening(1.0, 2.0, is_open=True, number=1))])
    guard_videos(
        store, [str(video)], {"yard": analyzer}, Rules(clips=ClipSettings(before_s=1, after_s=1, longest_s=3))
    ).run()
    (event,), _ = store.page(EventQuery(), size=10)
    assert not event.is_open
    with av.open(str(store.media_path(event.clip))) as clip:  # cut at its longest, while the event went on
        assert float(clip.duration or 0) / av.time_base < 4.5


def test_one_broken_source_stops_no_other(store: EventStore, video: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(video.read_bytes()[:9000])
    empty = tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    failing = Scripted([(5.0, happening(4.0, 5.0))], fails_at=2.0)  # a bug at one frame costs that frame
    guard = guard_videos(
        store, [str(cut), str(empty), str(video)], {"cut": Scripted(), "empty": Scripted(), "yard": failing}
    )
    ended = {p.name: p for p in guard.run()}
    assert (ended["cut"].state, ended["empty"].state, ended["yard"].state) == ("failed", "failed", "ended")
    assert "the file is empty" in ended["empty"].reason
    assert ended["yard"].events == 1
    assert {row["name"]: row["state"] for row in store.sources()} == {p.name: p.state for p in ended.values()}
    assert guard.metrics.registry.get_sample_value("szem_guard_faults_total", {"source": "yard"}) == 1


def test_a_disk_that_stays_full_stops_clips_and_nothing_else(
    store: EventStore, video: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("szem.guard.service._FULL_S", 0.3)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000, total=10**12, used=10**12))
    analyzer = Scripted([(2.0, happening(1.0, 2.0)), (5.0, happening(4.0, 5.0))])
    guard = guard_videos(store, [str(video)], {"yard": analyzer})
    guard.run()
    events, _ = store.page(EventQuery(), size=10)
    assert [bool(event.picture) for event in events] == [True, True]
    assert [event.clip for event in events] == ["", ""]
    assert "nearly full" in caplog.text
    assert guard.metrics.registry.get_sample_value("szem_guard_lost_total", {"what": "clip"}) == 2


def test_a_disk_that_refuses_files_keeps_events(
    store: EventStore, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every picture and clip runs into "no space left on device" halfway."""
    before = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if self.suffix == ".part":
            raise OSError(28, "No space left on device")
        return before(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr("szem.guard.service._FULL_S", 0.3)
    guard_videos(store, [str(video)], {"yard": Scripted([(2.0, happening(1.0, 2.0))])}).run()
    (event,), _ = store.page(EventQuery(), size=10)
    assert (event.picture, event.clip, event.media_bytes) == ("", "", 0)
    assert [path for path in store.media.rglob("*") if path.is_file()] == []


def test_a_guard_that_is_stopped_while_the_disk_is_full_ends_and_keeps_what_was_written(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = EventStore.add
    is_full = threading.Event()

    def add_until_full(self: EventStore, *args: Any, **options: Any) -> None:
        if self.count(EventQuery()):
            is_full.set()
            raise StoreError("the disk is full") from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        add(self, *args, **options)

    monkeypatch.setattr(EventStore, "add", add_until_full)

    def script(_number: int, show: Callable[[int], None]) -> None:
        for _ in range(1500):
            show(90)
            time.sleep(0.04)

    rules = Rules()
    analyzer = Scripted([(k / 5, happening(k / 5, k / 5)) for k in range(20)])
    with camera(script) as url:
        guard = GuardService(store, rules, name_sources([f"door={url}"], rules), make_analyzer=lambda _: analyzer)
        run_until(guard, is_full.is_set)
    assert store.count(EventQuery()) == 1
    assert service._JOIN_S < service.STOP_S


def test_a_disk_that_is_full_for_a_while_loses_nothing(
    store: EventStore, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file is refused twelve times in all; meanwhile the guard says why it waits."""
    before, refused, reasons = Path.replace, [0], set()

    def refuse(self: Path, target: Path) -> Path:
        if self.suffix == ".part" and "stills" not in target.parts and refused[0] < 12:
            refused[0] += 1
            raise OSError(28, "No space left on device")
        return before(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr("szem.guard.write_queue._FIRST_WAIT_S", 0.05)
    monkeypatch.setattr("szem.guard.write_queue._LONGEST_WAIT_S", 0.2)
    script = [(t, happening(t - 1, t)) for t in (2.0, 4.0, 6.0)]
    guard = guard_videos(store, [str(video)], {"yard": Scripted(script)})
    write = guard._queue._retry

    def note(*args: Any, **options: Any) -> None:
        write(*args, **options)
        reasons.add(guard.paused)

    monkeypatch.setattr(guard._queue, "_retry", note)
    guard.run()
    events = list(store.each(EventQuery()))
    assert [event.end_s for event in events] == [2.0, 4.0, 6.0]
    assert all(event.picture and event.clip for event in events)
    assert refused == [12]
    assert any("the disk is full" in reason for reason in reasons)
    assert guard.paused == ""
    assert guard.metrics.registry.get_sample_value("szem_guard_lost_total", {"what": "clip"}) is None


def test_a_database_that_is_away_gets_its_events_when_it_is_back(
    store: EventStore, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, refused = store.add, [0]

    def away_at_first(*args: object, **options: object) -> object:
        if refused[0] < 3:
            refused[0] += 1
            raise StoreError("the database of events does not take or give what it should (disk is full)")
        return add(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "add", away_at_first)
    monkeypatch.setattr("szem.guard.write_queue._FIRST_WAIT_S", 0.01)
    script = [(t, happening(t - 1, t)) for t in (2.0, 4.0, 6.0)]
    guard_videos(store, [str(video)], {"yard": Scripted(script)}).run()
    events = list(store.each(EventQuery()))
    assert [event.end_s for event in events] == [2.0, 4.0, 6.0]
    assert all(event.clip for event in events)
    assert refused == [3]


def test_a_store_is_for_one_guard(store: EventStore, video: Path) -> None:
    store.hold()
    with closing(EventStore(store.folder)) as other, pytest.raises(BusyError, match="another szem watch"):
        guard_videos(other, [str(video)], {"yard": Scripted()})


# Live lines --------------------------------------------------------------------------------------------------------


@contextmanager
def camera(
    script: Callable[[int, Callable[[int], None]], None],
    *,
    raw: Callable[[Callable[[bytes], object]], None] | None = None,
) -> Iterator[str]:
    """A camera of motion JPEG on this machine; the script gets the connection's number and what shows a picture."""
    count = [0]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            number, count[0] = count[0], count[0] + 1
            self.send_response(200)
            if raw is not None:
                self.send_header("content-type", "video/mp2t")
                self.end_headers()
                with suppress(OSError):
                    raw(self.wfile.write)
                return
            self.send_header("content-type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            with suppress(OSError):
                script(number, self.show)

        def show(self, level: int) -> None:
            file = io.BytesIO()
            Image.fromarray(np.full((48, 64, 3), level, np.uint8)).save(file, "JPEG")
            data = file.getvalue()
            head = f"--frame\r\ncontent-type: image/jpeg\r\ncontent-length: {len(data)}\r\n\r\n"
            self.wfile.write(head.encode() + data + b"\r\n")
            self.wfile.flush()

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


class Brightness(Scripted):
    """Tells one event of dark pictures and one of bright ones, each when they have come for half a second."""

    def __init__(self, level: float) -> None:
        super().__init__()
        self.level = level
        self.since: dict[bool, float] = {}
        self.reported: set[bool] = set()

    def see(self, frame: Frame) -> list[Event]:
        is_bright = bool(frame.picture.mean() > self.level)
        began = self.since.setdefault(is_bright, frame.time_s)
        if frame.time_s - began < 0.5 or is_bright in self.reported:
            return []
        self.reported.add(is_bright)
        return [happening(frame.time_s - 0.2, frame.time_s, best_s=frame.time_s - 0.1)]


def run_until(guard: GuardService, done: Callable[[], bool], *, seconds: float = 120.0) -> None:
    """Run a guard in a thread until something is so."""
    thread = threading.Thread(target=guard.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + seconds
    while not (is_so := done()) and time.monotonic() < deadline:
        time.sleep(0.05)
    guard.stop()
    thread.join(120)
    assert not thread.is_alive()
    assert is_so, "it did not happen in time"


def test_a_camera_that_breaks_off_comes_back_by_itself(store: EventStore) -> None:
    seen_once = threading.Event()

    def script(number: int, show: Callable[[int], None]) -> None:
        for _ in range(3000):
            if number == 0 and seen_once.is_set():
                return  # breaks off
            show(40 if number == 0 else 200)
            time.sleep(0.04)

    def both() -> bool:
        clips = [event.clip for event in store.each(EventQuery())]
        if clips and clips[0]:
            seen_once.set()
        return len(clips) == 2 and all(clips)

    analyzer, began = Brightness(120), time.time()
    with camera(script) as url:
        rules = Rules(clips=ClipSettings(before_s=0.5, after_s=1.0))
        guard = GuardService(store, rules, name_sources([f"door={url}"], rules), make_analyzer=lambda _: analyzer)
        run_until(guard, both)
    first, second = store.each(EventQuery())
    assert began - 1 < first.started < second.started < time.time() + 1
    for event, level in ((first, 40), (second, 200)):
        assert abs(read_picture(store.media_path(event.picture)).mean() - level) < 8
        with av.open(str(store.media_path(event.clip))) as clip:
            assert clip.streams[0].codec_context.name == "h264"
            seen = [float(frame.to_ndarray(format="gray").mean()) for frame in clip.decode(video=0)]
        assert len(seen) > 5
        assert max(abs(value - level) for value in seen) < 8
    assert guard.metrics.registry.get_sample_value("szem_guard_reopened_total", {"source": "door"}) == 1
    (row,) = store.sources()
    assert (row["state"], row["width_px"], row["height_px"]) == ("stopped", 64, 48)
    assert read_picture(store.media_path(row["still"])).shape == (48, 64, 3)


def test_a_camera_that_is_not_there_yet_is_waited_for(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("szem.guard.source_worker._FIRST_WAIT_S", 0.1)
    rules = Rules()
    there = threading.Event()

    def script(number: int, show: Callable[[int], None]) -> None:
        if not there.is_set():
            there.set()
            return  # nothing comes of the first call
        for _ in range(3000):
            show(90)
            time.sleep(0.04)

    analyzer = Scripted([(0.2, happening(0.0, 0.2))])
    with camera(script) as url:
        guard = GuardService(store, rules, name_sources([f"door={url}"], rules), make_analyzer=lambda _: analyzer)
        run_until(guard, lambda: store.count(EventQuery()) == 1)


@pytest.mark.slow
def test_a_real_rtsp_camera_that_is_cut_off_comes_back(
    store: EventStore, rtsp_camera: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """H.264 over RTSP; the camera loses power after the first event and comes back for the second."""
    monkeypatch.setattr("szem.guard.source_worker._FIRST_WAIT_S", 0.2)
    pictures = {
        level: [np.full((120, 160, 3), level, np.uint8) + (k % 7).astype(np.uint8) for k in np.arange(400)]
        for level in (60, 180)
    }
    camera_ = rtsp_camera()
    camera_.start(pictures[60])
    analyzer = Brightness(120)
    rules = Rules(clips=ClipSettings(before_s=0.5, after_s=1.0))
    guard = GuardService(
        store, rules, name_sources([f"door={camera_.address}"], rules), make_analyzer=lambda _: analyzer
    )
    cut_off = threading.Event()

    def both() -> bool:
        kept = store.count(EventQuery())
        if kept and not cut_off.is_set() and next(store.each(EventQuery())).clip:
            cut_off.set()
            camera_.kill()
            camera_.start(pictures[180])
        return kept == 2 and all(event.clip for event in store.each(EventQuery()))

    run_until(guard, both)
    for event, level in zip(store.each(EventQuery()), (60, 180), strict=True):
        assert abs(read_picture(store.media_path(event.picture)).mean() - level) < 15
        with VideoReader(store.media_path(event.clip)) as clip:
            seen = [float(frame.picture.mean()) for frame in clip]
        assert len(seen) > 10
        assert max(abs(value - level) for value in seen) < 15


@pytest.mark.slow
def test_a_stream_with_sound_is_heard_and_its_clip_has_it(store: EventStore, tmp_path: Path) -> None:
    """MPEG-TS over HTTP at the pace of a camera: H.264 with AAC, copied into the clip as they came."""
    data = make_video(tmp_path / "live.ts", seconds=20.0).read_bytes()

    def script(write: Callable[[bytes], object]) -> None:
        step, began = len(data) // 200, time.monotonic()
        for k in range(201):
            write(data[k * step : (k + 1) * step])
            time.sleep(max(0.0, began + 0.1 * (k + 1) - time.monotonic()))

    analyzer = Scripted([(2.5, happening(2.0, 2.5))])
    rules = Rules(clips=ClipSettings(before_s=1.0, after_s=1.0))
    with camera(lambda _number, _show: None, raw=script) as url:
        guard = GuardService(store, rules, name_sources([f"door={url}"], rules), make_analyzer=lambda _: analyzer)
        run_until(
            guard,
            lambda: store.count(EventQuery(sources=("door",))) == 1 and all(e.clip for e in store.each(EventQuery())),
        )
    (event,) = store.each(EventQuery())
    with av.open(str(store.media_path(event.clip))) as clip:
        assert [stream.codec_context.name for stream in clip.streams] == ["h264", "aac"]
        wave = np.concatenate([frame.to_ndarray().mean(axis=0) for frame in clip.decode(audio=0)])
        rate = clip.streams.audio[0].rate
    assert abs(int(np.abs(np.fft.rfft(wave[-rate:])).argmax()) - 440) < 5
    assert 0.2 < analyzer.loudest < 0.4
    starts = [time_s for time_s, _ in analyzer.heard]
    assert all(abs(b - a - 0.5) < 0.02 for a, b in itertools.pairwise(starts))


def test_metrics_are_answered_for_prometheus(store: EventStore, video: Path) -> None:
    guard = guard_videos(store, [str(video)], {"yard": Scripted([(2.0, happening(1.0, 2.0))])})
    port = guard.metrics.serve(0)
    guard.run()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    assert 'szem_guard_events_total{kind="enters",source="yard"} 1.0' in text
    assert 'szem_guard_frames_total{source="yard"} 80.0' in text


# Names -------------------------------------------------------------------------------------------------------------


def test_sources_get_names(video: Path, tmp_path: Path) -> None:
    rules = Rules.model_validate({"cameras": {"gate": {"source": "rtsp://u:p@10.0.0.9/1"}}})
    found = name_sources([str(video), "0", "door=rtsp://admin:secret@10.0.0.7/h264?x=1", "gate"], rules)
    assert [(s.name, s.is_live) for s in found] == [
        ("yard", False),
        ("camera-0", True),
        ("door", True),
        ("gate", True),
    ]
    assert [s.shown for s in found[2:]] == ["rtsp://10.0.0.7/h264", "rtsp://10.0.0.9/1"]
    assert [s.name for s in name_sources([], rules)] == ["gate"]
    (unnamed,) = name_sources(["rtsp://admin:secret@10.0.0.7/h264"], Rules())
    assert unnamed.name == "10-0-0-7-h264"
    for typed, error, match in (
        ([], RangeError, "nothing to watch"),
        ([str(tmp_path / "none.mp4")], FileMissingError, "no such video"),
        ([str(video), str(video)], RangeError, "two sources are called 'yard'"),
    ):
        with pytest.raises(error, match=match):
            name_sources(typed, Rules())
