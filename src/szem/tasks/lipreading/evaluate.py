"""Word error rates of a lip reader on videos of sentences: lips, sound and both, clean and in noise; times of words.

What it measures goes through the shipped path. The check for unknown speech is left out of the word error rates, so
that every sentence counts, and measured beside them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from szem.data.spoken import SpokenVideo, TimedWord, read_spoken
from szem.errors import EmptyFileError, MissingExtraError
from szem.media.noise import add_noise, babble, white_noise
from szem.media.sound import read_sound
from szem.results.score import Measurement
from szem.results.transcript import Transcript, TranscriptWord
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.lipreading.lipread import LipReader, LipreadInput
from szem.tasks.lipreading.networks import RATE_HZ

__all__ = [
    "NOISE_KINDS",
    "EvaluatedVideo",
    "count_errors",
    "evaluate_lipread",
    "noisy",
    "prepare_videos",
    "voices_of",
]

NOISE_KINDS = ("white", "babble")
_VOICES = 5  # at once, in babble
_MOST_VOICES = 48  # that babble is made of


@dataclass(frozen=True, eq=False)
class EvaluatedVideo:
    """A video with its words, looked at once."""

    video: SpokenVideo
    seen: LipreadInput
    number: int  # in the order of the index; chance depends on it


def evaluate_lipread(model: Model, folder: Path, split: str) -> list[Measurement]:
    """Word error rates, the fraction of sentences that are read at all, and how far times are off.

    Noise at 0 dB, so loud as the sound: white, and babble of five sentences of the other splits. Times: of words that
    are right, of those the index has times of.

    Raises:
        MissingExtraError: jiwer is not installed.
    """
    reader = LipReader(Session(model, threads=1))
    videos = prepare_videos(reader, read_spoken(folder, split=split).videos)
    voices = voices_of(folder, split)
    out = []
    for use in ("lips", "sound", "both"):
        said = [reader.read(item.seen, use=use, check=False).transcript for item in videos]
        out.append(_rate(f"WER {use}", videos, said))
        out.append(_times(f"frames off, {use}", videos, said))
        passed = sum(reader.read(item.seen, use=use).transcript.is_read for item in videos)
        out.append(Measurement(f"read, {use}", passed / len(videos), len(videos)))
    greedy = [reader.read(item.seen, use="lips", beams=1, check=False).transcript for item in videos]
    out.append(_rate("WER lips, greedy", videos, greedy))
    for kind in NOISE_KINDS:
        for use in ("sound", "both"):
            said = [reader.read(noisy(item, kind, 0.0, voices), use=use, check=False).transcript for item in videos]
            out.append(_rate(f"WER {use}, {kind} 0 dB", videos, said))
    return out


def prepare_videos(reader: LipReader, videos: Iterable[SpokenVideo]) -> list[EvaluatedVideo]:
    """Follow the mouths and take the sounds."""
    return [EvaluatedVideo(video, reader.take_in(video.path), number) for number, video in enumerate(videos)]


def voices_of(folder: Path, split: str) -> list[NDArray[np.float32]]:
    """Sounds to make babble of: sentences of the other splits.

    Raises:
        EmptyFileError: there are no others.
    """
    others = [video for video in read_spoken(folder).videos if video.split != split]
    if not others:
        raise EmptyFileError(f"{folder}: babble needs sentences of another split than {split!r}; name a split")
    step = max(1, len(others) // _MOST_VOICES)
    return [read_sound(video.path) for video in others[::step][:_MOST_VOICES]]


def noisy(item: EvaluatedVideo, kind: str, snr_db: float, voices: Sequence[NDArray[np.float32]]) -> LipreadInput:
    """A video with its sound in noise; the same noise for the same video whatever its loudness."""
    sound = item.seen.sound
    if sound is None:
        return item.seen
    rng = np.random.default_rng((11, item.number))
    if kind == "white":
        noise = white_noise(len(sound), rng)
    else:
        chosen = rng.choice(len(voices), min(_VOICES, len(voices)), replace=False)
        noise = babble([voices[i] for i in chosen], len(sound), rng)
    return replace(item.seen, sound=add_noise(sound, noise, snr_db=snr_db))


def count_errors(truth: Sequence[Sequence[str]], said: Sequence[Sequence[str]]) -> tuple[int, int]:
    """Wrong, missing and added words together, and how many words there are.

    Raises:
        MissingExtraError: jiwer is not installed.
    """
    try:
        import jiwer
    except ImportError as error:
        raise MissingExtraError('word error rates need jiwer; pip install ".[train]" in its folder') from error
    found = jiwer.process_words([" ".join(row) for row in truth], [" ".join(row) for row in said])
    return found.substitutions + found.deletions + found.insertions, sum(map(len, truth))


def _rate(name: str, videos: Sequence[EvaluatedVideo], said: Sequence[Transcript]) -> Measurement:
    wrong, words = count_errors([item.video.words for item in videos], [_words(t) for t in said])
    return Measurement(name, wrong / words, words)


def _words(transcript: Transcript) -> list[str]:
    return [word.text for word in transcript.words]


def _times(name: str, videos: Sequence[EvaluatedVideo], said: Sequence[Transcript]) -> Measurement:
    """Mean distance of beginnings and ends, in frames, of sentences whose words are all there, in order."""
    off: list[float] = []
    for item, transcript in zip(videos, said, strict=True):
        if len(item.video.times) == len(transcript.words):
            pairs = zip(item.video.times, transcript.words, strict=True)
            off += [value for true, word in pairs if true.text == word.text for value in _off(true, word)]
    return Measurement(name, float(np.mean(off)) if off else float("inf"), max(1, len(off) // 2))


def _off(true: TimedWord, word: TranscriptWord) -> tuple[float, float]:
    return abs(word.start_s * RATE_HZ - true.first), abs(word.end_s * RATE_HZ - true.last)
