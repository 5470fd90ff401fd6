"""Packets of sound from files without pictures."""

from pathlib import Path

import numpy as np
import pytest

from szem.errors import EmptyFileError, FileMissingError, FormatError, MediaError, NoPicturesError
from szem.media.sound import write_sound
from szem.media.sound_packets import SoundPackets
from szem.media.video import inspect_video
from szem.media.video_writer import VideoWriter


def test_packets_come_in_order_with_their_times(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", np.zeros(32000, np.float32), rate_hz=16000)
    packets = SoundPackets(str(tmp_path / "a.wav"))
    times = [time_s for _, time_s in packets]
    packets.close()
    assert packets.duration_s == pytest.approx(2.0)
    assert not packets.is_live
    assert times[0] == 0.0
    assert times == sorted(times)
    assert times[-1] < 2.0
    with pytest.raises(NoPicturesError, match="no pictures in it"):
        inspect_video(tmp_path / "a.wav")


def test_a_stopped_one_ends(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", np.zeros(160_000, np.float32), rate_hz=16000)
    packets = SoundPackets(str(tmp_path / "a.wav"))
    given = 0
    for _ in packets:
        given += 1
        packets.stop()
    packets.close()
    assert given == 1


def test_what_has_no_sound_is_refused(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "mute.mp4", rate_hz=10) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8))
    with pytest.raises(EmptyFileError, match="no sound in it"):
        SoundPackets(str(tmp_path / "mute.mp4"))
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(FormatError, match="not a sound szem reads"):
        SoundPackets(str(tmp_path / "text.wav"))
    with pytest.raises(FileMissingError, match="no such file"):
        SoundPackets(str(tmp_path / "none.wav"))
    with pytest.raises(MediaError, match=r"127\.0\.0\.1:9/live: cannot be opened"):
        SoundPackets("http://user:secret@127.0.0.1:9/live", is_line=True)
