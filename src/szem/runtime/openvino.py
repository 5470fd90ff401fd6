"""OpenVINO, an optional second engine for ONNX files (`pip install 'szem[openvino]'`). The only file that imports it.

Where it is installed, `$SZEM_ENGINE` chooses:

* `auto` (the default): for each file, a short measurement on this machine. OpenVINO is taken where it is faster and
  its outputs are ONNX Runtime's to 1e-3 of their largest value; the choice is kept in szem's cache folder.
* `onnxruntime`: never.
* `openvino`: for every file that it can run, also where its outputs differ more. Networks in 8 bits do: each engine
  rounds in its own places.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from szem.arrays import Array
from szem.errors import UnknownNameError, UnsupportedError
from szem.files import cache_folder
from szem.kept import read_kept
from szem.machine import measurement_file, processor_name, write_measurement

__all__ = ["ENGINES", "ENGINE_VARIABLE", "OpenVinoFile", "choose_openvino", "chosen_engine", "is_considered"]

ENGINES = ("auto", "onnxruntime", "openvino")
ENGINE_VARIABLE = "SZEM_ENGINE"

_VERSION = 2  # of the measurement; another one makes every choice anew
_TOLERANCE = 1e-3  # of an output's largest value
_GAIN = 1.1  # OpenVINO is taken where it is so many times as fast
_BUDGET_S = 0.25  # for a measurement, opening not counted
_ROUNDS = 8

_Run = Callable[[Mapping[str, Array], Sequence[str]], list[Array]]


def chosen_engine() -> str:
    """What `$SZEM_ENGINE` says.

    Raises:
        UnknownNameError: no such engine.
        UnsupportedError: `openvino`, which is not installed.
    """
    name = os.environ.get(ENGINE_VARIABLE, "auto") or "auto"
    if name not in ENGINES:
        raise UnknownNameError(f"{ENGINE_VARIABLE} must be one of {', '.join(ENGINES)}, got {name[:40]!r}")
    if name == "openvino" and not _is_installed():
        raise UnsupportedError(f"{ENGINE_VARIABLE}=openvino needs OpenVINO; pip install 'szem[openvino]'")
    return name


def is_considered() -> bool:
    """Whether files may be run, or tried, by OpenVINO. It starts threads, which a process that forks must not have.

    Raises:
        As `chosen_engine`.
    """
    return chosen_engine() != "onnxruntime" and _is_installed()


@cache
def _is_installed() -> bool:
    return find_spec("openvino") is not None


@cache
def _core() -> Any:
    # The import sends an event to its maker's statistics and writes an identity into the home, unless the package
    # that does it cannot be imported: it then takes a stub of its own. Nothing may leave a machine that runs szem.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino.Core()


class OpenVinoFile:
    """An ONNX file compiled by OpenVINO for this processor, in float32 where the file is in floats.

    May be run from several threads at once: each has its own request.

    Args:
        path: The file.
        threads: Threads within one run.
    Raises:
        RuntimeError: OpenVINO cannot read or compile it.
    """

    def __init__(self, path: Path, *, threads: int) -> None:
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",  # bfloat16 would be faster, and off by some thousandths
        }
        self._compiled = _core().compile_model(_core().read_model(path), "CPU", settings)
        self._inputs = frozenset(name for port in self._compiled.inputs for name in port.names)
        self._outputs = {name: port for port in self._compiled.outputs for name in port.names}
        self._own = threading.local()

    def takes(self, feeds: Mapping[str, Array], names: Sequence[str]) -> bool:
        """Whether it can answer: switches of a graph (inputs with a value of their own) are constants here."""
        return feeds.keys() == self._inputs and self._outputs.keys() >= set(names)

    def run(self, feeds: Mapping[str, Array], names: Sequence[str]) -> list[Array]:
        """Run once; one array per output.

        Raises:
            RuntimeError: the run failed.
        """
        request = getattr(self._own, "request", None)
        if request is None:
            request = self._own.request = self._compiled.create_infer_request()
        found = request.infer(dict(feeds))
        # The request writes its next answer into the same memory.
        return [np.array(found[self._outputs[name]]) for name in names]


def choose_openvino(
    path: Path, *, threads: int, feeds: Callable[[], dict[str, Array]], names: Sequence[str], run: _Run
) -> OpenVinoFile | None:
    """OpenVINO for one file, where `$SZEM_ENGINE` and the measurement are for it; None for ONNX Runtime.

    Args:
        path: The file.
        threads: Threads within one run.
        feeds: Makes inputs to measure with.
        names: The outputs that are compared.
        run: The same run by ONNX Runtime.
    Raises:
        As `chosen_engine`.
    """
    if not is_considered():
        return None
    if chosen_engine() == "openvino":
        try:
            return OpenVinoFile(path, threads=threads)
        except Exception:  # its errors are RuntimeErrors of its own; ONNX Runtime runs the file then
            return None
    stat = path.stat()
    which = f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}"
    key = f"{processor_name()}; {which}; {threads} threads; {_versions()}; {_VERSION}"
    folder = cache_folder()
    file = folder and measurement_file(folder, "engine", key)
    known = (read_kept(file, key) if file else None) or {}
    choice = known.get("engine")
    if choice == "onnxruntime":
        return None
    try:
        opened = OpenVinoFile(path, threads=threads)
        if choice != "openvino":
            ratio, difference = _compare(opened, feeds(), names, run)
            choice = "openvino" if ratio >= _GAIN and difference <= _TOLERANCE else "onnxruntime"
            if file:
                write_measurement(file, key, {"engine": choice, "ratio": ratio, "difference": difference})
    except Exception:  # it cannot run this file: remembered, so that the next process need not try
        choice = "onnxruntime"
        if file:
            write_measurement(file, key, {"engine": choice})
    return opened if choice == "openvino" else None


def _compare(opened: OpenVinoFile, feeds: dict[str, Array], names: Sequence[str], run: _Run) -> tuple[float, float]:
    """How many times as fast as `run`, and the largest difference as a fraction of an output's largest value.

    The best of some rounds in turn counts, for other work on the machine only adds time.
    """
    if not opened.takes(feeds, names):
        return 0.0, 1.0
    difference = max(
        (_difference(a, b) for a, b in zip(run(feeds, names), opened.run(feeds, names), strict=True)), default=1.0
    )
    if difference > _TOLERANCE:
        return 0.0, difference
    best = {"own": float("inf"), "other": float("inf")}
    end = time.perf_counter() + _BUDGET_S
    for number in range(_ROUNDS):
        for name, job in (("own", run), ("other", opened.run)):
            began = time.perf_counter()
            job(feeds, names)
            best[name] = min(best[name], time.perf_counter() - began)
        if number and time.perf_counter() > end:
            break
    return best["own"] / best["other"], difference


def _difference(wanted: Array, given: Array) -> float:
    if wanted.shape != given.shape or not (np.isfinite(wanted).all() and np.isfinite(given).all()):
        return 1.0
    if not wanted.size:
        return 0.0
    apart = float(np.abs(wanted.astype(np.float64) - given.astype(np.float64)).max())
    return min(1.0, apart / max(float(np.abs(wanted).max()), 1e-6))


def _versions() -> str:
    from importlib.metadata import version

    return f"OpenVINO {version('openvino')}, ONNX Runtime {version('onnxruntime')}"
