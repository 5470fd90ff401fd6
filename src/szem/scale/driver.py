"""A task over many inputs, on one machine or many: list the inputs once, let Ray Data hand parts to workers, count.

The results are a folder (or an address): a file a part, `records/` with the counts of each, and at the end
`failed.jsonl` and `manifest.json`. A run that was killed and is started again with the same words does what is
missing.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import groupby
from queue import SimpleQueue
from typing import Any

from szem.errors import FileMissingError, OverwriteError, RangeError, StoreError, SzemError
from szem.files import ANOTHER_PLACE
from szem.runtime.sessions import cores
from szem.scale.cluster import LOCAL, check_address, connected
from szem.scale.open_task import TRACK, OpenTask, open_task
from szem.scale.parts import InputPart, cut_into_parts, first_inputs
from szem.scale.places import Sink, is_remote
from szem.scale.rows import check_form, json_line
from szem.scale.track import cut_video, join_tracks
from szem.scale.worker import PLAN, RECORDS, PartWorker, Setup, open_process, part_file, record_file

__all__ = ["DryRun", "ScaleReport", "dry_run", "run"]

RUN, MANIFEST, FAILED, TRACKS = "run.json", "manifest.json", "failed.jsonl", "tracks.jsonl"
PIECE_S = 30.0  # of a video, from key frame to key frame
_READERS = 16  # of records at the end
_SAMPLE = 8  # inputs of a dry run that are worked on


@dataclass(frozen=True, kw_only=True)
class ScaleReport:
    """What became of a run."""

    sink: str
    inputs: int  # that are in the results or among the failures
    failed: int
    parts: int
    parts_before: int  # that an earlier start had done
    seconds: float


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What a run would do."""

    inputs: int  # 0 in WebDataset shards, where only reading tells
    parts: int
    size_bytes: int
    workers: int
    sample_s: float  # seconds an input takes on one worker, by a sample
    estimate_s: float  # for all, where the inputs are counted


Progress = Callable[[int, int], None]


def run(
    task: str,
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    sink: str | os.PathLike[str],
    *,
    options: Mapping[str, Any] | None = None,
    on: str = LOCAL,
    form: str = "jsonl",
    workers: int = 0,
    part_inputs: int = 0,
    on_progress: Progress | None = None,
) -> ScaleReport:
    """Run a task on every input of folders and buckets.

    Args:
        task: `szem.scale.open_task.task_names()` lists them: classify, detect, listen, filter …
        source: Files, folders (on all levels), patterns, `s3://` and `gs://` addresses, WebDataset shards (.tar) and
            Parquet files with a column of bytes; one or several.
        sink: Folder or address of the results.
        options: Fields of the task's request, as for `POST /v1/szem/NAME`: `{"top": 3}`.
        on: `ray`: this machine. `ray://HOST:PORT`: a cluster, whose machines must see source and sink under the same
            names and have szem installed.
        form: jsonl, csv or parquet.
        workers: Processes, one processor each; 0: as many as there are processors.
        part_inputs: Inputs in a part; 0: from 16, growing to 1024.
        on_progress: Called with how many inputs are done, and how many there are (0: unknown).
    Returns:
        Counts. Inputs that failed are in `failed.jsonl` with their reasons.
    Raises:
        MissingExtraError: Ray is not installed.
        UnknownNameError, RangeError: task or options are wrong.
        FileMissingError: a source stands for nothing.
        OverwriteError: the sink holds other things than results of this run.
        StoreError: a bucket or the cluster cannot be reached, the disk is full. What is done stays; start again.
    """
    check_address(on)
    setup = _setup(task, source, sink, options, form)
    if task == TRACK and form != "jsonl":
        raise RangeError(f"boxes of pieces of videos are written as jsonl, got {form!r}")
    OpenTask(task, setup.options).check()
    started = time.monotonic()
    to = setup.open_sink()
    total, parts = _load_or_make_plan(setup, to, part_inputs)
    there = set(to.names())
    todo, done, before = [], 0, 0
    for number, first, size, part in _places_in_plan(to):
        if part_file(number, form) in there:
            done, before = done + part.inputs, before + 1
        else:
            todo.append({"part": number, "first": first, "size": size})
    if on_progress is not None:
        on_progress(done, total)
    if todo:
        count = min(workers or (cores() if on == LOCAL else 0), len(todo)) if workers or on == LOCAL else 0
        with connected(on, workers=max(count, 1)) as ray:
            work = _work if on == LOCAL else _work_there
            for row in work(ray, setup, todo, count):
                if row["error"]:
                    raise StoreError(
                        f"{row['error']}; {before} of {parts} parts are done and stay, start again to go on"
                    )
                done, before = done + row["done"] + row["failed"], before + 1
                if on_progress is not None:
                    on_progress(done, total)
    inputs, failed = _finish(setup, to, parts)
    if task == TRACK:
        _write_tracks(setup, to)
    return ScaleReport(
        sink=setup.sink,
        inputs=inputs,
        failed=failed,
        parts=parts,
        parts_before=parts - len(todo),
        seconds=time.monotonic() - started,
    )


def dry_run(
    task: str,
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    options: Mapping[str, Any] | None = None,
    workers: int = 0,
    part_inputs: int = 0,
) -> DryRun:
    """What `run` would read, and how long it would take by a sample of the first inputs. Writes nothing.

    Raises:
        As `run`.
    """
    setup = _setup(task, source, "", options, "jsonl")
    job = open_task(task, setup.options)
    job.check()
    inputs = parts = size_bytes = 0
    for part in _parts(setup, "", part_inputs):
        inputs, parts, size_bytes = inputs + part.inputs, parts + 1, size_bytes + part.size_bytes
    count = workers or cores()
    taken: list[float] = []
    for one in first_inputs(_parts(setup, "", part_inputs), setup.places(), takes=job.takes, count=_SAMPLE):
        begin = time.perf_counter()
        try:
            if not one.error:
                job(one.data, one.piece)
        except SzemError:  # a failure takes its time too
            pass
        taken.append(time.perf_counter() - begin)
    sample_s = sum(taken) / len(taken) if taken else 0.0
    return DryRun(
        inputs=inputs,
        parts=parts,
        size_bytes=size_bytes,
        workers=count,
        sample_s=sample_s,
        estimate_s=sample_s * inputs / count,
    )


def _setup(
    task: str,
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    sink: str | os.PathLike[str],
    options: Mapping[str, Any] | None,
    form: str,
) -> Setup:
    given = [source] if isinstance(source, str | os.PathLike) else list(source)
    return Setup(
        task=task,
        options=dict(options or {}),
        sources=tuple(os.fspath(one) for one in given),
        sink=os.fspath(sink),
        form=check_form(form),
        folder=os.getcwd(),  # noqa: PTH109
    )


def _parts(setup: Setup, leave_out: str, size: int) -> Iterator[InputPart]:
    job = OpenTask(setup.task, setup.options)
    common: Any = {"takes": job.takes, "leave_out": leave_out, "size": size}
    if not job.cuts:
        yield from cut_into_parts(setup.places(), **common)
        return
    with closing(open_process(setup.task, setup.options, job.takes)) as process:
        yield from cut_into_parts(
            setup.places(), **common, cut=lambda source: process.call(cut_video, source, PIECE_S)
        )


def _load_or_make_plan(setup: Setup, to: Sink, size: int) -> tuple[int, int]:
    """How many inputs and parts the run has; the list of parts is made where there is none.

    Raises:
        OverwriteError: the sink holds something else.
    """
    same = json.loads(json.dumps(setup.to_dict()))  # as it comes back
    names = to.names()
    if RUN in names:
        about = json.loads(to.read(RUN))
        other = sorted(key for key in same if about.get(key) != same[key])
        if other:
            raise OverwriteError(
                f"{setup.sink} holds the results of another run, which differs in {', '.join(other)}; {ANOTHER_PLACE}"
            )
        to.sweep()
        return about["inputs"], about["parts"]
    if any(not name.startswith(".") and name != PLAN for name in names):
        raise OverwriteError(f"{setup.sink} is not empty and no run of szem made it; {ANOTHER_PLACE}")
    inputs = parts = 0
    with to.writing(PLAN) as file:
        for part in _parts(setup, "" if is_remote(setup.sink) else to.path, size):
            file.write(part.to_json())
            inputs, parts = inputs + part.inputs, parts + 1
        if not parts:
            raise FileMissingError(
                f"{', '.join(setup.sources)}: nothing here that {setup.task} takes; name another folder"
            )
    to.write(RUN, json_line({**same, "inputs": inputs, "parts": parts}))
    return inputs, parts


def _places_in_plan(to: Sink) -> Iterator[tuple[int, int, int, InputPart]]:
    """Number, first byte, size in bytes, and the part itself, of each."""
    first = 0
    with to.system.open_input_stream(f"{to.path}/{PLAN}") as file:
        for number, line in enumerate(_lines(file)):
            yield number, first, len(line), InputPart.from_json(line)
            first += len(line)


def _lines(file: Any) -> Iterator[bytes]:
    left = b""
    while piece := file.read(1 << 20):
        *whole, left = (left + piece).split(b"\n")
        yield from (line + b"\n" for line in whole)


def _work(ray: Any, setup: Setup, todo: list[dict[str, int]], workers: int) -> Iterator[dict[str, Any]]:
    """Let Ray Data's actors do the parts; what became of each, as it happens."""
    from ray.data import ActorPoolStrategy, DataContext, from_items

    context = DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    most = {"size": workers} if workers else {"min_size": 1, "max_size": None}
    results = from_items(todo, override_num_blocks=len(todo)).map_batches(
        PartWorker,
        batch_size=1,
        batch_format="numpy",
        compute=ActorPoolStrategy(**most),
        fn_constructor_args=(setup,),
        num_cpus=1,
    )
    with _errors_of(ray):
        yield from results.iter_rows()


class _RemoteDriver:
    """Gives out the parts from inside a cluster: Ray Data does not run over Ray's client."""

    def __init__(self) -> None:
        self._news: SimpleQueue[dict[str, Any] | None] = SimpleQueue()

    def work(self, setup: Setup, todo: list[dict[str, int]], workers: int) -> None:
        """As `_work`; ends when all parts are done."""
        import ray

        try:
            for row in _work(ray, setup, todo, workers):
                self._news.put(row)
        finally:
            self._news.put(None)

    def news(self) -> list[dict[str, Any] | None]:
        """Wait for what became of further parts; None comes last."""
        found = [self._news.get()]
        while not self._news.empty():
            found.append(self._news.get())
        return found


def _work_there(ray: Any, setup: Setup, todo: list[dict[str, int]], workers: int) -> Iterator[dict[str, Any]]:
    """As `_work`, in a cluster that is reached over the network."""
    with _errors_of(ray):
        driver = ray.remote(num_cpus=0, max_concurrency=2)(_RemoteDriver).remote()
        working = driver.work.remote(setup, todo, workers)
        while True:
            for row in ray.get(driver.news.remote()):
                if row is None:
                    ray.get(working)
                    return
                yield row


@contextmanager
def _errors_of(ray: Any) -> Iterator[None]:
    """Ray's errors as szem's."""
    try:
        yield
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, SzemError):
            raise error.cause from error
        raise
    except (ray.exceptions.RayError, ConnectionError) as error:
        why = " ".join(str(error).split())[:300]
        raise StoreError(f"the cluster went away ({why}); the parts that are done stay, start again") from error


def _finish(setup: Setup, to: Sink, parts: int) -> tuple[int, int]:
    """Write `failed.jsonl` and the manifest from the records; how many inputs there were, and how many failed."""
    rows = failed = 0
    # A bucket answers late, but many at a time.
    with ThreadPoolExecutor(_READERS) as pool, to.writing(FAILED) as failures, to.writing(MANIFEST) as manifest:
        head = {"szem": 1, **setup.to_dict(), "failed": FAILED, "records": RECORDS}
        manifest.write(json.dumps(head)[:-1].encode() + b', "parts": [')
        records = pool.map(lambda number: to.read(record_file(number)), range(parts))
        for number, record in enumerate(records):
            about, *lines = record.splitlines(keepends=True)
            counts = json.loads(about)
            rows, failed = rows + counts["rows"], failed + counts["failed"]
            failures.writelines(lines)
            manifest.write((b",\n" if number else b"\n") + about.rstrip())
        manifest.write(f'\n], "rows": {rows}, "failures": {failed}}}\n'.encode())
    return rows + failed, failed


def _write_tracks(setup: Setup, to: Sink) -> None:
    """Write `tracks.jsonl`, a line for each video, from the boxes of its pieces in order."""
    places = setup.places()

    def rows(numbers: Iterable[int]) -> Iterator[dict[str, Any]]:
        for number in numbers:  # one piece is held in memory at a time; one that failed has no row
            yield from map(json.loads, to.read(part_file(number, setup.form)).splitlines())

    with to.writing(TRACKS) as file:
        plan = ((number, part) for number, _, _, part in _places_in_plan(to))
        for (place, path, kind), group in groupby(plan, lambda one: (one[1].place, one[1].paths[0], one[1].kind)):
            numbers = [number for number, _ in group]
            if kind == "piece":
                name = places[place].shown(path)
                file.write(json_line({"file": name, **join_tracks(rows(numbers)).to_dict()}))
            else:  # videos in shards are not cut
                for row in rows(numbers):
                    file.write(json_line({"file": row["file"], **join_tracks([row]).to_dict()}))
