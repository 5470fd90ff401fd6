"""Sources without pictures, and lines that lose them: guarded by sound alone."""

import io
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from szem.guard import source_worker as worker
from szem.guard.event_record import EventQuery
from szem.guard.event_store import EventStore

from .acts import Scripted, guard_videos, happening, live_line, make_sound


@pytest.mark.parametrize(("name", "codec"), [("bark.mp4", "aac"), ("bark.ogg", "libopus"), ("bark.wav", "pcm_s16le")])
def test_a_video_without_pictures_is_guarded_by_sound_alone(
    store: EventStore, video: Path, tmp_path: Path, name: str, codec: str, caplog: pytest.LogCaptureFixture
) -> None:
    heard = happening(3.0, 4.0, kind="dog bark", channels={"sound": 0.8}, contributions={"sound": 1.0})
    sound = make_sound(tmp_path / name, codec=codec)
    analyzer = Scripted(sounds=[(4.0, heard)])
    guard = guard_videos(store, [str(sound), str(video)], {"bark": analyzer, "yard": Scripted()})
    bark, yard = guard.run()
    assert (bark.state, bark.events, bark.frames, yard.state, yard.reason) == ("ended", 1, 0, "ended", "")
    assert "guarded by sound alone" in bark.reason
    assert "bark: there are no pictures in it" in caplog.text
    assert 7.5 < sum(length for _, length in analyzer.heard) / 16000 < 8.5
    (event,), _ = store.page(EventQuery(), size=10)
    assert (event.kind, event.started, event.picture) == ("dog bark", 1_000_003.0, "")
    assert event.clip_start_s == pytest.approx(2.0, abs=0.1)
    with av.open(str(store.media_path(event.clip))) as clip:
        assert [s.codec_context.name for s in clip.streams] == ["aac"]
        rate_hz = clip.streams.audio[0].rate
        samples = np.concatenate([frame.to_ndarray()[0] for frame in clip.decode(audio=0)])
    assert 2.8 < len(samples) / rate_hz < 3.3  # from 2 s to 5 s
    assert 0.2 < float(np.abs(samples[4000:-4000]).max()) < 0.4
    reported = {row["name"]: (row["has_sound"], row["reason"]) for row in store.sources()}
    assert reported["bark"] == (True, "there are no pictures in it: guarded by sound alone")


def test_a_video_without_pictures_fails_where_nobody_listens(store: EventStore, tmp_path: Path) -> None:
    sound = make_sound(tmp_path / "bark.mp4")
    (bark,) = guard_videos(store, [str(sound)], {"bark": Scripted(hears=False)}).run()
    assert bark.state == "failed"
    assert "there are no pictures in it" in bark.reason


def test_a_piece_of_music_with_a_cover_is_sound_alone(store: EventStore, tmp_path: Path) -> None:
    cover = tmp_path / "song.m4a"
    picture = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 90, 90)).save(picture, "JPEG")
    with av.open(str(make_sound(tmp_path / "bare.m4a"))) as bare, av.open(str(cover), "w", format="mp4") as out:
        tone = out.add_stream_from_template(bare.streams.audio[0])
        image = out.add_stream("mjpeg")
        image.width, image.height, image.pix_fmt = 64, 48, "yuvj420p"
        image.disposition = Disposition.attached_pic
        packet = av.Packet(picture.getvalue())
        packet.stream, packet.pts, packet.dts, packet.time_base = image, 0, 0, Fraction(1, 25)
        out.mux(packet)
        for packet in bare.demux(audio=0):
            if packet.dts is not None:
                packet.stream = tone
                out.mux(packet)
    (song,) = guard_videos(store, [str(cover)], {"song": Scripted()}).run()
    assert song.state == "ended"
    assert "guarded by sound alone" in song.reason


@pytest.mark.slow
def test_a_line_without_pictures_is_guarded_by_sound_and_opened_again(
    store: EventStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A microphone that sends AAC over HTTP and breaks off after each file."""
    sent = make_sound(tmp_path / "bark.aac", seconds=3.0).read_bytes()
    monkeypatch.setattr(worker, "_FIRST_WAIT_S", 0.05)

    analyzer = Scripted()
    with live_line(lambda: sent) as address:
        guard = guard_videos(store, [f"microphone={address}"], {"microphone": analyzer})
        deadline = time.monotonic() + 60

        def tick() -> None:
            if sum(length for _, length in analyzer.heard) / 16000 > 6.5 or time.monotonic() > deadline:
                guard.stop()

        guard.run(each_tick=tick)
    assert sum(length for _, length in analyzer.heard) / 16000 > 6.5  # more than it sends at once, twice
    (row,) = store.sources()
    assert (row["state"], row["has_sound"]) == ("stopped", True)


@pytest.mark.slow
def test_a_line_that_loses_its_pictures_is_heard_until_they_are_back(
    store: EventStore, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Pictures with sound at first, then sound alone, then pictures again."""
    monkeypatch.setattr(worker, "_FIRST_WAIT_S", 0.05)
    monkeypatch.setattr(worker, "_LOOK_AGAIN_S", 0.3)
    whole, bare = tmp_path / "whole.ts", make_sound(tmp_path / "bare.aac", seconds=30.0)
    with av.open(str(video)) as given, av.open(str(whole), "w", format="mpegts") as out:
        made = {stream: out.add_stream_from_template(stream) for stream in given.streams}
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = made[packet.stream]
                out.mux(packet)
    asked: list[str] = []
    are_back = threading.Event()

    def answer() -> bytes:
        has_pictures = not asked or are_back.is_set()
        asked.append("pictures" if has_pictures else "sound")
        return (whole if has_pictures else bare).read_bytes()

    analyzer = Scripted()
    seen_before: list[int] = []
    with live_line(answer) as address:
        guard = guard_videos(store, [f"door={address}"], {"door": analyzer})
        deadline = time.monotonic() + 90

        def tick() -> None:
            if not seen_before and "looking for them again" in caplog.text:
                seen_before.append(len(analyzer.seen))
                are_back.set()
            if (seen_before and len(analyzer.seen) > seen_before[0]) or time.monotonic() > deadline:
                guard.stop()

        guard.run(each_tick=tick)
    assert "door: there are no pictures in it: guarded by sound alone" in caplog.text
    assert seen_before, asked
    assert len(analyzer.seen) > seen_before[0] > 0
    assert "Traceback" not in caplog.text
    times = [time_s for time_s, _ in analyzer.heard]
    assert times == sorted(times)
