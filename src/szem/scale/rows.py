"""Rows of results as the bytes of a file: JSON lines, CSV or Parquet."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from szem.errors import RangeError
from szem.files import no_nan

__all__ = ["FORMS", "check_form", "json_line", "rows_to_bytes"]

FORMS = ("jsonl", "csv", "parquet")


def check_form(form: str) -> str:
    """Give back the format of results.

    Raises:
        RangeError: not one that is written.
    """
    if form not in FORMS:
        raise RangeError(f"results are written as {', '.join(FORMS)}, got {form!r}")
    return form


def json_line(value: Any) -> bytes:
    """One line of JSON in ASCII.

    >>> json_line({"file": "tükör", "score": float("nan")})
    b'{"file": "t\\\\u00fck\\\\u00f6r", "score": null}\\n'
    """
    return json.dumps(no_nan(value), allow_nan=False).encode() + b"\n"


def rows_to_bytes(rows: Sequence[dict[str, Any]], form: str) -> bytes:
    """A file of rows. CSV and Parquet have a column a field; lists and objects in them are JSON text.

    Args:
        rows: JSON values, each with `file`.
        form: One of `FORMS`.

    >>> rows_to_bytes([{"file": "a.png", "labels": [1]}], "csv")
    b'file,labels\\na.png,[1]\\n'
    """
    if form == "jsonl":
        return b"".join(map(json_line, rows))
    flat = [{k: json.dumps(no_nan(v)) if isinstance(v, dict | list) else v for k, v in row.items()} for row in rows]
    columns = list(dict.fromkeys(["file", *(name for row in flat for name in row)]))
    if form == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(flat)
        return text.getvalue().encode("utf-8", "backslashreplace")
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [
        {k: v.encode("utf-8", "backslashreplace").decode() if isinstance(v, str) else v for k, v in row.items()}
        for row in flat
    ]
    data = io.BytesIO()
    pq.write_table(pa.table({c: [row.get(c) for row in names] for c in columns}), data)
    return data.getvalue()
