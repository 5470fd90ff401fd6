"""One small dataset as each tool exports it: all are read alike.

The dataset: `a.png` 80×60 with a nut at 10, 20 to 50, 40 and a bolt at 60, 5 to 70, 55; `b.png` without objects.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from szem.arrays.rle import mask_to_rle
from szem.data.boxed_folder import map_classes, only_split, read_boxed, recognize_boxed
from szem.data.boxes import BoxSet
from szem.errors import FileMissingError, FormatError, TrainError, UnknownNameError, UnsupportedError

WIDTH, HEIGHT = 80, 60
NUT, BOLT = (10, 20, 50, 40), (60, 5, 70, 55)


def pictures(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("a.png", "b.png"):
        Image.new("RGB", (WIDTH, HEIGHT)).save(folder / name)


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode())


def yolo_line(label: int, box: tuple[int, ...]) -> str:
    x0, y0, x1, y1 = box
    return f"{label} {(x0 + x1) / 2 / WIDTH} {(y0 + y1) / 2 / HEIGHT} {(x1 - x0) / WIDTH} {(y1 - y0) / HEIGHT}"


YOLO = f"{yolo_line(1, NUT)}\r\n{yolo_line(0, BOLT)}\r\n"


def corners(box: tuple[int, ...]) -> list[list[int]]:
    x0, y0, x1, y1 = box
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]


def coco_data(**more: object) -> dict[str, object]:
    def box(id: int, category: int, corners: tuple[int, ...]) -> dict[str, object]:
        x0, y0, x1, y1 = corners
        return {"id": id, "image_id": 7, "category_id": category, "bbox": [x0, y0, x1 - x0, y1 - y0], "iscrowd": 0}

    images = [
        {"id": n, "file_name": name, "width": WIDTH, "height": HEIGHT} for n, name in ((7, "a.png"), (8, "b.png"))
    ]
    return {
        "images": images,
        "annotations": [box(1, 9, NUT), box(2, 2, BOLT)],
        "categories": [{"id": 2, "name": "bolt"}, {"id": 9, "name": "nut"}],
    } | more


def coco(folder: Path) -> None:
    pictures(folder / "images")
    text(folder / "instances.json", json.dumps(coco_data()))


def coco_runs(folder: Path) -> None:
    """Masks in run lengths and no boxes at all; the second as a plain list."""
    pictures(folder / "images")
    data = coco_data()
    for annotation, (x0, y0, x1, y1), packed in zip(data["annotations"], (NUT, BOLT), (True, False), strict=True):
        mask = np.zeros((HEIGHT, WIDTH), bool)
        mask[y0:y1, x0:x1] = True
        flat = np.flatnonzero(np.diff(np.pad(mask.T.reshape(-1).astype(int), 1)))
        counts = np.diff([0, *flat, HEIGHT * WIDTH]).tolist()
        annotation["segmentation"] = mask_to_rle(mask) if packed else {"size": [HEIGHT, WIDTH], "counts": counts}
        del annotation["bbox"]
    text(folder / "instances.json", json.dumps(data))


def cvat_coco(folder: Path) -> None:
    pictures(folder / "images" / "default")
    text(folder / "annotations" / "instances_default.json", json.dumps(coco_data()))


def cvat_xml(folder: Path) -> None:
    pictures(folder / "images")
    mask = f'<mask label="bolt" rle="0, {10 * 50}" left="60" top="5" width="10" height="50"/>'
    text(
        folder / "annotations.xml",
        f"""<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
  <meta><task><labels><label><name>nut</name></label><label><name>bolt</name></label></labels></task></meta>
  <image id="0" name="a.png" width="{WIDTH}" height="{HEIGHT}">
    <polygon label="nut" points="{";".join(f"{x},{y}" for x, y in corners(NUT))}" z_order="0"></polygon>
    {mask}
    <points label="nut" points="3,3"/>
  </image>
  <image id="1" name="b.png" width="{WIDTH}" height="{HEIGHT}"></image>
</annotations>""",
    )


def cvat_xml_turned(folder: Path) -> None:
    """The nut is a box of 20×40 pixels, turned by a quarter."""
    pictures(folder / "images")
    turned = '<box label="nut" xtl="20" ytl="10" xbr="40" ybr="50" rotation="90.0"/>'
    plain = '<box label="bolt" xtl="60" ytl="5" xbr="70" ybr="55"/>'
    text(
        folder / "annotations.xml",
        f'<annotations><image id="0" name="a.png" width="80" height="60">{turned}{plain}</image>'
        '<image id="1" name="b.png" width="80" height="60"/></annotations>',
    )


def cvat_yolo(folder: Path) -> None:
    pictures(folder / "obj_train_data")
    text(folder / "obj.data", "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n")
    text(folder / "obj.names", "bolt\nnut\n")
    text(folder / "train.txt", "data/obj_train_data/a.png\ndata/obj_train_data/b.png\n")
    text(folder / "obj_train_data" / "a.txt", YOLO)


def ultralytics(folder: Path) -> None:
    pictures(folder / "images" / "train")
    text(folder / "labels" / "train" / "a.txt", "\ufeff" + YOLO)
    text(folder / "data.yaml", "path: C:\\data\\set\r\ntrain: images\\train\r\nnames:\r\n  0: bolt\r\n  1: nut\r\n")


def voc(folder: Path) -> None:
    pictures(folder / "JPEGImages")
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x0 + 1}</xmin><ymin>{y0 + 1}</ymin><xmax>{x1}</xmax>"
        f"<ymax>{y1}</ymax></bndbox></object>"
        for name, (x0, y0, x1, y1) in (("nut", NUT), ("bolt", BOLT))
    )
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
    text(folder / "Annotations" / "a.xml", f"<annotation><filename>a.png</filename>{size}{objects}</annotation>")
    text(folder / "Annotations" / "b.xml", f"<annotation><filename>b.png</filename>{size}</annotation>")


def labelme(folder: Path) -> None:
    pictures(folder)
    for name, shapes in (("a", (("nut", NUT), ("bolt", BOLT))), ("b", ())):
        drawn = [{"label": label, "points": corners(box), "shape_type": "polygon"} for label, box in shapes]
        about = {"shapes": drawn, "imagePath": f"{name}.png", "imageWidth": WIDTH, "imageHeight": HEIGHT}
        text(folder / f"{name}.json", json.dumps(about))


def studio_region(label: str, box: tuple[int, ...]) -> dict[str, object]:
    x0, y0, x1, y1 = box
    value = {"x": x0 / WIDTH * 100, "y": y0 / HEIGHT * 100, "rotation": 0, "rectanglelabels": [label]}
    value |= {"width": (x1 - x0) / WIDTH * 100, "height": (y1 - y0) / HEIGHT * 100}
    about = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0, "type": "rectanglelabels"}
    return about | {"value": value}


def label_studio(folder: Path) -> None:
    pictures(folder / "images")
    (folder / "images" / "a.png").rename(folder / "images" / "0a1b2c3d-a.png")
    polygon = studio_region("bolt", BOLT) | {"type": "polygonlabels"}
    points = [[x / WIDTH * 100, y / HEIGHT * 100] for x, y in corners(BOLT)]
    polygon["value"] = {"points": points, "polygonlabels": ["bolt"]}
    tasks = [
        {
            "id": 1,
            "data": {"image": "/data/upload/1/0a1b2c3d-a.png"},
            "annotations": [
                {"was_cancelled": False, "result": [studio_region("nut", NUT), polygon]},
                {"was_cancelled": True, "result": [studio_region("washer", NUT)]},
            ],
        },
        {"id": 2, "data": {"image": "/data/local-files/?d=set/b.png"}, "annotations": [{"result": []}]},
    ]
    text(folder / "project-1-at-2026.json", json.dumps(tasks))


def label_studio_min(folder: Path) -> None:
    pictures(folder)
    regions = []
    for label, box in (("nut", NUT), ("bolt", BOLT)):
        region = studio_region(label, box)
        regions.append({**region["value"], "original_width": WIDTH, "original_height": HEIGHT})
    about = {"annotation_id": 1, "annotator": 1, "lead_time": 3.5}
    tasks = [
        {"image": "http://host:8080/data/upload/a.png", "id": 1, "label": regions} | about,
        {"image": "b.png", "id": 2} | about,
    ]
    text(folder / "min.json", json.dumps(tasks))


ROWS = (("nut", NUT), ("bolt", BOLT))


def csv_tensorflow(folder: Path) -> None:
    """As Roboflow and the tutorials of TensorFlow write it; the second picture has no objects."""
    pictures(folder)
    lines = [f"a.png,{WIDTH},{HEIGHT},{name},{','.join(map(str, box))}" for name, box in ROWS]
    head = "filename,width,height,class,xmin,ymin,xmax,ymax"
    text(folder / "_annotations.csv", "\r\n".join([head, *lines, f"b.png,{WIDTH},{HEIGHT},,,,,"]))


def csv_retinanet(folder: Path) -> None:
    pictures(folder / "images")
    lines = [f"images/a.png,{','.join(map(str, box))},{name}" for name, box in ROWS]
    text(folder / "train.csv", "\n".join([*lines, "images/b.png,,,,,"]))


def csv_sides(folder: Path) -> None:
    pictures(folder / "images")
    lines = [f"a.png;{name};{x0};{y0};{x1 - x0};{y1 - y0}" for name, (x0, y0, x1, y1) in ROWS]
    text(folder / "boxes.csv", "\n".join(["image;label;x;y;w;h", *lines, "b.png;;;;;"]))


EXPORTS = [
    (coco, "COCO"), (coco_runs, "COCO"), (cvat_coco, "COCO"), (cvat_xml, "CVAT"), (cvat_xml_turned, "CVAT"),
    (cvat_yolo, "YOLO (Darknet)"), (ultralytics, "YOLO"), (voc, "Pascal VOC"), (labelme, "LabelMe"),
    (label_studio, "Label Studio"), (label_studio_min, "Label Studio"), (csv_tensorflow, "CSV"),
    (csv_retinanet, "CSV"), (csv_sides, "CSV"),
]  # fmt: skip


@pytest.mark.parametrize(("write", "form"), EXPORTS, ids=lambda v: getattr(v, "__name__", v))
def test_every_tools_export_is_read_alike(tmp_path: Path, write: Callable[[Path], None], form: str) -> None:
    write(tmp_path)
    recognized, found = recognize_boxed(tmp_path)
    assert recognized == form
    assert found.classes == ("bolt", "nut")
    by_stem = {picture.path.stem.removeprefix("0a1b2c3d-"): picture for picture in found.pictures}
    assert by_stem.keys() == {"a", "b"}
    boxes = {found.classes[n]: box for n, box in zip(by_stem["a"].labels, by_stem["a"].boxes_xyxy, strict=True)}
    np.testing.assert_allclose(boxes["nut"], NUT, atol=0.01)
    np.testing.assert_allclose(boxes["bolt"], BOLT, atol=0.01)
    assert len(by_stem["b"].labels) == 0
    assert {picture.split for picture in found.pictures} <= {"", "train"}
    only_split(found, next(iter(by_stem.values())).split)  # what is marked can be asked for
    assert [fault.reason for fault in found.broken] == (
        ["nut: a points has no area; draw a box or a polygon"] if write is cvat_xml else []
    )


def test_polygons_and_masks_are_kept_as_outlines(tmp_path: Path) -> None:
    for write in (coco_runs, cvat_xml, labelme):
        write(tmp_path / write.__name__)
        picture = next(p for p in read_boxed(tmp_path / write.__name__).pictures if len(p.labels))
        for rings, box in zip(picture.polygons, picture.boxes_xyxy, strict=True):
            np.testing.assert_allclose([*rings[0].min(axis=0), *rings[0].max(axis=0)], box)


# What must not pass ----------------------------------------------------------------------------------------------


def damaged(folder: Path, write: Callable[[Path], None], old: str, new: str) -> BoxSet:
    write(folder)
    file = next(p for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix in (".json", ".xml", ".csv"))
    content = file.read_text()
    assert old in content
    file.write_text(content.replace(old, new, 1))
    return read_boxed(folder)


@pytest.mark.parametrize(
    ("write", "old", "new", "reason"),
    [
        (coco_runs, '"size": [60, 80]', '"size": [60, 8000000000]', "run lengths that make no mask"),
        (coco_runs, '"size": [60, 80]', '"size": 60', "run lengths that make no mask"),
        (cvat_xml, 'rle="0, 500"', 'rle="0, 499"', "runs do not fill 10×50"),
        (cvat_xml, "10,20;50,20", "ten,20;50,20", "could not convert"),
        (cvat_xml_turned, 'xtl="20"', 'xtl="nan"', "no area"),
        (label_studio, '"image_rotation": 0', '"image_rotation": 90', "turned in the tool"),
        (label_studio, '["nut"]', '["nut", "big"]', "several labels for one shape"),
        (label_studio, '"width": 50.0', '"width": "wide"', "could not convert"),
        (csv_tensorflow, "nut,10,20,50,40", "nut,10,20,,40", "could not convert"),
        (csv_tensorflow, "nut,10,20,50,40", "nut,10,20,inf,40", "no area"),
        (csv_tensorflow, "nut,10,20", ",10,20", "without a label"),
    ],
)
def test_a_damaged_object_is_named_and_left_out(
    tmp_path: Path, write: Callable[[Path], None], old: str, new: str, reason: str
) -> None:
    found = damaged(tmp_path, write, old, new)
    assert any(reason in fault.reason for fault in found.broken), found.broken
    assert sum(len(picture.labels) for picture in found.pictures) == 1


def test_an_xml_bomb_is_refused(tmp_path: Path) -> None:
    pictures(tmp_path)
    bomb = '<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx">]><annotations><image name="&x;"/></annotations>'
    text(tmp_path / "annotations.xml", bomb)
    with pytest.raises((FormatError, TrainError)):
        read_boxed(tmp_path / "annotations.xml")


def test_tracks_of_a_video_are_refused_with_the_export_to_choose(tmp_path: Path) -> None:
    text(tmp_path / "annotations.xml", '<annotations><track id="0" label="nut"/></annotations>')
    with pytest.raises(UnsupportedError, match=r"CVAT for images 1\.1"):
        read_boxed(tmp_path)


def test_a_table_of_something_else_is_not_taken_for_boxes(tmp_path: Path) -> None:
    pictures(tmp_path)
    text(tmp_path / "prices.csv", "item,price\nnut,3\n")
    with pytest.raises(FileMissingError, match="no boxes found"):
        read_boxed(tmp_path)
    with pytest.raises(FormatError, match="needs columns for picture, class and corners"):
        read_boxed(tmp_path / "prices.csv")


# Classes under other names ---------------------------------------------------------------------------------------


def test_classes_are_renamed_joined_and_left_out(tmp_path: Path) -> None:
    coco(tmp_path)
    whole = read_boxed(tmp_path)
    assert read_boxed(tmp_path, classes={"nut": "mutter"}).classes == ("bolt", "mutter")
    joined = map_classes(whole, {"nut": "part", "bolt": "part"})
    assert joined.classes == ("part",)
    assert joined.pictures[0].labels.tolist() == [0, 0]
    left = map_classes(whole, {"bolt": ""})
    assert left.classes == ("nut",)
    np.testing.assert_allclose(left.pictures[0].boxes_xyxy, [NUT])
    with pytest.raises(UnknownNameError, match="no class called washer; the data has bolt, nut"):
        map_classes(whole, {"washer": "nut"})
