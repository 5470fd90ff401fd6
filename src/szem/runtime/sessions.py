"""ONNX Runtime sessions: open a model, run it, get its outputs by the role they play.

A session keeps nothing between calls and may be run from several threads at once. This file does not know what the
numbers mean; `szem.tasks` does.
"""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from szem.arrays import Array
from szem.errors import CardError, ModelError, RangeError, ShapeError, UnknownNameError, UnsupportedError
from szem.runtime.cards import CARD_FILE, PictureInput, read_card
from szem.runtime.onnx import ort
from szem.runtime.openvino import choose_openvino
from szem.runtime.outputs import Output
from szem.runtime.store import Model

__all__ = ["PROVIDERS", "OnnxFile", "Session", "card_mark", "cores", "open_session"]

# Name -> ONNX Runtime's name of the provider, and what brings it.
PROVIDERS: dict[str, tuple[str, str]] = {
    "cpu": ("CPUExecutionProvider", "pip install onnxruntime"),
    "cuda": ("CUDAExecutionProvider", "pip install onnxruntime-gpu"),
    "directml": ("DmlExecutionProvider", "pip install onnxruntime-directml"),
    "coreml": ("CoreMLExecutionProvider", "pip install onnxruntime (on a Mac)"),
}


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# How long a session's idle threads look for more work before they sleep, in microseconds. ONNX Runtime's default is a
# large part of a second of spinning: with several networks in one process, the threads of those that wait take the
# cores from the one that runs. Measured on two cores with other work beside (load 7 to 18), median milliseconds of
# two turns, default / 0 / 20 / 50 / 200 microseconds: one network 211 / 50 / 45 / 41 / 73; a caption 438 / 49 / 81 /
# 58 / 85; faces 1209 / 113 / 131 / 140 / 159; look 1115 / 191 / 233 / 159 / 271. On a quiet machine a network alone
# on two threads needs 1.2 to 1.7 times as long with 0, and 1.0 to 1.35 times with 50: so 50, which keeps both good.
_SPIN_US = 50
_SPIN_SINCE = (1, 32)  # the first version of ONNX Runtime that bounds the time; before it is all or nothing


def session_options(threads: int | None = None) -> Any:
    """Options that every session of this process shares: the thread policy, and errors as exceptions only.

    Args:
        threads: Threads within one run; None for as many as there are cores.
    Raises:
        RangeError: `threads` is not positive.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3  # errors come as exceptions; warnings about graph details help nobody
    options.intra_op_num_threads = _check_threads(threads)
    if tuple(int(part) for part in ort.__version__.split(".")[:2]) >= _SPIN_SINCE:
        options.add_session_config_entry("session.intra_op.spin_duration_us", str(_SPIN_US))
    else:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


_WIDTHS = {"tensor(float16)": np.float16, "tensor(double)": np.float64}


class OnnxFile:
    """An ONNX file opened for running; errors name the file.

    Args:
        path: The file.
        threads: Threads within one run; None for as many as there are cores.
        provider: A key of `PROVIDERS`.
        may_use_openvino: Run it by OpenVINO where that is installed and `szem.runtime.openvino` chooses it.
    Raises:
        ModelError: not an ONNX file, or one this ONNX Runtime cannot run.
        UnknownNameError: no such provider.
        UnsupportedError: this ONNX Runtime was built without it.
        RangeError: `threads` is not positive.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        threads: int | None = None,
        provider: str = "cpu",
        may_use_openvino: bool = False,
    ) -> None:
        self.path = Path(path)
        options = session_options(threads)
        providers = _provider_chain(provider)
        try:
            self._session = ort.InferenceSession(self.path, options, providers=providers)
            # Names that are no text are found out only when they are asked for.
            _ = self.inputs, self.outputs, self.switches, self.metadata
        except Exception as error:  # ONNX Runtime raises classes of its own that share no base
            what = _plain(error)
            raise ModelError(f"{self.path}: not a model ONNX Runtime can run ({what}); export it anew") from error
        # Inputs that take floating-point numbers of another width than float32.
        self._odd = {node.name: _WIDTHS[node.type] for node in self._session.get_inputs() if node.type in _WIDTHS}
        self._run_options = ort.RunOptions()
        self._run_options.log_severity_level = 3
        self._openvino = None
        is_open = any(None in i.shape[1:] for i in self.inputs)  # no example can be made where more than the batch is
        if may_use_openvino and provider == "cpu" and not is_open:
            self._openvino = choose_openvino(
                self.path,
                threads=_check_threads(threads),
                feeds=self._example,
                names=[output.name for output in self.outputs],
                run=self._run_onnxruntime,
            )

    @property
    def engine(self) -> str:
        """What runs it: `onnxruntime` or `openvino`."""
        return "onnxruntime" if self._openvino is None else "openvino"

    @property
    def inputs(self) -> tuple[Output, ...]:
        """Names and shapes of what goes in."""
        return tuple(_described(node) for node in self._session.get_inputs())

    @property
    def input_types(self) -> tuple[str, ...]:
        """Element types of what goes in, as ONNX Runtime names them: `tensor(float)`."""
        return tuple(node.type for node in self._session.get_inputs())

    @property
    def metadata(self) -> dict[str, str]:
        """What its exporter noted: names of classes, sides of the input."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    @property
    def switches(self) -> frozenset[str]:
        """Names of the optional inputs, which have a value of their own when nothing is given."""
        return frozenset(node.name for node in self._session.get_overridable_initializers())

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Names and shapes of what comes out."""
        return tuple(_described(node) for node in self._session.get_outputs())

    def run(self, feeds: Mapping[str, Array], names: Sequence[str]) -> list[Array]:
        """Run once.

        Args:
            feeds: Input name -> array.
            names: The outputs wanted.
        Returns:
            One array per output; those in half or double precision as float32. Inputs in these are converted
            likewise.
        Raises:
            ModelError: the run failed; the message names the file and the shapes.
        """
        wide = {name: value.astype(self._odd[name]) if name in self._odd else value for name, value in feeds.items()}
        if self._openvino is not None and self._openvino.takes(wide, names):
            with suppress(RuntimeError):  # ONNX Runtime runs it then, or says in words what is wrong
                return [_widened(value) for value in self._openvino.run(wide, names)]
        try:
            return [_widened(value) for value in self._run_onnxruntime(wide, names)]
        except Exception as error:
            shapes = ", ".join(f"{name} {value.dtype}{value.shape}" for name, value in feeds.items())
            raise ModelError(f"{self.path}: the run failed on {shapes} ({_plain(error)}); check the input") from error

    def _run_onnxruntime(self, feeds: Mapping[str, Array], names: Sequence[str]) -> list[Array]:
        return [np.asarray(value) for value in self._session.run(list(names), dict(feeds), self._run_options)]

    def _example(self) -> dict[str, Array]:
        """Inputs to measure with: smooth noise, the same each time, one item."""
        rng = np.random.default_rng(0)
        made: dict[str, Array] = {}
        for node in self._session.get_inputs():
            shape = tuple(side if isinstance(side, int) else 1 for side in node.shape)
            if "float" in node.type:
                made[node.name] = (0.5 * rng.standard_normal(shape)).astype(_WIDTHS.get(node.type, np.float32))
            elif node.type == "tensor(uint8)":
                made[node.name] = rng.integers(0, 256, shape, dtype=np.uint8)
            else:
                made[node.name] = np.zeros(shape, {"tensor(int32)": np.int32}.get(node.type, np.int64))
        return made


class Session:
    """A model opened for running.

    Args:
        model: What to open; its file is checked against its card.
        threads: Threads within one run; None for as many as there are cores.
        provider: A key of `PROVIDERS`.
    Raises:
        CardError: the card names outputs that the file does not have.
        ChecksumError: the file is not the card's.
        ModelError: ONNX Runtime cannot run it.
    """

    def __init__(self, model: Model, *, threads: int | None = None, provider: str = "cpu") -> None:
        self.model = model
        self.card_mark = card_mark(model.folder)
        self.threads = _check_threads(threads)
        self._file = OnnxFile(model.file(), threads=threads, provider=provider, may_use_openvino=True)
        _check_names(model, "outputs", model.card.outputs, {output.name for output in self._file.outputs})
        _check_names(model, "switches", model.card.switches, self._file.switches)
        if len(self._file.inputs) != 1:
            raise CardError(
                f"{model.folder}: the model takes {len(self._file.inputs)} inputs, this needs 1; export it with one"
            )
        self.input = self._file.inputs[0]
        # Exports of torchvision's detectors take a single picture, without the first axis.
        self._takes_one = isinstance(model.card.input, PictureInput) and len(self.input.shape) == 3

    @property
    def engine(self) -> str:
        """What runs it: `onnxruntime` or `openvino`."""
        return self._file.engine

    @property
    def batch_limit(self) -> int | None:
        """How many items one run takes: a number if the model fixes it, else None."""
        return 1 if self._takes_one else self.input.shape[0]

    @property
    def metadata(self) -> dict[str, str]:
        """What the file's exporter noted."""
        return self._file.metadata

    def has(self, role: str) -> bool:
        """Whether the model gives this output."""
        return role in self.model.card.outputs

    def run(self, batch: Array, *, roles: Sequence[str]) -> dict[str, Array]:
        """Run on one batch.

        Args:
            batch: As the card's `input` says, items first.
            roles: Which outputs to compute, by their role on the card.
        Returns:
            Role -> array.
        Raises:
            UnknownNameError: the model has no such output.
            ShapeError: the batch does not fit the model's input.
            ModelError: the run failed.
        """
        outputs = self.model.card.outputs
        for role in roles:
            if role not in outputs:
                raise UnknownNameError(
                    f"model {self.model.name!r} gives no {role!r}; its outputs are {', '.join(outputs)}"
                )
        limit = self.batch_limit
        if limit is not None and batch.ndim and 0 < len(batch) != limit:
            return self._run_in_parts(batch, limit, roles)
        wanted = (1, *self.input.shape) if self._takes_one else self.input.shape
        if len(wanted) != batch.ndim or any(
            side is not None and side != got for side, got in zip(wanted, batch.shape, strict=True)
        ):
            takes = tuple("any" if side is None else side for side in wanted)
            raise ShapeError(
                f"model {self.model.name!r} takes {takes}, got {batch.shape}; prepare the picture as the card says"
            )
        feeds = {self.input.name: batch[0] if self._takes_one else batch}
        for role in roles:
            if role in self.model.card.switches:
                feeds[self.model.card.switches[role]] = np.array(True)
        values = self._file.run(feeds, [outputs[role] for role in roles])
        return dict(zip(roles, values, strict=True))

    def _run_in_parts(self, batch: Array, limit: int, roles: Sequence[str]) -> dict[str, Array]:
        """For networks of a fixed batch: as many runs as needed, the last one filled up with its last item."""
        parts: list[dict[str, Array]] = []
        for first in range(0, len(batch), limit):
            part = batch[first : first + limit]
            full = np.concatenate([part, np.repeat(part[-1:], limit - len(part), axis=0)])
            parts.append({role: value[: len(part)] for role, value in self.run(full, roles=roles).items()})
        return {role: np.concatenate([part[role] for part in parts]) for role in roles}


def open_session(model: Model, *, threads: int | None = None, provider: str = "cpu") -> Session:
    """Open a model once per process: the same file is not opened twice.

    Args:
        model: What to open.
        threads: Threads within one run; None for as many as there are cores.
        provider: A key of `PROVIDERS`.
    Raises:
        As `Session`.
    """
    return _open_once(model.folder, (model.card.sha256, card_mark(model.folder)), threads, provider)


def card_mark(folder: Path) -> tuple[int, ...]:
    """What tells a model's folder from one that took its place: size, time and number of its card; () without one."""
    try:
        about = (folder / CARD_FILE).stat()
    except OSError:
        return ()
    return about.st_size, about.st_mtime_ns, about.st_ino


@cache
def _open_once(folder: Path, mark: object, threads: int | None, provider: str) -> Session:  # noqa: ARG001
    return Session(Model(read_card(folder), folder), threads=threads, provider=provider)


def _check_names(model: Model, what: str, named: Mapping[str, str], given: Collection[str]) -> None:
    wrong = sorted(set(named.values()) - set(given))
    if wrong:
        raise CardError(
            f"{model.folder}: the card names {what} {', '.join(wrong)}, the file has "
            f"{', '.join(sorted(given)) or 'none'}; correct the card"
        )


def _check_threads(threads: int | None) -> int:
    if threads is None:
        return cores()
    if threads < 1:
        raise RangeError(f"threads must be at least 1, got {threads}; leave it out for all cores")
    return threads


def _provider_chain(provider: str) -> list[str]:
    if provider not in PROVIDERS:
        raise UnknownNameError(f"no provider called {provider!r}; there are {', '.join(PROVIDERS)}")
    name, remedy = PROVIDERS[provider]
    if name not in ort.get_available_providers():
        raise UnsupportedError(f"this ONNX Runtime has no {provider} provider; {remedy}")
    return [name] if provider == "cpu" else [name, PROVIDERS["cpu"][0]]


def _widened(value: Array) -> Array:
    return value.astype(np.float32) if value.dtype == np.float16 else value


def _plain(error: Exception) -> str:
    """What went wrong, without ONNX Runtime's marks, its own source files and line ends."""
    text = " ".join(str(error).split())
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(r"^Load model from .*? failed: ?", "", text)
    text = re.sub(r"/\S+\.(?:cc|h|cpp):\d+ .*?\) (?=[A-Z])", "", text)
    return text.rstrip(" .")


def _described(node: Any) -> Output:
    sides = tuple(side if isinstance(side, int) else None for side in node.shape)
    return Output(node.name, sides, "int" in node.type)
