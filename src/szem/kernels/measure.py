"""The planner's constants on this machine: measured once in less than 100 ms, and kept in szem's cache folder.

A cache file belongs to one processor, one OpenCV and one instruction set of the core. It carries a checksum; a file
that is damaged, old or of another machine is made anew, and where nothing can be written the process measures for
itself.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from szem.files import cache_folder
from szem.kept import read_kept
from szem.kernels.borders import take
from szem.kernels.compiled import Compiled, instruction_set
from szem.kernels.costs import Costs
from szem.kernels.fourier import TILES
from szem.kernels.lattice import Axis
from szem.kernels.passes import Term, filter_patch
from szem.machine import measurement_file, processor_name, write_measurement

__all__ = ["MachineCosts", "machine_costs", "measure_costs"]

_VERSION = 2  # of what is measured; another one makes every cache anew
_SIDE = 256  # pixels of the picture that is measured with
_BUDGET_S = 0.05
_ROUNDS = 12
_RANGE = 10.0  # a constant further than this factor from its default is a fault of the measurement

_Times = dict[str, float]


@dataclass(frozen=True)
class MachineCosts:
    """Constants, and in words where they come from."""

    values: Costs
    about: str


def machine_costs() -> MachineCosts:
    """The constants of this machine: from the cache, else measured and put there."""
    return _machine_costs(cache_folder(), instruction_set())


@lru_cache(maxsize=8)
def _machine_costs(folder: Path | None, core: str | None) -> MachineCosts:
    key = f"{processor_name()}; OpenCV {cv2.__version__}; core {core}; {_VERSION}"
    file = folder and measurement_file(folder, "kernels", key)
    known = file and _read(file, key)
    if known:
        return known
    values = measure_costs()
    day = datetime.now(UTC).date().isoformat()
    about = f"from constants measured on this machine on {day}"
    if file and write_measurement(file, key, {"ns": asdict(values)}):  # in a read-only home, each process measures
        about += f", kept in {file}"
    return MachineCosts(values, about)


def _read(file: Path, key: str) -> MachineCosts | None:
    """What the cache holds; None where it is missing, damaged, or another machine's."""
    body = read_kept(file, key)
    try:
        values = Costs(**(body or {})["ns"])
        numbers = [getattr(values, field.name) for field in fields(Costs)]
        if body is None or not all(isinstance(n, float) and 0 < n < math.inf for n in numbers):
            return None
        return MachineCosts(values, f"from constants measured on this machine on {body['day']}, kept in {file}")
    except (KeyError, TypeError):
        return None


def measure_costs() -> Costs:
    """Measure every constant, in less than 100 ms; the best of some rounds counts, for other work only adds time."""
    work = _work()
    best = dict.fromkeys(work, math.inf)
    end = time.perf_counter() + _BUDGET_S
    for name, run in list(work.items()) * _ROUNDS:
        began = time.perf_counter()
        if began > end and best[name] < math.inf:
            break
        run()
        best[name] = min(best[name], (time.perf_counter() - began) * 1e9)
    defaults = asdict(Costs())
    found = {name: value for name, value in _solve(best).items() if math.isfinite(value) and value > 0}
    limited = {name: min(max(found.get(name, d), d / _RANGE), d * _RANGE) for name, d in defaults.items()}
    return Costs(**limited)


def _work() -> dict[str, Callable[[], object]]:
    """Name -> one small piece of work."""
    rng = np.random.default_rng(0)
    image = rng.random((_SIDE, _SIDE, 1), dtype=np.float32)
    other, target = image.copy(), np.empty_like(image)
    small = image[:8, :8].copy()
    # Above 0: zeros are skipped or cut away, which would time a smaller kernel.
    weights = {side: rng.random((side, side), dtype=np.float32) + np.float32(0.1) for side in (3, 9, 15)}
    third = np.empty((_SIDE, _SIDE // 3, 1), np.float32)

    def transform(side: int) -> Callable[[], object]:
        tile, spectrum = np.zeros((side, side, 2), np.float32), np.ones((side, side), np.complex64)

        def run() -> None:
            cv2.dft(tile, dst=tile)
            values = tile.view(np.complex64)[..., 0]
            np.multiply(values, spectrum, out=values)
            cv2.dft(tile, dst=tile, flags=cv2.DFT_INVERSE | cv2.DFT_SCALE)

        return run

    def call() -> None:
        patch = take(small, range(8), range(-1, 9), "reflect")
        cv2.add(filter_patch(patch, weights[3]), other[:6, :10], dst=target[:6, :10])

    work: dict[str, Callable[[], object]] = {
        "filter3": lambda: cv2.filter2D(image, -1, weights[3], dst=target),
        "filter9": lambda: cv2.filter2D(image, -1, weights[9], dst=target),
        "copy": lambda: cv2.copyMakeBorder(image, 0, 0, 2, 2, cv2.BORDER_REFLECT_101),
        "gather": lambda: third.__setitem__(..., image[:, : _SIDE // 3 * 3 : 3]),
        "add": lambda: cv2.add(image, other, dst=target),
        "box": lambda: cv2.boxFilter(image, cv2.CV_32F, (9, 9), dst=target),
        "call": call,
        "tile64": transform(64),
        "tile128": transform(128),
    }
    if instruction_set() is not None:
        # A chequerboard: no outer row or column is empty, so that nothing is cut away.
        sparse = np.where(np.indices((9, 9)).sum(axis=0) % 2, 0, weights[9])  # 41 weights are left
        work |= {
            "core_call": _core(small, Term(weights[3])),
            "core3": _core(image, Term(weights[3])),
            "core15": _core(image, Term(weights[15])),
            "core_list": _core(image, Term(sparse)),
            "core_stride": _core(image, Term(weights[3]), stride=2),
        }
    return work


def _core(image: np.ndarray[Any, np.dtype[np.float32]], term: Term, *, stride: int = 1) -> Callable[[], object]:
    size, taps = len(image), term.shape[0]
    axis = Axis(size=size, outputs=size // stride, taps=taps, before=taps // 2, stride=stride)
    runner = Compiled(y=axis, x=axis, terms=(term,), border="reflect", threads=1)
    return lambda: runner.run(image)


def _solve(ns: _Times) -> _Times:
    """The constants that explain the times."""
    values = _SIDE * _SIDE
    tap = (ns["filter9"] - ns["filter3"]) / 72 / values
    tiles = [ns[f"tile{side}"] / (side * side * 2 * TILES[side]) for side in (64, 128)]
    found = {
        "tap": tap,
        "pass_": ns["filter3"] / values - 9 * tap,
        "copy": ns["copy"] / values,
        "gather": ns["gather"] / (values // 3),
        "add": ns["add"] / values,
        "box": ns["box"] / values,
        "subproblem": 0.4 * ns["call"],
        "piece": 2 * ns["call"],
        "fourier": math.sqrt(math.prod(tiles)),
    }
    if "core3" in ns:
        core3, core15, listed, stride = (
            (ns[name] - ns["core_call"]) / values for name in ("core3", "core15", "core_list", "core_stride")
        )
        core_tap = (core15 - core3) / (225 - 9)
        rest = core3 - 9 * core_tap  # copying a value in and storing one
        found |= {
            "core_call": ns["core_call"],
            "core_tap": core_tap,
            "core_copy": rest / 2,
            "core_store": rest / 2,
            "core_listed_tap": (listed - rest) / 41,
            "core_gather": max(stride - (9 * core_tap + rest / 2) / 4, rest / 2),
        }
    return found
