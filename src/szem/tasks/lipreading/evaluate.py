"""Word error rates of a lip reader on videos of sentences: lips, sound and both, clean and in noise; times of words.

What it measures goes through the shipped path. The check for unknown speech is left out of the word error rates, so
that every sentence counts, and measured beside them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.data.spoken import SpokenVideo, TimedWord, read_spoken
from szem.errors import MissingExtraError
from szem.media.noise import add_noise, babble, white_noise
from szem.media.sound import read_sound
from szem.results.score import Measurement
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.bootstrap import bootstrap, mean_of
from szem.tasks.eval_run import EvalRun
from szem.tasks.lipreading.lipread import LipReader, LipreadInput
from szem.tasks.lipreading.networks import RATE_HZ

__all__ = [
    "NOISE_KINDS",
    "USES",
    "EvaluatedVideo",
    "count_errors",
    "evaluate_lipread",
    "noisy",
    "prepare_videos",
    "voices_of",
]

NOISE_KINDS = ("white", "babble")
USES = ("lips", "sound", "both")
_VOICES = 5  # at once, in babble
_MOST_VOICES = 48  # that babble is made of


@dataclass(frozen=True, eq=False)
class EvaluatedVideo:
    """A video with its words, looked at once."""

    video: SpokenVideo
    seen: LipreadInput
    number: int  # in the order of the index; chance depends on it


def evaluate_lipread(model: Model, folder: Path, split: str, *, run: EvalRun | None = None) -> list[Measurement]:
    """Word error rates, the fraction of sentences that are read at all, and how far times are off.

    Noise at 0 dB, so loud as the sound: white, and babble of five sentences of the other splits; without other splits
    noise is left out. Times: of words that are right, of those the index has times of.

    Raises:
        MissingExtraError: jiwer is not installed.
    """
    run = run or EvalRun()
    reader = LipReader(Session(model, threads=1))
    data = read_spoken(folder, split=split)
    run.broken += data.broken
    voices = voices_of(folder, split)
    numbered = list(enumerate(data.videos))

    def measure(pair: tuple[int, SpokenVideo]) -> dict[str, Any]:
        """What is read of a video in every way; words with their times."""
        number, video = pair
        item = EvaluatedVideo(video, reader.take_in(video.path), number)
        said = {use: reader.read(item.seen, use=use, check=False).transcript for use in USES}
        said["greedy"] = reader.read(item.seen, use="lips", beams=1, check=False).transcript
        for kind in NOISE_KINDS if voices else ():
            heard = noisy(item, kind, 0.0, voices)
            said |= {f"{use}, {kind}": reader.read(heard, use=use, check=False).transcript for use in USES[1:]}
        is_read = {use: reader.read(item.seen, use=use).transcript.is_read for use in USES}
        words = {way: [[w.text, w.start_s, w.end_s] for w in transcript.words] for way, transcript in said.items()}
        return {"said": words, "is_read": is_read}

    done = run.each(numbered, measure, key=lambda pair: pair[1].path, doing="videos")
    videos = [video for (_, video), _ in done]
    said = {way: [record["said"][way] for _, record in done] for way in done[0][1]["said"]}
    out = []
    for use in USES:
        out.append(_rate(f"WER {use}", videos, said[use]))
        out += _times(f"frames off, {use}", videos, said[use])
        out.append(mean_of(f"read, {use}", [record["is_read"][use] for _, record in done]))
    out.append(_rate("WER lips, greedy", videos, said["greedy"]))
    for way, words in said.items():
        use, comma, kind = way.partition(", ")
        if comma:
            out.append(_rate(f"WER {use}, {kind} 0 dB", videos, words))
    return out


def prepare_videos(reader: LipReader, videos: Iterable[SpokenVideo]) -> list[EvaluatedVideo]:
    """Follow the mouths and take the sounds."""
    return [EvaluatedVideo(video, reader.take_in(video.path), number) for number, video in enumerate(videos)]


def voices_of(folder: Path, split: str) -> list[NDArray[np.float32]]:
    """Sounds to make babble of: sentences of the other splits; none where there are no others."""
    others = [video for video in read_spoken(folder).videos if video.split != split] if split != "all" else []
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


_Words = Sequence[tuple[str, float, float]]  # text, start and end in seconds


def _rate(name: str, videos: Sequence[SpokenVideo], said: Sequence[_Words]) -> Measurement:
    """The rate over all words, and its interval over the videos."""
    each = [
        count_errors([video.words], [[text for text, _, _ in words]])
        for video, words in zip(videos, said, strict=True)
    ]
    wrong, words = np.array([each_wrong for each_wrong, _ in each]), np.array([count for _, count in each])
    low, high = bootstrap(lambda at: float(wrong[at].sum() / max(words[at].sum(), 1)), len(each))
    return Measurement(name, float(wrong.sum() / max(words.sum(), 1)), int(words.sum()), low, high)


def _times(name: str, videos: Sequence[SpokenVideo], said: Sequence[_Words]) -> list[Measurement]:
    """Mean distance of beginnings and ends, in frames, of sentences whose words are all there, in order.

    Nothing where no sentence has times.
    """
    off: list[float] = []
    for video, words in zip(videos, said, strict=True):
        if len(video.times) == len(words):
            pairs = zip(video.times, words, strict=True)
            off += [value for true, word in pairs if true.text == word[0] for value in _off(true, word)]
    return [Measurement(name, float(np.mean(off)), len(off) // 2)] if off else []


def _off(true: TimedWord, word: tuple[str, float, float]) -> tuple[float, float]:
    return abs(word[1] * RATE_HZ - true.first), abs(word[2] * RATE_HZ - true.last)
