"""Pictures with boxes as tools really export them: their folders, splits, paths, and photographs that are turned."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from szem.data.boxed_folder import only_split, read_boxed, without_held_out
from szem.data.boxes import BoxSet, read_coco, read_voc, read_yolo
from szem.errors import FileMissingError, FormatError, TrainError
from szem.media.decoding import read_picture_size
from szem.media.pictures import read_picture

# Photographs that are turned -------------------------------------------------------------------------------------

STORED = (60, 40)  # width, height of the pixels as they lie in the file
BOX = (12, 4, 27, 30)  # of the object, in the stored picture


def photo(path: Path, orientation: int) -> Path:
    """A black picture with a white object, turned by its EXIF tag."""
    pixels = np.zeros((STORED[1], STORED[0], 3), np.uint8)
    pixels[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, exif=exif)
    return path


def object_in(path: Path) -> tuple[int, int, int, int]:
    """Where the object lies in the upright picture."""
    rows, columns = np.nonzero(read_picture(path)[..., 0] > 127)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def write_as_coco(folder: Path, picture: Path, box: tuple[float, ...], stated: tuple[int, int]) -> BoxSet:
    x0, y0, x1, y1 = box
    data = {
        "images": [{"id": 1, "file_name": picture.name, "width": stated[0], "height": stated[1]}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [x0, y0, x1 - x0, y1 - y0]}],
        "categories": [{"id": 1, "name": "nut"}],
    }
    data["annotations"][0]["segmentation"] = [[x0, y0, x1, y0, x1, y1, x0, y1]]
    (folder / "instances.json").write_text(json.dumps(data))
    return read_coco(folder / "instances.json", images=picture.parent)


def write_as_voc(folder: Path, picture: Path, box: tuple[float, ...], stated: tuple[int, int]) -> BoxSet:
    corners = "".join(
        f"<{key}>{value}</{key}>"
        for key, value in zip(("xmin", "ymin", "xmax", "ymax"), (box[0] + 1, box[1] + 1, *box[2:]), strict=True)
    )
    size = f"<size><width>{stated[0]}</width><height>{stated[1]}</height><depth>3</depth></size>"
    text = f"<object><name>nut</name><bndbox>{corners}</bndbox></object>"
    (folder / f"{picture.stem}.xml").write_text(
        f"<annotation><filename>{picture.name}</filename>{size}{text}</annotation>"
    )
    return read_voc(folder, images=picture.parent)


def write_as_labelme(folder: Path, picture: Path, box: tuple[float, ...], stated: tuple[int, int]) -> BoxSet:
    shape = {"label": "nut", "points": [[box[2], box[1]], [box[0], box[3]]], "shape_type": "rectangle"}
    about = {"shapes": [shape], "imagePath": picture.name, "imageWidth": stated[0], "imageHeight": stated[1]}
    (picture.parent / f"{picture.stem}.json").write_text(json.dumps(about))
    return read_boxed(picture.parent)


FORMS = [write_as_coco, write_as_voc, write_as_labelme]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_sizes_are_those_of_the_picture_that_is_read(tmp_path: Path, orientation: int, suffix: str) -> None:
    size = read_picture_size(photo(tmp_path / f"a{suffix}", orientation))
    assert (size.height_px, size.width_px) == read_picture(tmp_path / f"a{suffix}").shape[:2]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("factor", [1, 2])  # 2: the file was made half as large after it was labelled
def test_boxes_drawn_on_the_upright_picture(
    tmp_path: Path, form: Callable[..., BoxSet], orientation: int, factor: int
) -> None:
    picture = photo(tmp_path / "pictures" / "a.png", orientation)
    width, height = read_picture(picture).shape[1::-1]
    box = tuple(factor * side for side in object_in(picture))
    found = form(tmp_path, picture, box, (factor * width, factor * height)).pictures[0]
    assert (found.width_px, found.height_px) == (width, height)
    np.testing.assert_allclose(found.boxes_xyxy, [object_in(picture)], atol=1e-3)
    for (ring,) in found.polygons:
        np.testing.assert_allclose([*ring.min(axis=0), *ring.max(axis=0)], object_in(picture), atol=1e-3)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_boxes_of_tools_that_state_the_stored_sides(
    tmp_path: Path, form: Callable[..., BoxSet], orientation: int
) -> None:
    picture = photo(tmp_path / "pictures" / "a.png", orientation)
    found = form(tmp_path, picture, BOX, STORED).pictures[0]
    np.testing.assert_allclose(found.boxes_xyxy, [object_in(picture)], atol=1e-3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_fractions_of_yolo_are_of_the_upright_picture(tmp_path: Path, orientation: int) -> None:
    picture = photo(tmp_path / "images" / "a.png", orientation)
    height, width = read_picture(picture).shape[:2]
    x0, y0, x1, y1 = object_in(picture)
    line = f"0 {(x0 + x1) / 2 / width} {(y0 + y1) / 2 / height} {(x1 - x0) / width} {(y1 - y0) / height}\n"
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text(line)
    np.testing.assert_allclose(read_yolo(tmp_path).pictures[0].boxes_xyxy, [(x0, y0, x1, y1)], atol=1e-3)


# Lines of YOLO ---------------------------------------------------------------------------------------------------


def plain(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (100, 100)).save(path)
    return path


def yolo_lines(folder: Path, text: str) -> BoxSet:
    plain(folder / "images" / "a.png")
    (folder / "labels").mkdir(exist_ok=True)
    (folder / "labels" / "a.txt").write_bytes(text.encode())
    (folder / "classes.txt").write_text("bolt\nnut\n")
    return read_yolo(folder)


LINES = [
    ("1 0.5 0.5 0.4 0.4", (30, 30, 70, 70)),
    ("1 0.5 0.5 0.4 0.4 0.93", (30, 30, 70, 70)),  # a confidence
    ("1 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5", (10, 10, 50, 50)),  # a polygon, or a turned box of four corners
    ("1 0.1 0.2 0.5 0.2 0.3 0.6", (10, 20, 50, 60)),  # a triangle
    ("1.0 0.5 0.5 0.4 0.4\r", (30, 30, 70, 70)),  # as spreadsheets write numbers
]


@pytest.mark.parametrize(("line", "box"), LINES)
def test_a_line_is_a_box_or_a_polygon(tmp_path: Path, line: str, box: tuple[int, ...]) -> None:
    found = yolo_lines(tmp_path, f"\ufeff{line}\n")
    assert found.broken == ()
    np.testing.assert_allclose(found.pictures[0].boxes_xyxy, [box], atol=1e-3)
    assert found.pictures[0].labels.tolist() == [1]
    assert bool(found.pictures[0].polygons) == (len(line.split()) > 6)


BAD_LINES = [
    ("1 0.1 0.1 0.5 0.1 0.5 0.5 0.1", "7 numbers after the class"),
    ("1 320 240 100 80", r"fractions of the sides, 0 to 1, got 80 to 320"),
    ("1 0.1 0.1 0.2 0.2 0.9 17", "fractions of the sides"),  # a track's number at the end
    ("1 0.5 0.5 0 0.4", "an empty box"),
    ("1.5 0.5 0.5 0.1 0.1", "the class must be a number"),
    ("-1 0.5 0.5 0.1 0.1", "the class must be a number"),
    ("1 nan 0.5 0.1 0.1", "not a finite number"),
    ("nut 0.5 0.5 0.1 0.1", "not `class x y w h`"),
    ("1 0.1 0.1 0.5 0.1 0.9 0.1", "without area"),
    ("1e400 0.5 0.5 0.1 0.1", "not `class x y w h`"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_LINES)
def test_lines_of_other_forms_are_named_and_left_out(tmp_path: Path, line: str, reason: str) -> None:
    found = yolo_lines(tmp_path, f"0 0.5 0.5 0.2 0.2\n{line}\n")
    assert len(found.pictures[0].boxes_xyxy) == 1
    assert found.broken[0].name == "a.txt:2"
    with pytest.raises(AssertionError, match=reason):  # shows the reason where it is another
        raise AssertionError(found.broken[0].reason)


# data.yaml -------------------------------------------------------------------------------------------------------


def yolo_home(folder: Path, layout: str) -> Path:
    """Two pictures, one of each split, in Ultralytics' layout or in Roboflow's."""
    for split, label in (("train", "0"), ("val", "1")):
        inner = {"ultralytics": f"{{}}/{split}", "roboflow": f"{split.replace('val', 'valid')}/{{}}"}[layout]
        plain(folder / inner.format("images") / f"{split}.png")
        text = folder / inner.format("labels") / f"{split}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text(f"{label} 0.5 0.5 0.4 0.4\n")
    return folder


YAMLS = [
    ("ultralytics", "path: .\ntrain: images/train\nval: images/val\nnames:\n  0: no\n  1: on\n"),
    ("ultralytics", "path: C:\\Users\\me\\set\ntrain: images\\train\nval: images\\val\nnames: [no, on]\n"),
    (
        "ultralytics",
        "path: /home/o/set  # a note\ntrain: /home/o/set/images/train\nval: [images/val]\nnames: [no, on]\n",
    ),
    ("roboflow", "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 2\nnames: ['no', 'on']\n"),
    ("roboflow", "train: train/images\nval: valid/images\nnames: {0: no, 1: on}\n"),
]


@pytest.mark.parametrize(("layout", "yaml"), YAMLS)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_data_yaml_names_classes_and_splits(tmp_path: Path, layout: str, yaml: str, ends: str) -> None:
    (yolo_home(tmp_path, layout) / "data.yaml").write_bytes(("\ufeff" + yaml).replace("\n", ends).encode())
    for found in (read_boxed(tmp_path), read_boxed(tmp_path / "data.yaml")):
        assert found.classes == ("no", "on")
        assert {p.path.stem: (p.split, p.labels.tolist()) for p in found.pictures} == {
            "train": ("train", [0]),
            "val": ("val", [1]),
        }


@pytest.mark.parametrize("layout", ["ultralytics", "roboflow"])
def test_splits_come_from_the_folders_where_there_is_no_data_yaml(tmp_path: Path, layout: str) -> None:
    found = read_boxed(yolo_home(tmp_path, layout))
    assert {p.path.stem: p.split for p in found.pictures} == {"train": "train", "val": "val"}
    assert [p.path.stem for p in only_split(found, "train").pictures] == ["train"]
    assert [p.path.stem for p in without_held_out(found).pictures] == ["train"]


def test_lists_of_pictures(tmp_path: Path) -> None:
    yolo_home(tmp_path, "ultralytics")
    (tmp_path / "train.txt").write_text("./images/train/train.png\nimages/val/val.png\n./images/train/gone.png\n")
    (tmp_path / "val.txt").write_text("D:\\old\\images\\val\\val.png\r\n")
    (tmp_path / "data.yaml").write_text("train: train.txt\nval: val.txt\nnames: [bolt, nut]\n")
    found = read_boxed(tmp_path)
    assert {p.path.stem: p.split for p in found.pictures} == {"train": "train", "val": "val"}
    assert {fault.reason.split(":")[0] for fault in found.broken} == {
        "no such picture",
        "train has pictures of another split; they stay there",
    }


def test_the_points_of_a_pose_are_not_a_polygon(tmp_path: Path) -> None:
    yolo_home(tmp_path, "ultralytics")
    (tmp_path / "data.yaml").write_text("train: images/train\nkpt_shape: [2, 2]\nnames: [bolt, nut]\n")
    (tmp_path / "labels" / "train" / "train.txt").write_text("0 0.5 0.5 0.4 0.4 0.9 0.9 0.1 0.1\n")
    np.testing.assert_allclose(read_boxed(tmp_path).pictures[0].boxes_xyxy, [[30, 30, 70, 70]], atol=1e-3)


BAD_YAMLS = [
    ("names: [a\n", FormatError, "not YAML"),
    ("- 1\n", FormatError, "not the YAML of a dataset"),
    ("train: images/train\n", FormatError, "has no `names`"),
    ("train: images/train\nnames: {a: b}\n", FormatError, "numbered from 0"),
    ("train: images/train\nnames: {999999999: b}\n", FormatError, "numbered from 0"),
    ("train: nowhere\nnames: [a]\n", FileMissingError, "no pictures where it says"),
    ("names: !!python/object/apply:os.system ['true']\n", FileMissingError, "no pictures where it says"),
]


@pytest.mark.parametrize(("yaml", "error", "match"), BAD_YAMLS)
def test_a_bad_data_yaml_is_refused(tmp_path: Path, yaml: str, error: type[Exception], match: str) -> None:
    (yolo_home(tmp_path, "ultralytics") / "data.yaml").write_text(yaml)
    with pytest.raises(error, match=match):
        read_boxed(tmp_path)


def test_classes_without_a_name_are_listed_first(tmp_path: Path) -> None:
    found = yolo_lines(tmp_path, "0 0.5 0.5 0.2 0.2\n7 0.5 0.5 0.2 0.2\n9 0.5 0.5 0.2 0.2\n")
    assert found.broken[0].reason == "classes 7, 9 have no name (there are 2); left out"
    assert len(found.pictures[0].boxes_xyxy) == 1


# COCO and its relatives ------------------------------------------------------------------------------------------


def coco_json(file_name: str = "a.png", *, category: int = 1, **more: object) -> str:
    data: dict[str, object] = {
        "images": [{"id": 1, "file_name": file_name, "width": 100, "height": 100}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": category, "bbox": [10, 10, 40, 40]}],
        "categories": [{"id": 1, "name": "nut"}, {"id": 90, "name": "bolt"}],
    }
    return json.dumps(data | more)


@pytest.mark.parametrize("pictures", ["{}2017", "images/{}2017", "images", "."])
def test_cocos_own_folders(tmp_path: Path, pictures: str) -> None:
    (tmp_path / "annotations").mkdir()
    for split in ("train", "val"):
        plain(tmp_path / pictures.format(split) / f"{split}.png")
        text = coco_json(f"{split}.png", category=1 if split == "train" else 90)
        (tmp_path / "annotations" / f"instances_{split}2017.json").write_text(text)
        (tmp_path / "annotations" / f"captions_{split}2017.json").write_text('{"annotations": []}')
    found = read_boxed(tmp_path)
    assert found.classes == ("nut", "bolt")  # ids 1 and 90: gaps are no classes
    assert {p.path.stem: (p.split, p.labels.tolist()) for p in found.pictures} == {
        "train": ("train", [0]),
        "val": ("val", [1]),
    }


def test_roboflows_coco_folders(tmp_path: Path) -> None:
    above = [
        {"id": 0, "name": "screws", "supercategory": "none"},
        {"id": 1, "name": "nut", "supercategory": "screws"},
    ]
    for split in ("train", "valid", "test"):
        plain(tmp_path / split / f"{split}.png")
        (tmp_path / split / "_annotations.coco.json").write_text(coco_json(f"{split}.png", categories=above))
    found = read_boxed(tmp_path)
    assert found.classes == ("nut",)  # the name of the dataset is no class
    assert {p.path.stem: p.split for p in found.pictures} == {"train": "train", "valid": "val", "test": "test"}


def test_roboflows_voc_folders(tmp_path: Path) -> None:
    pytest.importorskip("defusedxml")
    for split in ("train", "valid"):
        write_as_voc(tmp_path / split, plain(tmp_path / split / f"{split}.png"), (10, 10, 50, 50), (100, 100))
    assert {p.path.stem: p.split for p in read_boxed(tmp_path).pictures} == {"train": "train", "valid": "val"}


def test_vocs_own_lists_are_splits(tmp_path: Path) -> None:
    pytest.importorskip("defusedxml")
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    for name, split in (("a", "train"), ("b", "val")):
        picture = plain(tmp_path / "JPEGImages" / f"{name}.png")
        write_as_voc(tmp_path / "Annotations", picture, (10, 10, 50, 50), (100, 100))
        (tmp_path / "ImageSets" / "Main" / f"{split}.txt").write_text(f"{name}  1\r\n")
    assert {p.path.stem: p.split for p in read_boxed(tmp_path).pictures} == {"a": "train", "b": "val"}


NAMES = ["sub\\a.png", "sub/a.png", "C:\\Users\\me\\pictures\\a.png", "/home/other/a.png", "a.jpg", "../../a.png"]


@pytest.mark.parametrize("name", NAMES)
def test_names_from_other_machines_find_their_picture(tmp_path: Path, name: str) -> None:
    plain(tmp_path / "set" / "images" / ("sub/a.png" if name.startswith("sub") else "a.png"))
    (tmp_path / "set" / "instances.json").write_text(coco_json(name))
    assert [p.path.name for p in read_boxed(tmp_path / "set").pictures] == ["a.png"]


def test_a_name_never_leads_out_of_the_dataset(tmp_path: Path) -> None:
    plain(tmp_path / "secret.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "instances.json").write_text(coco_json("../secret.png"))
    with pytest.raises(TrainError, match=r"secret\.png: no such picture"):
        read_boxed(tmp_path / "set")


def test_ids_that_no_category_has_are_listed_with_their_number(tmp_path: Path) -> None:
    plain(tmp_path / "images" / "a.png")
    annotations = [{"id": n, "image_id": 1, "category_id": 7, "bbox": [1, 1, 5, 5]} for n in range(3)]
    (tmp_path / "instances.json").write_text(coco_json(annotations=annotations))
    found = read_boxed(tmp_path)
    assert len(found.pictures[0].boxes_xyxy) == 0
    assert "category id 7 of 3 annotations" in found.broken[0].reason


@pytest.mark.parametrize(
    "more",
    [
        {"categories": [{"id": 1}]},
        {"categories": ["nut"]},
        {"annotations": [5, None]},
        {"images": [5, {}, {"id": 1, "file_name": 3}]},
        {"annotations": [{"image_id": 1, "category_id": 1, "bbox": ["a", 1, 2, 3]}]},
        {"annotations": [{"image_id": 1, "category_id": 1, "bbox": [1e400, 1, 2, 3]}]},
        {"annotations": [{"image_id": 1, "category_id": 1}]},
        {"annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2], "segmentation": [["x"] * 6]}]},
        {"images": [{"id": 1, "file_name": "a.png", "width": 0, "height": 100}]},
    ],
)
def test_nonsense_in_coco_is_named_or_refused(tmp_path: Path, more: dict[str, object]) -> None:
    plain(tmp_path / "images" / "a.png")
    (tmp_path / "instances.json").write_text(coco_json(**more))
    try:
        found = read_boxed(tmp_path)
        is_named = bool(found.broken) or not len(found.pictures[0].boxes_xyxy)
    except (FormatError, TrainError):
        is_named = True
    assert is_named


# LabelMe ---------------------------------------------------------------------------------------------------------


def test_labelme_shapes_are_read_by_their_boxes(tmp_path: Path) -> None:
    shapes = [
        {"label": "nut", "points": [[50, 50], [10, 10]], "shape_type": "rectangle"},
        {"label": "bolt", "points": [[10, 20], [40, 20], [20, 60]], "shape_type": "polygon"},
        {"label": "nut", "points": [[50, 50], [50, 60]], "shape_type": "circle"},
        {"label": "nut", "points": [[5, 5]], "shape_type": "point"},
        {"label": "nut", "points": [[5, 5], [9, 9]], "shape_type": "line"},
        {"points": [[5, 5], [9, 9]]},
    ]
    for split in ("train", "val"):
        plain(tmp_path / split / f"{split}.png")
        about = {"shapes": shapes, "imagePath": f"..\\{split}\\{split}.png", "imageData": None}
        (tmp_path / split / f"{split}.json").write_text(json.dumps(about))
    found = read_boxed(tmp_path)
    assert found.classes == ("bolt", "nut")
    assert {p.path.stem: p.split for p in found.pictures} == {"train": "train", "val": "val"}
    expected = [[10, 10, 50, 50], [10, 20, 40, 60], [40, 40, 60, 60]]
    np.testing.assert_allclose(found.pictures[0].boxes_xyxy, expected, atol=1e-3)
    assert len(found.broken) == 6
    with pytest.raises(FormatError, match="give their folder"):
        read_boxed(tmp_path / "train" / "train.json")
