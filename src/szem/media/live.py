"""Cameras and network streams: frames as they come, opened again when they stall or break.

A live source has no end and no rewind; whoever reads it too slowly must skip (`Flow(live=True)`). This file does not
know what is done with the frames.
"""

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from szem.errors import (
    EmptyFileError,
    FormatError,
    MediaError,
    NoPicturesError,
    NotFoundError,
    RangeError,
    TooLargeError,
)
from szem.media.containers import check_codec, stated_rate_hz
from szem.media.frames import Frame, turn_of
from szem.media.pictures import DEFAULT_LIMITS, Limits
from szem.media.video import VideoInfo, picture_streams, pixel_aspect

__all__ = ["Device", "LiveReader", "address_without_password", "camera_device", "is_camera", "is_url", "open_line"]

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0  # between two attempts: doubled each time, up to the longest
_OPEN_S = 10.0  # for an attempt to open, which takes longer than a silence may last
_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtp", "udp", "srt", "tcp", "http", "https")
_REACHED = "http,https,tcp,tls,crypto,httpproxy,rtsp,rtsps,rtmp,rtp,srtp,udp,srt,hls,data"  # never a file
_DEFAULT_RATE_HZ = 25.0


def is_camera(text: str) -> bool:
    """Whether a source as typed is a camera's number.

    >>> is_camera("0"), is_camera("0.mp4")
    (True, False)
    """
    return text.isascii() and text.isdigit() and len(text) <= 2


def is_url(text: str) -> bool:
    """Whether a source as typed is a stream's address.

    >>> is_url("rtsp://camera/1"), is_url("C:/video.mp4")
    (True, False)
    """
    scheme, mark, _ = text.partition("://")
    return mark != "" and scheme.lower() in _SCHEMES


def address_without_password(text: str) -> str:
    """A source as it may be shown: an address loses its user, its password and its query, which may hold a token.

    >>> address_without_password("rtsp://admin:secret@10.0.0.7/stream?token=1")
    'rtsp://10.0.0.7/stream'
    """
    if "://" not in text:
        return text
    return re.sub(r"[?#].*", "", re.sub(r"^([A-Za-z]+://)[^/?#]*@", r"\1", text), flags=re.DOTALL)


@dataclass(frozen=True)
class Device:
    """What FFmpeg opens for a camera."""

    file: str
    format: str  # the name of FFmpeg's input device
    options: tuple[tuple[str, str], ...] = ()


def camera_device(number: int, platform: str = sys.platform) -> Device:
    """The device that is a system's camera of this number, counted from 0.

    Raises:
        NotFoundError: Windows lists no such camera.

    >>> camera_device(1, "linux")
    Device(file='/dev/video1', format='v4l2', options=())
    """
    if platform == "darwin":
        return Device(f"{number}:none", "avfoundation", (("framerate", "30"),))
    if platform == "win32":
        cameras = [device for device in av.enumerate_input_devices("dshow") if "video" in device.media_types]
        if number >= len(cameras):
            raise NotFoundError(f"camera {number}: there are {len(cameras)}, counted from 0; plug one in")
        return Device(f"video={cameras[number].description}", "dshow")
    return Device(f"/dev/video{number}", "v4l2")


class LiveReader:
    """Frames of a camera or stream, for as long as it lasts.

    A stream with a length (a video on a web server) ends like a file and `is_live` is False: nothing of it may be
    skipped. The first attempt to open must succeed; after that, a source that is silent for `stall_s` or breaks off
    is opened again, at first after half a second, then after twice the wait each time, up to half a minute.

    Args:
        source: A camera's number or a stream's address.
        stall_s: How long a silence is taken for a pause.
        give_up_s: How long to try again without a frame; None for ever.
        limits: Refuse larger frames.
        on_report: Called with a line when the source is lost and when it is back.
        camera: What is opened for a camera's number.
        tap: Called with each packet as it comes, before it is decoded, and with its time (see `Frame.time_s`); with
            it, the packets of the first sound track come too.
    Raises:
        NotFoundError: no such camera.
        MediaError: the source cannot be opened.
        RangeError: `stall_s` is not positive.
    """

    def __init__(
        self,
        source: str,
        *,
        stall_s: float = 10.0,
        give_up_s: float | None = None,
        limits: Limits = DEFAULT_LIMITS,
        on_report: Callable[[str], None] | None = None,
        camera: Callable[[int], Device] = camera_device,
        tap: Callable[[Any, float], None] | None = None,
    ) -> None:
        if not stall_s > 0:
            raise RangeError(f"stall_s must be positive, got {stall_s}")
        self.name = f"camera {source}" if is_camera(source) else address_without_password(source)
        self.reopened = 0
        self.damaged = 0  # packets of pictures that could not be decoded and were left out
        self._camera = camera
        self._source, self._stall_s, self._give_up_s, self._limits = source, stall_s, give_up_s, limits
        self._report, self._tap = on_report or (lambda _: None), tap
        self._started = 0.0  # when the first packet came
        self._stopped = threading.Event()
        try:
            self._container = self._open()
            self.info = self._inspect()
        except (av.FFmpegError, OSError, ValueError) as error:
            # MediaError is a ValueError too, and says already what is wrong.
            if isinstance(error, MediaError):
                raise
            if is_camera(source):
                raise NotFoundError(f"{self.name}: cannot be opened ({error}); {_what_there_is()}") from error
            raise MediaError(f"{self.name}: cannot be opened ({_plain(error)}); check the address") from error
        self.is_live = self.info.duration_s is None

    def __iter__(self) -> Iterator[Frame]:
        """Frames; their times count from the first one's arrival, or are the video's own where it has a length.

        Raises:
            MediaError: it was silent for `give_up_s`, or a video broke off.
            NoPicturesError: opened again, it has none any more.
            TooLargeError: a frame is larger than the limits allow.
        """
        index, time_s, wait_s, lost = -1, 0.0, _FIRST_WAIT_S, ""
        heard = time.monotonic()
        while not self._stopped.is_set():
            try:
                if self._container is None:
                    self._container = self._open()
                for raw in self._pictures(self._container):
                    if raw.width * raw.height > self._limits.max_pixels:
                        raise TooLargeError(f"{self.name}: frames of {raw.width}×{raw.height} are too large")
                    heard, index = time.monotonic(), index + 1
                    # Only now is the stream back: opening succeeds with cameras that send nothing.
                    if lost:
                        self.reopened += 1
                        self._report(f"{self.name}: back after {wait_s:.1f} s")
                        lost, wait_s = "", _FIRST_WAIT_S
                    # The time of arrival: timestamps of cameras jump, and begin anew with every connection.
                    time_s = heard - self._started
                    if not self.is_live:
                        time_s = float(raw.time) if raw.time is not None else index / self.info.rate_hz
                    yield Frame(index, time_s, raw, turn_of(raw))
                    if self._stopped.is_set():
                        return
                if not self.is_live:
                    return self._check_end(index, time_s)
                lost = "the stream ended"
            except (av.FFmpegError, OSError, ValueError) as error:
                if isinstance(error, MediaError):
                    raise
                lost = _plain(error)
                if not self.is_live:
                    raise FormatError(f"{self.name}: broke off ({lost}); fetch it to a file first") from error
            finally:
                self._close()
            silent_s = time.monotonic() - heard
            if self._give_up_s is not None and silent_s >= self._give_up_s:
                raise MediaError(f"{self.name}: nothing came for {silent_s:.0f} s ({lost}); check the source")
            self._report(f"{self.name}: lost ({lost}); trying again in {wait_s:.1f} s")
            self._stopped.wait(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the pictures, as the source says."""
        return self.info.width_px, self.info.height_px

    def stop(self) -> None:
        """End after the frame that is being read."""
        self._stopped.set()

    def _pictures(self, container: Any) -> Iterator[Any]:
        """What can be decoded; a live source's damaged picture is left out, for the next one comes at once."""
        video = self._video(container)
        # One thread: slices decoded side by side come out black here and there (FFmpeg 8, x264's zerolatency);
        # whole frames side by side come late.
        video.thread_type = "NONE"
        heard = time.monotonic()
        for packet in container.demux(*self._wanted(container)):
            self._listen_in(packet)
            if packet.stream is not video:
                if time.monotonic() - heard > self._stall_s:
                    raise OSError("sound comes, but no pictures")
                continue
            try:
                raws = packet.decode()
            except av.error.InvalidDataError:
                if not self.is_live or time.monotonic() - heard > self._stall_s:
                    raise
                self.damaged += 1
                continue
            for raw in raws:
                yield raw
                heard = time.monotonic()

    def _video(self, container: Any) -> Any:
        found = picture_streams(container)
        if not found:
            raise NoPicturesError(f"{self.name}: there are no pictures in it, only sound or text")
        return found[0]

    def _wanted(self, container: Any) -> list[Any]:
        return [self._video(container), *(container.streams.audio[:1] if self._tap is not None else ())]

    def _listen_in(self, packet: Any) -> None:
        """Give a packet to whoever taps the line."""
        now = time.monotonic()
        self._started = self._started or now
        if self._tap is None or not packet.size:
            return
        time_s = now - self._started
        if not self.is_live:
            time_s = float(packet.pts * packet.time_base) if packet.pts is not None else 0.0
        self._tap(packet, time_s)

    def _check_end(self, index: int, time_s: float) -> None:
        if index < 0:
            raise EmptyFileError(f"{self.name}: not one picture could be decoded")
        due_s = self.info.duration_s or 0.0
        if time_s < due_s * 0.9 - 0.5:
            raise FormatError(f"{self.name}: ends at {time_s:.1f} s of {due_s:.1f} s; fetch it to a file first")

    def _open(self) -> Any:
        if is_camera(self._source):
            device, patience = self._camera(int(self._source)), (max(self._stall_s, _OPEN_S), self._stall_s)
            return av.open(device.file, format=device.format, options=dict(device.options), timeout=patience)
        return open_line(self._source, self._stall_s)

    def _inspect(self) -> VideoInfo:
        try:
            stream = self._video(self._container)
            check_codec(stream, self.name, remedy="let the source send H.264")
        except (FormatError, NoPicturesError):
            self._close()
            raise
        duration = self._container.duration
        finite = duration is not None and duration > 0 and not is_camera(self._source)
        return VideoInfo(
            width_px=stream.codec_context.width,
            height_px=stream.codec_context.height,
            rate_hz=stated_rate_hz(stream, usual_hz=_DEFAULT_RATE_HZ),
            duration_s=duration / av.time_base if finite else None,
            frames=stream.frames or None,
            has_sound=bool(self._container.streams.audio),
            pixel_aspect=pixel_aspect(stream),
        )

    def _close(self) -> None:
        if self._container is not None:
            container, self._container = self._container, None
            container.close()


def open_line(address: str, stall_s: float) -> Any:
    """Open an address.

    Args:
        address: As `is_url` knows them.
        stall_s: How long it may be silent.
    Raises:
        av.FFmpegError, OSError, ValueError: it cannot be opened.
    """
    # a second, not five, before the first frame
    options = {"protocol_whitelist": _REACHED, "analyzeduration": "1000000"}
    if address.lower().startswith("rtsp"):  # over UDP a busy network tears pictures; some cameras have no other
        options |= {"rtsp_transport": "tcp+udp", "rtsp_flags": "prefer_tcp"}
    return av.open(address, options=options, timeout=(max(stall_s, _OPEN_S), stall_s))


def _what_there_is() -> str:
    if not sys.platform.startswith("linux"):
        return "see which cameras there are"
    found = sorted(path.name for path in Path("/dev").glob("video*"))
    return f"there are {', '.join(found)} in /dev" if found else "/dev has no video devices: plug a camera in"


def _plain(error: BaseException) -> str:
    """What went wrong, without FFmpeg's repetition of the address."""
    if isinstance(error, av.error.ExitError):  # how the time limit shows
        return "no answer in time"
    return str(getattr(error, "strerror", None) or error)
