r"""Raise a detector's threshold for classes that are right less often than four times of five.

    python -m scripts.models.raise_thresholds --model detect --sets coco_mini:train2017 coco: voc:train/14

Sets are PATH:SPLIT; with /14 behind it only every 14th picture, those that `finetune_ssd` left out.
Boxes of classes that a set has no labels of do not count. Writes the card, and prints what changes.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from szem.data.boxes import BoxedPicture
from szem.results.boxes import Boxes
from szem.runtime.cards import read_card, write_card
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.detection.evaluate import find_all, rate_boxes
from szem.train.detection.calibrate import class_thresholds
from szem.train.detection.training_sets import hold_back, read_set


def found_in(spec: str, session: Session) -> tuple[list[Boxes], list[BoxedPicture]]:
    """What a detector finds in a set, and what is there."""
    labels = session.model.labels
    path, _, split = spec.rpartition(":")
    split, _, every = split.partition("/")
    given = read_set(f"{path}:{split}", labels)
    pictures = hold_back(given, every=int(every))[1] if every else list(given.pictures)
    labelled = np.zeros(len(labels), bool)
    for picture in given.pictures:
        labelled[picture.labels] = True
    return [boxes[labelled[boxes.indices]] for boxes in find_all(session, pictures)], pictures


def main(arguments: Sequence[str] | None = None) -> None:
    """Change the card; see the head of this file."""
    parser = argparse.ArgumentParser(description="Raise the thresholds of classes that are wrong too often.")
    parser.add_argument("--model", type=Path, required=True, help="model folder; its card is changed")
    parser.add_argument("--sets", nargs="+", required=True, help="PATH:SPLIT, or PATH:SPLIT/14")
    given = parser.parse_args(arguments)
    card = read_card(given.model)
    labels = card.labels or ()
    common = min(card.thresholds.values())
    card = card.model_copy(update={"thresholds": dict.fromkeys(labels, common)})
    found: list[Boxes] = []
    truth: list[BoxedPicture] = []
    for spec in given.sets:
        ours, theirs = found_in(spec, Session(Model(card, given.model)))
        found, truth = found + ours, truth + theirs
    raised = class_thresholds(found, truth, threshold=common, classes=len(labels))
    for index, value in enumerate(raised):
        if value > common:
            lowest = np.full(len(labels), np.inf)
            lowest[index] = common
            scores, right = rate_boxes(found, truth, thresholds=lowest)
            kept = right[scores >= value]
            print(
                f"{labels[index]}: {common:.2f} to {value:.2f}; boxes {len(right)} to {len(kept)}, precision "
                f"{right.mean():.2f} to {kept.mean():.2f}, right ones kept {kept.sum() / right.sum():.2f}"
            )
    write_card(given.model, card.model_copy(update={"thresholds": dict(zip(labels, raised, strict=True))}))


if __name__ == "__main__":
    main()
