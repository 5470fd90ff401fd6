"""Which words the sound mixes up in noise and the lips tell apart, and the other way round; with the mouths' curves.

    python benchmarks/lips_or_sound.py --data shared/data/grid --out src/szem/studio/samples/lips-or-sound.json

Each word of the split `val` is a choice among the words of its slot of the sentence (25 letters, 10 digits, 4 of the
others): at the word's own time, the one to which the shipped reader gives the highest probability. The lips choose
once per take; the sound once as recorded, and once for each of four noises of several voices, as loud as the speech.
Written: the pairs that the sound in noise mixes up most and the lips least, those that the lips mix up most and the
clean sound least, and for their words the mean outline and opening of the mouth over the word's time. Landmarks only:
no picture of a face.
"""

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from machine import describe_machine
from szem.data.spoken import SpokenVideo, TimedWord, read_spoken
from szem.tasks.lipreading.evaluate import EvaluatedVideo, noisy, voices_of
from szem.tasks.lipreading.lipread import LipreadDetails, LipReader, LipreadInput, open_lip_reader

SLOTS = ("command", "colour", "preposition", "letter", "digit", "adverb")
NOISES = 4
NOISE_DB = 0.0
AROUND = 4  # frames before and after a word in which its probability may stand
MOMENTS = 12  # of a mouth's curve
MOST_PAIRS = 6  # of each kind
CHANNELS = ("lips", "noise", "clean")  # the lips; the sound in noise, and as recorded
LEAST_TAKES = 3  # of a word, for its pairs to count


@dataclass
class Choices:
    """How often each word of a slot was taken for another, by one channel."""

    said: Counter[str] = field(default_factory=Counter)
    taken: Counter[tuple[str, str]] = field(default_factory=Counter)  # (said, chosen)

    def mixed(self, one: str, other: str) -> tuple[int, int]:
        """How often one of the two was taken for the other, and how often either was said."""
        return self.taken[one, other] + self.taken[other, one], self.said[one] + self.said[other]

    def right(self) -> float:
        """The fraction of right choices."""
        return sum(n for (said, chosen), n in self.taken.items() if said == chosen) / max(1, self.said.total())


def main() -> None:
    """Measure, print the table, write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    print(describe_machine())
    reader = open_lip_reader(threads=1)
    videos = read_spoken(given.data, split="val").videos
    vocabulary = words_of_slots(read_spoken(given.data).videos)
    choices, mouths = measure(reader, videos, vocabulary, voices_of(given.data, "val"))
    pairs = find_pairs(choices, vocabulary)
    for row in pairs:
        counts = ", ".join(f"{channel} {row[channel][0]} of {row[channel][1]}" for channel in CHANNELS)
        print(f"{row['better']:5} {row['slot']:11} {' / '.join(row['words'])}: {counts}")
    rows = {
        slot: {"words": len(vocabulary[slot])}
        | {channel: round(choices[slot, channel].right(), 3) for channel in CHANNELS}
        for slot in SLOTS
    }
    print(rows)
    if given.out:
        shown = sorted({word for row in pairs for word in row["words"]})
        result = {
            "sentences": len(videos),
            "noises": NOISES,
            "noise_db": NOISE_DB,
            "slots": rows,
            "pairs": pairs,
            "mouths": {word: mean_mouth(mouths[word]) for word in shown},
        }
        given.out.write_text(json.dumps(result, separators=(",", ":")) + "\n", encoding="utf-8")


def words_of_slots(videos: Iterable[SpokenVideo]) -> dict[str, list[str]]:
    """The words that can stand at each place of a sentence."""
    found: dict[str, set[str]] = defaultdict(set)
    for video in videos:
        for slot, word in zip(SLOTS, video.words, strict=True):
            found[slot].add(word)
    return {slot: sorted(words) for slot, words in found.items()}


def measure(
    reader: LipReader,
    videos: Iterable[SpokenVideo],
    vocabulary: dict[str, list[str]],
    voices: list[NDArray[np.float32]],
) -> tuple[dict[tuple[str, str], Choices], dict[str, list[NDArray[np.float32]]]]:
    """Both channels' choices by slot, and of each word the mouths of its takes."""
    choices = {(slot, channel): Choices() for slot in SLOTS for channel in CHANNELS}
    mouths: dict[str, list[NDArray[np.float32]]] = defaultdict(list)
    for number, video in enumerate(videos):
        seen = reader.take_in(video.path)
        if seen.lips is None or seen.track is None:
            continue
        noises = [
            noisy(EvaluatedVideo(video, seen, 1000 * k + number), "babble", NOISE_DB, voices) for k in range(NOISES)
        ]
        readings = {
            "lips": [reader.read(seen, use="lips", check=False)],
            "noise": [reader.read(one, use="sound", check=False) for one in noises],
            "clean": [reader.read(seen, use="sound", check=False)],
        }
        for slot, word in zip(SLOTS, video.times, strict=True):
            for channel in CHANNELS:
                counted = choices[slot, channel]
                for reading in readings[channel]:
                    counted.said[word.text] += 1
                    counted.taken[word.text, choose(reading, word, reader.networks.words, vocabulary[slot])] += 1
            mouths[word.text].append(mouth_of(seen, word))
    return choices, mouths


def choose(reading: LipreadDetails, word: TimedWord, known: tuple[str, ...], among: list[str]) -> str:
    """The word of a slot that is the most probable at the time of the one that was said."""
    assert reading.read is not None
    span = reading.read.probabilities[max(0, word.first - AROUND) : word.last + AROUND + 1]
    return max(among, key=lambda one: float(span[:, 1 + known.index(one)].max()))


def mouth_of(seen: LipreadInput, word: TimedWord) -> NDArray[np.float32]:
    """(MOMENTS, 20, 2): the lips during a word, about their middle, in distances of the eyes, level."""
    track = seen.track
    assert track is not None
    at = np.clip(np.linspace(word.first, word.last, MOMENTS), 0, len(track) - 1)
    points = np.stack(
        [np.interp(at, np.arange(len(track)), column) for column in track.points_xy.reshape(len(track), -1).T]
    )
    lips = points.T.reshape(MOMENTS, 20, 2)
    lips = lips - lips.mean(axis=1, keepdims=True)
    across = (lips[:, 6] - lips[:, 0]).mean(axis=0)
    turn = -np.arctan2(across[1], across[0])
    level = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    scaled: NDArray[np.float32] = (lips @ level.T / np.median(track.eyes_px[track.valid])).astype(np.float32)
    return scaled


def find_pairs(choices: dict[tuple[str, str], Choices], vocabulary: dict[str, list[str]]) -> list[dict[str, Any]]:
    """The pairs that the sound in noise mixes up most and the lips least; those of the lips against clean sound."""
    found: dict[str, list[tuple[float, dict[str, Any]]]] = {"lips": [], "sound": []}
    for slot in SLOTS:
        for pair in combinations(vocabulary[slot], 2):
            if min(choices[slot, "lips"].said[word] for word in pair) < LEAST_TAKES:
                continue
            mixed = {channel: choices[slot, channel].mixed(*pair) for channel in CHANNELS}
            part = {channel: count / said for channel, (count, said) in mixed.items()}
            for better, gain in (("lips", part["noise"] - part["lips"]), ("sound", part["lips"] - part["clean"])):
                if gain > 0:
                    found[better].append((gain, {"better": better, "slot": slot, "words": pair, **mixed}))
    best = {better: sorted(rows, key=lambda row: -row[0])[:MOST_PAIRS] for better, rows in found.items()}
    return [row for better in best for _, row in best[better]]


def mean_mouth(takes: list[NDArray[np.float32]]) -> dict[str, Any]:
    """The mean outline of a word's takes, with the opening and width of each, in hundredths of the eyes' distance."""
    lips = np.stack(takes).astype(np.float64)
    opening = np.linalg.norm(lips[:, :, 17:20].mean(axis=2) - lips[:, :, 13:16].mean(axis=2), axis=-1)
    width = np.linalg.norm(lips[:, :, 6] - lips[:, :, 0], axis=-1)
    return {
        "takes": len(takes),
        "outline": np.round(100 * lips.mean(axis=0), 1).tolist(),
        "opening": np.round(100 * opening.mean(axis=0), 1).tolist(),
        "width": np.round(100 * width.mean(axis=0), 1).tolist(),
    }


if __name__ == "__main__":
    main()
