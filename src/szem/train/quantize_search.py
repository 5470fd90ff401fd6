"""Which parts of a network compute in 8 bits: choices are tried, and the fastest that keeps the score is taken.

Where none keeps it, weights alone are stored in 8 bits; where that loses too much as well, all stays float.

Some layers lose more by rounding than others: those before an answer, small ones that weigh channels, those that see
the pixels. Which, differs from network to network; so it is measured, on what is held out of the training. This file
does not know about tasks.
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from szem.arrays import Array
from szem.errors import ModelError
from szem.runtime.sessions import OnnxFile
from szem.train.int8_weights import store_as_int8
from szem.train.quantize import last_convolutions, quantize_onnx

__all__ = ["ALLOWED_LOSS", "Trial", "describe_trials", "float_choices", "search_quantization"]

ALLOWED_LOSS = 0.003
"""Of a score between 0 and 1, by 8 bits."""

_REPEATS = 9  # runs of one input; their median counts


@dataclass(frozen=True)
class Trial:
    """One choice and what came of it."""

    name: str
    quantised: int  # convolutions in 8 bits
    score: float
    milliseconds: float  # of one input, on one thread
    is_taken: bool = False


def float_choices(source: Path) -> dict[str, tuple[str, ...]]:
    """What may stay in float: name of the choice -> outputs of these convolutions.

    Raises:
        ModelError: not an ONNX file.
    """
    last = last_convolutions(source)
    graph = onnx.load(source).graph
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    outputs = [node.output[0] for node in convolutions]
    pooled = {
        name for node in graph.node if node.op_type in ("ReduceMean", "GlobalAveragePool") for name in node.output
    }
    gates = set()
    for node in graph.node:  # squeeze and excite: convolutions of one cell, behind a mean
        if (
            node.input
            and node.input[0] in pooled
            and node.op_type in ("Conv", "Relu", "HardSigmoid", "Clip", "Sigmoid")
        ):
            pooled |= set(node.output)
            gates |= set(node.output) & set(outputs)
    choices = {"last convolutions": last}
    if gates:
        choices["last convolutions and gates"] = (*last, *sorted(gates))
    for fraction, name in ((0.25, "last quarter"), (0.5, "last half"), (0.75, "last three quarters")):
        tail = outputs[len(outputs) - round(fraction * len(outputs)) :]
        choices[f"{name} and gates" if gates else name] = tuple(dict.fromkeys((*last, *sorted(gates), *tail)))
        first = tuple(dict.fromkeys((*last, *sorted(gates), *tail, outputs[0])))
        choices[f"{name}, gates and first convolution" if gates else f"{name} and first convolution"] = first
    return choices


def search_quantization(
    source: Path,
    target: Path,
    *,
    samples: Sequence[Array],
    score: Callable[[Path], float],
    allowed_loss: float = ALLOWED_LOSS,
) -> tuple[Trial, ...]:
    """Quantise a float file in each of `float_choices`, and write the fastest that loses no more than allowed.

    Where all lose more, weights alone are stored in 8 bits and computed with in float. Where that loses more, too,
    nothing is written, and the first trial, that of the float file, is the one taken.

    Args:
        source: The float file, with one input.
        target: Where the int8 file goes; may be the source.
        samples: Real inputs for the ranges, as of `quantize_onnx`.
        score: Of a file; more is better. Never on what a card reports.
        allowed_loss: Of the score.
    Returns:
        The float file first, then a trial each choice; one of all is taken.
    Raises:
        ModelError: the file cannot be read, run or quantised.
    """
    convolutions = sum(node.op_type == "Conv" for node in onnx.load(source).graph.node)
    plain = Trial("all float", 0, score(source), _milliseconds(source, samples[0]))
    trials = [plain]
    with tempfile.TemporaryDirectory(prefix=".int8-", dir=target.parent) as folder:
        for number, (name, kept) in enumerate(float_choices(source).items(), start=1):
            file = Path(folder) / f"{number}.onnx"
            quantize_onnx(source, file, samples=samples, keep_float=kept)
            trials.append(Trial(name, convolutions - len(kept), score(file), _milliseconds(file, samples[0])))
        good = [n for n, trial in enumerate(trials) if n and plain.score - trial.score <= allowed_loss]
        if not good:
            file = Path(folder) / f"{len(trials)}.onnx"
            shutil.copyfile(source, file)
            store_as_int8(file)
            trials.append(Trial("all; weights stored in 8 bits", 0, score(file), _milliseconds(file, samples[0])))
            good = [len(trials) - 1] if plain.score - trials[-1].score <= allowed_loss else [0]
        taken = min(good, key=lambda n: trials[n].milliseconds)
        if taken:
            (Path(folder) / f"{taken}.onnx").replace(target)
    trials[taken] = replace(trials[taken], is_taken=True)
    return tuple(trials)


def describe_trials(trials: Sequence[Trial], *, allowed_loss: float = ALLOWED_LOSS) -> str:
    """A table for people, and what it means where 8 bits lose too much.

    >>> print(describe_trials([Trial("all float", 0, 0.5, 10.0), Trial("last half", 9, 0.499, 8.0, is_taken=True)]))
    stays float                               8-bit convolutions   score   time
    all float                                                  0  0.5000  1.00×
    last half                                                  9  0.4990  0.80×  taken
    """
    rows = [f"{'stays float':<41} {'8-bit convolutions':>18} {'score':>7} {'time':>6}"]
    for trial in trials:
        time_ = f"{trial.milliseconds / trials[0].milliseconds:.2f}×"
        mark = "  taken" if trial.is_taken else ""
        rows.append(f"{trial.name:<41} {trial.quantised:>18} {trial.score:>7.4f} {time_:>6}{mark}")
    if trials[0].is_taken:
        rows.append(f"Every choice loses more than {allowed_loss:g} of the score: the network stays float.")
    return "\n".join(rows)


def _milliseconds(file: Path, sample: Array) -> float:
    """Median time of one input on one thread."""
    session = OnnxFile(file, threads=1)
    if len(session.inputs) != 1:
        raise ModelError(
            f"{file}: the search needs a network with one input, got {len(session.inputs)}; export float16"
        )
    given = {session.inputs[0].name: sample}
    names = [output.name for output in session.outputs]
    session.run(given, names)
    times = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        session.run(given, names)
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)
