"""Clips and pictures made from a stretch of packets: H.264 with AAC in MP4 that browsers play while it loads.

What a browser plays is copied as it came; other codecs, and pictures with faces to be hidden, are coded anew. This
file does not know where files belong, nor what happened in them.
"""

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, cast

import av
import numpy as np

from szem.arrays import Picture8
from szem.errors import FormatError, StoreError
from szem.guard.packet_buffer import BufferedPacket, PacketRun
from szem.media.frames import Frame, tag_encoder, turn_of
from szem.media.mixing import MonoResampler
from szem.media.sources import file_url

__all__ = ["FrameBlur", "decode_pictures", "find_picture", "write_clip"]


class FrameBlur(Protocol):
    """Takes faces out of pictures."""

    def __call__(self, picture: Picture8) -> Picture8:
        """A picture without its faces."""

    def for_video(self) -> Callable[[Picture8], Picture8]:
        """For the pictures of one video, in order."""


_PLAYED_PIXELS = frozenset(("yuv420p", "yuvj420p"))
_PLAYED_SOUND = frozenset(("aac", "mp3", "opus"))
_TICKS_HZ = 90_000
_DISK_FAULTS = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOENT)
)
_BY_ARRIVAL = frozenset(("mjpeg", "rawvideo"))  # their packets carry no true times; cameras invent them


def write_clip(stretch: PacketRun, path: Path, *, blur: FrameBlur | None = None) -> float:
    """Write a clip.

    Args:
        stretch: What it shows.
        path: Where to.
        blur: Takes the faces out of each picture before it is coded; with it nothing is copied.
    Returns:
        When it begins, in the source's own time.
    Raises:
        StoreError: the disk does not take it.
        FormatError: the packets cannot be made into a clip.
    """
    if stretch.tracks.is_sound_alone:
        try:
            _code_sound(stretch, path)
        except (av.FFmpegError, ValueError) as error:
            _check_disk(error, path)
            raise FormatError(f"a clip cannot be made of what the source sent ({error})") from error
        return stretch.start_s
    if blur is None and _can_copy(stretch):
        try:
            _copy(stretch, path)
        except (av.FFmpegError, ValueError) as error:
            _check_disk(error, path)  # else: some cameras leave out what a file needs; coding anew does not need it
        else:
            return stretch.start_s
    try:
        _code_anew(stretch, path, blur)
    except (av.FFmpegError, ValueError) as error:
        _check_disk(error, path)
        raise FormatError(f"a clip cannot be made of what the source sent ({error})") from error
    return stretch.start_s


def find_picture(stretch: PacketRun, time_s: float) -> Picture8 | None:
    """The picture nearest to a moment; None: not one can be decoded."""
    if stretch.tracks.is_sound_alone:
        return None
    best: tuple[float, Frame] | None = None
    for frame in decode_pictures(stretch):
        far = abs(frame.time_s - time_s)
        if best is None or far < best[0]:
            best = (far, frame)
        elif frame.time_s > time_s:
            break
    return None if best is None else best[1].picture


def decode_pictures(stretch: PacketRun) -> Iterator[Frame]:
    """Decode a stretch; packets that are damaged are passed over. Times are the source's own."""
    decoder = stretch.tracks.open_decoder()
    times: dict[int, float] = {}
    last_s, index = stretch.start_s, 0
    for bit in [*(bit for bit in stretch.bits if bit.is_video), None]:
        if bit is not None and bit.pts is not None:
            times[bit.pts] = bit.time_s
        try:
            frames = decoder.decode(None if bit is None else _packet(bit))
        except (av.FFmpegError, ValueError):
            continue
        for raw in frames:
            last_s = times.pop(raw.pts, last_s) if raw.pts is not None else (bit.time_s if bit else last_s)
            yield Frame(index, last_s, raw, turn_of(raw) or stretch.turn)
            index += 1


def _can_copy(stretch: PacketRun) -> bool:
    video = stretch.tracks.video
    return (
        video is not None
        and video.container != b""
        and video.codec == "h264"
        and video.pixels in _PLAYED_PIXELS
        and stretch.turn == 0
        and all(bit.pts is not None and bit.dts is not None for bit in stretch.bits)
    )


def _check_disk(error: Exception, path: Path) -> None:
    """Tell faults of the disk from faults of the packets.

    Raises:
        StoreError: the disk does not take the file.
    """
    if isinstance(error, OSError) and error.errno in _DISK_FAULTS:
        raise StoreError(f"{path.name}: cannot be written ({os.strerror(error.errno)})") from error


def _copy(stretch: PacketRun, path: Path) -> None:
    """Packets into a new file, as they are."""
    tracks = stretch.tracks
    assert tracks.video is not None
    of_sound = tracks.sound if any(not bit.is_video for bit in stretch.bits) else None
    has_sound = of_sound is not None and of_sound.container != b""
    # Browsers do not play every codec in MP4: what they cannot play is encoded as AAC.
    copies_sound = of_sound is not None and has_sound and of_sound.codec in _PLAYED_SOUND
    with ExitStack() as stack:
        out = stack.enter_context(_opened(path))
        video = _copied_stream(out, tracks.video.container, stack)
        sound: Any = None
        if of_sound is not None and copies_sound:
            sound = _copied_stream(out, of_sound.container, stack)
        elif of_sound is not None and has_sound:
            sound = out.add_stream("aac", rate=_sound_rate(of_sound.rate_hz))
        zero_s = _zero(stretch)
        coder = None if copies_sound or not has_sound else _SoundCoder(stretch, sound, zero_s)
        last: dict[Any, int] = {}
        for bit in stretch.bits:
            if not bit.is_video and coder is not None:
                for packet in coder.take(bit):
                    out.mux(packet)
                continue
            stream = video if bit.is_video else sound
            if stream is None:
                continue
            packet = _packet(bit)
            shift = round(zero_s / bit.time_base)
            packet.pts, packet.dts = bit.pts - shift, bit.dts - shift
            # Sound from before the first picture: players would show nothing until the picture comes.
            if not bit.is_video and packet.pts < 0:
                continue
            if packet.dts <= last.get(stream, packet.dts - 1):
                continue  # a clock that stands still or goes back: a file takes no such packet
            last[stream] = packet.dts
            packet.stream = stream
            out.mux(packet)
        if coder is not None:
            for packet in coder.end():
                out.mux(packet)


def _copied_stream(out: Any, container: bytes, stack: ExitStack) -> Any:
    """A new stream that takes packets as they came; see `VideoTemplate`."""
    given = stack.enter_context(av.open(io.BytesIO(container), format="nut"))
    return out.add_stream_from_template(given.streams[0], opaque=True)


def _code_anew(stretch: PacketRun, path: Path, blur: FrameBlur | None) -> None:
    """Decode and encode."""
    tracks = stretch.tracks
    zero_s = _zero(stretch)
    assert tracks.video is not None
    by_arrival = tracks.video.codec in _BY_ARRIVAL
    of_sound = None if by_arrival or all(bit.is_video for bit in stretch.bits) else tracks.sound
    rate_hz = min(max(tracks.video.rate_hz, 1.0), 120.0)
    with _opened(path) as out:
        video = out.add_stream("libx264", rate=Fraction(rate_hz).limit_denominator(1001))
        video.pix_fmt = "yuv420p"
        video.options = {"crf": "23", "preset": "superfast", "threads": "1"}
        video.codec_context.time_base = Fraction(1, _TICKS_HZ)
        sound: Any = None if of_sound is None else out.add_stream("aac", rate=_sound_rate(of_sound.rate_hz))
        size, last_tick = (0, 0), -1
        blurred = None if blur is None else blur.for_video()
        for frame in decode_pictures(stretch):
            if not size[0]:
                size = frame.size
                video.width, video.height = size[0] // 2 * 2, size[1] // 2 * 2
                tag_encoder(video, frame, aspect=tracks.video.pixel_aspect, is_rgb=blur is not None)
            picture = _picture(frame, size, blurred)
            time_s = frame.time_s - stretch.start_s
            if not by_arrival and frame.raw.pts is not None and frame.raw.time_base:
                time_s = float(frame.raw.pts * frame.raw.time_base) - zero_s
            tick = max(round(time_s * _TICKS_HZ), last_tick + 1)
            picture.pts, picture.time_base, last_tick = tick, Fraction(1, _TICKS_HZ), tick
            out.mux(video.encode(picture))
        if not size[0]:
            raise FormatError("not one picture of the clip could be decoded")
        out.mux(video.encode(None))
        if sound is not None:
            coder = _SoundCoder(stretch, sound, zero_s)
            for bit in stretch.bits:
                if not bit.is_video:
                    out.mux(coder.take(bit))
            out.mux(coder.end())


def _code_sound(stretch: PacketRun, path: Path) -> None:
    """Decode and encode sound alone."""
    zero_s = next((float(bit.pts * bit.time_base) for bit in stretch.bits if bit.pts is not None), 0.0)
    if stretch.tracks.sound is None:
        raise FormatError("no sound of the clip could be decoded")
    with _opened(path) as out:
        sound: Any = out.add_stream("aac", rate=_sound_rate(stretch.tracks.sound.rate_hz))
        coder = _SoundCoder(stretch, sound, zero_s)
        for bit in stretch.bits:
            out.mux(coder.take(bit))
        coded = coder.end()
        if not coded:
            raise FormatError("no sound of the clip could be decoded")
        out.mux(coded)


def _picture(frame: Frame, size: tuple[int, int], blur: Callable[[Picture8], Picture8] | None) -> Any:
    if blur is None:
        return av.VideoFrame.from_ndarray(frame.planes(size).data, format="yuv420p")
    blurred = blur(frame.scaled(*size))
    even = np.ascontiguousarray(blurred[: size[1] // 2 * 2, : size[0] // 2 * 2])
    return av.VideoFrame.from_ndarray(even, format="rgb24").reformat(format="yuv420p")


class _SoundCoder:
    """Sound that a browser does not play, coded as AAC."""

    def __init__(self, stretch: PacketRun, stream: Any, zero_s: float) -> None:
        template = stretch.tracks.sound
        assert template is not None
        decoder: Any = cast("Any", av.CodecContext.create(template.codec, "r"))
        if template.extra:
            decoder.extradata = template.extra
        decoder.sample_rate, decoder.layout = template.rate_hz, template.layout
        self._decoder = decoder
        self._stream, self._zero_s = stream, zero_s
        self._rate_hz = _sound_rate(template.rate_hz)
        self._resampler = av.AudioResampler(format="fltp", rate=self._rate_hz)
        self._mono = MonoResampler(self._rate_hz, piece_s=0.1)  # AAC and FFmpeg know few layouts of many channels
        self._begun_s: float | None = None
        self._done = 0

    def take(self, bit: BufferedPacket) -> list[Any]:
        at_s = (float((bit.pts or 0) * bit.time_base)) - self._zero_s
        if at_s < 0:
            return []
        if self._begun_s is None:
            self._begun_s = at_s
        try:
            frames = self._decoder.decode(_packet(bit))
        except (av.FFmpegError, ValueError):
            return []
        return [packet for raw in frames for packet in self._code(raw)]

    def end(self) -> list[Any]:
        made = self._code(None) if self._done else []
        return [*made, *self._stream.encode(None)] if self._done else []

    def _code(self, raw: Any) -> list[Any]:
        made: list[Any] = []
        for ready in self._converted(raw):
            rate = ready.sample_rate
            ready.pts = round((self._begun_s or 0.0) * rate) + self._done
            ready.time_base = Fraction(1, rate)
            self._done += ready.samples
            made += self._stream.encode(ready)
        return made

    def _converted(self, raw: Any) -> Iterator[Any]:
        """Frames that the encoder takes; more than two channels become one."""
        if raw is None or raw.layout.nb_channels > 2:
            for samples in self._mono.flush() if raw is None else self._mono.feed(raw):
                if len(samples):
                    frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
                    frame.sample_rate = self._rate_hz
                    yield frame
        if raw is None or raw.layout.nb_channels <= 2:
            if raw is not None:
                raw.pts = None
            yield from self._resampler.resample(raw)


def _opened(path: Path) -> Any:
    # faststart: the index in front, so that a clip plays while it loads
    return av.open(file_url(path), "w", format="mp4", options={"movflags": "+faststart"})


def _zero(stretch: PacketRun) -> float:
    """The time of the first picture, by the packets' own clock."""
    shown = [float(b.pts * b.time_base) for b in stretch.bits if b.is_video and b.pts is not None]
    return min(shown, default=0.0)


def _packet(bit: BufferedPacket) -> Any:
    packet = av.Packet(len(bit.data))  # with the zero bytes after it that decoders read, unlike one made of bytes
    packet.update(bit.data)
    packet.pts, packet.dts, packet.time_base = bit.pts, bit.dts, bit.time_base
    packet.is_keyframe = bit.is_key
    if bit.duration:
        packet.duration = bit.duration
    return packet


def _sound_rate(rate_hz: int) -> int:
    """A rate that AAC knows."""
    return min((8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000), key=lambda known: abs(known - rate_hz))
