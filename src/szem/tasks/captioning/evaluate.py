"""Measure a captioner through the shipped path: BLEU, CIDEr-D, how many sentences are new, and recall of the search.

The data is a folder with `captions.csv` (image, split, caption) and `images/`. Sentences are split into words as
`data.words` says, on both sides.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from szem.data.folders import read_captions
from szem.data.words import split_words
from szem.errors import UnknownNameError
from szem.media.pictures import read_picture
from szem.results.score import Measurement
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.captioning.bleu_cider import Cider, bleu, recall
from szem.tasks.captioning.caption import Captioner

__all__ = ["evaluate_caption", "read_split"]

_TOGETHER = 8  # pictures at a time
_BEST = 10  # answers looked at for recall


def evaluate_caption(model: Model, folder: Path, split: str) -> list[Measurement]:
    """BLEU-1 to BLEU-4, CIDEr-D, fraction of sentences that no training picture has, and recall@10 both ways.

    Raises:
        UnknownNameError: no row is of this split.
    """
    captioner = Captioner(Session(model, threads=1))
    pictures = read_split(folder, split)
    files = list(pictures)
    captions: list[list[str]] = []
    places = []
    for start in range(0, len(files), _TOGETHER):
        encoded = captioner.encode([read_picture(file) for file in files[start : start + _TOGETHER]])
        found = captioner.search(encoded, beams=10)
        captions += [split_words(captioner.words.decode(hypotheses[0].numbers)) for hypotheses in found]
        places += [one.space for one in encoded]
    people = [[split_words(text) for text in pictures[file]] for file in files]
    n = len(files)
    out = [Measurement(f"BLEU-{k}", value, n) for k, value in enumerate(bleu(captions, people), start=1)]
    out.append(Measurement("CIDEr-D", Cider(people).mean(captions), n))
    trained = {tuple(split_words(text)) for texts in _training_captions(folder, split) for text in texts}
    if trained:
        new = sum(tuple(words) not in trained for words in captions)
        out.append(Measurement("fraction of sentences not in training", new / n, n))
    if "sentence" in model.card.parts:
        texts = [text for file in files for text in pictures[file]]
        owner = np.repeat(np.arange(n), [len(pictures[file]) for file in files])
        sentences = np.concatenate([captioner.place(texts[i : i + 256]) for i in range(0, len(texts), 256)])
        space = np.stack([place for place in places if place is not None])
        to_picture, to_sentence = recall(sentences @ space.T, owner, best=_BEST)
        out.append(Measurement(f"recall@{_BEST}, picture by sentence", to_picture, len(texts)))
        out.append(Measurement(f"recall@{_BEST}, sentence by picture", to_sentence, n))
    return out


def read_split(folder: Path, split: str) -> dict[Path, list[str]]:
    """The pictures of a split with their sentences, in the order of `captions.csv`; `all` takes every row.

    Raises:
        UnknownNameError: no row is of this split.
    """
    rows = read_captions(folder / "captions.csv").rows
    out: dict[Path, list[str]] = {}
    for row in rows:
        if split in (row.split, "all"):
            out.setdefault(row.path, []).append(row.caption)
    if not out:
        known = sorted({row.split for row in rows if row.split})
        raise UnknownNameError(f"{folder}: no split called {split!r}; there are {', '.join(['all', *known])}")
    return out


def _training_captions(folder: Path, split: str) -> Sequence[list[str]]:
    """The sentences of split `train`, where it is not the one that is measured."""
    if split in ("train", "all"):
        return ()
    try:
        return tuple(read_split(folder, "train").values())
    except UnknownNameError:
        return ()
