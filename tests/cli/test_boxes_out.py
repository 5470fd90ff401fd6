"""Boxes in files: COCO of several folders and of videos without end."""

import json
import tracemalloc
from pathlib import Path

import numpy as np

from szem.cli.boxes_out import BoxesOut
from szem.results.boxes import Boxes
from szem.results.tracks import TrackedBoxes

BOXES = Boxes(boxes_xyxy=np.array([[1, 2, 31, 42]]), scores=np.array([0.9]), indices=np.array([1]),
              classes=("car", "person"), width=64, height=48, model="toy")  # fmt: skip


def test_files_of_one_name_in_two_folders_stay_apart(tmp_path: Path) -> None:
    names = [str(tmp_path / folder / "cat.jpg") for folder in ("a", "b", "c/d")]
    with BoxesOut({"coco": tmp_path / "out" / "boxes.coco.json"}, names=names) as out:
        for name in names:
            out.add(name, BOXES, BOXES.to_dict())
    coco = json.loads((tmp_path / "out" / "boxes.coco.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == ["a/cat.jpg", "b/cat.jpg", "c/d/cat.jpg"]
    assert [row["image_id"] for row in coco["annotations"]] == [1, 2, 3]
    assert coco["annotations"][0]["bbox"] == [1, 2, 30, 40]
    assert coco["categories"] == [{"id": 1, "name": "car"}, {"id": 2, "name": "person"}]


def test_a_long_video_stays_out_of_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    with BoxesOut({"coco": tmp_path / "boxes.coco.json"}) as out:
        peaks = []
        for count in (500, 3000):
            for index in range(count):
                tracked = TrackedBoxes(boxes=BOXES, ids=np.array([7]), seen=np.array([True]), index=index)
                out.add("a.mp4", BOXES, tracked.to_dict(), tracked=tracked)
            peaks.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert peaks[1] - peaks[0] < 800_000  # kept as objects the rows would take several megabytes
    coco = json.loads((tmp_path / "boxes.coco.json").read_text())
    assert len(coco["images"]) == len(coco["annotations"]) == 3500
    assert (coco["images"][3]["file_name"], coco["annotations"][9]["track_id"]) == ("a.mp4#3", 7)


def test_nothing_found_is_no_file(tmp_path: Path) -> None:
    with BoxesOut({way: tmp_path / "out" / way for way in ("coco", "json")}):
        pass
    assert not (tmp_path / "out").exists()
