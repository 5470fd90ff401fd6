"""How often the words and classes of `szem classify` are right on photographs of another origin than ImageNet.

    python benchmarks/label_words.py --data ../shared/data

PASCAL VOC and COCO say which of their classes are in a picture; a word of szem (cat, vehicle) is right where one of
those it stands for is there. Of a class (tabby cat) it is only known whether its word is right. Words that neither
data set has are left out.
"""

import argparse
import itertools
import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmarks.machine import describe_machine
from szem.media.pictures import read_picture
from szem.tasks.classification.classify import Classifier
from szem.tasks.classification.parents import find_parents
from szem.tasks.models import open_model

ANIMALS = {"bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"}
VEHICLES = {"bicycle", "car", "motorcycle", "motorbike", "airplane", "aeroplane", "bus", "train", "truck", "boat"}
TABLES = {"dining table", "diningtable"}
DOGS = ("dog", "terrier", "hound", "spaniel", "poodle")
BIRDS = ("bird", "bird of prey", "duck", "parrot")
# Word -> the data sets' classes that make it right.
RIGHT: dict[str, set[str]] = {
    "animal": ANIMALS,
    "vehicle": VEHICLES,
    "furniture": {"chair", "couch", "sofa", "bed", *TABLES},
    "chair": {"chair"},
    "table": TABLES,
    "cat": {"cat"},
    "car": {"car"},
    "bus": {"bus"},
    "train": {"train"},
    "bicycle": {"bicycle"},
    "boat": {"boat"},
    "ship": {"boat"},
    "aircraft": {"airplane", "aeroplane"},
    "bottle": {"bottle"},
    **{key: {"dog"} for key in DOGS},
    **{key: {"bird"} for key in BIRDS},
}
WIDE = {"animal", "vehicle", "furniture"}
EDGES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.01)


def pictures_of(folder: Path) -> list[tuple[Path, set[str]]]:
    """Each picture of a folder in COCO's format, and the classes in it."""
    index = json.loads((folder / "instances.json").read_bytes())
    names = {row["id"]: row["name"] for row in index["categories"]}
    found = defaultdict(set)
    for row in index["annotations"]:
        found[row["image_id"]].add(names[row["category_id"]])
    rows = [(folder / "images" / row["file_name"], found[row["id"]]) for row in index["images"]]
    return [row for row in rows if row[0].is_file()]


def measure(classifier: Classifier, folder: Path, most: int) -> tuple[list[tuple[float, bool]], ...]:
    """Score and whether it is right: of each word with a score of at least 0.05, and of each class so."""
    of_words, of_classes = [], []
    for file, truth in pictures_of(folder)[:most]:
        scores = classifier.scores(read_picture(file))
        for word in find_parents(classifier.ids, scores, threshold=EDGES[0]):
            if word.name in RIGHT:
                of_words.append((word.score, bool(RIGHT[word.name] & truth)))
        for place in np.flatnonzero(scores >= EDGES[0]):
            alone = np.zeros_like(scores)
            alone[place] = 1.0
            words = [word.name for word in find_parents(classifier.ids, alone)]
            known = next((word for word in words if word in RIGHT and word not in WIDE), None)
            if known is not None:
                of_classes.append((float(scores[place]), bool(RIGHT[known] & truth)))
    return of_words, of_classes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--most", type=int, default=100_000, help="pictures of each data set")
    options = parser.parse_args()
    print(describe_machine())
    classifier = Classifier(open_model(task="classify", threads=1), workers=1)
    for name in ("voc", "coco"):
        for what, rows in zip(
            ("words", "classes"), measure(classifier, options.data / name, options.most), strict=True
        ):
            values = np.array(rows, float).reshape(-1, 2)
            print(f"\n{name}, {what}: | score | n | mean score | right | right from here on |")
            for low, high in itertools.pairwise(EDGES):
                inside = (values[:, 0] >= low) & (values[:, 0] < high)
                above = values[:, 0] >= low
                if inside.any():
                    mean, right = values[inside].mean(axis=0)
                    print(
                        f"| {low:.2f} | {inside.sum()} | {mean:.2f} | {right:.2f} | {values[above, 1].mean():.3f} |"
                    )


if __name__ == "__main__":
    main()
