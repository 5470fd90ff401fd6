"""A video watched and listened to from its beginning to its end, in order, without a store.

For trying rules on a recording: events as they are reported, and what each channel says all along.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from szem.guard.analyzer import Analyzer
from szem.guard.audio_decoder import AudioDecoder
from szem.media.video import VideoReader
from szem.results.events import Event

if TYPE_CHECKING:
    from szem.media.sound import SoundBlock

__all__ = ["AnalyzedFrame", "analyze_video"]


@dataclass(frozen=True)
class AnalyzedFrame:
    """What one frame brought, with the sound before it."""

    time_s: float
    duration_s: float | None
    events: tuple[Event, ...]
    levels: Mapping[str, float]  # see `Analyzer.levels`


def analyze_video(path: Path, analyzer: Analyzer) -> Iterator[AnalyzedFrame]:
    """Watch and listen.

    Args:
        path: The video; it may have no sound.
        analyzer: Of this video alone.
    Raises:
        As `VideoReader` and its iteration.
    """
    decoder = AudioDecoder(rate_hz=analyzer.rate_hz)
    blocks: list[SoundBlock] = []

    def tap(packet: object, time_s: float) -> None:
        if packet.stream.type == "audio":  # type: ignore[attr-defined]
            blocks.extend(decoder.hear(packet, time_s))

    last_s = 0.0
    with VideoReader(path, sound=True, tap=tap) as reader:
        duration_s = reader.info.duration_s
        for frame in reader:
            events: list[Event] = []
            while blocks and blocks[0].time_s <= frame.time_s:
                events += analyzer.hear(blocks.pop(0))
            events += analyzer.see(frame)
            last_s = frame.time_s
            yield AnalyzedFrame(last_s, duration_s, tuple(events), dict(analyzer.levels))
    events = [event for block in [*blocks, *decoder.end()] for event in analyzer.hear(block)]
    yield AnalyzedFrame(last_s, duration_s, (*events, *analyzer.finish()), dict(analyzer.levels))
