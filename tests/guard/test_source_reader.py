"""A decoder that crashes or hangs is one source's error; the guard and its other sources go on."""

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from szem.errors import NoPicturesError, TimeLimitError, WorkerCrashError
from szem.guard.event_record import EventQuery
from szem.guard.event_store import EventStore
from szem.guard.packet_buffer import BufferedPacket, SoundTemplate, VideoTemplate
from szem.guard.service import GuardService
from szem.guard.source_reader import SourceOpened, SourceReader
from szem.guard.sources import name_sources
from szem.media.frames import Frame
from szem.media.sound import SoundBlock
from szem.media.video import VideoReader
from szem.tasks.surveillance.rules import ClipSettings, Rules

from . import readers
from .acts import Scripted, happening, make_sound
from .test_service import camera, run_until

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the guard's workers are tested on Linux")


def test_what_comes_of_a_worker_is_what_the_file_holds(video: Path) -> None:
    items: list[object] = []
    reader = SourceReader(server=None)
    try:
        assert reader.run(str(video), items.append, is_live=False, frames_hz=1000.0) == 0
    finally:
        reader.close()
    frames = [item for item in items if isinstance(item, Frame)]
    with VideoReader(video) as direct:
        for there, here in zip(direct, frames, strict=True):
            assert (here.index, here.time_s, here.turn) == (there.index, there.time_s, there.turn)
            np.testing.assert_array_equal(here.picture, there.picture)
            np.testing.assert_array_equal(here.planes().data, there.planes().data)
    kinds = [type(item) for item in items]
    assert kinds[0] is SourceOpened
    assert {VideoTemplate, BufferedPacket, SoundTemplate} <= set(kinds)
    assert sum(len(item.samples) for item in items if isinstance(item, SoundBlock)) > 7 * 16000


def test_errors_of_the_source_come_through(tmp_path: Path) -> None:
    reader = SourceReader(server=None)
    try:
        with pytest.raises(NoPicturesError, match="no pictures"):
            reader.run(str(make_sound(tmp_path / "tone.m4a")), lambda _: None, is_live=False)
    finally:
        reader.close()


def test_a_crash_and_a_hang_are_errors_and_the_reader_goes_on(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("szem.guard.source_reader._LOST_SILENCE_S", 20.0)
    reader = SourceReader(server=None, read=readers.crash_if_bad)
    try:
        with pytest.raises(WorkerCrashError, match="SIGSEGV"):
            reader.run("bad", lambda _: None, is_live=False)
        assert reader.run(str(video), lambda _: None, is_live=False) == 0
    finally:
        reader.close()
    monkeypatch.setattr("szem.guard.source_reader._LOST_SILENCE_S", 0.5)
    reader = SourceReader(server=None, read=readers.hang_if_bad)
    try:
        with pytest.raises(TimeLimitError, match=r"silent for 0\.5 s"):
            reader.run("bad", lambda _: None, is_live=False)
    finally:
        reader.close()


def test_a_video_whose_decoder_crashes_fails_alone(store: EventStore, video: Path, tmp_path: Path) -> None:
    bad = shutil.copy(video, tmp_path / "bad.mp4")
    analyzers = {"bad": Scripted(), video.stem: Scripted([(2.0, happening())])}
    rules = Rules(clips=ClipSettings(before_s=1.0, after_s=1.0))
    guard = GuardService(
        store, rules, name_sources([str(bad), str(video)], rules), began=1e6, read=readers.crash_if_bad,
        make_analyzer=lambda source: analyzers[source.name],
    )  # fmt: skip
    ended = {one.name: one for one in guard.run()}
    assert ended["bad"].state == "failed"
    assert "crashed (SIGSEGV)" in ended["bad"].reason
    assert ended[video.stem].state == "ended"
    (event,) = store.each(EventQuery())
    assert event.source == video.stem
    assert event.clip


def test_a_path_is_relative_to_the_folder_of_now(
    store: EventStore, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that forks workers may have been started in another folder."""
    rules = Rules()
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(video, folder / f"{name}.mp4")
        monkeypatch.chdir(folder)
        guard = GuardService(store, rules, name_sources([f"{name}.mp4"], rules), make_analyzer=lambda _: Scripted())
        assert [one.state for one in guard.run()] == ["ended"]


def _shown(number: int, show: Callable[[int], None]) -> None:
    for _ in range(1500):
        show(90)
        time.sleep(0.04)


@pytest.mark.parametrize("read", [readers.crash_at_first, readers.hang_at_first])
def test_a_stream_whose_decoder_fails_is_opened_again(
    store: EventStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[..., int]
) -> None:
    monkeypatch.setattr("szem.guard.source_worker._FIRST_WAIT_S", 0.1)
    monkeypatch.setattr("szem.guard.source_reader._LOST_SILENCE_S", 0.5 if read is readers.hang_at_first else 60.0)
    analyzer, rules = Scripted([(0.2, happening(0.0, 0.2))]), Rules()
    with camera(_shown) as url:
        source = f"door={url}?{tmp_path / 'marker'}"
        guard = GuardService(store, rules, name_sources([source], rules), make_analyzer=lambda _: analyzer, read=read)

        def is_back() -> bool:
            # a hung worker has been ended by now; the next one may take its time to open the stream
            if (tmp_path / "marker").exists() and guard.progress[0].state == "lost":
                monkeypatch.setattr("szem.guard.source_reader._LOST_SILENCE_S", 60.0)
            return store.count(EventQuery()) == 1

        run_until(guard, is_back)
    assert guard.progress[0].state == "stopped"


def test_a_guard_whose_decoder_hangs_stops_at_once(store: EventStore) -> None:
    rules = Rules()
    guard = GuardService(
        store, rules, name_sources(["door=http://127.0.0.1:9/bad"], rules), make_analyzer=lambda _: Scripted(),
        read=readers.hang_if_bad,
    )  # fmt: skip
    thread = threading.Thread(target=guard.run)
    thread.start()
    time.sleep(0.5)
    guard.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert guard.progress[0].state == "stopped"
