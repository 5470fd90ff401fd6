"""Boxes become labels per pixel; pictures that are known are left out."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.models.fill_boxes import ConfidenceOf, fill_boxes, fill_folder, same_pictures
from szem.data.boxes import read_coco
from szem.data.pixels import IGNORED, read_pixel_set
from szem.errors import FormatError
from szem.tasks.models import open_model

CLASSES = ("background", "ball", "brick")
BALL, BRICK, SMALL, HARD = (40, 40, 104, 104), (130, 30, 190, 110), (4, 4, 12, 12), (4, 80, 34, 118)


def scene() -> np.ndarray:
    """A bright ball and a brick on a dark ground."""
    random = np.random.default_rng(0)
    picture = random.integers(20, 50, (120, 200, 3)).astype(np.uint8)
    rows, columns = np.mgrid[:120, :200]
    picture[(rows - 72) ** 2 + (columns - 72) ** 2 < 32**2] = (230, 120, 40)
    picture[30:110, 130:190] = (60, 140, 220)
    return picture


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Pictures with boxes, and a folder of masks that knows one of them under another name."""
    boxes, masks = tmp_path / "boxes", tmp_path / "masks"
    for folder in (boxes, masks):
        (folder / "images").mkdir(parents=True)
    Image.fromarray(scene()).save(boxes / "images" / "a.png")
    Image.fromarray(scene()[:, ::-1].copy()).save(boxes / "images" / "b.png")
    Image.fromarray(scene()[:, ::-1].copy()).save(masks / "images" / "other_name.jpg", quality=90)
    (masks / "classes.txt").write_text("\n".join(CLASSES))
    rows = [(1, BALL, 1, 0), (1, BRICK, 2, 0), (1, SMALL, 1, 0), (1, HARD, 2, 1), (2, BRICK, 2, 0)]
    annotations = [
        {"id": i, "image_id": image, "category_id": label, "bbox": [x, y, u - x, v - y], "difficult": hard}
        for i, (image, (x, y, u, v), label, hard) in enumerate(rows)
    ]
    images = [
        {"id": n, "file_name": f"{name}.png", "width": 200, "height": 120, "split": "train"}
        for n, name in ((1, "a"), (2, "b"))
    ]
    categories = [{"id": 1, "name": "ball"}, {"id": 2, "name": "brick"}]
    text = json.dumps({"images": images, "annotations": annotations, "categories": categories})
    (boxes / "instances.json").write_text(text)
    return boxes, masks


def test_boxes_are_filled_and_what_is_unsure_is_not_counted(folders: tuple[Path, Path]) -> None:
    session = open_model(None, task="outline", threads=1)
    boxed = read_coco(folders[0] / "instances.json").pictures[0]
    label, filled = fill_boxes(session, scene(), boxed, ConfidenceOf())
    assert filled == 2
    assert label[72, 72] == 1
    assert label[70, 160] == 2
    assert label[5, 100] == 0  # outside of every box
    assert (label[4:12, 4:12] == IGNORED).all()  # too small to be filled
    assert (label[80:118, 4:34] == IGNORED).all()  # marked as hard
    ball = (np.mgrid[:120, :200][0] - 72) ** 2 + (np.mgrid[:120, :200][1] - 72) ** 2 < 32**2
    assert (label == 1)[ball].mean() > 0.85


def test_a_box_that_holds_hardly_an_object_is_not_counted(folders: tuple[Path, Path]) -> None:
    session = open_model(None, task="outline", threads=1)
    boxed = read_coco(folders[0] / "instances.json").pictures[0]
    label, filled = fill_boxes(session, scene(), boxed, ConfidenceOf(fraction=1.0))
    assert filled == 0
    assert (label[45:100, 45:100] == IGNORED).all()


def test_a_folder_is_written_without_known_pictures(folders: tuple[Path, Path], tmp_path: Path) -> None:
    boxes, masks = folders
    session = open_model(None, task="outline", threads=1)
    found = fill_folder(boxes, tmp_path / "out", like=masks, split="train", session=session)
    assert (found.pictures, found.boxes, found.unsure, found.known) == (1, 2, 2, 1)
    read = read_pixel_set(tmp_path / "out", split="train", classes=3)
    assert read.names == ("a.png",)
    assert set(np.unique(read.labels[0])) == {0, 1, 2, IGNORED}


def test_other_classes_are_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    boxes, masks = folders
    (masks / "classes.txt").write_text("background\nbrick\nball\n")
    with pytest.raises(FormatError, match="must agree"):
        fill_folder(boxes, tmp_path / "out", like=masks, split="train", session=None)


def test_the_same_photograph_is_known_by_its_looks(folders: tuple[Path, Path]) -> None:
    boxes, masks = folders
    files = sorted((boxes / "images").iterdir())
    assert same_pictures(files, list((masks / "images").iterdir())) == {files[1]}
    assert same_pictures(files, []) == set()
