"""Measure a captioner through the shipped path, on any folder of pictures with sentences, boxes or both.

- Sentences (`captions.csv`: image, split, caption): BLEU and CIDEr-D of the network's own sentences, said or not; how
  many of them no training picture has.
- Sentences or boxes (any form `read_boxed` takes): CHAIR, objects that are named and not there; the fraction of
  pictures with a caption, and how many of those are right.
- Boxes: how many captions name an object that is marked.

Sentences are split into words as `data.words` says, on both sides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from szem.data.boxed_folder import read_boxed
from szem.data.folders import read_captions
from szem.data.words import split_words
from szem.errors import FileMissingError, UnknownNameError
from szem.media.pictures import read_picture
from szem.results.caption import Caption
from szem.results.class_aliases import coco_name
from szem.results.score import Measurement
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.captioning.bleu_cider import Cider, bleu
from szem.tasks.captioning.caption import Captioner
from szem.tasks.captioning.judgement import chair, is_right
from szem.tasks.captioning.nouns import named_classes
from szem.tasks.eval_run import EvalRun

__all__ = ["evaluate_caption", "read_split"]

_TOGETHER = 8  # pictures at a time
_BEAMS = 10


@dataclass
class _Described:
    """A picture with what people say of it and what the captioner says."""

    file: Path
    people: list[str] = field(default_factory=list)
    present: set[str] = field(default_factory=set)  # classes that people marked with boxes
    own: list[str] = field(default_factory=list)  # words of the network's sentence, said or not
    caption: Caption | None = None

    @property
    def said(self) -> list[str]:
        """The words of the caption; none where there is none."""
        return split_words(self.caption.text) if self.caption else []


def evaluate_caption(model: Model, folder: Path, split: str, *, run: EvalRun | None = None) -> list[Measurement]:
    """The measures that the folder's annotations allow; see the head of this file.

    Raises:
        UnknownNameError: no picture is of this split.
        FileMissingError: the folder has neither `captions.csv` nor boxes.
    """
    captioner = Captioner(Session(model, threads=1))
    pictures = _read(folder, split)
    run = run or EvalRun()
    for start in range(0, len(pictures), _TOGETHER):
        if run.on_progress is not None:
            run.on_progress("pictures", start, len(pictures))
        part = pictures[start : start + _TOGETHER]
        encoded = captioner.encode([read_picture(one.file) for one in part])
        found = captioner.search(encoded, beams=_BEAMS)
        for one, picture, hypotheses in zip(part, encoded, found, strict=True):
            one.own = split_words(captioner.words.decode(hypotheses[0].numbers))
            one.caption = captioner.to_caption(picture, hypotheses)
    written = [one for one in pictures if one.people]
    out: list[Measurement] = []
    if written:
        out += _sentence_scores(written, _training_captions(folder, split))
    out += _truth_scores(pictures)
    return out


def _sentence_scores(pictures: Sequence[_Described], trained: Sequence[Sequence[str]]) -> list[Measurement]:
    """BLEU and CIDEr-D of the network's sentences."""
    captions = [one.own for one in pictures]
    people = [[split_words(text) for text in one.people] for one in pictures]
    n = len(pictures)
    out = [Measurement(f"BLEU-{k}", value, n) for k, value in enumerate(bleu(captions, people), start=1)]
    out.append(Measurement("CIDEr-D", Cider(people).mean(captions), n))
    known = {tuple(split_words(text)) for texts in trained for text in texts}
    if known:
        new = sum(tuple(words) not in known for words in captions)
        out.append(Measurement("fraction of sentences not in training", new / n, n))
    return out


def _truth_scores(pictures: Sequence[_Described]) -> list[Measurement]:
    """Objects that are not there, captions said, and how many of those are right."""
    n = len(pictures)
    people = [[split_words(text) for text in one.people] for one in pictures]
    present = [one.present for one in pictures]
    out = []
    if any(people):
        for kind, words in (
            ("captions", [one.said for one in pictures]),
            ("network's own", [one.own for one in pictures]),
        ):
            by_object, by_sentence = chair(words, people, present)
            out.append(Measurement(f"CHAIRi, {kind}", by_object, n))
            out.append(Measurement(f"CHAIRs, {kind}", by_sentence, n))
        right = [is_right(one.said, said, one.present) for one, said in zip(pictures, people, strict=True)]
        for kind, sources in (
            ("said", ("model", "tags")),
            ("from the network", ("model",)),
            ("from tags", ("tags",)),
        ):
            chosen = [k for k, one in enumerate(pictures) if one.caption and one.caption.source in sources]
            out.append(Measurement(f"fraction of pictures with a caption {kind}", len(chosen) / n, n))
            if chosen:
                precision = sum(right[k] for k in chosen) / len(chosen)
                out.append(Measurement(f"fraction of captions {kind} that are right", precision, len(chosen)))
    marked = [one for one in pictures if one.present]
    if marked:
        named = sum(any(name in one.present for name, _ in named_classes(one.said)) for one in marked)
        out.append(Measurement("fraction of captions that name a marked object", named / len(marked), len(marked)))
    return out


def _read(folder: Path, split: str) -> list[_Described]:
    """The pictures of a split with their sentences and boxes."""
    boxes: dict[Path, set[str]] = {}
    splits: dict[Path, str] = {}
    try:
        found = read_boxed(folder)
    except FileMissingError as error:
        if not (folder / "captions.csv").is_file():
            raise FileMissingError(
                f"{folder}: has neither captions.csv (image, caption, perhaps split) nor boxes in a form that szem "
                "reads; give a folder of pictures with sentences"
            ) from error
    else:
        for picture in found.pictures:
            boxes[picture.path] = {coco_name(found.classes[label]) for label in picture.labels}
            splits[picture.path] = picture.split
    pictures: dict[Path, _Described] = {}
    if (folder / "captions.csv").is_file():
        for row in read_captions(folder / "captions.csv").rows:
            if split in ("all", row.split or splits.get(row.path, "")):
                pictures.setdefault(row.path, _Described(row.path)).people.append(row.caption)
    else:
        pictures = {file: _Described(file) for file in boxes if split in ("all", splits[file])}
    for file, one in pictures.items():
        one.present = boxes.get(file, set())
    if not pictures:
        known = sorted({*splits.values(), *_splits_of_captions(folder)} - {""})
        raise UnknownNameError(f"{folder}: no split called {split!r}; there are {', '.join(['all', *known])}")
    return list(pictures.values())


def _splits_of_captions(folder: Path) -> set[str]:
    file = folder / "captions.csv"
    return {row.split for row in read_captions(file).rows} if file.is_file() else set()


def read_split(folder: Path, split: str) -> dict[Path, list[str]]:
    """The pictures of a split that have sentences, in the order of `captions.csv`; `all` takes every row.

    Raises:
        UnknownNameError: no row is of this split.
    """
    return {one.file: one.people for one in _read(folder, split) if one.people}


def _training_captions(folder: Path, split: str) -> Sequence[list[str]]:
    """The sentences of split `train`, where it is not the one that is measured."""
    if split in ("train", "all"):
        return ()
    try:
        return tuple(read_split(folder, "train").values())
    except UnknownNameError:
        return ()
