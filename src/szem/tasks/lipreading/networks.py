"""The four networks of a lip reader, and how one video goes through them: watch, listen, join, spell.

Arrays in, probabilities out. This file does not know videos, faces, confidence or what is not to be read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.data.letters import decode_letters, encode_letters
from szem.data.words import END, START
from szem.errors import CardError, ShapeError
from szem.media.spectrum import MelBands, log_mel
from szem.runtime.sessions import OnnxFile, Session
from szem.tasks.captioning.beam_search import search_beams
from szem.tasks.lipreading.ctc import CtcHypothesis, CtcSpan, align, best_path, log_probability, search_ctc

__all__ = [
    "CROP_SIZE",
    "FRAME_SAMPLES",
    "RATE_HZ",
    "SOUND_HZ",
    "LipNetworks",
    "NetworkOutput",
    "SpelledSentence",
    "bands_of",
    "rank",
]

RATE_HZ = 25
SOUND_HZ = 16000
FRAME_SAMPLES = SOUND_HZ // RATE_HZ
CROP_SIZE = (48, 80)
"""Height and width of a mouth crop."""
_LONGEST = 60  # letters of a sentence
_FRACTION = 0.3  # how much the speller's word counts among the sentences found, where the card does not tell
_KEPT = 8  # sentences that the speller is asked about


@dataclass(frozen=True, eq=False)
class SpelledSentence:
    """A sentence as the speller writes it, and the moments it attended to."""

    text: str
    log_probability: float  # of all its letters and of its end
    attention: NDArray[np.float32]  # (L, T), for each letter the moments, adding up to 1


@dataclass(frozen=True, eq=False)
class NetworkOutput:
    """What the networks say of a video."""

    probabilities: NDArray[np.float32]  # (T, 1 + words) natural logarithms, silence first
    labels: tuple[int, ...]  # the words chosen, numbered from 1
    spans: tuple[CtcSpan, ...]  # when each is said
    log_probability: float  # of the words, all alignments together
    second: float  # of the next best sentence, likewise
    spelled: SpelledSentence  # the same words, spelled
    own: SpelledSentence  # what the speller writes when it is free


class LipNetworks:
    """Open networks; keeps nothing between calls.

    Args:
        session: An open lip reader.
    Raises:
        CardError: the model is not one.
    """

    def __init__(self, session: Session) -> None:
        model = session.model
        if model.card.head != "moments" or not session.has("seen"):
            raise CardError(f"{model.folder}: not a lip reader (head {model.card.head!r}); use one with head moments")
        self.session, self.words = session, model.labels
        self.fraction = model.card.constants.get("speller", _FRACTION)
        self.listener, self.joiner, self.speller = (
            OnnxFile(model.part(role), threads=session.threads) for role in ("listen", "join", "spell")
        )

    def watch(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Mouth crops (T, 48, 80) to what is seen: (2, T, D), as they are and mirrored."""
        if crops.ndim != 3 or crops.shape[1:] != CROP_SIZE or crops.dtype != np.uint8:
            raise ShapeError(f"mouth crops must be (T, 48, 80) uint8, got {crops.shape} {crops.dtype}")
        both = np.stack((crops, crops[:, :, ::-1]))
        return self.session.run(both, roles=["seen"])["seen"].astype(np.float32)

    def listen(self, sound: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
        """Sound (T,) at `SOUND_HZ` to what is heard: (1, frames, D); what is missing is silence."""
        return self.listener.run({"mel": bands_of(sound, frames)[None]}, ["heard"])[0].astype(np.float32)

    def join(
        self, seen: NDArray[np.float32] | None, heard: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.float32], Array]:
        """The logarithms of probabilities of silence and words (T, 1 + words), and what the speller looks at.

        Raises:
            ShapeError: neither is given, or they are of different lengths.
        """
        given = seen if seen is not None else heard
        if given is None or (seen is not None and heard is not None and seen.shape[1] != heard.shape[1]):
            raise ShapeError("lips, sound or both must be given, of equally many frames")
        ways = 1 if seen is None else len(seen)
        blank = np.zeros((ways, *given.shape[1:]), np.float32)
        feeds = {
            "seen": blank if seen is None else seen,
            "heard": blank if heard is None else np.repeat(heard, ways, axis=0),
            "is_seen": np.full(ways, float(seen is not None), np.float32),
            "is_heard": np.full(ways, float(heard is not None), np.float32),
        }
        probabilities, memory = self.joiner.run(feeds, ["words", "memory"])
        mixed = np.log(np.exp(probabilities.astype(np.float64)).mean(0) + 1e-12)
        return mixed.astype(np.float32), memory[:1]

    def read(
        self, seen: NDArray[np.float32] | None, heard: NDArray[np.float32] | None, *, beams: int = 8
    ) -> NetworkOutput:
        """Find the likeliest sentence.

        Args:
            seen: From `watch`; None passes the lips over.
            heard: From `listen`; None passes the sound over.
            beams: Sentences followed at a time; 1 takes the likeliest word of each moment, whatever the speller says.
        """
        probabilities, memory = self.join(seen, heard)
        own = self.spell(memory, beams=min(beams, 4))
        found, written = self.propose(probabilities, memory, own, beams=beams)
        order = rank(found, written, self.fraction)
        best = found[order[0]]
        return NetworkOutput(
            probabilities=probabilities,
            labels=best.classes,
            spans=tuple(align(probabilities, best.classes)),
            log_probability=best.log_probability,
            second=found[order[1]].log_probability if len(found) > 1 else -float(len(probabilities)),
            spelled=written[order[0]],
            own=own,
        )

    def propose(
        self, probabilities: NDArray[np.float32], memory: Array, own: SpelledSentence, *, beams: int
    ) -> tuple[list[CtcHypothesis], list[SpelledSentence]]:
        """Sentences that may have been said: those of the moments, likeliest first, the speller's among them where
        its words are known; and each as the speller would write it."""
        if beams == 1:
            labels = best_path(probabilities)
            found = [CtcHypothesis(labels, log_probability(probabilities, labels))]
        else:
            found = search_ctc(probabilities, beams=beams)
            spelled = self._labels(own.text)
            if (
                spelled is not None
                and all(spelled != reading.classes for reading in found)
                and 2 * len(spelled) < len(probabilities)
            ):
                found.append(CtcHypothesis(spelled, log_probability(probabilities, spelled)))
        found = sorted(found, key=lambda reading: -reading.log_probability)[:_KEPT]
        return found, self.write(memory, [self._text(reading.classes) for reading in found])

    def spell(self, memory: Array, *, beams: int = 4) -> SpelledSentence:
        """What the speller writes by itself."""

        def step(letters: NDArray[np.int64], state: Array) -> tuple[Array, Array, Array]:
            feeds = {"letters": letters, "memory": memory, "state": state}
            scores, looked, following = self.speller.run(feeds, ["scores", "looked", "following"])
            return scores, looked, following

        start = _start(memory, beams)
        spelled = search_beams(step, start, pictures=1, beams=beams, longest=_LONGEST, power=0.0, may_repeat=True)[0][
            0
        ]
        looked = np.stack(spelled.looked) if spelled.looked else np.zeros((0, memory.shape[3]))
        return SpelledSentence(decode_letters(spelled.numbers), spelled.log_probability, looked.astype(np.float32))

    def write(self, memory: Array, texts: Sequence[str]) -> list[SpelledSentence]:
        """What the speller thinks of given sentences."""
        rows = [encode_letters(text.split())[:_LONGEST] for text in texts]
        state = _start(memory, len(rows))
        last = np.full((1, len(rows)), START, np.int64)
        totals, looks = np.zeros(len(rows)), []
        for place in range(1 + max(map(len, rows))):
            scores, looked, state = self.speller.run(
                {"letters": last, "memory": memory, "state": state}, ["scores", "looked", "following"]
            )
            probabilities = _log_softmax(scores[0])
            wanted = np.array([row[place] if place < len(row) else END for row in rows])
            due = np.array([place <= len(row) for row in rows])
            totals += np.where(due, probabilities[np.arange(len(rows)), wanted], 0.0)
            looks.append(looked[0])
            last = wanted[None].astype(np.int64)
        return [
            SpelledSentence(text, float(total), np.stack([look[i] for look in looks[: len(row)]] or [looks[0][i]]))
            for i, (text, row, total) in enumerate(zip(texts, rows, totals, strict=True))
        ]

    def _text(self, labels: Sequence[int]) -> str:
        return " ".join(self.words[label - 1] for label in labels)

    def _labels(self, text: str) -> tuple[int, ...] | None:
        """The numbers of a sentence's words; None where it has a word that is not known, or none at all."""
        words = text.split()
        if not words or any(word not in self.words for word in words):
            return None
        return tuple(self.words.index(word) + 1 for word in words)


def rank(found: Sequence[CtcHypothesis], written: Sequence[SpelledSentence], fraction: float) -> list[int]:
    """The places of sentences, best first.

    Args:
        found: With their probabilities from the moments.
        written: The same, with their probabilities from the speller.
        fraction: How much the speller's word counts, 0..1.
    """
    scores = [
        (1 - fraction) * reading.log_probability + fraction * text.log_probability
        for reading, text in zip(found, written, strict=True)
    ]
    return [int(place) for place in np.argsort(-np.array(scores), kind="stable")]


def bands_of(sound: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Bands of sound (4 · frames, bands), the windows in the middle of their moments; what is missing is silence.

    Args:
        sound: (T,) at `SOUND_HZ`.
        frames: Of the video, `RATE_HZ` a second.
    """
    bands = MelBands()
    whole = np.zeros(frames * FRAME_SAMPLES, np.float32)
    taken = sound[: len(whole)]
    whole[: len(taken)] = taken
    side = (bands.window - bands.hop) // 2
    return log_mel(np.pad(whole, (side, side)), bands)


def _start(memory: Array, beams: int) -> Array:
    """Nothing written yet: (1, beams, layers, heads, 0, d)."""
    _, layers, heads, _, width = memory.shape
    return np.zeros((1, beams, layers, heads, 0, width), np.float32)


def _log_softmax(scores: Array) -> NDArray[np.float64]:
    wide = scores.astype(np.float64)
    wide -= wide.max(-1, keepdims=True)
    return wide - np.log(np.exp(wide).sum(-1, keepdims=True))
