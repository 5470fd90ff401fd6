"""COCO JSON, VOC XML and YOLO text say the same, and what is broken is listed."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from szem.data.boxes import BoxSet, read_coco, read_voc, read_yolo
from szem.errors import FileMissingError, FormatError, TrainError


def pictures(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", (100, 50)).save(folder / name)


def coco(folder: Path) -> Path:
    pictures(folder / "images", "a.png", "b.png")
    (folder / "images" / "bad.png").write_bytes(b"no picture")
    ring = [10, 10, 30, 10, 30, 40, 10, 40]
    data = {
        "images": [
            {"id": 1, "file_name": "a.png", "width": 100, "height": 50},
            {"id": 2, "file_name": "b.png", "width": 200, "height": 100},  # was made half as large since
            {"id": 3, "file_name": "bad.png", "width": 1, "height": 1},
            {"id": 4, "file_name": "gone.png", "width": 1, "height": 1},
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 7, "bbox": [10, 10, 20, 30], "segmentation": [ring]},
            {"id": 2, "image_id": 2, "category_id": 3, "bbox": [20, 20, 40, 60], "iscrowd": 1},
            {"id": 3, "image_id": 2, "category_id": 99, "bbox": [0, 0, 5, 5]},
            {"id": 4, "image_id": 2, "category_id": 3, "bbox": [0, 0, 0, 5]},
        ],
        "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}],
    }
    (folder / "instances.json").write_text(json.dumps(data))
    return folder / "instances.json"


def voc(folder: Path) -> Path:
    pictures(folder / "JPEGImages", "a.png", "b.png")
    notes = folder / "Annotations"
    notes.mkdir()
    box = "<bndbox><xmin>11</xmin><ymin>11</ymin><xmax>30</xmax><ymax>40</ymax></bndbox>"
    one = f"<object><name>dog</name><difficult>0</difficult>{box}</object>"
    two = f"<object><name>cat</name><difficult>1</difficult>{box}</object>"
    (notes / "a.xml").write_text(f"<annotation><filename>a.png</filename>{one}</annotation>")
    (notes / "b.xml").write_text(f"<annotation><filename>b.png</filename>{two}</annotation>")
    (notes / "c.xml").write_text("<annotation><filename>c.png</filename></annotation>")
    (notes / "d.xml").write_text("<annotation>")
    bomb = '<!DOCTYPE a [<!ENTITY x "xx">]><annotation><filename>&x;</filename></annotation>'
    (notes / "e.xml").write_text(bomb)
    return folder


def yolo(folder: Path) -> Path:
    pictures(folder / "images", "a.png", "b.png", "empty.png")
    (folder / "labels").mkdir()
    (folder / "classes.txt").write_text("cat\ndog\n")
    (folder / "labels" / "a.txt").write_text("1 0.2 0.5 0.2 0.6\n\n")
    (folder / "labels" / "b.txt").write_text("0 0.2 0.5 0.2 0.6\n5 0.5 0.5 0.1 0.1\nx 1 2\n0 0.5 0.5 0 0.1\n")
    return folder


def check_dog_and_cat(found: BoxSet) -> None:
    assert found.classes == ("cat", "dog")
    by_name = {p.path.name: p for p in found.pictures}
    for name, label in (("a.png", 1), ("b.png", 0)):
        np.testing.assert_allclose(by_name[name].boxes_xyxy, [[10, 10, 30, 40]], atol=1e-4)
        assert by_name[name].labels.tolist() == [label]


def test_coco(tmp_path: Path) -> None:
    found = read_coco(coco(tmp_path))
    check_dog_and_cat(found)
    a, b = found.pictures
    np.testing.assert_array_equal(a.polygons[0][0], [[10, 10], [30, 10], [30, 40], [10, 40]])
    assert b.is_hard.tolist() == [True]
    reasons = " ".join(f"{x.name}: {x.reason}" for x in found.broken)
    for part in ("bad.png: not a picture", "gone.png: no such picture", "annotation 3", "annotation 4"):
        assert part in reasons.replace("bad.png: bad.png", "bad.png").replace("gone.png: gone.png", "gone.png")


def test_voc(tmp_path: Path) -> None:
    found = read_voc(voc(tmp_path))
    check_dog_and_cat(found)
    assert [p.is_hard.tolist() for p in found.pictures] == [[False], [True]]
    assert {b.name for b in found.broken} == {"c.xml", "d.xml", "e.xml"}


def test_yolo(tmp_path: Path) -> None:
    found = read_yolo(yolo(tmp_path))
    check_dog_and_cat(found)
    assert {p.path.name: len(p.boxes_xyxy) for p in found.pictures} == {"a.png": 1, "b.png": 1, "empty.png": 0}
    assert {b.name for b in found.broken} == {"b.png", "b.txt:3", "b.txt:4", tmp_path.name}


def test_what_is_missing_or_of_another_form_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(FormatError, match="not COCO JSON; it needs the lists images, annotations, categories"):
        read_coco(tmp_path / "x.json")
    (tmp_path / "y.json").write_text("{")
    with pytest.raises(FormatError, match="not JSON"):
        read_coco(tmp_path / "y.json")
    with pytest.raises(FileMissingError, match="no such file"):
        read_coco(tmp_path / "none.json")
    with pytest.raises(FileMissingError, match=r"no \.xml files"):
        read_voc(tmp_path)
    with pytest.raises(FileMissingError, match="YOLO data has images/ and labels/"):
        read_yolo(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(TrainError, match="not one usable picture"):
        read_yolo(tmp_path)
