"""`szem eval watch`: events of a table beside those that are reported."""

from pathlib import Path

import pytest

from szem.errors import FormatError, UnknownNameError
from szem.results.events import Event, Events
from szem.tasks.eval_run import EvalRun
from szem.tasks.models import default_model
from szem.tasks.surveillance.evaluate import evaluate_watch, read_true_events

TABLE = """video,kind,start_s,end_s,place,split
a.mp4,enters,2,,,val
a.mp4,loiters,3,20,,val
b.mp4,,,,,val
c.mp4,enters,1,,,test
gone.mp4,enters,1,,,val
a.mp4,enters,nan,,,val
"""


def folder_of(tmp_path: Path, table: str = TABLE) -> Path:
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        (tmp_path / name).write_bytes(b"a video")
    (tmp_path / "events.csv").write_text(table)
    return tmp_path


def test_a_table_of_events_is_read_and_its_faults_are_named(tmp_path: Path) -> None:
    broken = EvalRun().broken
    found = read_true_events(folder_of(tmp_path), "val", broken=broken)
    assert {video.name: [event.kind for event in events] for video, events in found.items()} == {
        "a.mp4": ["enters", "loiters"],
        "b.mp4": [],
    }
    assert [fault.name for fault in broken] == ["events.csv:6", "events.csv:7"]
    with pytest.raises(UnknownNameError, match="there are all, test, val"):
        read_true_events(tmp_path, "odd", broken=broken)
    with pytest.raises(FormatError, match="needs columns video, kind and start_s"):
        read_true_events(folder_of(tmp_path, "file,what\n"), broken=broken)


def test_f1_counts_what_is_right_wrong_and_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reported = {
        "a.mp4": (Event(kind="enters", start_s=2.5, end_s=2.5, score=0.9),),  # right; loiters is missed
        "b.mp4": (Event(kind="enters", start_s=1.0, end_s=1.0, score=0.9),),  # wrong
    }
    monkeypatch.setattr(
        "szem.tasks.surveillance.evaluate.watch",
        lambda video, **_: Events(items=reported[video.name], duration_s=30.0, model="toy"),
    )
    run = EvalRun()
    found = {m.metric: m for m in evaluate_watch(default_model("detect"), folder_of(tmp_path), "val", run=run)}
    assert found["F1 of events"].value == pytest.approx(2 / 4)
    assert found["F1 of events"].n == 2
    assert found["precision of events"].value == 0.5
    assert found["F1 enters"].value == pytest.approx(2 / 3)
    assert found["F1 loiters"].value == 0
    assert len(run.broken) == 2
