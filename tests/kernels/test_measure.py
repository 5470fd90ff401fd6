"""The planner's constants: measured, kept, and made anew whenever the cache is not to be trusted."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from szem import kept
from szem.kernels import measure, plan_convolution
from szem.kernels.costs import Costs
from szem.kernels.measure import machine_costs, measure_costs


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home for szem, and a process that has measured nothing yet."""
    monkeypatch.setenv("SZEM_HOME", str(tmp_path))
    measure._machine_costs.cache_clear()
    return tmp_path


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each time the machine is measured."""
    runs: list[int] = []

    def measured() -> Costs:
        runs.append(1)
        return Costs(tap=0.01 * (10 + len(runs)))

    monkeypatch.setattr(measure, "measure_costs", measured)
    return runs


def forget() -> None:
    """As a new process would begin."""
    measure._machine_costs.cache_clear()


def cached(home: Path) -> Path:
    (file,) = (home / "cache").glob("kernels-*.json")
    return file


def test_every_constant_is_measured_within_its_range() -> None:
    found, defaults = asdict(measure_costs()), asdict(Costs())
    assert found.keys() == defaults.keys()
    for name, value in found.items():
        assert defaults[name] / 10 <= value <= defaults[name] * 10, name


def test_constants_are_measured_once_and_kept(home: Path, count: list[int]) -> None:
    first = machine_costs()
    forget()
    assert machine_costs().values == first.values
    assert len(count) == 1
    assert str(cached(home)) in machine_costs().about


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: "[" * 100_000,
        lambda text: text.replace('"tap": 0.11', '"tap": 0.12'),  # the checksum is another's
        lambda text: text.replace('"tap"', '"tip"'),
        lambda text: text.replace("OpenCV", "OpenVC"),
        lambda text: "\x00\xff" * 40,
    ],
)
def test_a_damaged_cache_is_made_anew(home: Path, count: list[int], damage: object) -> None:
    machine_costs()
    file = cached(home)
    file.write_text(damage(file.read_text()), encoding="utf-8")  # type: ignore[operator]
    forget()
    machine_costs()
    assert len(count) == 2
    forget()
    assert machine_costs().values.tap == pytest.approx(0.12)  # the new one holds
    assert len(count) == 2


def test_a_cache_of_impossible_numbers_is_made_anew(home: Path, count: list[int]) -> None:
    machine_costs()
    file = cached(home)
    for tap in (0.0, -1.0, float("inf"), "1", None):
        body = json.loads(file.read_text())
        body.pop("sha256")
        body["ns"]["tap"] = tap
        file.write_text(json.dumps({**body, "sha256": kept._checksum(body)}))
        forget()
        before = len(count)
        machine_costs()
        assert len(count) == before + 1


@pytest.mark.parametrize("kind", ["a file", "read-only", "no home"])
def test_where_nothing_can_be_kept_the_process_measures_for_itself(
    home: Path, count: list[int], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    if kind == "a file":
        (home / "cache").write_text("not a folder")
    elif kind == "read-only":
        if os.name != "posix" or os.geteuid() == 0:
            monkeypatch.setattr(kept, "write_json", lambda path, *_, **__: _refuse(path))
        else:
            home.chmod(0o500)
    else:
        monkeypatch.setattr(measure, "cache_folder", lambda: None)
    found = machine_costs()
    assert machine_costs() is found  # once a process
    assert len(count) == 1
    assert "kept" not in found.about
    home.chmod(0o700)


def _refuse(path: Path) -> None:
    from szem.files import write_error

    raise write_error(path, PermissionError(13, "Permission denied"))


def test_the_explanation_says_where_its_constants_come_from(home: Path, count: list[int]) -> None:
    assert "measured on this machine" in plan_convolution((8, 8), "box:3").explain()
