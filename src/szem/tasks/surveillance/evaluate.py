"""Measure `szem watch`: events that it reports in videos, beside those that people say truly happened.

The folder holds `events.csv` with the columns video, kind, start_s, and perhaps end_s, place, label, direction and
split; and, where events have places, `areas.json` as `szem watch --areas` reads it, for all videos. A video without
events stands in the table with an empty kind.
"""

from pathlib import Path
from typing import Any

from szem.data.broken import Broken
from szem.data.tables import find_column, read_table
from szem.errors import FormatError, RangeError, UnknownNameError
from szem.results.events import Event
from szem.results.score import Measurement
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.bootstrap import bootstrap
from szem.tasks.eval_run import EvalRun
from szem.tasks.surveillance.event_metrics import EventCounts, TrueEvent, match_events
from szem.tasks.surveillance.watcher import watch
from szem.tasks.video.zones import read_areas

__all__ = ["evaluate_watch", "read_true_events"]

_KEPT = ("kind", "start_s", "end_s", "label", "place", "direction", "best_s", "box_xyxy")


def evaluate_watch(model: Model, folder: Path, split: str, *, run: EvalRun | None = None) -> list[Measurement]:
    """Precision, recall and F1 of all kinds of events together, and F1 of each kind.

    Args:
        model: A `detect` model.
        folder: Videos with `events.csv`.
        split: As the table marks it; `all` takes every video.
    Raises:
        FileMissingError, FormatError: there is no such table, or it cannot be read.
        UnknownNameError: no video is of this split.
    """
    run = run or EvalRun()
    truth = read_true_events(folder, split, broken=run.broken)
    areas = read_areas(folder / "areas.json") if (folder / "areas.json").is_file() else None
    session = Session(model)

    def measure(video: Path) -> list[dict[str, Any]]:
        events = watch(video, model=session, areas=areas)
        return [{key: getattr(event, key) for key in _KEPT} for event in events]

    done = run.each(list(truth), measure, key=lambda video: video, doing="videos")
    each = []
    for video, records in done:
        events = [
            Event(score=1.0, **(r | {"box_xyxy": tuple(r["box_xyxy"]) if r["box_xyxy"] else None})) for r in records
        ]
        each.append(match_events(events, truth[video]))
    whole = _joined(each)
    precision, recall, f1 = whole.scores()
    happened = sum(whole.right.values()) + sum(whole.missed.values())
    reported = sum(whole.right.values()) + sum(whole.wrong.values())

    def interval(which: int, kinds: list[str] | None = None) -> tuple[float, float]:
        """Of one of the three scores, over the videos."""
        return bootstrap(lambda at: _joined([each[i] for i in at]).scores(kinds)[which], len(each))

    rows = []  # where nothing happens and nothing is reported, nothing was measured
    if happened + reported:
        rows.append(Measurement("F1 of events", f1, happened, *interval(2)))
    if reported:
        rows.append(Measurement("precision of events", precision, reported, *interval(0)))
    if happened:
        rows.append(Measurement("recall of events", recall, happened, *interval(1)))
    for kind in whole.kinds:
        n = whole.right.get(kind, 0) + whole.missed.get(kind, 0)
        rows.append(Measurement(f"F1 {kind}", whole.scores([kind])[2], n, *interval(2, [kind])))
    return rows


def _joined(counts: list[EventCounts]) -> EventCounts:
    whole = EventCounts()
    for one in counts:
        whole.add(one)
    return whole


def read_true_events(folder: Path, split: str = "all", *, broken: list[Broken]) -> dict[Path, list[TrueEvent]]:
    """The videos of a split with what happens in each.

    Args:
        folder: Holds `events.csv` and the videos.
        split: As the table marks it; `all` for every video.
        broken: Lines that cannot be used are added.
    Raises:
        FileMissingError, FormatError: there is no such table, or it has not its columns.
        UnknownNameError: no video is of this split.
    """
    table = folder / "events.csv"
    header, lines = read_table(table)
    start, end, mark = (find_column(header, what) for what in ("start_s", "end_s", "split"))
    if "video" not in header or "kind" not in header or start is None:
        raise FormatError(f"{table}: needs columns video, kind and start_s, got {', '.join(header)}")
    found: dict[Path, list[TrueEvent]] = {}
    splits = set()
    for number, line in lines:
        of = line[mark].strip() if mark else ""
        splits.add(of)
        video = folder / line["video"].strip()
        if split not in ("all", of):
            continue
        if not line["video"].strip() or not video.is_file():
            broken.append(Broken(f"{table.name}:{number}", f"no such video {line['video']!r}"))
            continue
        happened = found.setdefault(video, [])
        if not line["kind"].strip():
            continue
        try:
            start_s = float(line[start])
            end_s = float(line[end]) if end and line[end].strip() else start_s
            if not 0 <= start_s <= end_s < 1e7:
                raise RangeError(f"from {start_s:g} to {end_s:g} s")
        except ValueError as error:
            broken.append(Broken(f"{table.name}:{number}", f"its times are no seconds ({error})"))
            continue
        label, place, direction = (line.get(key, "").strip() for key in ("label", "place", "direction"))
        happened.append(
            TrueEvent(
                kind=line["kind"].strip(), start_s=start_s, end_s=end_s, label=label, place=place, direction=direction
            )
        )
    if not found:
        known = ", ".join(["all", *sorted(splits - {""})])
        raise UnknownNameError(f"{table}: no video of split {split!r}; there are {known}")
    return found
