"""Boxes of pictures and videos to files: a JSON line a frame, a table, COCO JSON.

Each file appears when the run ends, also by a fault of a source or by Ctrl-C: what was found until then is in it. A
full disk leaves the file of the run before.
"""

import csv
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from szem.cli.outputs import json_text
from szem.errors import SzemError
from szem.files import is_disk_full, write_error, write_file, write_json
from szem.results.boxes import Boxes
from szem.results.tracks import TrackedBoxes

__all__ = ["BOX_COLUMNS", "FORMATS", "BoxesOut", "box_rows"]

FORMATS = {"json": "boxes.jsonl", "csv": "boxes.csv", "coco": "boxes.coco.json"}  # --write -> file
BOX_COLUMNS = ("file", "frame", "time_s", "id", "label", "score", "seen", "x0", "y0", "x1", "y1")


class BoxesOut(AbstractContextManager["BoxesOut"]):
    """Writes boxes into files as they are found.

    Args:
        files: Key of `FORMATS` -> the file; its folder is made.
    """

    def __init__(self, files: dict[str, Path]) -> None:
        self._paths = files
        self._stack = ExitStack()
        self._files: dict[str, IO[str]] = {}
        self._table: Any = None
        self._coco: dict[str, list[Any]] = {"images": [], "annotations": [], "categories": []}

    def __exit__(self, *problem: Any) -> None:
        if "coco" in self._paths and self._coco["images"] and not is_disk_full(problem[1]):
            write_json(self._paths["coco"], self._coco)
        # a fault of a source is no reason to drop what was found before; a full disk is
        self._stack.__exit__(*(problem if is_disk_full(problem[1]) else (None, None, None)))

    def add(self, name: str, boxes: Boxes, row: dict[str, Any], *, tracked: TrackedBoxes | None = None) -> None:
        """Take in one picture or frame.

        Args:
            name: The file or source.
            boxes: What was found.
            row: The same as JSON types, with `frame` and `time_s` where it is a film's.
            tracked: With ids, where objects are tracked.
        """
        if "json" in self._paths:
            with self._faults("json"):
                self._file("json").write(json_text({"file": name, **row}) + "\n")
        if "csv" in self._paths:
            with self._faults("csv"):
                if self._table is None:
                    self._table = csv.writer(self._file("csv"), lineterminator="\n")
                    self._table.writerow(BOX_COLUMNS)
                self._table.writerows(box_rows(name, boxes, row, tracked))
        if "coco" in self._paths:
            self._add_coco(name, boxes, row, tracked)

    def flush(self) -> None:
        """Write out all lines so far, so that a full disk is noticed."""
        for way, file in self._files.items():
            with self._faults(way):
                file.flush()

    @contextmanager
    def _faults(self, way: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise error if isinstance(error, SzemError) else write_error(self._paths[way], error) from error

    def _file(self, way: str) -> IO[str]:
        if way not in self._files:
            part = self._stack.enter_context(write_file(self._paths[way]))
            opened = part.open("w", newline="", encoding="utf-8", errors="backslashreplace")
            self._files[way] = self._stack.enter_context(opened)
        return self._files[way]

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


def box_rows(
    name: str, boxes: Boxes, row: dict[str, Any], tracked: TrackedBoxes | None = None
) -> list[tuple[object, ...]]:
    """The boxes of one picture or frame as rows under `BOX_COLUMNS`."""
    rows: list[tuple[object, ...]] = []
    for k, box in enumerate(boxes):
        number, seen = ("", "") if tracked is None else (int(tracked.ids[k]), int(tracked.seen[k]))
        place = (name, row.get("frame", ""), row.get("time_s", ""))
        corners = (f"{v:.2f}" for v in box.box_xyxy)
        rows.append((*place, number, box.label, f"{box.score:.4f}", seen, *corners))
    return rows
