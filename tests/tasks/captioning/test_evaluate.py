"""evaluate.py: a folder is measured by what it has, sentences, boxes or both."""

import json
import shutil
from pathlib import Path

import pytest

from szem.errors import FileMissingError, UnknownNameError
from szem.media.samples import sample_path
from szem.runtime.store import find_model, shipped_folder
from szem.tasks.captioning.evaluate import evaluate_caption


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "data"
    (home / "images").mkdir(parents=True)
    for name in ("cat", "coins"):
        shutil.copy(sample_path(name), home / "images" / f"{name}.png")
    return home


def boxes(folder: Path) -> None:
    images = [
        {"id": 1, "file_name": "cat.png", "width": 451, "height": 300, "split": "val"},
        {"id": 2, "file_name": "coins.png", "width": 384, "height": 303, "split": "train"},
    ]
    marked = [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [10, 0, 390, 300]}]
    categories = [{"id": 3, "name": "cat"}]
    data = {"images": images, "annotations": marked, "categories": categories}
    (folder / "instances.json").write_text(json.dumps(data))


def scores(folder: Path, split: str) -> dict[str, tuple[float, int]]:
    found = evaluate_caption(find_model(shipped_folder() / "caption"), folder, split)
    return {one.metric: (one.value, one.n) for one in found}


def test_boxes_alone_say_whether_the_object_is_named(folder: Path) -> None:
    boxes(folder)
    assert scores(folder, "val") == {"fraction of captions that name a marked object": (1.0, 1)}


def test_with_sentences_and_boxes_the_split_is_that_of_the_boxes(folder: Path) -> None:
    boxes(folder)
    (folder / "captions.csv").write_text("image,caption\ncat.png,a brown cat looks up\ncoins.png,old coins\n")
    found = scores(folder, "val")
    assert found["BLEU-1"][1] == 1
    assert found["CHAIRi, captions"] == (0, 1)
    assert found["fraction of pictures with a caption said"] == (1, 1)
    assert found["fraction of captions said that are right"] == (1, 1)
    both = scores(folder, "all")
    assert both["fraction of pictures with a caption said"] == (0.5, 2)  # of the coins it knows nothing
    assert both["fraction of captions said that are right"] == (1, 1)


def test_what_cannot_be_measured_is_refused(folder: Path) -> None:
    with pytest.raises(FileMissingError):
        evaluate_caption(find_model(shipped_folder() / "caption"), folder, "val")
    boxes(folder)
    with pytest.raises(UnknownNameError, match="no split called 'test'; there are all, train, val"):
        scores(folder, "test")
