"""Folders that are nobody's published set, as people have them for outlines, drawings, lips and sounds."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from szem.data.flowers_birds.drawables import read_drawables
from szem.data.folders import read_folders
from szem.data.lip_words import list_lip_takes, read_lip_takes
from szem.data.outlines import read_any_outlined
from szem.data.sounds import in_split, read_labelled_sounds
from szem.errors import FileMissingError, FormatError, TrainError, UnknownNameError
from szem.media.sound import write_sound


def picture(path: Path, size: tuple[int, int] = (100, 80)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)


def test_polygons_of_any_tool_are_outlined_objects(tmp_path: Path) -> None:
    for split in ("train", "val"):
        picture(tmp_path / "images" / split / f"{split}.png")
        label = tmp_path / "labels" / split / f"{split}.txt"
        label.parent.mkdir(parents=True)
        label.write_text("0 0.2 0.2 0.7 0.2 0.7 0.8 0.2 0.8\n")
    (tmp_path / "classes.txt").write_text("nut\n")
    items, broken = read_any_outlined(tmp_path, split="val")
    assert [(item.source, item.name) for item in items] == [("nut", "val.png")]
    assert broken == []
    box = items[0].box_xyxy
    assert items[0].mask.sum() == pytest.approx((box[2] - box[0]) * (box[3] - box[1]), rel=0.05)
    assert len(read_any_outlined(tmp_path, split="all")[0]) == 2
    with pytest.raises(UnknownNameError, match="no pictures of split 'odd'"):
        read_any_outlined(tmp_path, split="odd")
    for file in tmp_path.rglob("labels/*/*.txt"):
        file.write_text("0 0.5 0.5 0.4 0.4\n")
    with pytest.raises(TrainError, match="needs polygons or masks"):
        read_any_outlined(tmp_path, split="all")


def test_pictures_with_sentences_are_drawables_by_their_words(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        picture(tmp_path / "images" / name)
    rows = ["a.png,a small bird with a red beak", "b.png,white petals", "c.png,a car"]
    (tmp_path / "captions.csv").write_text("\n".join(["image,caption", *rows]))
    assert {one.path.name: one.subject for one in read_drawables(tmp_path)} == {"a.png": "bird", "b.png": "flower"}
    (tmp_path / "captions.csv").write_text("image,caption\nc.png,a car\n")
    with pytest.raises(TrainError, match="flower or a bird"):
        read_drawables(tmp_path)


def test_lip_takes_need_no_speaker_and_no_kind(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("video,text\na.mp4,hello\nb.mp4,good  bye\n")
    assert [(take.kind, take.text, take.speaker) for take in list_lip_takes(tmp_path)] == [
        ("word", "hello", ""),
        ("phrase", "good bye", ""),
    ]
    with pytest.raises(FileMissingError):
        read_lip_takes(tmp_path)
    (tmp_path / "index.csv").write_text("video,words\na.mp4,hello\n")
    with pytest.raises(FormatError, match="video and text"):
        list_lip_takes(tmp_path)


def test_folders_of_sounds_hold_out_whole_recordings_of_each_class(tmp_path: Path) -> None:
    for kind in ("door_bell", "tap"):
        for number in range(10):
            (tmp_path / kind).mkdir(exist_ok=True)
            write_sound(tmp_path / kind / f"{number}.wav", np.zeros(1600, np.float32))
    (tmp_path / "tap" / "notes.txt").write_text("x")
    found = read_labelled_sounds(tmp_path)
    assert found.kinds == ("door bell", "tap")
    assert [fault.name for fault in found.broken] == ["tap/notes.txt"]
    held = in_split(found.sounds, "val")
    assert {one.kind for one in held} == {"door bell", "tap"}
    assert len(held) + len(in_split(found.sounds, "train")) == 20
    assert in_split(found.sounds, "test") == []


def test_class_folders_inside_splits_are_not_taken_for_classes(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        for name in ("cat", "dog"):
            picture(tmp_path / split / name / f"{split}.png")
    found = read_folders(tmp_path)
    assert found.classes == ("cat", "dog")
    assert sorted(set(found.splits)) == ["test", "train", "val"]


def test_tables_of_classes_are_read_with_their_faults(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        picture(tmp_path / "images" / name)
    (tmp_path / "labels.csv").write_text(
        "FileName;Class;set\na.png;cat;train\nb.png;dog;valid\ngone.png;cat;train\nb.png;;\n"
    )
    found = read_folders(tmp_path)
    assert [
        (f.name, found.classes[n], s) for f, n, s in zip(found.files, found.labels, found.splits, strict=True)
    ] == [
        ("a.png", "cat", "train"),
        ("b.png", "dog", "val"),
    ]
    assert [fault.name for fault in found.broken] == ["labels.csv:4", "labels.csv:5"]


def test_roboflows_columns_of_ones_are_classes(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        for name in ("a.png", "b.png", "both.png"):
            picture(tmp_path / split / name)
        table = "filename, cat, dog\na.png,1,0\nb.png,0,1\nboth.png,1,1\n"
        (tmp_path / split / "_classes.csv").write_text(table)
    found = read_folders(tmp_path)
    assert found.classes == ("cat", "dog")
    assert len(found.files) == 4
    assert {fault.reason for fault in found.broken} == {"both.png has no class, or several"}
