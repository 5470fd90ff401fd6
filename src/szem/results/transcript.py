"""What was said in a video and when, read from lips, from sound, or from both; or why it could not be read.

Checked once when made, trusted afterwards. This file does not know who read it.
"""

import math
from dataclasses import dataclass
from typing import Any

from szem.errors import RangeError
from szem.media.subtitles import Cue, to_srt, to_vtt
from szem.results.indexing import TupleResult

__all__ = ["CHANNELS", "Transcript", "TranscriptWord"]

CHANNELS = ("lips", "sound", "both")


@dataclass(frozen=True)
class TranscriptWord:
    """One word, when it was said, and its confidence."""

    text: str
    start_s: float  # from the beginning of the video
    end_s: float
    confidence: float  # 0..1, how often such words were right on sentences held out

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and math.isfinite(self.end_s) and self.start_s <= self.end_s):
            raise RangeError(f"{self.text!r} must end after it begins, got {self.start_s} to {self.end_s} s")
        _check_fraction(f"confidence of {self.text!r}", self.confidence)


@dataclass(frozen=True, eq=False, repr=False)
class Transcript(TupleResult[TranscriptWord]):
    """The words of a video.

    Args:
        words: In the order they are said; none where nothing could be read.
        confidence: 0..1, that the whole sentence is right.
        used: lips, sound or both: what it was read from.
        model: Who read it.
        reason: Why there is no reading; empty where there is one.
        guess: What the reader would have said, had it been made to; for those who study it, not for use.
        notes: What else there is to say: for example, that the video has no sound.

    >>> said = Transcript((TranscriptWord("bin", 0.4, 0.8, 0.9),), confidence=0.8, used="lips", model="toy")
    >>> said.text, said.is_read
    ('bin', True)
    >>> str(Transcript((), confidence=0.0, used="lips", model="toy", reason="no face"))
    'no reading: no face'
    """

    _field = "words"

    words: tuple[TranscriptWord, ...]
    confidence: float
    used: str
    model: str
    reason: str = ""
    guess: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.used not in CHANNELS:
            raise RangeError(f"a transcript is read from {', '.join(CHANNELS)}, got {self.used!r}")
        _check_fraction("confidence", self.confidence)
        if bool(self.words) == bool(self.reason):
            raise RangeError("a transcript has words, or a reason why there are none; got both or neither")
        super().__post_init__()

    def summary(self) -> str:
        """The words and the confidence, or why there are none."""
        return f"{self.text!r}, confidence {self.confidence:.0%}" if self.is_read else f"no reading: {self.reason}"

    @property
    def text(self) -> str:
        """The words as one string; empty where nothing could be read."""
        return " ".join(word.text for word in self.words)

    @property
    def is_read(self) -> bool:
        """Whether there are words."""
        return bool(self.words)

    def __str__(self) -> str:
        return self.text if self.is_read else f"no reading: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, ready for JSON."""
        row: dict[str, Any] = {
            "model": self.model,
            "text": self.text,
            "is_read": self.is_read,
            "confidence": round(self.confidence, 4),
            "used": self.used,
            "words": [
                {
                    "text": word.text,
                    "start_s": round(word.start_s, 3),
                    "end_s": round(word.end_s, 3),
                    "confidence": round(word.confidence, 4),
                }
                for word in self.words
            ],
        }
        if self.reason:
            row |= {"reason": self.reason, "guess": self.guess}
        if self.notes:
            row["notes"] = list(self.notes)
        return row

    def to_srt(self, *, by_word: bool = False) -> str:
        """Subtitles as SubRip text: the sentence in one piece, or a piece a word; empty where nothing was read."""
        return to_srt(self._cues(by_word))

    def to_vtt(self, *, by_word: bool = False) -> str:
        """Subtitles as WebVTT; where nothing was read, the reason as a note."""
        return to_vtt(self._cues(by_word)) if self.is_read else f"WEBVTT\n\nNOTE {self}\n"

    def _cues(self, by_word: bool) -> list[Cue]:
        if not self.words:
            return []
        if by_word:
            return [Cue(word.start_s, word.end_s, word.text) for word in self.words]
        return [Cue(self.words[0].start_s, self.words[-1].end_s, self.text)]


def _check_fraction(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise RangeError(f"{name} must lie in 0..1, got {value}")
