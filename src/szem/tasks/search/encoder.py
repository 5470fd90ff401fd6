"""Put sentences and pictures into one space.

The text tower is a sentence encoder that knows the language (all-MiniLM-L6-v2). Beside it stand two rows for each
picture: its place in the space that a small head on the shipped networks' features was trained onto, and the sentence
encoder's embedding of its tags. How well a sentence fits a picture is a logistic curve over both cosines and over
what the detector says to the objects, numbers and colours that the sentence names. This file does not know about
folders.
"""

import json
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from threading import Lock
from typing import cast

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8
from szem.errors import CardError, RangeError
from szem.results.caption import Tag
from szem.runtime.prepare import prepare_picture
from szem.runtime.sessions import OnnxFile, Session, cores
from szem.tasks.captioning.tags import TagEvidence, Tagger, tagger_of
from szem.tasks.contracts import OpenModel
from szem.tasks.models import ModelLike, as_session, default_model, open_model
from szem.tasks.search.query import Demand, demands_of, demands_probability, evidence_of, is_only_demands
from szem.tasks.search.word_pieces import WordPieces

__all__ = ["WIDTH", "EncodedRow", "Query", "SearchEncoder", "encoder_of", "open_encoder", "tags_from_json"]

WIDTH = 384  # numbers of one embedding
_STEP = 0.42 / 127  # of the 8-bit rows: the largest number of a row of length 1 is below 0.42
_LOWEST_TAG = 0.05  # confidence of tags that are kept with a row
_SAID = 0.3  # confidence from which a tag is part of the sentence that is embedded
_ORDER = 0.05  # of the cosines, beside the tags, for a sentence that names objects only
_COUNT_WORDS = {1: "a", 2: "two", 3: "three", 4: "four"}


@dataclass(frozen=True, eq=False)
class EncodedRow:
    """A picture as the index keeps it.

    Args:
        row: (2 * WIDTH,) int8: its place beside sentences, and the embedding of its tags.
        tags: JSON: [name, confidence, count, colour] of each.
    """

    row: NDArray[np.int8]
    tags: str


@dataclass(frozen=True, eq=False)
class Query:
    """A sentence, or a picture whose like is searched.

    Args:
        place: (WIDTH,) its place among pictures.
        words: (WIDTH,) its place among sentences about tags.
        demands: Objects that it names.
        is_plain: Whether it asks for nothing else.
        like: Whether it is a picture: then only the cosines count.
    """

    place: NDArray[np.float32]
    words: NDArray[np.float32]
    demands: tuple[Demand, ...] = ()
    is_plain: bool = False
    like: bool = False


class SearchEncoder:
    """The networks of the search, ready to be called; keeps nothing between calls.

    Args:
        model: An open model for search.
        open_model: Opens the networks whose features a picture needs, when the first picture is encoded: a query over
            a finished index needs the sentence encoder only.
    Raises:
        CardError: the card lacks what the search needs.
    """

    def __init__(self, model: Session, *, open_model: OpenModel) -> None:
        opened = model.model
        if opened.card.head != "towers" or not model.has("space") or not model.has("embedding"):
            raise CardError(f"{opened.folder}: head {opened.card.head!r} is not one for search")
        self.card, self.workers = opened.card, cores()
        self._sentence, self._open_model = model, open_model
        self._pieces = WordPieces(opened.labels)
        self._constants = opened.card.constants
        self._opening = Lock()

    @cached_property
    def identity(self) -> str:
        """What an index must have been made with: name and checksums of all networks."""
        sums = [self.card.sha256, *(part.sha256 for part in self.card.parts.values())]
        sums += [default_model(task).card.sha256 for task in ("caption", "detect", "classify")]
        return f"{self.card.name} {'-'.join(one[:12] for one in sums)}"

    @cached_property
    def _networks(self) -> tuple[Session, Tagger, OnnxFile]:
        """The captioner's encoder, detector and classifier, and the head on their features."""
        maps = self._open_model(task="caption")
        if not maps.has("maps") or not maps.has("places"):
            raise CardError(
                f"{maps.model.folder}: the captioning model gives no feature maps, which search reads; "
                "make the shipped one the default again"
            )
        tagger = tagger_of(self._open_model(task="detect"), self._open_model(task="classify"))
        return maps, tagger, OnnxFile(self._sentence.model.part("picture"), threads=1)

    @property
    def threshold(self) -> float:
        """Probability at or above which a picture counts as fitting."""
        return self._constants["threshold"]

    def embed(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Places of sentences among pictures and among sentences: two (N, WIDTH), each row of length 1.

        Raises:
            RangeError: a sentence without a word.
        """
        if any(not any(letter.isalnum() for letter in text) for text in texts):
            raise RangeError("a sentence to search with needs one word at least, got none; write what to find")
        most = self.card.input.words if self.card.input.kind == "text" else 64
        rows = [self._pieces.encode(text, most=most) for text in texts]
        spaces, embeddings = np.zeros((len(rows), WIDTH), np.float32), np.zeros((len(rows), WIDTH), np.float32)
        for length in sorted({len(row) for row in rows}):  # rows of one length together: nothing is padded
            places = [place for place, row in enumerate(rows) if len(row) == length]
            out = self._sentence.run(np.array([rows[place] for place in places]), roles=["space", "embedding"])
            spaces[places], embeddings[places] = out["space"], out["embedding"]
        return spaces, embeddings

    def query(self, text: str) -> Query:
        """A sentence as a query.

        Raises:
            RangeError: it has no word.
        """
        spaces, embeddings = self.embed([text])
        return Query(spaces[0], embeddings[0], demands_of(text), is_only_demands(text))

    def query_like(self, picture: Picture8) -> Query:
        """A picture as a query: what lies near it."""
        return self.query_like_row(self.encode(picture).row)

    def query_like_row(self, row: NDArray[np.int8]) -> Query:
        """An encoded picture as a query."""
        near = row.astype(np.float32) * np.float32(_STEP)
        return Query(_unit(near[:WIDTH]), _unit(near[WIDTH:]), like=True)

    def encode(self, picture: Picture8) -> EncodedRow:
        """A picture's row and tags."""
        with self._opening:
            maps, tagger, head = self._networks
        evidence, boxes, logits, features = tagger.look(picture)
        out = maps.run(prepare_picture(picture, maps.model.card.picture), roles=["maps", "places"])
        feeds: dict[str, Array] = {
            "maps": out["maps"],
            "places": out["places"],
            "features": features,
            "logits": logits,
            "boxes": boxes,
        }
        (space,) = head.run(feeds, ["space"])
        return EncodedRow(self._row(space[0], evidence), tags_to_json(evidence))

    def _row(self, space: NDArray[np.float32], evidence: TagEvidence) -> NDArray[np.int8]:
        words = self.embed([_sentence_of(evidence.tags)])[1][0]
        return np.clip(np.rint(np.concatenate((space, words)) / _STEP), -127, 127).astype(np.int8)

    def weights(self, query: Query) -> NDArray[np.float32]:
        """(2 * WIDTH,) whose product with a row of the index orders pictures before their tags are looked at."""
        near, tags = ("like_place", "like_tags") if query.like else ("place", "tags")
        weighted = (self._constants[near] * query.place, self._constants[tags] * query.words)
        return np.concatenate(weighted).astype(np.float32) * np.float32(_STEP)

    def probability(self, query: Query, value: float, tags: Sequence[Tag]) -> float:
        """That the picture fits: calibrated for sentences; for a picture's like, how near it is, 0 to 1.

        Args:
            query: What is searched.
            value: Product of `weights` and the picture's row.
            tags: Of the picture.
        """
        if query.like:
            return min(1.0, max(0.0, value))
        numbers = self._constants
        if query.is_plain:
            # The tags are calibrated; the cosines order pictures that they do not tell apart.
            confidence = demands_probability(query.demands, tags)
            logit = math.log(confidence / (1 - confidence)) + _ORDER * value
        else:
            evidence = evidence_of(query.demands, tags)
            logit = numbers["base"] + value
            logit += numbers["objects"] * evidence.objects + numbers["unnamed"] * (not query.demands)
            logit += numbers["counts"] * evidence.counts + numbers["colors"] * evidence.colors
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, logit))))


def tags_to_json(evidence: TagEvidence) -> str:
    """The tags that a query may ask for, short."""
    rows = [[t.name, round(t.confidence, 3), t.count, t.color] for t in evidence.tags if t.confidence >= _LOWEST_TAG]
    return json.dumps(rows, separators=(",", ":"))


def tags_from_json(text: str) -> list[Tag]:
    """The tags of `tags_to_json`; none where it is damaged."""
    try:
        return [Tag(str(n), float(c), int(count), color=str(color)) for n, c, count, color in json.loads(text)]
    except (ValueError, TypeError, RecursionError):
        return []


def open_encoder(model: ModelLike | None = None, *, threads: int | None = None) -> SearchEncoder:
    """Open the search by name, once per process.

    Args:
        model: A model's name or folder; the shipped one if left out.
        threads: Threads within one run; None for as many as there are cores.
    """
    return encoder_of(as_session(model, task="search", threads=threads), open_model=_opener(threads))


@cache
def _opener(threads: int | None) -> OpenModel:
    """The same object for the same number, so that `encoder_of` finds its encoder again."""
    return partial(open_model, threads=threads)


def encoder_of(session: Session, *, open_model: OpenModel) -> SearchEncoder:
    """The encoder of an open model, made once."""
    return _encoder(session, cast("Hashable", open_model))


@cache
def _encoder(session: Session, open_model: Hashable) -> SearchEncoder:
    return SearchEncoder(session, open_model=cast("OpenModel", open_model))


def _sentence_of(tags: Sequence[Tag]) -> str:
    """The confident tags as a sentence: "two dogs and a red car" without grammar."""
    said = [tag for tag in tags if tag.confidence >= _SAID]
    names = [f"{_COUNT_WORDS.get(t.count, 'several')} {f'{t.color} ' if t.color else ''}{t.name}" for t in said]
    return " and ".join(names) or "a picture"


def _unit(row: NDArray[np.float32]) -> NDArray[np.float32]:
    return row / np.float32(max(float(np.linalg.norm(row)), 1e-6))
