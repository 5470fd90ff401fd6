"""Groups of a network's labels as kinds of events, and sounds that last."""

from pathlib import Path

import numpy as np
import pytest

from szem.errors import CardError, UnknownNameError
from szem.tasks.audio.kinds import EventKinds, same_kind
from szem.tasks.audio.listen import Listener, ListenSettings
from szem.tasks.audio.segmenter import EventSettings, SoundEvents
from szem.tasks.audio.windows import AudioWindow
from szem.tasks.models import open_model
from szem.tasks.surveillance.open_events import OpenEvents

from ... import sounds


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp("models") / "grouped"
    return sounds.write_listener(
        folder,
        sounds.waveform_graph(),
        ("Loud", "Very loud"),
        groups={"din": ("Loud", "Very loud")},
        thresholds={"din": 0.3},
        report_thresholds={"din": 0.9},
    )


def listener(folder: Path, **options: object) -> Listener:
    return Listener(open_model(folder, task="listen"), ListenSettings(**options))  # type: ignore[arg-type]


def test_a_group_is_reported_with_the_label_that_was_heard(grouped: Path) -> None:
    (event,) = listener(grouped)(np.concatenate([sounds.quiet(1), sounds.noise(1), sounds.quiet(2)]), rate_hz=16000)
    assert (event.kind, event.label) == ("din", "Loud")


def test_a_label_is_a_kind_only_where_it_is_asked_for(grouped: Path) -> None:
    sound = np.concatenate([sounds.quiet(1), sounds.noise(1), sounds.quiet(2)])
    assert set(listener(grouped, classes=("loud",))(sound, rate_hz=16000).counts) == {"Loud"}
    assert set(listener(grouped, also=("Loud",))(sound, rate_hz=16000).counts) == {"din", "Loud"}
    with pytest.raises(UnknownNameError, match="it knows din and each label"):
        listener(grouped, classes=("hail",))


@pytest.mark.parametrize(("use", "threshold"), [("record", 0.3), ("report", 0.9)])
def test_each_use_has_its_own_threshold(grouped: Path, use: str, threshold: float) -> None:
    ears = listener(grouped, use=use)
    assert ears.thresholds[ears.names.index("din")] == threshold


def test_no_other_use_is_taken(grouped: Path) -> None:
    with pytest.raises(UnknownNameError, match="use is one of record, report, got 'panic'"):
        listener(grouped, use="panic")


@pytest.mark.parametrize("members", [(), ("Hail",)])
def test_a_group_of_labels_that_are_not_there_is_a_fault_of_the_card(members: tuple[str, ...]) -> None:
    with pytest.raises(CardError, match="group 'din' has no label"):
        EventKinds(("Loud",), {"din": members})


def test_a_data_set_and_a_model_may_name_a_kind_differently() -> None:
    assert same_kind("engine idling", ("engine",)) == "engine"
    assert same_kind("siren", ("siren", "engine")) == "siren"
    assert same_kind("gunshot", ("gun shot",)) == "gun shot"
    assert not same_kind("hail", ("siren",))


def events_of(scores: list[float], *, sustained_s: float) -> list[tuple[float, float]]:
    """Start and end of the events of one kind with threshold 0.5, of windows each 0.25 s."""
    segmenter = SoundEvents(
        ("engine",),
        np.array([0.5]),
        window_s=1.0,
        hop_s=0.25,
        reported=OpenEvents(),
        sustained_s={"engine": sustained_s} if sustained_s else {},
        settings=EventSettings(),
    )
    found = {}
    for number, score in enumerate(scores):
        window = AudioWindow(
            time_s=number * 0.25,
            scores=np.array([score], np.float32),
            best=np.zeros(1, np.int64),
            level_db=-20.0,
            peak=0.1,
            is_steady=False,
        )
        found.update({event.number: event for event in segmenter.feed(window)})
    found.update({event.number: event for event in segmenter.finish(len(scores) * 0.25 + 0.75)})
    return [(event.start_s, event.end_s) for event in found.values()]


RUNS = [
    # scores, seconds of the running mean, how many events
    ([0.7, 0.35] * 20, 3.0, 1),  # wavers about its threshold: one sound
    ([0.0] * 10 + [0.9] * 2 + [0.0] * 20, 3.0, 0),  # a bang is no engine …
    ([0.0] * 10 + [0.9] * 2 + [0.0] * 20, 0.0, 1),  # … but a bang
    ([0.45] * 40, 3.0, 0),  # below its threshold for however long
]


@pytest.mark.parametrize(("scores", "sustained_s", "count"), RUNS)
def test_what_lasts_is_judged_over_seconds(scores: list[float], sustained_s: float, count: int) -> None:
    assert len(events_of(scores, sustained_s=sustained_s)) == count


def test_a_sustained_sound_begins_and_ends_where_it_is_heard() -> None:
    ((start_s, end_s),) = events_of([0.0] * 20 + [0.9] * 40 + [0.0] * 40, sustained_s=3.0)
    assert start_s == pytest.approx(5.75, abs=0.3)
    assert end_s == pytest.approx(15.0, abs=0.5)
