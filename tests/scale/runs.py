"""Small inputs for runs over many files, what came of them, and whether Ray is there."""

import importlib.util
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from szem.media.pictures import write_picture
from szem.scale.worker import part_file

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs the extra: pip install 'szem[scale]'"
)


def make_pictures(folder: Path, count: int) -> Path:
    """Small pictures on two levels, and a broken one."""
    rng = np.random.default_rng(0)
    for number in range(count):
        picture = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        write_picture(folder / ("a", "b")[number % 2] / f"{number:04d}.png", picture)
    (folder / "b" / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    return folder


def rows_of(sink: Path, form: str = "jsonl") -> list[dict[str, Any]]:
    """Every row of the results, in the order of the parts."""
    files = sorted(sink.glob(f"part-*.{form}"))
    assert [file.name for file in files] == [part_file(number, form) for number in range(len(files))]
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def failures_of(sink: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (sink / "failed.jsonl").read_text().splitlines()]


def assert_each_once(sink: Path, folder: Path) -> None:
    """Each input is in the output once: among the results or among the failures."""
    seen = [Path(row["file"]).name for row in [*rows_of(sink), *failures_of(sink)]]
    assert sorted(seen) == sorted(file.name for file in folder.rglob("*.*"))


def die(*_: object) -> None:
    """In place of a task: the process that runs it ends as the system ends one that takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)
