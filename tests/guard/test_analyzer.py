"""Eyes and ears put together: the listener's clock and the source's, holes, and what is shown of both."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from szem.guard.analyzer import SourceAnalyzer
from szem.guard.audio_decoder import AudioDecoder
from szem.media.sound import SoundBlock
from szem.media.video import VideoReader
from szem.results.events import Event
from szem.tasks.surveillance.watcher import Watcher

RATE = 1000


@dataclass
class Loud:
    """Tells each stretch of samples above a half, when it is over."""

    rate_hz: int = RATE
    samples: list[NDArray[np.float32]] = field(default_factory=list)
    going_on: tuple[Event, ...] = ()
    reported: int = 0
    begun: float | None = None
    kind: str = "bang"

    @property
    def time_s(self) -> float:
        return sum(len(part) for part in self.samples) / self.rate_hz

    def feed(self, samples: NDArray[np.float32]) -> list[Event]:
        start_s = self.time_s
        self.samples.append(samples)
        loud = bool(np.abs(samples).max(initial=0) > 0.5)
        if loud and self.begun is None:
            self.begun = start_s
        if not loud and self.begun is not None:
            return [self._event(start_s)]
        return []

    def is_confident(self, event: Event) -> bool:
        return True

    def finish(self) -> list[Event]:
        return [] if self.begun is None else [self._event(self.time_s)]

    def _event(self, end_s: float) -> Event:
        self.reported += 1
        assert self.begun is not None
        begun, self.begun = self.begun, None
        return Event(
            kind=self.kind, start_s=begun, end_s=end_s, score=0.8, channels={"sound": 0.8}, number=self.reported
        )


def block(time_s: float, *, loud: bool = False, length_s: float = 0.5) -> SoundBlock:
    return SoundBlock(time_s, np.full(round(length_s * RATE), 0.9 if loud else 0.0, np.float32))


@pytest.fixture
def made() -> list[Loud]:
    return []


@pytest.fixture
def analyzer(made: list[Loud]) -> SourceAnalyzer:
    def listen() -> Loud:
        made.append(Loud())
        return made[-1]

    return SourceAnalyzer(Watcher(detector=None), listen=listen)


def test_events_are_in_the_sources_time(analyzer: SourceAnalyzer) -> None:
    """A line whose sound begins at 5 s."""
    assert analyzer.hear(block(5.0)) == []
    assert analyzer.hear(block(5.5, loud=True)) == []
    (event,) = analyzer.hear(block(6.0))
    assert (event.start_s, event.end_s) == (5.5, 6.0)
    assert analyzer.levels["sound"] == 0.8


def test_a_short_gap_is_silence(analyzer: SourceAnalyzer, made: list[Loud]) -> None:
    analyzer.hear(block(0.0, loud=True))
    (event,) = analyzer.hear(block(3.0, loud=True))  # two and a half seconds are missing: the bang ends
    assert (event.start_s, event.end_s) == (0.0, 0.5)
    (event,) = analyzer.hear(block(3.5))
    assert (event.start_s, event.end_s) == (3.0, 3.5)
    assert len(made) == 1
    assert made[0].time_s == 4.0


def test_after_a_long_gap_listening_begins_anew(analyzer: SourceAnalyzer, made: list[Loud]) -> None:
    analyzer.hear(block(0.0, loud=True))
    (event,) = analyzer.hear(block(500.0, loud=True))
    assert (event.start_s, event.end_s, event.is_open) == (0.0, 0.5, False)
    (later,) = analyzer.hear(block(500.5))
    assert (later.start_s, later.end_s) == (500.0, 500.5)
    assert later.number != event.number  # not the same event that goes on
    assert len(made) == 2


def test_what_is_heard_at_the_end_is_reported(analyzer: SourceAnalyzer) -> None:
    analyzer.hear(block(0.0, loud=True))
    assert [event.kind for event in analyzer.finish()] == ["bang"]


def test_without_a_listener_sound_is_let_go() -> None:
    analyzer = SourceAnalyzer(Watcher(detector=None))
    assert analyzer.hear(block(0.0, loud=True)) == []
    assert analyzer.finish() == []


def test_what_is_heard_and_seen_is_one_event(monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = Watcher(detector=None)
    dog = Event(
        kind="enters", label="dog", start_s=5.5, end_s=5.5, score=0.7, channels={"video": 0.7}, place="yard", number=1
    )
    monkeypatch.setattr(watcher, "feed", lambda frame: [dog] if frame.time_s == 5.5 else [])
    analyzer = SourceAnalyzer(watcher, listen=lambda: Loud(kind="dog bark"), is_joint=True)
    grey = np.full((90, 160, 3), 90, np.uint8)

    class Frame:
        def __init__(self, time_s: float) -> None:
            self.time_s = time_s

        def scaled(self, width: int, height: int) -> NDArray[np.uint8]:
            return grey

    reported: list[Event] = []
    for step in range(20):
        time_s = step / 2
        reported += analyzer.hear(block(time_s, loud=5 <= time_s < 6))
        reported += analyzer.see(Frame(time_s))  # type: ignore[arg-type]
    reported += analyzer.finish()
    (event,) = reported
    assert event.by == ("sound", "video")
    assert (event.kind, event.also, event.place) == ("dog bark", "enters", "yard")
    assert (event.start_s, event.end_s) == (5.0, 6.0)


# Packets to blocks -------------------------------------------------------------------------------------------------


def test_a_videos_sound_comes_whole_and_in_time(video: Path) -> None:
    decoder, blocks = AudioDecoder(rate_hz=8000, block_s=0.5), []

    def tap(packet: object, time_s: float) -> None:
        if packet.stream.type == "audio":  # type: ignore[attr-defined]
            blocks.extend(decoder.hear(packet, time_s))

    with VideoReader(video, sound=True, tap=tap) as reader:
        for _ in reader:
            pass
    blocks += decoder.end()
    assert [len(b.samples) for b in blocks[:-1]] == [4000] * (len(blocks) - 1)
    ends = [b.time_s + len(b.samples) / 8000 for b in blocks]
    assert all(abs(b.time_s - end) < 1e-6 for b, end in zip(blocks[1:], ends, strict=False))
    assert abs(ends[-1] - 8.0) < 0.2
    wave = np.concatenate([b.samples for b in blocks])
    assert abs(int(np.abs(np.fft.rfft(wave[8000:16000])).argmax()) - 440) < 3


def test_lost_sound_is_a_gap_and_a_burst_is_not() -> None:
    decoder = AudioDecoder(rate_hz=RATE, block_s=1.0)
    piece = np.ones(500, np.float32)
    reported = [b.time_s for at_s in (0.0, 0.5, 5.0, 5.5) for b in decoder._keep(piece, at_s)]
    assert reported == [0.0, 5.0]
    late = [
        b.time_s for at_s in (6.4, 6.4, 6.45, 6.5) for b in decoder._keep(piece, at_s)
    ]  # held up, then all at once
    assert late == [6.0, 7.0]
