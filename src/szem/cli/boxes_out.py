"""Boxes of pictures and films to files: a JSON line a frame, a table, COCO JSON.

Lines are written as they come, so what was found before a fault or a stop is there.
"""

import csv
import json
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import IO, Any

from szem.results.boxes import Boxes
from szem.results.tracks import TrackedBoxes

__all__ = ["FORMATS", "BoxesOut"]

FORMATS = {"json": "boxes.jsonl", "csv": "boxes.csv", "coco": "boxes.coco.json"}  # way -> file
_HEAD = ("file", "frame", "time_s", "id", "label", "score", "seen", "x0", "y0", "x1", "y1")


class BoxesOut(AbstractContextManager["BoxesOut"]):
    """Writes what is found into a folder.

    Args:
        out: The folder; made when something is written.
        ways: Keys of `FORMATS`.
    """

    def __init__(self, out: Path, ways: frozenset[str]) -> None:
        self._out, self._ways = out, ways
        self._stack = ExitStack()
        self._files: dict[str, IO[str]] = {}
        self._table: Any = None
        self._coco: dict[str, list[Any]] = {"images": [], "annotations": [], "categories": []}

    def __exit__(self, *_: object) -> None:
        if "coco" in self._ways and self._coco["images"]:
            json.dump(self._coco, self._file("coco"))
        self._stack.close()

    def add(self, name: str, boxes: Boxes, row: dict[str, Any], *, tracked: TrackedBoxes | None = None) -> None:
        """Take in one picture or frame.

        Args:
            name: The file or source.
            boxes: What was found.
            row: The same as JSON types, with `frame` and `time_s` where it is a film's.
            tracked: With numbers, where things are followed.
        """
        if "json" in self._ways:
            self._file("json").write(json.dumps({"file": name, **row}, ensure_ascii=False) + "\n")
        if "csv" in self._ways:
            self._add_rows(name, boxes, row, tracked)
        if "coco" in self._ways:
            self._add_coco(name, boxes, row, tracked)

    def flush(self) -> None:
        """Have all lines so far in the files."""
        for file in self._files.values():
            file.flush()

    def _file(self, way: str) -> IO[str]:
        if way not in self._files:
            self._out.mkdir(parents=True, exist_ok=True)
            path = self._out / FORMATS[way]
            self._files[way] = self._stack.enter_context(path.open("w", newline="", encoding="utf-8"))
        return self._files[way]

    def _add_rows(self, name: str, boxes: Boxes, row: dict[str, Any], tracked: TrackedBoxes | None) -> None:
        if self._table is None:
            self._table = csv.writer(self._file("csv"), lineterminator="\n")
            self._table.writerow(_HEAD)
        for k, box in enumerate(boxes):
            number, seen = ("", "") if tracked is None else (int(tracked.ids[k]), int(tracked.seen[k]))
            place = (name, row.get("frame", ""), row.get("time_s", ""))
            corners = (f"{v:.2f}" for v in box.box_xyxy)
            self._table.writerow((*place, number, box.label, f"{box.score:.4f}", seen, *corners))

    def _add_coco(self, name: str, boxes: Boxes, row: dict[str, Any], tracked: TrackedBoxes | None) -> None:
        images, annotations = self._coco["images"], self._coco["annotations"]
        title = Path(name).name or name
        image: dict[str, Any] = {"id": len(images) + 1, "width": boxes.width, "height": boxes.height}
        if "frame" in row:
            image |= {"file_name": f"{title}#{row['frame']}", "frame": row["frame"], "time_s": row["time_s"]}
        else:
            image["file_name"] = title
        images.append(image)
        self._coco["categories"] = [{"id": k + 1, "name": label} for k, label in enumerate(boxes.classes)]
        for k, box in enumerate(boxes):
            x0, y0, x1, y1 = box.box_xyxy
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image["id"],
                    "category_id": box.index + 1,
                    "bbox": [round(x0, 2), round(y0, 2), round(x1 - x0, 2), round(y1 - y0, 2)],
                    "area": round((x1 - x0) * (y1 - y0), 2),
                    "iscrowd": 0,
                    "score": round(box.score, 4),
                    **({} if tracked is None else {"track_id": int(tracked.ids[k])}),
                }
            )
