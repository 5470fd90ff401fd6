"""The second engine is chosen by a measurement that is kept, and never gives other answers unless it is asked for."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from szem.arrays import Array
from szem.errors import UnknownNameError, UnsupportedError
from szem.runtime import openvino
from szem.runtime.openvino import ENGINE_VARIABLE, OpenVinoFile, choose_openvino, chosen_engine
from szem.runtime.sessions import OnnxFile
from szem.runtime.store import find_model

FEEDS: dict[str, Array] = {"x": np.zeros(3, np.float32)}


class Clock:
    """Time that passes only where a test says so."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


CLOCK = Clock()


class FakeFile:
    """Answers as fast as and as far from the truth as a test wants."""

    opened = 0
    seconds = 0.01
    off = 0.0
    fails = False

    def __init__(self, path: Path, *, threads: int) -> None:
        type(self).opened += 1
        if type(self).fails:
            raise RuntimeError("no such operation")

    def takes(self, feeds: Mapping[str, Array], names: Sequence[str]) -> bool:
        return feeds.keys() == {"x"}

    def run(self, feeds: Mapping[str, Array], names: Sequence[str]) -> list[Array]:
        CLOCK.now += type(self).seconds
        return [np.float32([0, 1 + type(self).off]) for _ in names]


def slow_run(feeds: Mapping[str, Array], names: Sequence[str]) -> list[Array]:
    CLOCK.now += 0.02
    return [np.float32([0, 1]) for _ in names]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[FakeFile]:
    """OpenVINO as it may be, with an empty cache."""

    class Fake(FakeFile):
        pass

    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(ENGINE_VARIABLE, raising=False)
    monkeypatch.setattr(openvino, "OpenVinoFile", Fake)
    monkeypatch.setattr(openvino, "_is_installed", lambda: True)
    monkeypatch.setattr(openvino, "_versions", lambda: "1")
    monkeypatch.setattr(openvino, "time", CLOCK)
    (tmp_path / "model.onnx").write_bytes(b"any")
    return Fake


def choose(folder: Path) -> object:
    return choose_openvino(folder / "model.onnx", threads=1, feeds=lambda: FEEDS, names=["y"], run=slow_run)


def test_it_is_taken_where_it_is_faster_and_the_choice_is_kept(fake: type[FakeFile], tmp_path: Path) -> None:
    assert choose(tmp_path) is not None
    assert len(list((tmp_path / "home" / "cache").glob("engine-*.json"))) == 1
    fake.seconds = 0.1  # would lose another measurement: there is none
    assert choose(tmp_path) is not None


def test_it_is_not_taken_where_it_is_slower_nor_opened_again(fake: type[FakeFile], tmp_path: Path) -> None:
    fake.seconds = 0.06
    assert choose(tmp_path) is None
    assert choose(tmp_path) is None
    assert fake.opened == 1


@pytest.mark.parametrize("off", [0.002, float("nan"), float("inf")])
def test_it_is_not_taken_where_its_answers_are_others(fake: type[FakeFile], tmp_path: Path, off: float) -> None:
    fake.off = off
    assert choose(tmp_path) is None


def test_a_file_it_cannot_run_is_left_to_onnx_runtime_and_not_tried_again(
    fake: type[FakeFile], tmp_path: Path
) -> None:
    fake.fails = True
    assert choose(tmp_path) is None
    assert choose(tmp_path) is None
    assert fake.opened == 1


def test_a_damaged_choice_is_measured_again(fake: type[FakeFile], tmp_path: Path) -> None:
    fake.seconds = 0.06
    assert choose(tmp_path) is None
    (kept,) = (tmp_path / "home" / "cache").glob("engine-*.json")
    kept.write_text(kept.read_text().replace("onnxruntime", "openvino"))
    assert choose(tmp_path) is None
    assert fake.opened == 2


def test_another_file_of_the_same_name_is_measured_again(fake: type[FakeFile], tmp_path: Path) -> None:
    assert choose(tmp_path) is not None
    (tmp_path / "model.onnx").write_bytes(b"another")
    fake.seconds = 0.06
    assert choose(tmp_path) is None


def test_the_variable_decides(fake: type[FakeFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.off = 0.5
    monkeypatch.setenv(ENGINE_VARIABLE, "openvino")
    assert choose(tmp_path) is not None
    monkeypatch.setenv(ENGINE_VARIABLE, "onnxruntime")
    assert choose(tmp_path) is None
    monkeypatch.setenv(ENGINE_VARIABLE, "cuda")
    with pytest.raises(UnknownNameError, match="SZEM_ENGINE must be one of auto, onnxruntime, openvino, got 'cuda'"):
        chosen_engine()
    monkeypatch.setenv(ENGINE_VARIABLE, "openvino")
    monkeypatch.setattr(openvino, "_is_installed", lambda: False)
    with pytest.raises(UnsupportedError, match=r"pip install 'szem\[openvino\]'"):
        chosen_engine()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_home_measures_each_time(fake: type[FakeFile], tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o500)
    assert choose(tmp_path) is not None
    assert choose(tmp_path) is not None


needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="needs OpenVINO: pip install '.[openvino]'")


@needs_openvino
def test_the_import_sends_nothing_and_writes_nothing_into_the_home(tmp_path: Path) -> None:
    program = """
import sys
calls = []
def note(event, args):
    if event.startswith(("socket.", "urllib.", "http.")):
        calls.append(event)
sys.addaudithook(note)
from szem.runtime import openvino
from szem.runtime.store import find_model
openvino.OpenVinoFile(find_model("lipwords").file(), threads=1)
print([event for event in calls if event != "socket.__new__"], "openvino" in sys.modules)
"""
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["[]", "True"]
    assert list(home.rglob("*")) == []


@needs_openvino
def test_the_real_one_gives_the_same_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    path = find_model("lipwords").file()  # floats, small
    own = OnnxFile(path, threads=1)
    (wanted,) = (own.run(own._example(), [o.name]) for o in own.outputs[:1])
    opened = OpenVinoFile(path, threads=1)
    given = opened.run(own._example(), [own.outputs[0].name])
    assert np.allclose(given[0], wanted[0], atol=1e-3 * float(np.ptp(wanted[0])))
    monkeypatch.setenv(ENGINE_VARIABLE, "openvino")
    assert OnnxFile(path, threads=1, may_use_openvino=True).engine == "openvino"
    assert OnnxFile(path, threads=1).engine == "onnxruntime"
