"""Tables as people and tools write them: CSV with commas, semicolons or tabs, and columns under various names."""

import csv
from collections.abc import Sequence
from pathlib import Path

from szem.errors import FileMissingError, FormatError

__all__ = ["find_column", "read_table"]

# What a column holds -> names it goes by.
_COLUMNS = {
    "image": ("image", "filename", "file", "file_name", "image_path", "path", "image_id", "img", "picture"),
    "sound": ("audio", "sound", "filename", "file", "file_name", "path", "fname"),
    "label": ("label", "class", "class_name", "category", "name", "class_label"),
    "split": ("split", "set", "subset", "partition"),
    "recording": ("recording", "group", "speaker", "scene", "source_file"),
    "xmin": ("xmin", "x_min", "x1", "x0", "left", "bbox_x1"),
    "ymin": ("ymin", "y_min", "y1", "y0", "top", "bbox_y1"),
    "xmax": ("xmax", "x_max", "x2", "right", "bbox_x2"),
    "ymax": ("ymax", "y_max", "y2", "bottom", "bbox_y2"),
    "box_x": ("bbox_x", "x", "box_x"),
    "box_y": ("bbox_y", "y", "box_y"),
    "box_width": ("bbox_width", "bbox_w", "w", "box_width"),
    "box_height": ("bbox_height", "bbox_h", "h", "box_height"),
    "width": ("width", "image_width"),
    "height": ("height", "image_height"),
    "start_s": ("start", "start_s", "onset", "start_time", "begin"),
    "end_s": ("end", "end_s", "offset", "end_time", "stop"),
}


def find_column(header: Sequence[str], what: str) -> str | None:
    """The column that holds something, by the names it goes by; None where there is none.

    >>> find_column(["FileName", "class"], "image")
    'FileName'
    """
    by_name = {name.strip().lower(): name for name in reversed(header)}
    return next((by_name[name] for name in _COLUMNS[what] if name in by_name), None)


def read_table(
    path: Path, *, header: Sequence[str] | None = None
) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """The columns of a table, and its lines with their numbers; missing cells are empty.

    Args:
        path: The file; commas, semicolons or tabs are found out from its first line.
        header: Names of the columns, where the file has no line of them.
    Raises:
        FileMissingError: no such file.
        FormatError: not UTF-8 text, or no lines.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise FileMissingError(f"{path}: no such file; check the path") from error
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: not UTF-8 text ({error}); save it as UTF-8") from error
    lines = text.splitlines()
    if not lines:
        raise FormatError(f"{path}: empty; its first line names the columns")
    delimiter = max(",;\t", key=lines[0].count)
    try:
        reader = csv.DictReader(lines, fieldnames=header, delimiter=delimiter)
        names = [name for name in reader.fieldnames or () if name is not None]
        rows = [(reader.line_num, {name: row.get(name) or "" for name in names}) for row in reader]
    except csv.Error as error:
        raise FormatError(f"{path}: not CSV ({error}); save it as CSV") from error
    return names, rows
