"""Name what is in a picture.

Each picture is run by itself, so its scores do not depend on what else is asked; many pictures are run side by side
on threads. This file does not know about folders, requests or how results are shown.
"""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import overload

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8
from szem.errors import CardError, RangeError, UnsupportedError
from szem.media.pictures import PictureLike, as_pictures
from szem.results.labels import ClassMap, Label, Labels
from szem.runtime.prepare import find_window, prepare_picture
from szem.runtime.sessions import cores
from szem.tasks.classification.parents import find_parents
from szem.tasks.models import ModelLike, as_session

__all__ = ["Classifier", "classify"]


def classify(
    picture: PictureLike,
    *,
    model: ModelLike | None = None,
    top: int = 5,
    maps: bool = False,
) -> Labels:
    """Name what is in a picture.

    Args:
        picture: What `as_picture` takes: a path, a file's bytes, an open file, a Pillow image or an array.
        model: A model's name or folder, or one that is open; the shipped one if left out.
        top: How many labels at most.
        maps: Also find where each label's score comes from.
    Returns:
        The best labels, best first; their scores add up to at most 1. `parents` has one word for several classes of
        ImageNet, where their probabilities together are high enough.
    Raises:
        MediaError, FileMissingError: the picture cannot be read.
        UnknownNameError: no such model.
        UnsupportedError: maps were asked of a model that gives none.
        RangeError: `top` is below 1.
    """
    return Classifier(model)(picture, top=top, maps=maps)


class Classifier:
    """A classification model ready to be called; keeps nothing between calls.

    Args:
        model: A model's name or folder, or an open session; the shipped model if left out. With a session of one
            thread, many pictures run side by side fastest.
        workers: How many pictures are run at a time; None for as many as there are cores where the session uses one
            thread, else one.
    Raises:
        CardError: the card has no labels, or its outputs are not those of a classifier.
    """

    def __init__(self, model: ModelLike | None = None, *, workers: int | None = None) -> None:
        self.session = session = as_session(model, task="classify")
        self.card = session.model.card
        self.names, self.ids = session.model.labels, session.model.label_ids
        if not self.names:
            raise CardError(f"{session.model.folder}: a classifier needs labels; name them on its card")
        if self.card.head not in ("logits", "probabilities") or not session.has(self.card.head):
            raise CardError(f"{session.model.folder}: head {self.card.head!r} is not one of a classifier's")
        if workers is not None and workers < 1:
            raise RangeError(f"workers must be at least 1, got {workers}")
        self.workers = workers or (cores() if session.threads == 1 else 1)

    @property
    def min_side_px(self) -> int | None:
        """How small the shorter side of a picture may be without harm: twice what the network sees of it.

        For `read_picture`; None where a picture is not cut, so that its longer side counts.
        """
        wanted = self.card.picture
        if wanted.resize != "centre-crop":
            return None
        return math.ceil(2 * max(wanted.width_px, wanted.height_px) / wanted.crop)

    @overload
    def __call__(self, pictures: PictureLike, *, top: int = 5, maps: bool = False) -> Labels: ...  # type: ignore[overload-overlap]  # a path of text is a sequence too
    @overload
    def __call__(self, pictures: Sequence[PictureLike], *, top: int = 5, maps: bool = False) -> list[Labels]: ...
    def __call__(
        self, pictures: PictureLike | Sequence[PictureLike], *, top: int = 5, maps: bool = False
    ) -> Labels | list[Labels]:
        """Name what is in a picture, or in each of several.

        Args:
            pictures: One picture or a list; each what `as_picture` takes. Sizes may differ.
            top: How many labels at most.
            maps: Also find where each label's score comes from.
        Returns:
            `Labels` of the one picture, or a list with those of each, in order.
        Raises:
            UnsupportedError: maps were asked of a model that gives none.
            RangeError: `top` is below 1.
            ShapeError, DTypeError: not a picture.
        """
        if top < 1:
            raise RangeError(f"top must be at least 1, got {top}")
        if maps and not self.session.has("maps"):
            raise UnsupportedError(
                f"model {self.card.name!r} gives no class activation maps; use one that ends in average pooling"
            )
        several, is_one = as_pictures(pictures)
        if len(several) < 2 or self.workers < 2:
            found = [self._one(picture, top, maps) for picture in several]
        else:
            with ThreadPoolExecutor(self.workers) as pool:
                found = list(pool.map(lambda picture: self._one(picture, top, maps), several))
        return found[0] if is_one else found

    def together(self, pictures: Sequence[Picture8], *, top: int = 5, maps: bool = False) -> list[Labels]:
        """As a call, but all pictures in one run of the network, if it takes several.

        Cheaper than one by one where they wait for one thread; scores may differ from those of a call in the sixth
        decimal.
        """
        if len(pictures) < 2 or self.session.batch_limit is not None:
            return [self._one(picture, top, maps) for picture in pictures]
        batch = np.concatenate([prepare_picture(picture, self.card.picture) for picture in pictures])
        out = self.session.run(batch, roles=self._roles(maps))
        return [self._labels(picture, out, row, top, maps) for row, picture in enumerate(pictures)]

    def scores(self, picture: Picture8) -> NDArray[np.float32]:
        """(classes,) score of every class, 0..1, in the order of the labels."""
        prepared = prepare_picture(picture, self.card.picture)
        return self._to_scores(self.session.run(prepared, roles=[self.card.head])[self.card.head][0])

    def _one(self, picture: Picture8, top: int, maps: bool) -> Labels:
        out = self.session.run(prepare_picture(picture, self.card.picture), roles=self._roles(maps))
        return self._labels(picture, out, 0, top, maps)

    def _roles(self, maps: bool) -> list[str]:
        return [self.card.head, "maps"] if maps else [self.card.head]

    def _labels(self, picture: Picture8, out: Mapping[str, Array], row: int, top: int, maps: bool) -> Labels:
        scores = self._to_scores(out[self.card.head][row])
        best = np.argsort(-scores, kind="stable")[:top]
        items = tuple(Label(self.names[i], int(i), float(scores[i]), self.ids[i]) for i in best)
        found = self._maps(picture, out["maps"][row], best) if maps else {}
        return Labels(items, self.card.name, found, find_parents(self.ids, scores))

    def _to_scores(self, values: Array) -> NDArray[np.float32]:
        if len(values) != len(self.names):
            raise CardError(
                f"model {self.card.name!r} gives {len(values)} scores, its labels are {len(self.names)}; "
                "correct the labels"
            )
        wide = values.astype(np.float64)
        if self.card.head == "logits":
            wide = np.exp(wide - wide.max())
            wide /= wide.sum()
        return np.clip(wide, 0.0, 1.0).astype(np.float32)

    def _maps(self, picture: Picture8, maps: Array, best: Array) -> dict[int, ClassMap]:
        window = find_window(picture.shape[0], picture.shape[1], self.card.picture)
        box = window.to_picture(0, 0, self.card.picture.width_px, self.card.picture.height_px)
        return {int(i): ClassMap(np.asarray(maps[i], np.float32), box) for i in best}
