"""The last minute or so of a source as it came, coded, in bounded memory: what clips are cut from.

Packets are kept as they were sent, which costs no work and a few megabytes; pictures that come uncoded are kept as
JPEG. Nothing of it is ever on disk. This file does not know what clips look like.
"""

import io
import threading
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av

from szem.errors import RangeError
from szem.media.frames import Frame
from szem.media.pictures import encode_picture

__all__ = [
    "BufferedPacket",
    "PacketBuffer",
    "PacketCopier",
    "PacketRun",
    "SoundTemplate",
    "StreamTemplates",
    "VideoTemplate",
    "buffer_picture",
]

_SLACK_S = 2.0
_MILLI = Fraction(1, 1000)


@dataclass(frozen=True, slots=True)
class BufferedPacket:
    """One packet."""

    data: bytes
    time_s: float  # in the source's own time
    pts: int | None
    dts: int | None
    time_base: Any
    is_key: bool
    is_video: bool
    duration: int


@dataclass(frozen=True)
class VideoTemplate:
    """What the packets of pictures of one connection are: it outlives the container that they were read from.

    Args:
        codec: FFmpeg's name of the decoder; "mjpeg" where pictures come uncoded and are kept as JPEG.
        is_uncoded: Whether they come so.
        extra: What the decoder must know first.
        pixels: FFmpeg's name of the pixel format.
        size_px: Width and height.
        tag: Four characters of the container.
        coded_bits: Of a sample, where the container says it.
        pixel_aspect: Width of a pixel by its height; None: not stated.
        rate_hz: Pictures a second.
        container: A file of one packet, from which a stream to copy packets into can be made; empty: none can.
    """

    codec: str
    is_uncoded: bool = False
    extra: bytes = b""
    pixels: str = "yuvj420p"
    size_px: tuple[int, int] = (0, 0)
    tag: str = ""
    coded_bits: int = 0
    pixel_aspect: Fraction | None = None
    rate_hz: float = 10.0
    container: bytes = b""

    @classmethod
    def of(cls, packet: Any) -> "VideoTemplate":
        """The template of the stream of a packet."""
        stream = packet.stream
        context = stream.codec_context
        if context.name == "rawvideo":
            return cls("mjpeg", is_uncoded=True)
        return cls(
            codec=context.codec.name,
            extra=bytes(context.extradata or b""),
            pixels=str(context.pix_fmt or ""),
            size_px=(context.width, context.height),
            tag=context.codec_tag,
            coded_bits=context.bits_per_coded_sample or 0,
            pixel_aspect=stream.sample_aspect_ratio or context.sample_aspect_ratio or None,
            rate_hz=float(stream.average_rate or stream.guessed_rate or 0) or 25.0,
            container=_wrap(packet),
        )


@dataclass(frozen=True)
class SoundTemplate:
    """Likewise of the packets of sound."""

    codec: str
    extra: bytes
    rate_hz: int
    layout: str
    container: bytes

    @classmethod
    def of(cls, packet: Any) -> "SoundTemplate":
        """The template of the stream of a packet."""
        context = packet.stream.codec_context
        return cls(
            context.codec.name,
            bytes(context.extradata or b""),
            context.sample_rate,
            context.layout.name,
            _wrap(packet),
        )


def _wrap(packet: Any) -> bytes:
    """A file that holds a copy of a packet, so that its stream can be copied in another process.

    NUT keeps the bytes that a decoder must know as they are; other containers convert them.
    """
    holder = io.BytesIO()
    try:
        with av.open(holder, "w", format="nut") as out:
            copy = av.Packet(packet.size)
            copy.update(bytes(packet))
            copy.pts = copy.dts = 0
            copy.time_base, copy.is_keyframe = packet.time_base, True
            copy.stream = out.add_stream_from_template(packet.stream, opaque=True)
            out.mux(copy)
    except (av.FFmpegError, ValueError):  # no file can hold it as it is: it is coded anew
        return b""
    return holder.getvalue()


@dataclass(eq=False)
class StreamTemplates:
    """The streams of one connection.

    Args:
        video: Of its pictures; None: there is sound alone.
        sound: Of its sound, once a packet of it has come.
    """

    video: VideoTemplate | None
    sound: SoundTemplate | None = None

    @property
    def is_sound_alone(self) -> bool:
        """Whether there are no pictures."""
        return self.video is None

    def open_decoder(self) -> Any:
        """A decoder of its pictures that knows all that the container said of them."""
        assert self.video is not None
        video = self.video
        decoder: Any = av.CodecContext.create(video.codec, "r")
        if video.extra:
            decoder.extradata = video.extra
        if all(video.size_px):  # some codecs (MS-MPEG-4, WMV) do not repeat it in their packets
            decoder.width, decoder.height = video.size_px
        if video.tag.strip("\0"):  # MPEG-4 is decoded by the encoder's own transform: XVID, DX50
            decoder.codec_tag = video.tag
        if video.coded_bits:
            decoder.bits_per_coded_sample = video.coded_bits
        decoder.thread_count = 1
        return decoder

    def begins_with(self, bit: "BufferedPacket") -> bool:
        """Whether a clip can begin with a packet."""
        return bit.is_key and (bit.is_video or self.is_sound_alone)


class PacketCopier:
    """Copies the packets of a reader: first the template of their stream, whenever that is a new one."""

    def __init__(self) -> None:
        self._streams: tuple[Any, Any] = (None, None)
        self.keeps_pictures = False  # they come uncoded: use `buffer_picture`

    def __call__(self, packet: Any, time_s: float) -> "list[VideoTemplate | SoundTemplate | BufferedPacket]":
        """Copies of a packet, and of what its stream is."""
        made: list[VideoTemplate | SoundTemplate | BufferedPacket] = []
        is_video = packet.stream.type == "video"
        if is_video and packet.stream is not self._streams[0]:  # a new connection: other clocks, perhaps another size
            template = VideoTemplate.of(packet)
            self._streams, self.keeps_pictures = (packet.stream, None), template.is_uncoded
            made.append(template)
        elif not is_video and packet.stream is not self._streams[1]:
            self._streams = (self._streams[0], packet.stream)
            made.append(SoundTemplate.of(packet))
        if not (is_video and self.keeps_pictures):
            made.append(
                BufferedPacket(
                    bytes(packet),
                    time_s,
                    packet.pts,
                    packet.dts,
                    packet.time_base,
                    bool(packet.is_keyframe),
                    is_video,
                    packet.duration or 0,
                )
            )
        return made


def buffer_picture(frame: Frame) -> BufferedPacket:
    """A picture that came uncoded, as a packet of JPEG."""
    data = encode_picture(frame.picture, suffix=".jpg", quality=85)
    tick = round(frame.time_s * 1000)
    return BufferedPacket(data, frame.time_s, tick, tick, _MILLI, True, True, 0)


@dataclass(frozen=True)
class PacketRun:
    """Some packets in a row, of one connection; the first picture can be decoded by itself."""

    tracks: StreamTemplates
    bits: tuple[BufferedPacket, ...]
    start_s: float
    end_s: float
    turn: int = 0  # see `Frame`


class PacketBuffer:
    """Keeps the last packets; the oldest go first, in groups that begin with a picture that stands alone.

    Args:
        seconds: How much is kept.
        max_bytes: And how many bytes at most, whatever the seconds.
    Raises:
        RangeError: one of them is not positive.
    """

    def __init__(self, seconds: float, *, max_bytes: int = 64_000_000) -> None:
        if seconds <= 0 or max_bytes <= 0:
            raise RangeError(f"seconds and max_bytes must be positive, got {seconds} and {max_bytes}")
        self._seconds, self._max_bytes = seconds, max_bytes
        self._bits: deque[tuple[StreamTemplates, BufferedPacket]] = deque()
        self._keys: deque[float] = deque()  # times of the pictures that stand alone, those still here
        self._lock = threading.Lock()
        self._tracks: StreamTemplates | None = None
        self._copier = PacketCopier()
        self._bytes = 0
        self.turn = 0

    @property
    def held_bytes(self) -> int:
        """How much is kept now."""
        return self._bytes

    def add(self, packet: Any, time_s: float) -> None:
        """Take a packet as the reader's `tap` gives it."""
        for item in self._copier(packet, time_s):
            self.take(item)

    def take(self, item: "VideoTemplate | SoundTemplate | BufferedPacket") -> None:
        """Take what a `PacketCopier` or `buffer_picture` made."""
        if isinstance(item, VideoTemplate):
            self._tracks = StreamTemplates(item)
        elif isinstance(item, SoundTemplate):
            if self._tracks is not None:
                self._tracks.sound = item
        else:
            self._keep(item)

    def begin_sound_alone(self) -> None:
        """A connection without pictures begins: what is kept of it is sound."""
        self._tracks, self._copier = StreamTemplates(None), PacketCopier()

    def cut(self, start_s: float, end_s: float) -> PacketRun | None:
        """What was between two moments, from the picture before the first that stands alone; None: nothing is left.

        Only one connection's packets are given: that of the newest which lies before `end_s`.
        """
        with self._lock:
            held = [pair for pair in self._bits if pair[1].time_s <= end_s]
        if not held:
            return None
        tracks = held[-1][0]
        bits = [bit for of, bit in held if of is tracks]
        keys = [i for i, bit in enumerate(bits) if tracks.begins_with(bit)]
        if not keys:
            return None
        first = max((i for i in keys if bits[i].time_s <= start_s), default=keys[0])
        begun_s = bits[first].time_s
        kept = tuple(bit for i, bit in enumerate(bits) if i >= first or (not bit.is_video and bit.time_s >= begun_s))
        return PacketRun(tracks, kept, begun_s, kept[-1].time_s, self.turn)

    def _keep(self, bit: BufferedPacket) -> None:
        if self._tracks is None:  # sound before the first picture
            return
        with self._lock:
            begins = self._tracks.begins_with(bit)
            if not self._bits and not begins:
                return
            self._bits.append((self._tracks, bit))
            self._bytes += len(bit.data)
            if begins:
                self._keys.append(bit.time_s)
            self._forget(bit.time_s)

    def _forget(self, now_s: float) -> None:
        """Whole groups, and only those without which enough is left; by bytes, whatever is left."""
        while len(self._keys) > 1 and (
            self._keys[1] < now_s - self._seconds - _SLACK_S or self._bytes > self._max_bytes
        ):
            self._drop_group()
        if self._bytes > self._max_bytes:  # one group alone is too large: nothing can be cut from it
            self._bits.clear()
            self._keys.clear()
            self._bytes = 0

    def _drop_group(self) -> None:
        self._keys.popleft()
        while self._bits:
            self._bytes -= len(self._bits.popleft()[1].data)
            if self._bits and self._bits[0][0].begins_with(self._bits[0][1]):
                return
