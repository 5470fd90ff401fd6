"""Say in a sentence what a picture shows.

The encoder runs once for each picture, beside the detector and the classifier that say what is surely there. Then the
sentences of several pictures grow together, a word at a time, without the words that the evidence contradicts. Where
a confident tag is missing from the result, the search is repeated with that word required. What is still not likely
to be right is not said: see `Caption.source`. Groups of pictures are worked on side by side, on threads. This file
does not know about folders or requests.
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache, partial
from typing import overload

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8
from szem.data.words import END, FIRST_WORD, PAD, START, UNKNOWN, Vocabulary, split_words
from szem.errors import CardError, RangeError, UnknownNameError
from szem.media.pictures import PictureLike, as_pictures
from szem.results.caption import Caption, Sentence, Word
from szem.runtime.prepare import prepare_picture
from szem.runtime.sessions import OnnxFile, Session, cores
from szem.tasks.captioning.beam_search import Guide, Hypothesis, search_beams
from szem.tasks.captioning.confidence import logit_of, support_of
from szem.tasks.captioning.guide import WordRules
from szem.tasks.captioning.nouns import named_classes
from szem.tasks.captioning.place_colors import color_fractions
from szem.tasks.captioning.plain_sentence import plain_sentence
from szem.tasks.captioning.tag_memory import TagMemory
from szem.tasks.captioning.tags import Detected, TagEvidence, Tagger, tagger_of
from szem.tasks.contracts import OpenModel
from szem.tasks.models import ModelLike, as_session, open_model

__all__ = [
    "LONGEST",
    "MOST_BEAMS",
    "Captioner",
    "EncodedPicture",
    "caption",
    "captioner_of",
    "open_captioner",
]

LONGEST = 20  # words of a sentence
MOST_BEAMS = 20
_MOST_REQUIRED = 2  # confident tags that a sentence is made to name
_TOGETHER = 8  # pictures whose sentences grow in one call
# Words that say nothing of a picture by themselves: sentences that differ only in them are the same, and only they
# may come twice in a sentence.
_SMALL_WORDS = """
    a an the is are and of in on at with to by for from as up down out into onto over off near next his her their its
    it he she they them him that which who while one other another through 's
"""
_SMALL = frozenset(_SMALL_WORDS.split())


_REQUIRED = {"confidence": 0.9, "area": 0.1}  # of tags that a sentence is made to name


@dataclass(frozen=True, eq=False)
class EncodedPicture:
    """A picture as the network keeps it while it speaks."""

    memory: Array  # what every step needs
    space: NDArray[np.float32] | None  # (D,) its place among sentences, of length 1
    evidence: TagEvidence | None = None  # None: the captioner is not grounded
    colors: NDArray[np.float32] | None = None  # (S, colours) at the places of the memory


def caption(
    picture: PictureLike,
    *,
    model: ModelLike | None = None,
    beams: int = 10,
    n: int = 1,
    start: str = "",
    attention: bool = False,
    others: int = 0,
) -> Caption:
    """Say in a sentence what a picture shows.

    Args:
        picture: What `as_picture` takes: a path, a file's bytes, an open file, a Pillow image or an array.
        model: A model's name or folder, or one that is open; the shipped one if left out.
        beams: How many sentences are followed at a time: more takes longer and finds likelier ones.
        n: How many different sentences at most.
        start: How each sentence begins: "a dog".
        attention: Also tell where the network looked for each word.
        others: For each word also so many others that might have come.
    Raises:
        MediaError, FileMissingError: the picture cannot be read.
        UnknownNameError: no such model, or the network has no such word to start with.
        RangeError: a number is out of its range.
    """
    captioner = open_captioner(model)
    return captioner(picture, beams=beams, n=n, start=start, attention=attention, others=others)


def open_captioner(model: ModelLike | None = None, *, threads: int | None = None) -> "Captioner":
    """Open a captioner by name, once per process.

    Args:
        model: A model's name or folder; the shipped one if left out.
        threads: Threads within one run; None for as many as there are cores.
    Raises:
        As `open_model` and `Captioner`.
    """
    return captioner_of(
        as_session(model, task="caption", threads=threads), open_model=partial(open_model, threads=threads)
    )


def captioner_of(session: Session, *, open_model: OpenModel) -> "Captioner":
    """The captioner of an open model, made once, with the detector and the classifier that ground it."""
    return _captioner(session, tagger_of(open_model(task="detect"), open_model(task="classify")))


@cache
def _captioner(session: Session, tagger: Tagger) -> "Captioner":
    return Captioner(session, tagger=tagger)


class Captioner:
    """A captioning model ready to be called; keeps nothing between calls.

    Args:
        model: A model's name or folder, or an open session; the shipped model if left out. With a session of one
            thread, the pictures of a call run side by side fastest.
        workers: How many pictures are encoded at a time; None for as many as there are cores where the session uses
            one thread, else one.
        tagger: What grounds it; None for the default detector and classifier.
        grounded: Whether sentences are checked against what the tagger finds, and kept back where they are not
            likely to be right. Without it the network's sentence is said whatever its confidence.
    Raises:
        CardError: the card lacks what a captioner needs.
        ChecksumError: a file of the model is not the card's.
    """

    def __init__(
        self,
        model: ModelLike | None = None,
        *,
        workers: int | None = None,
        tagger: Tagger | None = None,
        grounded: bool = True,
    ) -> None:
        session = as_session(model, task="caption")
        opened = session.model
        if opened.card.head != "steps" or not session.has("memory"):
            raise CardError(f"{opened.folder}: head {opened.card.head!r} is not a captioner's")
        if workers is not None and workers < 1:
            raise RangeError(f"workers must be at least 1, got {workers}")
        self.session, self.card = session, opened.card
        self.words = Vocabulary(opened.labels)
        self._again = [self.words.numbers[word] for word in _SMALL if word in self.words.numbers]
        self.workers = workers or (cores() if session.threads == 1 else 1)
        self._step = OnnxFile(opened.part("step"), threads=session.threads)
        has_sentences = "sentence" in opened.card.parts and session.has("space")
        self._sentence = OnnxFile(opened.part("sentence"), threads=1) if has_sentences else None
        self._roles = ["memory", "space"] if has_sentences else ["memory"]
        has_tags = "tags" in opened.card.parts
        self._tag_memory = TagMemory(OnnxFile(opened.part("tags"), threads=1)) if has_tags else None
        # The common space may know fewer words than the decoder, the first ones.
        self._sentence_words = int(opened.card.constants.get("sentence_words", len(self.words)))
        if grounded and tagger is None:
            detector, classifier = (open_model(task=task, threads=session.threads) for task in ("detect", "classify"))
            tagger = tagger_of(detector, classifier)
        self._tagger = tagger if grounded else None
        constants = opened.card.constants
        self._rules = WordRules(self.words, color=constants.get("color", 0.05), sex=constants.get("sex", 0.75))

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a path of text is a sequence too
        self, pictures: PictureLike, *, beams: int = 10, n: int = 1, start: str = "", attention: bool = False,
        others: int = 0,
    ) -> Caption: ...  # fmt: skip
    @overload
    def __call__(
        self, pictures: Sequence[PictureLike], *, beams: int = 10, n: int = 1, start: str = "",
        attention: bool = False, others: int = 0,
    ) -> list[Caption]: ...  # fmt: skip
    def __call__(
        self,
        pictures: PictureLike | Sequence[PictureLike],
        *,
        beams: int = 10,
        n: int = 1,
        start: str = "",
        attention: bool = False,
        others: int = 0,
    ) -> Caption | list[Caption]:
        """Describe a picture, or each of several; the arguments are those of `caption`.

        Args:
            pictures: One picture or a list; each what `as_picture` takes. Sizes may differ.
        Returns:
            `Caption` of the one picture, or a list with those of each, in order.
        Raises:
            RangeError: a number is out of its range.
            UnknownNameError: the network has no such word to start with.
            ShapeError, DTypeError: not a picture.
        """
        _check("beams", beams, 1, MOST_BEAMS)
        _check("n", n, 1, MOST_BEAMS)
        _check("others", others, 0, 50)
        prefix = self.numbers_of(start)
        width = max(beams, n + 2 if n > 1 else 1)  # some of those found will say the same

        def work(part: Sequence[Picture8]) -> list[Caption]:
            encoded = [self._encode(picture) for picture in part]
            found = self.search(encoded, beams=width, prefix=prefix)
            return [
                self.to_caption(one, hypotheses, n=n, others=others, attention=attention, begun=bool(prefix))
                for one, hypotheses in zip(encoded, found, strict=True)
            ]

        several, is_one = as_pictures(pictures)
        parts = [several[i : i + _TOGETHER] for i in range(0, len(several), _TOGETHER)]
        if len(parts) < 2 or self.workers < 2:
            captions = [caption for part in parts for caption in work(part)]
        else:
            with ThreadPoolExecutor(self.workers) as pool:
                captions = [caption for some in pool.map(work, parts) for caption in some]
        return captions[0] if is_one else captions

    def encode(self, pictures: Sequence[Picture8], *, detected: Detected | None = None) -> list[EncodedPicture]:
        """Run the encoder on each picture; `detected` as of `Tagger`, for a single one."""
        if len(pictures) < 2 or self.workers < 2:
            return [self._encode(picture, detected) for picture in pictures]
        with ThreadPoolExecutor(self.workers) as pool:
            return list(pool.map(self._encode, pictures))

    def search(
        self, encoded: Sequence[EncodedPicture], *, beams: int, prefix: Sequence[int] = ()
    ) -> list[list[Hypothesis]]:
        """The best sentences of each picture, as numbers of words: those most likely to be right.

        The beams find likely sentences; what the confidence is made of knows better which one fits: the space that
        pictures share with sentences, and the tags. So they are ordered by that.
        """
        found = self._search(encoded, beams=beams, prefix=prefix)
        out = []
        for one, hypotheses in zip(encoded, found, strict=True):
            missing = [] if prefix else self._missing(one, hypotheses)
            if missing:
                groups = 1 << len(missing)
                wide = max(beams, 2 * groups)
                hypotheses = [*hypotheses, *self._search([one], beams=wide, required=missing)[0]]
            out.append(self._ranked(one, hypotheses))
        return out

    def _search(
        self,
        encoded: Sequence[EncodedPicture],
        *,
        beams: int,
        prefix: Sequence[int] = (),
        required: Sequence[Sequence[int]] = (),
    ) -> list[list[Hypothesis]]:
        memory = np.concatenate([one.memory for one in encoded])

        def step(tokens: NDArray[np.int64], state: Array) -> tuple[Array, Array, Array]:
            return self._run_step(tokens, memory, state)

        return search_beams(
            step,
            self._first_state(memory, beams),
            pictures=len(encoded),
            beams=beams,
            longest=LONGEST,
            power=self.card.constants.get("power", 0.7),
            prefix=prefix,
            again=self._again,
            guide=self._guide(encoded),
            required=required,
        )

    def _guide(self, encoded: Sequence[EncodedPicture]) -> Guide | None:
        if self._tagger is None:
            return None
        banned = [self._rules.banned(one.evidence.absent if one.evidence else ()) for one in encoded]

        def guide(
            picture: int, said: Sequence[tuple[int, ...]], found: NDArray[np.float32], looked: Array
        ) -> NDArray[np.float32]:
            return self._rules.apply(found, looked, said, banned=banned[picture], colors=encoded[picture].colors)

        return guide

    def _missing(self, encoded: EncodedPicture, hypotheses: Sequence[Hypothesis]) -> list[list[int]]:
        """Words of the confident tags that the best sentence does not name, the largest objects first."""
        if encoded.evidence is None:
            return []
        best = self._ranked(encoded, hypotheses)[0]
        named = {name for name, _ in named_classes([self.words.words[number] for number in best.numbers])}
        score, area = (self.card.constants.get(f"require_{key}", value) for key, value in _REQUIRED.items())
        tags = [t for t in encoded.evidence.tags if t.confidence >= score and t.area >= area and t.name not in named]
        tags.sort(key=lambda tag: -tag.area * tag.confidence)
        words = [self._rules.words_of(tag.name) for tag in tags]
        return [some for some in words if some][:_MOST_REQUIRED]

    def _ranked(self, encoded: EncodedPicture, hypotheses: Sequence[Hypothesis]) -> list[Hypothesis]:
        """By confidence, and each sentence but once."""
        evidence = self.evidence(encoded, hypotheses)
        values = [logit_of(self.card.constants, one) for one in evidence]
        once = {one.numbers: (one, value) for one, value in zip(hypotheses, values, strict=True)}
        order = sorted(once.values(), key=lambda pair: -pair[1])
        return [replace(one, rank=value) for one, value in order]

    def numbers_of(self, start: str) -> list[int]:
        """The words a sentence starts with, as numbers.

        Raises:
            UnknownNameError: the network has no such word.
            RangeError: too many words.
        """
        words = split_words(start)
        if len(words) >= LONGEST:
            raise RangeError(f"start must have fewer than {LONGEST} words, got {len(words)}; shorten it")
        for word in words:
            if self.words.numbers.get(word, UNKNOWN) < FIRST_WORD:
                near = get_close_matches(word, self.words.words[FIRST_WORD:], n=3)
                hint = f"; near it are {', '.join(near)}" if near else "; start with other words"
                raise UnknownNameError(f"start: the network has no word {word!r}{hint}")
        return [self.words.numbers[word] for word in words]

    def fit(self, encoded: EncodedPicture, text: str) -> float | None:
        """How near a sentence is to a picture, -1..1; None where the model has no common space."""
        if self._sentence is None or encoded.space is None:
            return None
        return float(encoded.space @ self.place([text])[0])

    def place(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Where sentences lie in the space they share with pictures: (N, D), each of length 1.

        Raises:
            CardError: the model has no such space.
            RangeError: a sentence without a word.
        """
        if self._sentence is None:
            raise CardError(f"{self.session.model.folder}: model {self.card.name!r} has no space for sentences")
        rows = [self.words.encode(text)[:LONGEST] for text in sentences]
        if not all(rows):
            raise RangeError("a sentence to search with needs one word at least, got none; write what to find")
        return self._places(rows)

    def _places(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        assert self._sentence is not None
        tokens = np.full((len(rows), max(map(len, rows), default=1)), PAD, np.int64)
        for place, row in zip(tokens, rows, strict=True):
            place[: len(row)] = row
        tokens[tokens >= self._sentence_words] = UNKNOWN
        return self._sentence.run({"tokens": tokens}, ["space"])[0].astype(np.float32)

    def _encode(self, picture: Picture8, detected: Detected | None = None) -> EncodedPicture:
        out = self.session.run(prepare_picture(picture, self.card.picture), roles=self._roles)
        memory = out["memory"]
        evidence = None if self._tagger is None else self._tagger(picture, detected=detected)
        side = math.isqrt(memory.shape[3]) if memory.ndim == 5 else 0
        colors = color_fractions(picture, side) if evidence and side * side == memory.shape[-2] else None
        if self._tag_memory is not None:
            tags = self._tag_memory(evidence.tags if evidence else ())
            memory = np.concatenate((memory, tags.astype(memory.dtype)), axis=3)
        return EncodedPicture(
            memory, out["space"][0].astype(np.float32) if "space" in out else None, evidence, colors
        )

    def to_caption(
        self,
        encoded: EncodedPicture,
        hypotheses: Sequence[Hypothesis],
        *,
        n: int = 1,
        others: int = 0,
        attention: bool = False,
        begun: bool = False,
    ) -> Caption:
        """What is said: the network's sentences, a plainer one, or none.

        Args:
            encoded: From `encode`.
            hypotheses: From `search`.
            n: How many different sentences at most.
            others: As of `caption`.
            attention: As of `caption`.
            begun: The user wrote the first words and wants to see how the sentence goes on, likely or not.
        """
        sentences = []
        for one in self._distinct(hypotheses, n):
            extra = self._others(encoded, one, others) if others else None
            sentences.append(self._to_sentence(one, extra, attention=attention))
        name, confidence = self.card.name, sentences[0].confidence
        if encoded.evidence is None or begun:
            return Caption(tuple(sentences), confidence, name)
        minimum = self.card.constants.get("tag_threshold", 0.5)
        tags = tuple(tag for tag in encoded.evidence.tags if tag.confidence >= minimum)
        if confidence >= self.card.constants.get("threshold", 0.5):
            return Caption(tuple(sentences), confidence, name, tags=tags)
        text, certainty = plain_sentence(tags, minimum=minimum)
        if not text:
            return Caption((), confidence, name, source="none", tags=tags, guesses=tuple(sentences))
        plain = Sentence(tuple(Word(word, 1.0) for word in text.split()), 1.0, confidence=certainty)
        return Caption((plain,), certainty, name, source="tags", tags=tags, guesses=tuple(sentences))

    def _first_state(self, memory: Array, beams: int) -> Array:
        """Of a transformer nothing yet, of a recurrent network the memory."""
        if memory.ndim == 5:
            batch, layers, heads, _, depth = memory.shape
            return np.zeros((batch, beams, layers, heads, 0, depth), np.float32)
        return np.repeat(memory[:, None], beams, axis=1)

    def _run_step(self, tokens: NDArray[np.int64], memory: Array, state: Array) -> tuple[Array, Array, Array]:
        feeds = {"tokens": tokens, "memory": memory, "state": state}
        scores, looked, following = self._step.run(feeds, ["scores", "looked", "following"])
        if self._tag_memory is not None:  # tags have no place in the picture
            looked = looked[..., : math.isqrt(looked.shape[-1]) ** 2]
            looked = looked / np.maximum(looked.sum(-1, keepdims=True), 1e-9)
        return scores, looked, following

    def _distinct(self, hypotheses: Sequence[Hypothesis], n: int) -> list[Hypothesis]:
        """The best that say something else than those before."""
        kept: list[Hypothesis] = []
        captions: list[frozenset[str]] = []
        for one in hypotheses:
            content = frozenset(self.words.words[number] for number in one.numbers) - _SMALL
            if content not in captions:
                kept.append(one)
                captions.append(content)
            if len(kept) == n:
                break
        return kept

    def _others(
        self, encoded: EncodedPicture, hypothesis: Hypothesis, count: int
    ) -> list[tuple[tuple[str, float], ...]]:
        """For each word, and for the end, what else might have come."""
        state = self._first_state(encoded.memory, 1)
        out = []
        for before, chosen in zip((START, *hypothesis.numbers), (*hypothesis.numbers, END), strict=True):
            scores, _, state = self._run_step(np.array([[before]]), encoded.memory, state)
            probabilities = _softmax(scores[0, 0])
            probabilities[[PAD, START, UNKNOWN, chosen]] = -1
            if before == START:
                probabilities[END] = -1
            best = np.argsort(-probabilities, kind="stable")[:count]
            names = ["." if number == END else self.words.words[number] for number in best]
            out.append(tuple(zip(names, (float(c) for c in probabilities[best]), strict=True)))
        return out

    def _to_sentence(
        self, hypothesis: Hypothesis, others: Sequence[tuple[tuple[str, float], ...]] | None, *, attention: bool
    ) -> Sentence:
        words = []
        for place, number in enumerate(hypothesis.numbers):
            looked = _grid(hypothesis.looked[place]) if attention else None
            probability = math.exp(min(0.0, hypothesis.log_probabilities[place]))
            words.append(Word(self.words.words[number], probability, looked, others[place] if others else ()))
        ending = Word(".", math.exp(min(0.0, hypothesis.end_log_probability)), None, others[-1]) if others else None
        probability = math.exp(min(0.0, hypothesis.log_probability))
        confidence = 1 / (1 + math.exp(-max(-50.0, min(50.0, hypothesis.rank))))
        return Sentence(tuple(words), probability, ending, confidence)

    def evidence(self, encoded: EncodedPicture, hypotheses: Sequence[Hypothesis]) -> list[tuple[float, ...]]:
        """What the confidence of each sentence is made of, named by `confidence.CONFIDENCE`."""
        near = np.zeros(len(hypotheses), np.float32)
        if self._sentence is not None and encoded.space is not None and hypotheses:
            near = self._places([list(one.numbers) for one in hypotheses]) @ encoded.space
        weight, power = (self.card.constants.get(name, value) for name, value in (("fit", 0.0), ("power", 0.7)))
        return [
            (
                one.log_probability / (len(one.numbers) + 1) ** power + weight * float(cosine),
                *support_of([self.words.words[number] for number in one.numbers], encoded.evidence),
            )
            for one, cosine in zip(hypotheses, near, strict=True)
        ]


def _grid(looked: Array) -> NDArray[np.float32] | None:
    """(S,) as a square of places; one place is nowhere."""
    side = math.isqrt(len(looked))
    return looked.reshape(side, side).astype(np.float32) if side > 1 and side * side == len(looked) else None


def _softmax(scores: Array) -> NDArray[np.float64]:
    wide: NDArray[np.float64] = np.exp(scores.astype(np.float64) - scores.max())
    wide /= wide.sum()
    return wide


def _check(name: str, value: int, minimum: int, most: int) -> None:
    if not minimum <= value <= most:
        raise RangeError(f"{name} must be {minimum} to {most}, got {value}")
