"""Measure a drawing model through the shipped path, on sentences of photographs that nothing was trained on.

For each held-out photograph a sentence is taken with a fixed seed, drawn once (for diversity: four times for some),
and compared. Fréchet distance and inception score are taken in the features of the shipped ImageNet classifier, so
they compare with the numbers of the photographs beside them, not with those of other papers. R-precision is that of a
text-image encoder of its own, on other features and with other chance than the one that the drawings follow.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8
from szem.data.broken import Broken
from szem.data.flowers_birds.attribute_sentences import COLOR_WORDS, word_seen
from szem.data.flowers_birds.attributes import Attributes
from szem.data.flowers_birds.drawables import Drawable, read_drawables
from szem.data.words import split_words
from szem.errors import EmptyFileError, FileMissingError, MediaError, UnknownNameError
from szem.media.pictures import read_picture
from szem.results.score import Measurement
from szem.runtime.sessions import OnnxFile, Session, cores
from szem.runtime.store import Model
from szem.tasks.classification.features import ClassifierFeatures
from szem.tasks.eval_run import EvalRun
from szem.tasks.generation.frechet import diversity, frechet_distance, inception_score, r_precision
from szem.tasks.generation.generate import Generator
from szem.tasks.generation.subject_colors import see_bird, see_flower
from szem.tasks.models import open_model

__all__ = ["COLOR_TEST", "SEED", "EvaluationEncoder", "evaluate_generate", "held_out_sentences"]

SEED = 2024
_AMONG = 100
_FEWEST = 8  # pictures of a subject
_EACH = 4  # pictures of one sentence, for diversity
_MANY = 60  # sentences drawn more than once
_ASKED = 12  # pictures for each colour asked for
COLOR_TEST = ("white", "yellow", "orange", "red", "pink", "purple", "blue")
"""Colours asked for: those that petals of the training pictures have often."""


class EvaluationEncoder:
    """The space of the text-image encoder that only measures.

    Args:
        model: With parts `judge-words` and `judge-picture`.
    """

    def __init__(self, model: Model) -> None:
        self._words = OnnxFile(model.part("judge-words"), threads=1)
        self._picture = OnnxFile(model.part("judge-picture"), threads=1)

    def sentences(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """(N, D): where sentences lie, given as numbers of words."""
        out = [self._words.run({"tokens": np.array([row], np.int64)}, ["space"])[0] for row in rows]
        return np.concatenate(out).astype(np.float32)

    def pictures(self, grids: Array) -> NDArray[np.float32]:
        """(N, D): where pictures lie, given as the maps of `ClassifierFeatures`."""
        parts = [self._picture.run({"maps": grids[i : i + 64]}, ["space"])[0] for i in range(0, len(grids), 64)]
        return np.concatenate(parts).astype(np.float32)


def held_out_sentences(items: Sequence[Drawable], seen: Sequence[Attributes], *, seed: int = SEED) -> list[str]:
    """A sentence for each photograph: one that people wrote, where there is one, else a made one."""
    rng = np.random.default_rng(seed)
    return [
        one.sentences[int(rng.integers(len(one.sentences)))] if one.sentences else word_seen(known, rng)
        for one, known in zip(items, seen, strict=True)
    ]


def evaluate_generate(model: Model, folder: Path, split: str, *, run: EvalRun | None = None) -> list[Measurement]:
    """Scores for flowers and for birds, the photographs' own beside them.

    Raises:
        UnknownNameError: no such split.
        FileMissingError: no data there.
    """
    if split not in ("val", "train", "all"):
        raise UnknownNameError(f"no split called {split!r}; there are val, which nothing was trained on, train, all")
    run = run or EvalRun()
    painter, look = Generator(Session(model, threads=1)), ClassifierFeatures()
    discriminator = EvaluationEncoder(model) if "judge-words" in model.card.parts else None
    cut = open_model(task="outline", threads=1)
    items = read_drawables(folder, split="" if split == "all" else split)
    out: list[Measurement] = []
    for subject in ("flower", "bird"):
        own = [one for one in items if one.subject == subject]
        if own:
            out += _measure(painter, look, discriminator, cut, own, subject, run)
    asked = [f"this flower has {color} petals" for color in COLOR_TEST]
    named = [
        see_flower(cut, picture).main == color
        for color, text in zip(COLOR_TEST, asked, strict=True)
        for picture in painter(text, n=_ASKED, seed=SEED)
    ]
    out.append(Measurement("colour agreement, flowers, one colour asked for", float(np.mean(named)), len(named)))
    return out


def _measure(
    painter: Generator,
    look: ClassifierFeatures,
    discriminator: EvaluationEncoder | None,
    cut: Session,
    items: list[Drawable],
    subject: str,
    run: EvalRun,
) -> list[Measurement]:
    see = see_flower if subject == "flower" else see_bird
    photographs = []
    for one in list(items):
        try:
            photographs.append(read_picture(one.path))
        except (MediaError, FileMissingError) as error:
            run.broken.append(Broken(one.path.name, str(error)))
            items = [other for other in items if other is not one]
    if len(items) < _FEWEST:
        raise EmptyFileError(
            f"{len(items)} pictures of {subject}s; distances between so few mean nothing: give {_FEWEST}"
        )
    with ThreadPoolExecutor(cores()) as pool:
        seen = list(pool.map(lambda i: see(cut, photographs[i], kind=items[i].kind), range(len(items))))
    texts = held_out_sentences(items, seen)
    # A seed for each: one for all would give every picture the same noise, and with it the same composition.
    drawn = []
    for number, text in enumerate(texts):
        if run.on_progress is not None:
            run.on_progress(f"{subject}s", number, len(texts))
        drawn.append(painter(text, seed=SEED + number).pictures[0])
    means, probabilities, grids = look(drawn)
    real_means, real_probabilities, real_grids = look(photographs)
    n, half = len(items), len(items) // 2
    order = np.random.default_rng(SEED).permutation(n)
    out = [
        Measurement(f"Fréchet distance, {subject}s", frechet_distance(means, real_means), n),
        Measurement(
            f"Fréchet distance, {subject}s, one half of the photographs from the other",
            # What the distance is between photographs themselves: no drawing can be asked for less.
            frechet_distance(real_means[order[:half]], real_means[order[half:]]),
            half,
        ),
        Measurement(f"inception score, {subject}s", inception_score(probabilities[order], parts=min(10, n))[0], n),
        Measurement(
            f"inception score, {subject}s, photographs",
            inception_score(real_probabilities[order], parts=min(10, n))[0],
            n,
        ),
    ]
    if discriminator is not None:
        places = discriminator.sentences([painter.numbers(text) for text in texts])
        among = min(_AMONG, n)
        for name, grid in ((f"{subject}s", grids), (f"{subject}s, photographs", real_grids)):
            value = r_precision(discriminator.pictures(grid), places, among=among, seed=SEED)
            out.append(Measurement(f"R-precision among {among}, {name}", value, n))
    right = _agreement(cut, drawn, seen, texts, subject)
    out.append(
        Measurement(f"colour agreement, {subject}s, of held-back sentences", float(np.mean(right)), len(right))
    )
    many = [painter(text, n=_EACH, seed=SEED).pictures for text in texts[:: max(1, n // _MANY)]]
    features = look([picture for some in many for picture in some])[0]
    groups = np.repeat(np.arange(len(many)), _EACH)
    out.append(Measurement(f"diversity of one sentence's {subject}s", diversity(features, groups), len(many)))
    out.append(Measurement(f"diversity of all {subject} photographs", diversity(real_means, np.zeros(n)), n))
    return out


def _agreement(
    cut: Session, drawn: Sequence[Picture8], seen: Sequence[Attributes], texts: Sequence[str], subject: str
) -> list[bool]:
    """Whether the main colour is the one asked for: the photograph's, where it is sure and the sentence says it."""
    asked = [
        (picture, known)
        for picture, known, text in zip(drawn, seen, texts, strict=True)
        if known.confidence >= 0.6 and set(COLOR_WORDS[known.main]) & set(split_words(text))
    ]

    def is_right(pair: tuple[Picture8, Attributes]) -> bool:
        picture, known = pair
        found = see_flower(cut, picture) if subject == "flower" else see_bird(cut, picture, kind=known.kind)
        return found.main == known.main

    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(is_right, asked))
