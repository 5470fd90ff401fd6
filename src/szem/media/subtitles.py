"""Subtitles as text: SubRip and WebVTT. This file does not know what the pieces say."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Cue", "clock", "to_srt", "to_vtt"]


@dataclass(frozen=True)
class Cue:
    """One piece of text and when it is shown."""

    start_s: float
    end_s: float
    text: str


def to_srt(cues: Sequence[Cue]) -> str:
    r"""SubRip.

    >>> to_srt([Cue(1.0, 2.5, "dog bark")])
    '1\n00:00:01,000 --> 00:00:02,500\ndog bark\n'
    """
    pieces = [
        f"{number}\n{clock(cue.start_s, ',')} --> {clock(cue.end_s, ',')}\n{_plain(cue.text)}\n"
        for number, cue in enumerate(cues, start=1)
    ]
    return "\n".join(pieces)


def to_vtt(cues: Sequence[Cue]) -> str:
    r"""WebVTT.

    >>> to_vtt([])
    'WEBVTT\n'
    """
    pieces = [
        f"\n{clock(cue.start_s, '.')} --> {clock(cue.end_s, '.')}\n{_escaped(_plain(cue.text))}\n" for cue in cues
    ]
    return "WEBVTT\n" + "".join(pieces)


def clock(time_s: float, point: str) -> str:
    """A time as subtitles write it.

    >>> clock(3661.0405, ",")
    '01:01:01,040'
    """
    seconds, thousandths = divmod(max(0, round(time_s * 1000)), 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{thousandths:03d}"


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("-->", "→")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
