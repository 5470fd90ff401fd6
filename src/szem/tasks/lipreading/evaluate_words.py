"""Scores of a `lipwords` model, taken through the shipped path: the task, on the exported file."""

from pathlib import Path

import numpy as np

from szem.data.lip_words import read_lip_takes
from szem.results.score import Measurement
from szem.runtime.store import Model
from szem.tasks.lipreading.single_words import RATE_HZ, LipWordReader

__all__ = ["evaluate_lip_words"]


def evaluate_lip_words(model: Model, folder: Path, split: str) -> list[Measurement]:
    """Fraction of takes whose word is right among the words, phrase among the phrases, and either among all.

    Args:
        model: A `lipwords` model.
        folder: Takes (see `data.lip_words`).
        split: test, train, all, or speakers joined by commas.
    """
    reader = LipWordReader(model)
    takes = read_lip_takes(folder, split=split)
    rows, right_of = [], {}
    for kind in ("word", "phrase", "any"):
        ours = [take for take in takes if kind in (take.kind, "any")]
        seconds = [len(take.frames) / RATE_HZ for take in ours]
        found = [
            reader([take.frames], [length], kind=kind, top=1)[0].items[0].name
            for take, length in zip(ours, seconds, strict=True)
        ]
        right = [name == take.text for name, take in zip(found, ours, strict=True)]
        right_of[kind] = right
        if ours:
            rows.append(
                Measurement({"any": "all right"}.get(kind, f"{kind}s right"), float(np.mean(right)), len(ours))
            )
    for speaker in sorted({take.speaker for take in takes}):
        right = [
            ok
            for ok, take in zip(right_of["word"], (t for t in takes if t.kind == "word"), strict=True)
            if take.speaker == speaker
        ]
        if right:
            rows.append(Measurement(f"words right, {speaker}", float(np.mean(right)), len(right)))
    return rows
