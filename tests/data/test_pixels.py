"""Pictures with a label for every pixel."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from szem.data.pixels import IGNORED, read_classes, read_pixel_set
from szem.errors import FileMissingError, TrainError


def made(folder: Path) -> Path:
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    (folder / "classes.txt").write_text("sky\nroad\nvoid\n")
    label = np.array([[0, 1, 2], [1, 1, 200]], np.uint8)
    for name, side in (("a", (3, 2)), ("b", (3, 2)), ("c", (4, 2))):
        Image.new("RGB", side).save(folder / "images" / f"{name}.png")
        Image.fromarray(label).save(folder / "labels" / f"{name}.png")
    (folder / "labels" / "b.png").write_bytes(b"no picture")
    return folder


def test_labels_beyond_the_classes_do_not_count(tmp_path: Path) -> None:
    found = read_pixel_set(made(tmp_path), split=None, classes=2)
    assert found.names == ("a.png",)
    assert found.labels[0].tolist() == [[0, 1, IGNORED], [1, 1, IGNORED]]


def test_broken_pairs_are_listed(tmp_path: Path) -> None:
    found = read_pixel_set(made(tmp_path), split=None, classes=2)
    assert [b.name for b in found.broken] == ["b.png", "c.png"]
    assert "they must agree" in found.broken[1].reason


def test_the_index_says_which_split(tmp_path: Path) -> None:
    folder = made(tmp_path)
    (folder / "index.csv").write_text("image,label,split\na.png,a.png,val\nc.png,c.png,train\n")
    assert read_pixel_set(folder, split="val", classes=2).names == ("a.png",)
    with pytest.raises(TrainError, match="no picture with labels in split 'test'"):
        read_pixel_set(folder, split="test", classes=2)


def test_void_is_not_a_class(tmp_path: Path) -> None:
    assert read_classes(made(tmp_path)) == ("sky", "road")
    with pytest.raises(FileMissingError, match=r"classes\.txt: missing"):
        read_classes(tmp_path / "images")
    with pytest.raises(FileMissingError, match=r"neither index\.csv nor images/"):
        read_pixel_set(tmp_path / "labels", split=None, classes=2)
