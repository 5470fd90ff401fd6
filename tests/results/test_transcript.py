"""results/transcript.py: subtitles by hand, JSON, and what cannot be."""

import json

import pytest

from szem.errors import RangeError
from szem.results.transcript import Transcript, TranscriptWord

WORDS = (TranscriptWord("bin", 0.96, 1.2, 0.9), TranscriptWord("blue", 1.2, 1.3604, 0.75))
SAID = Transcript(WORDS, confidence=0.8, used="lips", model="toy")
NOTHING = Transcript((), confidence=0.1, used="both", model="toy", reason="no face", guess="bin blue")


def test_subtitles_are_as_players_read_them() -> None:
    assert SAID.to_srt() == "1\n00:00:00,960 --> 00:00:01,360\nbin blue\n"
    assert SAID.to_srt(by_word=True) == (
        "1\n00:00:00,960 --> 00:00:01,200\nbin\n\n2\n00:00:01,200 --> 00:00:01,360\nblue\n"
    )
    assert SAID.to_vtt() == "WEBVTT\n\n00:00:00.960 --> 00:00:01.360\nbin blue\n"


def test_no_reading_says_why_and_has_no_subtitles() -> None:
    assert str(NOTHING) == "no reading: no face"
    assert NOTHING.to_srt() == ""
    assert NOTHING.to_vtt() == "WEBVTT\n\nNOTE no reading: no face\n"
    assert NOTHING.to_dict()["reason"] == "no face"
    assert NOTHING.to_dict()["guess"] == "bin blue"


def test_dict_is_json_and_holds_every_word() -> None:
    row = json.loads(json.dumps(SAID.to_dict()))
    assert row["text"] == "bin blue"
    assert row["words"][1] == {"text": "blue", "start_s": 1.2, "end_s": 1.36, "confidence": 0.75}
    assert "reason" not in row


@pytest.mark.parametrize(
    ("made", "match"),
    [
        (lambda: TranscriptWord("a", 2.0, 1.0, 0.5), "end after"),
        (lambda: TranscriptWord("a", 0.0, float("nan"), 0.5), "end after"),
        (lambda: TranscriptWord("a", 0.0, 1.0, 1.5), "confidence"),
        (lambda: Transcript((), confidence=0.5, used="lips", model="m"), "reason"),  # neither words nor reason
        (lambda: Transcript(WORDS, confidence=0.5, used="lips", model="m", reason="x"), "reason"),  # both
        (lambda: Transcript(WORDS, confidence=0.5, used="eyes", model="m"), "eyes"),
        (lambda: Transcript(WORDS, confidence=-0.1, used="lips", model="m"), "confidence"),
    ],
)
def test_contradictions_are_errors(made: object, match: str) -> None:
    with pytest.raises(RangeError, match=match):
        made()  # type: ignore[operator]
