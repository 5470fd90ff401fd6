"""What the recipes for drawing learn from: pictures in memory, and what was seen on each, found once and kept.

Sentences are made from what was seen (`data.seen_words`), anew each time they are asked for; where people wrote
sentences, those are taken more often. This file does not know networks.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from szem.arrays import Picture8
from szem.data.broken import Broken
from szem.data.flowers_birds.attribute_sentences import word_seen
from szem.data.flowers_birds.attributes import Attributes
from szem.data.flowers_birds.drawables import Drawable, read_drawables
from szem.data.words import Vocabulary, build_vocabulary
from szem.errors import MediaError
from szem.kept import read_kept, write_kept
from szem.media.pictures import read_picture
from szem.runtime.sessions import cores
from szem.tasks.generation.subject_colors import see_bird, see_flower
from szem.tasks.models import open_model

__all__ = ["GenerationData", "see_all"]

SIDE_PX = 128
_PEOPLE = 0.7  # fraction of the sentences taken from people, where there are some
_SAVE_EVERY = 500
_SEEN = "what is seen on pictures, 1"


class GenerationData:
    """Pictures of one split with what was seen on them.

    Args:
        folder: Holds flowers/ and birds/.
        seen: Where what was seen is kept, a JSON file; made if it is missing.
        split: train or val.
        subjects: flower, bird or both.
        most: At most so many pictures of each thing, evenly chosen; for tests.
    """

    def __init__(
        self,
        folder: Path,
        seen: Path,
        *,
        split: str,
        subjects: Sequence[str] = ("flower", "bird"),
        most: int = 0,
        quiet: bool = True,
    ) -> None:
        every = [one for one in read_drawables(folder, split=split) if one.subject in subjects]
        if most:
            every = [one for subject in subjects for one in _spread([e for e in every if e.subject == subject], most)]
        self.items = tuple(every)
        self.seen = see_all(self.items, seen, quiet=quiet)
        self.broken: list[Broken] = []

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def pictures(self) -> NDArray[np.uint8]:
        """(N, 128, 128, 3) RGB; grey where a file is broken."""
        out = np.full((len(self), SIDE_PX, SIDE_PX, 3), 127, np.uint8)

        def one(index: int) -> None:
            try:
                picture = read_picture(self.items[index].path)
            except MediaError as error:
                self.broken.append(Broken(self.items[index].path.name, str(error)))
                return
            out[index] = fit_square(picture, SIDE_PX)

        with ThreadPoolExecutor(cores()) as pool:
            list(pool.map(one, range(len(self))))
        return out

    def sentence(self, index: int, rng: np.random.Generator) -> str:
        """One sentence for a picture, another each time."""
        people = self.items[index].sentences
        if people and rng.random() < _PEOPLE:
            return people[int(rng.integers(len(people)))]
        return word_seen(self.seen[index], rng)

    def vocabulary(self, *, rounds: int = 12, minimum: int = 4) -> Vocabulary:
        """The words of what people wrote and of some rounds of made sentences."""
        rng = np.random.default_rng(0)
        made = [word_seen(seen, rng) for _ in range(rounds) for seen in self.seen]
        people = [text for one in self.items for text in one.sentences]
        return build_vocabulary([*made, *people], minimum=minimum)


def fit_square(picture: Picture8, side_px: int) -> Picture8:
    """Cut the middle square and bring it to a side."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    cut = picture[top : top + side, left : left + side]
    if side == side_px:
        return cut
    way = cv2.INTER_AREA if side > side_px else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(cut, (side_px, side_px), interpolation=way), np.uint8)


def see_all(items: Sequence[Drawable], file: Path, *, quiet: bool = True) -> list[Attributes]:
    """What is seen on each picture; found once, kept in a file that grows and survives an interruption."""
    kept: dict[str, dict[str, object]] = (read_kept(file, _SEEN) or {}).get("seen", {})
    missing = [one for one in items if _key(one) not in kept]
    if missing:
        session = open_model(task="outline", threads=1)

        def one(item: Drawable) -> tuple[str, dict[str, object]]:
            try:
                picture = read_picture(item.path)
            except MediaError:
                return _key(item), asdict(Attributes(item.subject, item.kind, "white", confidence=0.0))
            see = see_flower if item.subject == "flower" else see_bird
            return _key(item), asdict(see(session, picture, kind=item.kind))

        with ThreadPoolExecutor(int(os.environ.get("OMP_NUM_THREADS", "0")) or cores()) as pool:
            found = pool.map(one, missing)
            for number, (key, seen) in enumerate(track(found, "seeing", total=len(missing), disable=quiet), start=1):
                kept[key] = seen
                if number % _SAVE_EVERY == 0 or number == len(missing):
                    write_kept(file, _SEEN, {"seen": kept})
    return [Attributes(**kept[_key(one)]) for one in items]  # type: ignore[arg-type]


def _key(item: Drawable) -> str:
    return f"{item.subject}/{item.path.name}"


def _spread(items: list[Drawable], most: int) -> list[Drawable]:
    return [items[i * len(items) // most] for i in range(most)] if len(items) > most else items
