"""RTSP from a real server, which is killed, held and started again; camera devices as far as FFmpeg goes."""

import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from szem.errors import MediaError, NotFoundError
from szem.media.live import Device, LiveReader, camera_device

pytestmark = pytest.mark.slow  # cameras that break off and come back

STEP = 5  # how much brighter each picture is than the one before
RISE = [np.full((96, 128, 3), 20 + STEP * k, np.uint8) for k in range(30)]  # 20 to 165
FALL = [np.full((96, 128, 3), 250 - STEP * (k % 10), np.uint8) for k in range(30)]  # 250 to 205


def levels(reader: LiveReader, until: Callable[[list[float]], bool]) -> list[float]:
    """The brightness of frame after frame, until enough are there or the reader gives up."""
    seen: list[float] = []
    for frame in reader:
        seen.append(float(frame.picture.mean()))
        if until(seen):
            reader.stop()
    return seen


@pytest.mark.parametrize("transport", ["tcp", "udp", "any"])
def test_pictures_come_in_order_over_either_transport(rtsp_camera: Callable, transport: str) -> None:
    camera = rtsp_camera(transport=transport)
    camera.start(RISE)
    reader = LiveReader(camera.address, give_up_s=60)
    assert reader.is_live
    assert reader.size == (128, 96)
    seen = levels(reader, lambda all_: len(all_) == 24)
    rises = np.diff(seen)
    assert (np.abs(rises - STEP) < 2).sum() >= 22  # all but where the film begins anew
    assert reader.reopened == 0


@pytest.mark.slow
def test_a_camera_that_is_killed_and_comes_back_is_seen_again(rtsp_camera: Callable) -> None:
    camera = rtsp_camera()
    camera.start(RISE)
    on_report: list[str] = []
    threads: list[threading.Thread] = []

    def tell(line: str) -> None:
        on_report.append(line)
        if line.endswith("trying again in 1.0 s"):  # it was asked in vain once: now it may come back
            threads.append(threading.Thread(target=camera.start, args=(FALL,)))
            threads[-1].start()

    reader = LiveReader(camera.address, on_report=tell, give_up_s=90)

    def is_enough(seen: list[float]) -> bool:
        if len(seen) == 10:
            camera.kill()
        return seen[-1] > 190

    seen = levels(reader, is_enough)
    for thread in threads:
        thread.join()
    assert max(seen[:10]) < 190  # from the first server
    assert seen[-1] > 190  # from the second
    assert reader.reopened == 1
    assert [line.rpartition("again in ")[2] for line in on_report[:2]] == ["0.5 s", "1.0 s"]
    assert "back after" in on_report[-1]


@pytest.mark.slow
def test_a_camera_that_falls_silent_with_open_lines_is_opened_again(
    rtsp_camera: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = rtsp_camera()
    camera.start(RISE)
    on_report: list[str] = []
    reader = LiveReader(camera.address, on_report=on_report.append, stall_s=1, give_up_s=2)
    monkeypatch.setattr("szem.media.live._OPEN_S", 1)  # from now on nobody opens
    with pytest.raises(MediaError, match="nothing came for"):
        levels(reader, lambda seen: len(seen) == 8 and camera.hold())
    assert "no answer in time" in on_report[0]


def test_a_damaged_picture_is_left_out_and_the_line_kept(rtsp_camera: Callable) -> None:
    camera = rtsp_camera()
    camera.start(RISE, damaged=[15])
    reader = LiveReader(camera.address, give_up_s=60)
    seen = levels(reader, lambda all_: len(all_) == 60)  # the film twice over
    assert reader.reopened == 0
    assert max(seen) > 150


def test_a_camera_with_a_password_wants_the_right_one(rtsp_camera: Callable) -> None:
    camera = rtsp_camera(guest=("admin", "secret"))
    camera.start(RISE)
    reader = LiveReader(camera.address.replace("//", "//admin:secret@"), give_up_s=60)
    assert len(levels(reader, lambda seen: len(seen) == 3)) == 3
    assert reader.name == camera.address
    with pytest.raises(MediaError, match="cannot be opened") as caught:
        LiveReader(camera.address.replace("//", "//admin:wrong@"))
    assert "wrong" not in str(caught.value)


def test_a_path_that_the_server_does_not_know_is_said_without_the_password(rtsp_camera: Callable) -> None:
    camera = rtsp_camera()
    camera.start(RISE)
    with pytest.raises(MediaError, match="cannot be opened") as caught:
        LiveReader(camera.address.replace("//", "//admin:secret@").replace("live", "nothing"))
    assert "secret" not in str(caught.value)


def test_a_camera_device_gives_frames_as_they_come() -> None:
    asked: list[int] = []
    began = time.monotonic()

    def camera(number: int) -> Device:
        asked.append(number)
        return Device("testsrc=size=64x48:rate=50,realtime", "lavfi")

    reader = LiveReader("3", camera=camera, give_up_s=60)
    assert asked == [3]
    assert reader.name == "camera 3"
    assert reader.is_live
    assert reader.size == (64, 48)
    frames, taken = [], []
    for frame in reader:
        frames.append(frame)
        taken.append(time.monotonic())
        if len(frames) == 1:
            time.sleep(1)  # more than all the others take by the film's own time
        if len(frames) == 20:
            reader.stop()
    assert [frame.index for frame in frames] == list(range(20))
    assert taken[-2] - taken[0] <= frames[-1].time_s - frames[0].time_s <= taken[-1] - began  # by the clock
    assert frames[0].picture.shape == (48, 64, 3)


def test_a_camera_that_is_unplugged_and_plugged_in_again_is_opened_again() -> None:
    plugged = iter([True, False, True])
    on_report: list[str] = []

    def camera(number: int) -> Device:
        if not next(plugged):
            raise FileNotFoundError(2, "No such file or directory", f"/dev/video{number}")
        return Device("testsrc=size=64x48:rate=50:duration=0.1", "lavfi")  # five frames

    reader = LiveReader("0", camera=camera, on_report=on_report.append)
    for frame in reader:
        if frame.index == 7:
            reader.stop()
    assert reader.reopened == 1
    assert on_report[0] == "camera 0: lost (the stream ended); trying again in 0.5 s"
    assert on_report[1] == "camera 0: lost (No such file or directory); trying again in 1.0 s"


@pytest.mark.parametrize(
    ("platform", "device"),
    [
        ("linux", Device("/dev/video2", "v4l2")),
        ("darwin", Device("2:none", "avfoundation", (("framerate", "30"),))),
    ],
)
def test_each_system_has_its_own_name_for_a_camera(platform: str, device: Device) -> None:
    assert camera_device(2, platform) == device


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Video4Linux is Linux's own")
def test_what_is_no_camera_is_refused_by_video4linux_itself() -> None:
    with pytest.raises(NotFoundError, match=r"camera 0: cannot be opened .*ioctl.*/dev"):
        LiveReader("0", camera=lambda _: Device("/dev/null", "v4l2"))
