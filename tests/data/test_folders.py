"""Folders by class and CSV files with sentences."""

from pathlib import Path

import pytest
from PIL import Image

from szem.data.broken import Broken, describe_broken
from szem.data.folders import read_captions, read_folders
from szem.errors import FileMissingError, FormatError, TrainError


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)


def test_folders_are_the_classes(tmp_path: Path) -> None:
    for name in ("dogs/1.png", "dogs/deep/2.JPG", "cats/3.png", "cats/.hidden.png", "loose.png"):
        picture(tmp_path / name)
    (tmp_path / "cats" / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    found = read_folders(tmp_path)
    assert found.classes == ("cats", "dogs")
    assert [(f.name, found.classes[n]) for f, n in zip(found.files, found.labels, strict=True)] == [
        ("3.png", "cats"),
        ("1.png", "dogs"),
        ("2.JPG", "dogs"),
    ]
    assert [b.name for b in found.broken] == ["cats/notes.txt", "empty", "loose.png"]


def test_one_class_is_not_enough(tmp_path: Path) -> None:
    picture(tmp_path / "dogs" / "1.png")
    with pytest.raises(TrainError, match="a folder for each class, two at least, with pictures inside; found dogs"):
        read_folders(tmp_path)
    with pytest.raises(FileMissingError, match="no such folder"):
        read_folders(tmp_path / "none")


def test_captions_are_read_and_broken_lines_listed(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png")
    file = tmp_path / "captions.csv"
    file.write_text('image,split,caption\na.png,train,"A dog, running"\na.png,val,\ngone.png,val,A cat\n', "utf-8")
    found = read_captions(file)
    assert [(r.path.name, r.caption, r.split) for r in found.rows] == [("a.png", "A dog, running", "train")]
    assert [b.name for b in found.broken] == ["line 3", "line 4"]


@pytest.mark.parametrize(
    ("content", "error", "match"),
    [
        (b"image,text\n", FormatError, "has no column caption"),
        (b"image,caption\n\xff\xfe,x\n", FormatError, "not UTF-8"),
        (b"image,caption\n", TrainError, "not one usable row"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, error: type[Exception], match: str) -> None:
    file = tmp_path / "captions.csv"
    file.write_bytes(content)
    with pytest.raises(error, match=match):
        read_captions(file)


def test_what_is_broken_is_reported_in_a_sentence() -> None:
    many = [Broken(f"{n}.jpg", "no bytes") for n in range(7)]
    assert describe_broken(many, most=1) == "7 left out: 0.jpg (no bytes); and 6 more"
    assert describe_broken([]) == ""
