"""Boxes of pictures and videos to files: a JSON line a frame, a table, COCO JSON.

Each file appears when the run ends, also by a fault of a source or by Ctrl-C: what was found until then is in it. A
full disk leaves the file of the run before.
"""

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from szem.cli.outputs import json_text
from szem.errors import SzemError
from szem.files import is_disk_full, write_error, write_file
from szem.results.boxes import Boxes
from szem.results.tracks import TrackedBoxes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["BOX_COLUMNS", "FORMATS", "BoxesOut", "box_rows"]

FORMATS = {"json": "boxes.jsonl", "csv": "boxes.csv", "coco": "boxes.coco.json"}  # --write -> file
BOX_COLUMNS = ("file", "frame", "time_s", "id", "label", "score", "seen", "x0", "y0", "x1", "y1")


class BoxesOut(AbstractContextManager["BoxesOut"]):
    """Writes boxes into files as they are found.

    Args:
        files: Key of `FORMATS` -> the file; its folder is made.
        names: All inputs that will come: COCO's file names are their paths below the folder that holds them all.
    """

    def __init__(self, files: dict[str, Path], *, names: Iterable[str] = ()) -> None:
        self._paths = files
        self._titles = _titles(names)
        self._stack = ExitStack()
        self._files: dict[str, IO[str]] = {}
        self._table: Any = None
        self._coco: _CocoWriter | None = None

    def __exit__(self, *problem: Any) -> None:
        try:
            if self._coco is not None and not is_disk_full(problem[1]):
                with self._faults("coco"):
                    self._coco.finish(self._paths["coco"])
        except BaseException:
            self._stack.close()
            raise
        # a fault of a source is no reason to drop what was found before; a full disk is
        self._stack.__exit__(*(problem if is_disk_full(problem[1]) else (None, None, None)))

    def add(self, name: str, boxes: Boxes, row: dict[str, Any], *, tracked: TrackedBoxes | None = None) -> None:
        """Take in one picture or frame.

        Args:
            name: The file or source.
            boxes: What was found.
            row: The same as JSON types, with `frame` and `time_s` where it is a video's.
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
            with self._faults("coco"):
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
        if self._coco is None:
            self._paths["coco"].parent.mkdir(parents=True, exist_ok=True)
            self._coco = self._stack.enter_context(_CocoWriter(self._paths["coco"].parent))
        title = self._titles.get(name) or Path(name).name or name
        image: dict[str, Any] = {"width": boxes.width, "height": boxes.height}
        if "frame" in row:
            image |= {"file_name": f"{title}#{row['frame']}", "frame": row["frame"], "time_s": row["time_s"]}
        else:
            image["file_name"] = title
        self._coco.add(image, boxes, None if tracked is None else tracked.ids)


class _CocoWriter(AbstractContextManager["_CocoWriter"]):
    """COCO JSON of any length: its two lists grow in files of their own and are joined at the end."""

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        self._lists: dict[str, IO[str]] = {}
        for name in ("images", "annotations"):
            rows = tempfile.TemporaryFile("w+", encoding="utf-8", dir=folder)  # noqa: SIM115  closed by the stack
            self._lists[name] = self._stack.enter_context(rows)
        self._counts = dict.fromkeys(self._lists, 0)
        self._classes: tuple[str, ...] = ()

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, image: dict[str, Any], boxes: Boxes, ids: "Sequence[int] | NDArray[np.int64] | None") -> None:
        """Take in one picture or frame."""
        self._classes = boxes.classes
        number = self._put("images", image)
        for k, box in enumerate(boxes):
            x0, y0, x1, y1 = box.box_xyxy
            annotation = {
                "image_id": number,
                "category_id": box.index + 1,
                "bbox": [round(x0, 2), round(y0, 2), round(x1 - x0, 2), round(y1 - y0, 2)],
                "area": round((x1 - x0) * (y1 - y0), 2),
                "iscrowd": 0,
                "score": round(box.score, 4),
            }
            self._put("annotations", annotation if ids is None else annotation | {"track_id": int(ids[k])})

    def finish(self, path: Path) -> None:
        """Write the file, whole."""
        categories = [{"id": k + 1, "name": label} for k, label in enumerate(self._classes)]
        with write_file(path) as part, part.open("w", encoding="utf-8") as out:
            for name, rows in self._lists.items():
                out.write(f'{"{" if name == "images" else ", "}"{name}": [')
                rows.seek(0)
                shutil.copyfileobj(rows, out)
                out.write("]")
            out.write(f', "categories": {json.dumps(categories)}}}\n')

    def _put(self, name: str, row: dict[str, Any]) -> int:
        self._counts[name] += 1
        before = ",\n" if self._counts[name] > 1 else ""
        self._lists[name].write(before + json.dumps({"id": self._counts[name], **row}))
        return self._counts[name]


def _titles(names: Iterable[str]) -> dict[str, str]:
    """File -> its path below the folder that holds them all, so that files of two folders have names of their own.

    >>> _titles(["a/cat.jpg", "b/cat.jpg"])
    {'a/cat.jpg': 'a/cat.jpg', 'b/cat.jpg': 'b/cat.jpg'}
    >>> _titles(["a/cat.jpg", "a/dog.jpg"])
    {'a/cat.jpg': 'cat.jpg', 'a/dog.jpg': 'dog.jpg'}
    """
    paths = {name: Path(name).absolute() for name in names}
    if not paths:
        return {}
    try:
        root = os.path.commonpath([path.parent for path in paths.values()])
    except ValueError:  # on two drives
        return {name: path.as_posix() for name, path in paths.items()}
    return {name: path.relative_to(root).as_posix() for name, path in paths.items()}


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
