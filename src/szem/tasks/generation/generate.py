"""Draw a picture for a sentence: a sketch first, then the refined picture.

Each picture's chance follows from the seed and its own number alone, and each is drawn by itself: so the same seed
gives the same pictures however many are asked for. This file does not know about files or requests.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.data.flowers_birds.attribute_sentences import COLOR_WORDS
from szem.data.flowers_birds.bird_facts import BIRD_KINDS
from szem.data.flowers_birds.flower_facts import FLOWER_KINDS
from szem.data.words import FIRST_WORD, UNKNOWN, Vocabulary, split_words
from szem.errors import CardError, DTypeError, RangeError, UnknownNameError
from szem.media.oklab import rgb_to_oklab
from szem.results.generated import GeneratedPicture, WordInfluence
from szem.runtime.cards import TextInput
from szem.runtime.sessions import OnnxFile, Session, cores
from szem.tasks.models import ModelLike, as_session

__all__ = [
    "EXAMPLES",
    "MOST_PICTURES",
    "MOST_SEED",
    "Generator",
    "generate",
    "generator_of",
    "names_subject",
    "open_generator",
    "what_it_draws",
]

EXAMPLES = (
    "This flower has white petals with a yellow tip and a yellow pistil",
    "This bird is black with green and has a very short beak",
)
"""The sentences of the lecture."""
MOST_PICTURES = 100
MOST_SEED = 2**63 - 1
_MOST_TRUNCATION = 1.5
_MOST_FRAMES = 240
_T = TypeVar("_T")
_R = TypeVar("_R")

# Words that say that a sentence is about what can be drawn; the names of the kinds are added.
_FLOWER_WORDS = """
    flower flowers petal petals bloom blossom blossoms stamen stamens pistil pistils anther anthers sepal sepals
    stigma daisy lily orchid iris poppy
"""
_BIRD_WORDS = """
    bird birds beak feather feathers wingbars nape albatross auklet
    blackbird bunting cormorant cowbird crow cuckoo finch flycatcher goldfinch grackle
"""
# Words that houses, bills and kings have too: two of them name a bird, one alone does not.
_PERHAPS_WORDS = "bill wing belly breast crown tail throat"
# Parts of the kinds' names that are no kind by themselves.
_NO_KIND_WORDS = """
    red blue black yellow white orange pink purple brown gray grey green giant common garden english mexican japanese
    spring fire tree wild sweet bishop prince of the in wales love mist head colored billed footed bellied breasted
    headed tailed winged faced crowned crested american northern eastern european great least wood moon balloon water
    ball hard leaved ruby lipped alpine eyed cape sea small large long short deep bright dark light spear pocket
    canna king s hood
"""
_NO_KIND = frozenset(_NO_KIND_WORDS.split())
# Spellings that mean a word the network learned in another form.
_SPELLINGS = {"colour": "color", "coloured": "colored", "colours": "colors", "gray": "grey", "grey": "gray"}
_SPELLINGS |= {"centre": "center", "center": "centre"}


def generate(
    text: str,
    *,
    n: int = 1,
    seed: int = 0,
    truncation: float | None = None,
    model: ModelLike | None = None,
) -> GeneratedPicture:
    """Draw pictures for a sentence about a flower or a bird.

    Args:
        text: "This flower has white petals with a yellow tip and a yellow pistil".
        n: How many pictures, 1 to 100.
        seed: The same seed gives the same pictures, the first of them whatever `n` is.
        truncation: How far chance may go, 0 to 1.5: less gives more usual pictures, more gives more different ones;
            by default what the model's card says.
        model: A model's name or folder, or one that is open; the shipped one if left out.
    Returns:
        The pictures, each 128×128, with their sketches of 64×64, and words that the model never learned.
    Raises:
        DTypeError: the text is no string, or the truncation no number.
        RangeError: no word in the text, or a number is out of its range.
        UnknownNameError: no such model, or the model knows no word of the text; the message says what it can draw.
    """
    return open_generator(model)(text, n=n, seed=seed, truncation=truncation)


def open_generator(model: ModelLike | None = None, *, workers: int | None = None) -> "Generator":
    """Open a drawing model by name, once per process.

    Args:
        model: A model's name or folder; the shipped one if left out.
        workers: Pictures drawn side by side; None for as many as there are cores.
    Raises:
        As `open_model` and `Generator`.
    """
    return generator_of(as_session(model, task="generate", threads=1), workers)


def what_it_draws() -> dict[str, list[str]]:
    """What sentences may name: kinds of flowers and birds, colours, parts."""
    parts = [
        "petals",
        "edges",
        "tips",
        "center",
        "stamen",
        "pistil",
        "anthers",
        "beak",
        "wings",
        "feathers",
        "belly",
        "breast",
        "crown",
        "back",
    ]
    return {"flowers": sorted(FLOWER_KINDS), "birds": sorted(BIRD_KINDS), "colors": list(COLOR_WORDS), "parts": parts}


@cache
def generator_of(session: Session, workers: int | None = None) -> "Generator":
    """The generator of an open model, made once."""
    return Generator(session, workers=workers)


@dataclass(frozen=True)
class _Read:
    """A sentence as the network takes it."""

    words: tuple[str, ...]
    numbers: tuple[int, ...]
    unknown: tuple[str, ...]
    warnings: tuple[str, ...]


class Generator:
    """A drawing model ready to be called; keeps nothing between calls.

    Args:
        model: A model's name or folder, or an open session; the shipped model if left out.
        workers: Pictures drawn side by side; None for as many as there are cores.
    Raises:
        CardError: the card lacks what a painter needs.
        ChecksumError: a file of the model is not the card's.
    """

    def __init__(self, model: ModelLike | None = None, *, workers: int | None = None) -> None:
        session = as_session(model, task="generate", threads=1)
        card = session.model.card
        if card.head != "stages" or not isinstance(card.input, TextInput) or "noise" not in card.constants:
            raise CardError(f"{session.model.folder}: head {card.head!r} is not a drawing model's")
        if workers is not None and workers < 1:
            raise RangeError(f"workers must be at least 1, got {workers}")
        self.session, self.card = session, card
        self.words = Vocabulary(session.model.labels)
        self.longest = card.input.words
        self.noise = int(card.constants["noise"])
        self.truncation = card.constants.get("truncation", 1.0)
        self.workers = workers or cores()
        self._sketch = OnnxFile(session.model.part("sketch"), threads=1)
        self._refine = OnnxFile(session.model.part("refine"), threads=1) if "refine" in card.parts else None

    def __call__(self, text: str, *, n: int = 1, seed: int = 0, truncation: float | None = None) -> GeneratedPicture:
        """Draw; the arguments are those of `generate`."""
        n, seed = _whole("n", n, 1, MOST_PICTURES), _whole("seed", seed, 0, MOST_SEED)
        read = self._read(text)
        used = self._truncation_of(truncation)
        probabilities = self._probabilities(range(n), seed, used)
        space = self._place(read.numbers)
        drawn = self._each(lambda probability: self._draw(space, probability), probabilities)
        pictures, sketches = (tuple(part) for part in zip(*drawn, strict=True))
        return GeneratedPicture(
            text,
            pictures,
            sketches,
            seed,
            used,
            self.card.name,
            read.unknown,
            read.warnings,
            names_subject=names_subject(text),
        )

    def between(
        self, first: str, second: str, *, frames: int = 24, seed: int = 0, truncation: float | None = None
    ) -> list[Picture8]:
        """A video from one sentence to another: the same chance, and places on the way between both.

        Args:
            first: Where it begins.
            second: Where it ends.
            frames: How many pictures, 2 to 240, the ends included.
            seed: As of `generate`.
            truncation: As of `generate`.
        Raises:
            As `generate`.
        """
        frames, seed = _whole("frames", frames, 2, _MOST_FRAMES), _whole("seed", seed, 0, MOST_SEED)
        a, b = (self._place(self._read(text).numbers) for text in (first, second))
        probability = self._probabilities([0], seed, self._truncation_of(truncation))[0]
        places = [_on_the_way(a, b, step / (frames - 1)) for step in range(frames)]
        return [picture for picture, _ in self._each(lambda place: self._draw(place, probability), places)]

    def influence(
        self, text: str, *, seed: int = 0, truncation: float | None = None, samples: int = 4
    ) -> list[WordInfluence]:
        """What each word does: how much the picture changes without it, over some samples of chance.

        Args:
            text: The sentence; of two words at least.
            seed: Of the pictures shown.
            truncation: As of `generate`.
            samples: Over how many pictures the change is averaged, 1 to 32.
        Returns:
            The words in order; of one the network never learned, the change is that of leaving an unknown word out.
        Raises:
            As `generate`; RangeError also for a single word.
        """
        samples, seed = _whole("samples", samples, 1, 32), _whole("seed", seed, 0, MOST_SEED)
        read = self._read(text)
        if len(read.numbers) < 2:
            raise RangeError("one word alone has all the influence; write a sentence")
        probabilities = self._probabilities(range(samples), seed, self._truncation_of(truncation))
        left_out = [read.numbers[:i] + read.numbers[i + 1 :] for i in range(len(read.numbers))]
        places = [self._place(numbers) for numbers in (read.numbers, *left_out)]
        jobs = [(place, probability) for place in places for probability in probabilities]
        drawn = self._each(lambda job: self._draw(*job)[0], jobs)
        labs = [rgb_to_oklab(picture) for picture in drawn]
        wheres = []
        for number in range(1, len(places)):
            apart = [
                np.linalg.norm(labs[number * samples + i] - labs[i], axis=-1).astype(np.float32)
                for i in range(samples)
            ]
            wheres.append((float(np.mean(apart)), apart[0]))
        total = sum(change for change, _ in wheres) or 1.0
        return [
            WordInfluence(word, place, change, change / total, drawn[(place + 1) * samples], where)
            for place, (word, (change, where)) in enumerate(zip(read.words, wheres, strict=True))
        ]

    def place(self, text: str) -> NDArray[np.float32]:
        """Where a sentence lies among those the network learned: (D,), of length 1.

        Raises:
            As `generate`.
        """
        return self._place(self._read(text).numbers)[0]

    def numbers(self, text: str) -> tuple[int, ...]:
        """The numbers of a text's words, as the network takes them.

        Raises:
            As `generate`.
        """
        return self._read(text).numbers

    def _read(self, text: str) -> _Read:
        if not isinstance(text, str):
            raise DTypeError(f"what is to be drawn is a sentence (str), got {type(text).__name__}")
        words = split_words(text)
        if not words:
            raise RangeError(
                "there is no word to draw; write what it should be, as in: a red flower with a yellow centre"
            )
        warnings = []
        if len(words) > self.longest:
            warnings.append(f"Only the first {self.longest} of {len(words)} words are drawn.")
            words = words[: self.longest]
        numbers = tuple(self._number(word) for word in words)
        unknown = tuple(dict.fromkeys(w for w, number in zip(words, numbers, strict=True) if number == UNKNOWN))
        if all(number == UNKNOWN for number in numbers):
            raise UnknownNameError(f"the model knows no word of {text!r}; {_CAN_DRAW}")
        if unknown:
            warnings.append(f"Never learned, so not drawn: {', '.join(unknown)}.")
        if not _is_about(words):
            warnings.append(f"The sentence names neither a flower nor a bird: {_CAN_DRAW}.")
        return _Read(tuple(words), numbers, unknown, tuple(warnings))

    def _number(self, word: str) -> int:
        forms = [word, _SPELLINGS.get(word, word), word.removesuffix("s"), f"{word}s"]
        if "-" in word:
            forms.append(word.replace("-", " ").split()[-1])
        return next((self.words.numbers[f] for f in forms if self.words.numbers.get(f, 0) >= FIRST_WORD), UNKNOWN)

    def _place(self, numbers: Sequence[int]) -> NDArray[np.float32]:
        tokens = np.array([numbers], np.int64)
        return self.session.run(tokens, roles=["space"])["space"].astype(np.float32)

    def _truncation_of(self, truncation: Any) -> float:
        if truncation is None:
            return self.truncation
        if not isinstance(truncation, int | float | np.integer | np.floating) or isinstance(truncation, bool):
            raise DTypeError(f"truncation must be a number in 0..{_MOST_TRUNCATION}, got {truncation!r}")
        if not 0 <= truncation <= _MOST_TRUNCATION:
            raise RangeError(f"truncation must lie in 0..{_MOST_TRUNCATION}, got {truncation}")
        return float(truncation)

    def _probabilities(self, places: Sequence[int], seed: int, scale: float) -> list[NDArray[np.float32]]:
        return [
            (
                scale * np.random.Generator(np.random.Philox(key=[seed, place])).standard_normal((1, self.noise))
            ).astype(np.float32)
            for place in places
        ]

    def _draw(self, space: NDArray[np.float32], probability: NDArray[np.float32]) -> tuple[Picture8, Picture8]:
        """Picture and sketch."""
        sketch = self._sketch.run({"space": space, "noise": probability}, ["picture"])[0]
        if self._refine is None:
            return _to_picture(sketch), _to_picture(sketch)
        refined = self._refine.run({"sketch": sketch, "space": space}, ["picture"])[0]
        return _to_picture(refined), _to_picture(sketch)

    def _each(self, work: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
        if self.workers < 2 or len(items) < 2:
            return [work(item) for item in items]
        with ThreadPoolExecutor(self.workers) as pool:
            return list(pool.map(work, items))


_CAN_DRAW = (
    "it draws flowers and birds, by their colours, parts and kinds, as in: "
    "a red rose; this flower has purple petals and a yellow center; a yellow bird with black wings"
)


@cache
def _subjects() -> frozenset[str]:
    kinds = {word for kind in (*FLOWER_KINDS, *BIRD_KINDS) for word in split_words(kind.replace("-", " "))}
    return frozenset(kinds | set(_FLOWER_WORDS.split()) | set(_BIRD_WORDS.split())) - _NO_KIND


def names_subject(text: str) -> bool:
    """Whether a text names a flower or a bird, a part or a kind of one.

    >>> names_subject("a red rose"), names_subject("a red car")
    (True, False)
    """
    return _is_about(split_words(text))


def _is_about(words: Sequence[str]) -> bool:
    """Whether a flower or a bird, a part or a kind of one is named."""
    known = _subjects()
    perhaps = {word.removesuffix("s") for word in words} & frozenset(_PERHAPS_WORDS.split())
    return len(perhaps) > 1 or any(word in known or word.removesuffix("s") in known for word in words)


def _on_the_way(a: NDArray[np.float32], b: NDArray[np.float32], fraction: float) -> NDArray[np.float32]:
    """Between two places on the sphere, along it.

    >>> a, b = np.array([[1.0, 0]], np.float32), np.array([[0, 1.0]], np.float32)
    >>> _on_the_way(a, b, 0.5).astype(float).round(3).tolist()
    [[0.707, 0.707]]
    """
    angle = float(np.arccos(np.clip((a * b).sum(), -1, 1)))
    if angle < 1e-4:
        return a
    mixed = (np.sin((1 - fraction) * angle) * a + np.sin(fraction * angle) * b) / np.sin(angle)
    return np.asarray(mixed, np.float32)


def _to_picture(drawn: NDArray[np.float32]) -> Picture8:
    """(1, 3, H, W) in -1..1 to (H, W, 3) uint8."""
    pixels = np.rint((drawn[0].transpose(1, 2, 0).astype(np.float64) + 1) * 127.5)
    return np.ascontiguousarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _whole(name: str, value: Any, minimum: int, most: int) -> int:
    """A whole number of any kind, numpy's too, as Python's own."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or not minimum <= value <= most:
        raise RangeError(f"{name} must be a whole number in {minimum}..{most}, got {value!r}")
    return int(value)
