"""Scores of a `lipwords` model, taken through the shipped path: the task, on the exported file."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.data.broken import Broken
from szem.data.lip_words import LipTakeFile, list_lip_takes
from szem.errors import EmptyFileError, UnknownNameError
from szem.media.video import read_video
from szem.results.score import Confusion, Measurement
from szem.runtime.store import Model
from szem.tasks.bootstrap import mean_of
from szem.tasks.eval_run import EvalRun
from szem.tasks.faces.mouth_crops import track_mouth
from szem.tasks.lipreading.single_words import RATE_HZ, LipWordReader, tight_crops

__all__ = ["evaluate_lip_words"]

_WIDEST_CROP_PX = 200  # wider videos show more than a mouth, which is then looked for


def evaluate_lip_words(model: Model, folder: Path, split: str, *, run: EvalRun | None = None) -> list[Measurement]:
    """Fraction of takes whose word is right among the words, phrase among the phrases, and either among all.

    Takes of words that the model does not know are left out and listed.

    Args:
        model: A `lipwords` model.
        folder: Takes (see `data.lip_words`): mouth crops, or videos of faces.
        split: test, train, all, or speakers joined by commas.
    Raises:
        UnknownNameError: no such split, or the model knows none of the words.
    """
    run = run or EvalRun()
    reader = LipWordReader(model)
    takes = list_lip_takes(folder, split=split)
    known = {name.lower(): name for name in model.labels}
    truth = {take.text: known.get(run.name_of(take.text).lower(), "") for take in takes}
    for text in sorted(text for text, name in truth.items() if not name):
        run.broken.append(Broken(text or "a take without a text", "not a word of the model; its takes are left out"))
    takes = [take for take in takes if truth[take.text]]
    if not takes:
        raise UnknownNameError(f"{folder}: no text is one of the model's, {', '.join(model.labels)}")

    def measure(take: LipTakeFile) -> dict[str, str]:
        frames, seconds = _mouth_of(take.path)
        return {kind: reader([frames], [seconds], kind=kind, top=1)[0].items[0].name for kind in (take.kind, "any")}

    done = run.each(takes, measure, key=lambda take: take.path, doing="takes")
    rows = []
    for kind in ("word", "phrase", "any"):
        right = [record[kind] == truth[take.text] for take, record in done if kind in record]
        if right:
            rows.append(mean_of({"any": "all right"}.get(kind, f"{kind}s right"), right))
    words = [(take, record["word"] == truth[take.text]) for take, record in done if take.kind == "word"]
    for speaker in sorted({take.speaker for take, _ in words} - {""}):
        rows.append(mean_of(f"words right, {speaker}", [ok for take, ok in words if take.speaker == speaker]))
    names = tuple(model.labels)
    counts = np.zeros((len(names), len(names)), np.int64)
    for take, record in done:
        counts[names.index(truth[take.text]), names.index(record["any"])] += 1
    run.confusion = Confusion(names, names, counts)
    return rows


def _mouth_of(path: Path) -> tuple[NDArray[np.uint8], float]:
    """The crops of a take and its length in seconds: the frames themselves where they are crops.

    Raises:
        EmptyFileError: no face is found.
    """
    frames: list[Any] = list(read_video(path))
    if frames and frames[0].picture.shape[1] <= _WIDEST_CROP_PX:
        crops = np.stack([cv2.cvtColor(frame.picture, cv2.COLOR_RGB2GRAY) for frame in frames]).astype(np.uint8)
        return crops, len(crops) / RATE_HZ
    track = track_mouth(frames)
    if not len(track) or not track.valid.any():
        raise EmptyFileError(f"{path.name}: no face is found in it")
    return tight_crops(track), len(track) / track.rate_hz
