"""A part is done whole or not at all, and an input that ends the process costs only itself."""

import errno
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import szem
from szem.errors import StoreError, UnknownNameError
from szem.scale import driver
from szem.scale import worker as worker_module
from szem.scale.open_task import OpenTask, task_names
from szem.scale.worker import PartWorker, Setup
from szem.tasks.registry import TASKS
from tests.scale.runs import die, make_pictures

pytest.importorskip("pyarrow")
OpenWorker = Callable[..., PartWorker]


@pytest.fixture
def open_worker(tmp_path: Path) -> Iterator[Callable[..., PartWorker]]:
    """Opens a worker on tmp_path/in; its process ends with the test."""
    made: list[PartWorker] = []

    def open_one(*, form: str = "jsonl", task: str = "colors") -> PartWorker:
        made.append(_open(tmp_path, form, task))
        return made[-1]

    yield open_one
    for worker in made:
        worker.process.close()


def _open(tmp_path: Path, form: str, task: str) -> PartWorker:
    setup = Setup(
        task=task, options={}, sources=(str(tmp_path / "in"),), sink=str(tmp_path / "out"), form=form, folder=""
    )
    driver._load_or_make_plan(setup, setup.open_sink(), 0)
    return PartWorker(setup)


def part_of(worker: PartWorker) -> Any:
    return next(driver._parts(worker.setup, "", 0))


def test_a_part_done_twice_is_the_same_file(tmp_path: Path, open_worker: OpenWorker) -> None:
    make_pictures(tmp_path / "in", 6)
    worker = open_worker()
    assert worker.write_part(0, part_of(worker)) == (6, 1)
    first = (tmp_path / "out" / "part-000000.jsonl").read_bytes()
    assert worker.write_part(0, part_of(worker)) == (6, 1)
    assert (tmp_path / "out" / "part-000000.jsonl").read_bytes() == first
    row = json.loads(first.splitlines()[0])
    found = szem.dominant_colors(Path(row["file"])).to_dict()
    assert row == {"file": row["file"], **json.loads(json.dumps(found))}
    about, failure = (tmp_path / "out" / "records" / "part-000000.jsonl").read_text().splitlines()
    assert json.loads(about)["rows"] == 6
    assert json.loads(failure)["file"].endswith("broken.jpg")


def test_results_in_parquet_and_csv_say_the_same(tmp_path: Path, open_worker: OpenWorker) -> None:
    import csv

    import pyarrow.parquet as pq

    make_pictures(tmp_path / "in", 3)
    worker = open_worker(form="parquet", task="measure")
    worker.write_part(0, part_of(worker))
    table = pq.read_table(tmp_path / "out" / "part-000000.parquet").to_pylist()
    data = worker_module.rows_to_bytes(table, "csv").decode()
    rows = list(csv.DictReader(data.splitlines()))
    assert [row["file"] for row in rows] == [row["file"] for row in table]
    assert [float(row["tenengrad"]) for row in rows] == [row["tenengrad"] for row in table]


def test_a_process_that_dies_twice_on_an_input_fails_that_input_alone(
    tmp_path: Path, open_worker: OpenWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pictures(tmp_path / "in", 4)
    worker = open_worker()
    call, deaths = worker.process.call, []

    def call_and_kill(function: Any, *given: Any) -> Any:
        if given and given[0].endswith(b"poison"):
            deaths.append(1)
            function = die
        return call(function, *given)

    monkeypatch.setattr(worker.process, "call", call_and_kill)
    poison = tmp_path / "in" / "a" / "0000.png"
    poison.write_bytes(poison.read_bytes() + b"poison")
    done, failed = worker.write_part(0, part_of(worker))
    assert (done, failed, len(deaths)) == (3, 2, 2)  # and the broken one
    assert "0000.png" in (tmp_path / "out" / "records" / "part-000000.jsonl").read_text()


def test_a_process_that_is_killed_once_costs_nothing(tmp_path: Path, open_worker: OpenWorker) -> None:
    make_pictures(tmp_path / "in", 2)
    worker = open_worker()
    assert worker.process.pid is not None
    os.kill(worker.process.pid, signal.SIGKILL)
    assert worker.write_part(0, part_of(worker)) == (2, 1)


def test_a_full_disk_leaves_no_part_and_is_said(
    tmp_path: Path, open_worker: OpenWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pictures(tmp_path / "in", 2)
    worker = open_worker()

    def fsync(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("szem.files.os.fsync", fsync)
    with pytest.raises(StoreError, match="the disk is full"):
        worker.write_part(0, part_of(worker))
    assert not list((tmp_path / "out").glob("part-*"))
    monkeypatch.undo()
    assert worker.write_part(0, part_of(worker)) == (2, 1)


@pytest.mark.parametrize("name", [name for name in task_names() if name in TASKS])
def test_every_task_of_the_registry_can_be_run(name: str) -> None:
    job = OpenTask(name, {})
    assert job.takes == TASKS[name].takes


def test_wrong_words_are_refused_before_anything_is_read() -> None:
    with pytest.raises(UnknownNameError, match="no task called 'divine'"):
        OpenTask("divine", {})
    with pytest.raises(UnknownNameError, match="classify has no option tops"):
        OpenTask("classify", {"tops": 1})
    with pytest.raises(UnknownNameError, match="zebrafish"):
        OpenTask("detect", {"classes": "zebrafish"}).check()
