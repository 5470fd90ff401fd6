"""What the training of the captioner's decoder needs of pictures, computed once and kept in a folder.

Places of the captioner's encoder, whole and mirrored, and the tags of the taggers, which are known for a part of the
training pictures only: the detector takes most of the time.
"""

import csv
import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.data.words import split_words
from szem.media.pictures import read_picture
from szem.runtime.prepare import prepare_picture
from szem.tasks.captioning.tags import tagger_of
from szem.tasks.models import open_model

__all__ = ["Features", "read_features"]

HELD_OUT = 500  # the last pictures of Flickr8k train
_TAGGED = 4  # of so many training pictures one gets tags


@dataclass(frozen=True, eq=False)
class Features:
    """A set of pictures.

    Args:
        rows: For each picture `people_text`, `people` (words), `split` and `tags`, None where they were not computed.
        places: (N, forms, PLACES, WIDTH).
    """

    rows: list[dict[str, Any]]
    places: NDArray[np.float16]


def read_features(data: Path, name: str, kept: Path) -> Features:
    """The features of `train`, `held` (both Flickr8k train) or `coco` (coco_mini), computed where missing."""
    file = kept / f"{name}.places.npy"
    if not file.is_file():
        kept.mkdir(parents=True, exist_ok=True)
        _compute(_pictures(data, name), name, kept)
    with (kept / f"{name}.tags.pkl").open("rb") as opened:
        rows = pickle.load(opened)  # noqa: S301  written by this script
    return Features(rows, np.load(file, mmap_mode="r"))


def _pictures(data: Path, name: str) -> dict[Path, tuple[str, list[str]]]:
    """File -> split and sentences."""
    folder = data / ("coco_mini" if name == "coco" else "flickr8k")
    splits: dict[str, str] = {}
    if name == "coco":
        about = json.loads((folder / "instances.json").read_text(encoding="utf-8"))
        splits = {row["file_name"]: row["split"] for row in about["images"]}
    out: dict[Path, tuple[str, list[str]]] = {}
    with (folder / "captions.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            split = row.get("split") or splits.get(row["image"], "")
            if name == "coco" or split == "train":
                out.setdefault(folder / "images" / row["image"], (split, []))[1].append(row["caption"])
    files = list(out)
    chosen = {"train": files[:-HELD_OUT], "held": files[-HELD_OUT:]}.get(name, files)
    return {path: out[path] for path in chosen}


def _compute(pictures: dict[Path, tuple[str, list[str]]], name: str, kept: Path) -> None:
    encoder = open_model(task="caption", threads=1)
    tagger = tagger_of(open_model(task="detect", threads=1), open_model(task="classify", threads=1))
    rules = encoder.model.card.picture
    rows, places = [], []
    for number, (path, (split, texts)) in enumerate(pictures.items()):
        whole = read_picture(path)
        both = [prepare_picture(p, rules) for p in (whole, np.ascontiguousarray(whole[:, ::-1]))]
        found = encoder.run(np.concatenate(both), roles=["places"])["places"]
        places.append(found.reshape(2, -1, found.shape[-1]).astype(np.float16))
        tagged = name != "train" or number % _TAGGED == 0
        tags = list(tagger(whole).tags) if tagged else None
        row = {"people_text": texts, "people": [split_words(text) for text in texts], "split": split, "tags": tags}
        rows.append(row)
    with (kept / f"{name}.tags.pkl").open("wb") as opened:
        pickle.dump(rows, opened)
    np.save(kept / f"{name}.places.npy", np.stack(places))
