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

__all__ = ["BufferedPacket", "PacketBuffer", "PacketRun", "StreamTemplates"]

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


class StreamTemplates:
    """What the packets of one connection are: they outlive the container that they were read from.

    Args:
        packet_stream: A video stream of an open container; where it is uncoded, pictures are kept as JPEG. None:
            there is sound alone.
    """

    def __init__(self, packet_stream: Any) -> None:
        # A container that is never written: its streams hold copies of what a decoder or a file must know.
        self._holder = av.open(io.BytesIO(), "w", format="matroska")
        self.video: Any = None
        self.sound: Any = None
        self.video_codec, self.video_extra, self.pixels = "mjpeg", b"", "yuvj420p"
        self.sound_codec, self.sound_extra, self.sound_rate_hz = "", b"", 0
        self.sound_layout = ""
        self.rate_hz = 10.0
        self.size_px, self.video_tag, self.coded_bits = (0, 0), "", 0
        self.pixel_aspect: Fraction | None = None
        self.is_sound_alone = packet_stream is None
        self.is_uncoded = packet_stream is not None and packet_stream.codec_context.name == "rawvideo"
        if packet_stream is not None and not self.is_uncoded:
            context = packet_stream.codec_context
            self.video = self._copy(packet_stream)
            self.video_codec, self.video_extra = context.codec.name, bytes(context.extradata or b"")
            self.pixels = str(context.pix_fmt or "")
            self.size_px, self.video_tag = (context.width, context.height), context.codec_tag
            self.coded_bits = context.bits_per_coded_sample or 0
            self.pixel_aspect = packet_stream.sample_aspect_ratio or context.sample_aspect_ratio or None
            self.rate_hz = float(packet_stream.average_rate or packet_stream.guessed_rate or 0) or 25.0

    def add_sound(self, stream: Any) -> None:
        """Note what the sound is."""
        context = stream.codec_context
        self.sound = self._copy(stream)
        self.sound_codec, self.sound_extra = context.codec.name, bytes(context.extradata or b"")
        self.sound_rate_hz, self.sound_layout = context.sample_rate, context.layout.name

    def open_decoder(self) -> Any:
        """A decoder of its pictures that knows all that the container said of them."""
        decoder: Any = av.CodecContext.create(self.video_codec, "r")
        if self.video_extra:
            decoder.extradata = self.video_extra
        if all(self.size_px):  # some codecs (MS-MPEG-4, WMV) do not repeat it in their packets
            decoder.width, decoder.height = self.size_px
        if self.video_tag.strip("\0"):  # MPEG-4 is decoded by the encoder's own transform: XVID, DX50
            decoder.codec_tag = self.video_tag
        if self.coded_bits:
            decoder.bits_per_coded_sample = self.coded_bits
        decoder.thread_count = 1
        return decoder

    def begins_with(self, bit: "BufferedPacket") -> bool:
        """Whether a clip can begin with a packet."""
        return bit.is_key and (bit.is_video or self.is_sound_alone)

    def _copy(self, stream: Any) -> Any:
        try:
            return self._holder.add_stream_from_template(stream, opaque=True)
        except (av.FFmpegError, ValueError):  # no file can hold it as it is: it is coded anew
            return None


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
        self._streams: tuple[Any, Any] = (None, None)
        self._bytes = 0
        self.turn = 0

    @property
    def held_bytes(self) -> int:
        """How much is kept now."""
        return self._bytes

    @property
    def keeps_pictures(self) -> bool:
        """Whether the source's pictures come uncoded: then `add_picture` is to be called with them."""
        return self._tracks is not None and self._tracks.is_uncoded

    def add(self, packet: Any, time_s: float) -> None:
        """Take a packet as the reader's `tap` gives it."""
        is_video = packet.stream.type == "video"
        self._know(packet.stream, is_video)
        if is_video and self.keeps_pictures:
            return
        bit = BufferedPacket(
            bytes(packet),
            time_s,
            packet.pts,
            packet.dts,
            packet.time_base,
            bool(packet.is_keyframe),
            is_video,
            packet.duration or 0,
        )
        self._keep(bit)

    def begin_sound_alone(self) -> None:
        """A connection without pictures begins: what is kept of it is sound."""
        self._tracks, self._streams = StreamTemplates(None), (None, None)

    def add_picture(self, frame: Frame) -> None:
        """Take a picture that came uncoded."""
        data = encode_picture(frame.picture, suffix=".jpg", quality=85)
        tick = round(frame.time_s * 1000)
        self._keep(BufferedPacket(data, frame.time_s, tick, tick, _MILLI, True, True, 0))

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

    def _know(self, stream: Any, is_video: bool) -> None:
        video, sound = self._streams
        if is_video and stream is not video:  # a new connection: other clocks, perhaps another size
            self._tracks = StreamTemplates(stream)
            self._streams = (stream, None)
        elif not is_video and stream is not sound and self._tracks is not None:
            self._tracks.add_sound(stream)
            self._streams = (video, stream)

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
