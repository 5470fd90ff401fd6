"""`szem eval`: any folder, any peer, intervals, a report; an interrupted evaluation goes on; nothing is an error."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from szem.cli.eval import app
from szem.data.broken import Broken
from szem.data.class_names import class_pairs
from szem.errors import EmptyFileError, FormatError, MediaError, RangeError, UnknownNameError
from szem.results.score import Measurement
from szem.runtime.store import find_model
from szem.tasks.bootstrap import bootstrap, mean_of
from szem.tasks.eval_run import EvalRun, KeptRecords
from szem.tasks.evaluate import evaluate
from szem.tasks.registry import TASKS, load

SHIPPED = "efficientnet-lite0"


def photographs(folder: Path) -> Path:
    """Three plain pictures of a class of ImageNet, one of a class that it has not, and a broken file."""
    rng = np.random.default_rng(0)
    for name in ("goldfish/a.png", "goldfish/b.png", "goldfish/c.png", "my dog/d.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(folder / name)
    (folder / "goldfish" / "broken.jpg").write_bytes(b"\xff\xd8nothing")
    return folder


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "home"))


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_scores_have_a_count_and_an_interval_and_what_is_left_out_is_named(tmp_path: Path) -> None:
    code, out, said = run(SHIPPED, "--data", photographs(tmp_path / "data"))
    assert code == 0
    assert "recall goldfish" in out
    assert "(3 items)" in out
    assert "my dog (not a class of the model; its 1 pictures are left out)" in said
    assert "broken.jpg" in said
    code, out, _ = run(SHIPPED, "--data", tmp_path / "data", "--json")
    found = json.loads(out)
    top = next(row for row in found["scores"] if row["metric"] == "top-1")
    assert 0 <= top["low"] <= top["value"] <= top["high"] <= 1
    assert {row["name"] for row in found["left_out"]} >= {"my dog"}


@pytest.mark.slow
def test_a_peer_stands_beside_the_model_and_both_in_the_report(tmp_path: Path) -> None:
    peer = find_model(SHIPPED).file()
    copy = tmp_path / "Peer.onnx"
    copy.write_bytes(peer.read_bytes())
    report = tmp_path / "out" / "report.html"
    code, out, _ = run(SHIPPED, "--data", photographs(tmp_path / "data"), "--against", copy, "--report", report)
    assert code == 0
    assert f"{SHIPPED} on data, all" in out
    assert "peer-named on data, all" in out
    page = report.read_text()
    assert page.count("<img ") == 4  # confusion and reliability of each
    assert len(list(report.parent.glob("*.png"))) == 4
    assert "http" not in page  # nothing of another place


def test_a_second_origin_is_a_second_data(tmp_path: Path) -> None:
    parts = ["--data", photographs(tmp_path / "a"), "--data", photographs(tmp_path / "b")]
    code, out, _ = run(SHIPPED, *parts, "--json")
    assert code == 0
    assert [row["data"] for row in json.loads(out)] == ["a", "b"]
    _, out, _ = run(SHIPPED, *parts, "--split", "even", "--split", "odd", "--json")
    assert [row["split"] for row in json.loads(out)] == ["even", "odd"]
    with pytest.raises(RangeError, match="once for all data, or once for each --data"):
        run(SHIPPED, *parts, *["--split", "all"] * 3)
    with pytest.raises(RangeError, match="once for each --data"):
        run(SHIPPED, "--data", tmp_path / "a", "--data", tmp_path / "b", "--save", "one")


def test_classes_under_other_names_are_mapped_and_nothing_shared_is_an_error(tmp_path: Path) -> None:
    data = photographs(tmp_path / "data")
    (data / "goldfish").rename(data / "hal")
    with pytest.raises(UnknownNameError, match="--classes a=b says"):
        run(SHIPPED, "--data", data)
    code, out, _ = run(SHIPPED, "--data", data, "--classes", "hal=goldfish")
    assert code == 0
    assert "recall goldfish" in out
    assert class_pairs(["a=b", " c="]) == {"a": "b", "c": ""}
    with pytest.raises(RangeError, match="takes pairs"):
        class_pairs(["a"])


def test_an_interrupted_evaluation_goes_on(tmp_path: Path) -> None:
    data, seen = photographs(tmp_path / "data"), []

    def stop_at(limit: int) -> EvalRun:
        def progress(doing: str, done: int, total: int) -> None:
            seen.append(done)
            if done == limit:
                raise KeyboardInterrupt

        return EvalRun(on_progress=progress, kept=KeptRecords(tmp_path / "kept.jsonl"))

    with pytest.raises(KeyboardInterrupt):
        evaluate(find_model(SHIPPED), data, run=stop_at(2))
    kept = KeptRecords(tmp_path / "kept.jsonl")
    assert len(kept) == 2
    with (tmp_path / "kept.jsonl").open("a") as file:
        file.write('{"item": "half a li')  # a kill in the middle of a line
    whole = evaluate(find_model(SHIPPED), data)
    assert evaluate(find_model(SHIPPED), data, run=stop_at(99)) == whole


def test_a_changed_file_is_measured_anew(tmp_path: Path) -> None:
    file, asked = tmp_path / "a.txt", []
    file.write_text("1")

    def measure(item: Path) -> str:
        asked.append(item.read_text())
        return asked[-1]

    for content in ("1", "1", "two"):
        if file.read_text() != content:
            file.write_text(content)
        kept = EvalRun(kept=KeptRecords(tmp_path / "kept.jsonl"))
        assert kept.each([file], measure, key=lambda item: item)[0][1] == content
    assert asked == ["1", "two"]


def test_nothing_to_measure_is_an_error() -> None:
    with pytest.raises(EmptyFileError, match="nothing could be measured of 0 pictures"):
        EvalRun().each([], str, key=str, doing="pictures")

    def fail(item: int) -> None:
        raise MediaError(f"{item}: damaged")

    run = EvalRun()
    with pytest.raises(EmptyFileError, match=r"of 2 items. 2 left out"):
        run.each([1, 2], fail, key=str)
    assert run.broken == [Broken("1", "1: damaged"), Broken("2", "2: damaged")]


@pytest.mark.slow
def test_every_row_of_the_registry_is_measured_by_the_one_contract(tmp_path: Path) -> None:
    import inspect

    for row in TASKS.values():
        for path in [row.model.evaluate, *dict(row.model.evaluate_also).values()] if row.model else []:
            names = list(inspect.signature(load(path)).parameters)
            assert names == ["model", "folder", "split", "run"], path
            with pytest.raises((OSError, FormatError, UnknownNameError, RuntimeError, ValueError)):  # never nothing
                load(path)(find_model(row.model.default), tmp_path, "all", run=EvalRun())


def test_intervals_hold_the_value_and_shrink_with_n() -> None:
    rng = np.random.default_rng(0)
    few, many = (mean_of("m", rng.random(n) < 0.7) for n in (20, 2000))
    for one in (few, many):
        assert one.low is not None
        assert one.high is not None
        assert one.low <= one.value <= one.high
    assert few.high - few.low > 5 * (many.high - many.low)
    assert mean_of("m", [1, 1]) == Measurement("m", 1.0, 2, 1.0, 1.0)
    assert mean_of("m", [0.3]) == Measurement("m", 0.3, 1)  # one item says nothing of others
    low, high = bootstrap(lambda at: float("nan"), 3)
    assert np.isnan(low)
    assert np.isnan(high)
