"""From a torch network to an ONNX file that is known to give the same numbers.

The file appears only if both agree on inputs that the export did not see. This file does not know about tasks, cards
or quantisation.
"""

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from szem.errors import ModelError
from szem.runtime.sessions import OnnxFile

__all__ = ["drop_notes", "export_onnx", "largest_difference"]


def export_onnx(
    net: nn.Module,
    path: str | os.PathLike[str],
    *,
    examples: Sequence[Tensor],
    inputs: Sequence[str],
    outputs: Sequence[str],
    dynamic: Sequence[dict[int, str]] = (),
    tolerance: float = 1e-3,
) -> float:
    """Export a network and check that ONNX Runtime gives what torch gives.

    Args:
        net: Put into evaluation mode and left there.
        path: Where the ONNX file goes; its folder is made.
        examples: One tensor per input, items first, at least two items. The export traces the first items; the check
            runs on all of them, and on the last item alone if the number of items is left open.
        inputs: Their names.
        outputs: The names of what comes out.
        dynamic: Per input: axis -> name, for axes whose length is left open. Without it only axis 0, called N.
        tolerance: Largest difference allowed, as a fraction of the output's largest value.
    Returns:
        The largest difference found, as such a share.
    Raises:
        ModelError: torch cannot export the network, or the two disagree.
    """
    net.eval()
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    open_axes = list(dynamic) or [{0: "N"}] * len(examples)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        draft = Path(folder) / "draft.onnx"
        _export(net, draft, examples=examples, inputs=inputs, outputs=outputs, open_axes=open_axes)
        checks = [list(examples)]
        if all(0 in axes for axes in open_axes):
            checks.append([value[-1:] for value in examples])
        drop_notes(draft)
        worst = max(largest_difference(net, draft, given, inputs=inputs, outputs=outputs) for given in checks)
        if not worst <= tolerance:  # also when it is not a number
            raise ModelError(
                f"{target}: torch and ONNX Runtime differ by {worst:.2e} of the largest value, {tolerance:.0e} is "
                "allowed; look for an operation that behaves otherwise in ONNX, or raise the tolerance knowingly"
            )
        draft.replace(target)
    return worst


def largest_difference(
    net: nn.Module,
    file: str | os.PathLike[str],
    given: Sequence[Tensor],
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> float:
    """How far ONNX Runtime is from torch: the largest difference as a fraction of the output's largest value.

    Raises:
        ModelError: shapes differ, or the file cannot be run.
    """
    with torch.no_grad():
        raw = net(*given)
    expected = [raw] if isinstance(raw, Tensor) else list(raw)
    feeds = {name: value.numpy() for name, value in zip(inputs, given, strict=True)}
    found = OnnxFile(file).run(feeds, outputs)
    worst = 0.0
    for name, want, got in zip(outputs, expected, found, strict=True):
        if tuple(want.shape) != got.shape:
            raise ModelError(f"{file}: output {name} is {got.shape} in ONNX and {tuple(want.shape)} in torch")
        reference = want.numpy().astype(np.float64)
        worst = max(worst, float(np.abs(reference - got).max() / max(np.abs(reference).max(), 1e-12)))
    return worst


def drop_notes(path: str | os.PathLike[str]) -> None:
    """Take out what an exporter wrote beside the network: source lines and paths of the machine it ran on."""
    model = onnx.load(os.fspath(path))
    graph = model.graph
    model.producer_name, model.producer_version, model.doc_string = "szem", "", ""
    for noted in (model, graph):
        del noted.metadata_props[:]
    for item in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ""
    onnx.save(model, os.fspath(path))


def _export(
    net: nn.Module,
    file: Path,
    *,
    examples: Sequence[Tensor],
    inputs: Sequence[str],
    outputs: Sequence[str],
    open_axes: Sequence[dict[int, str]],
) -> None:
    shapes = tuple({axis: torch.export.Dim(name) for axis, name in axes.items()} for axes in open_axes)
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it warns about torchvision, which nothing here uses
    try:
        with warnings.catch_warnings(), _easy_to_trace(net):
            warnings.simplefilter("ignore")  # torch's exporter warns about its own insides
            torch.onnx.export(
                net,
                tuple(examples),
                file,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes=shapes,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # the exporter raises classes of many modules
        raise ModelError(f"torch cannot export this network ({error}); see the operation it names") from error
    finally:
        logger.setLevel(level)


@contextmanager
def _easy_to_trace(net: nn.Module) -> Iterator[None]:
    """Without gradients and operations in place, which the exporter would trace, too, and then take out again.

    EfficientNet-Lite0 takes 4.7 s of processor time instead of 8.5; the graph is the same.
    """
    in_place = [module for module in net.modules() if getattr(module, "inplace", False) is True]
    learned = [parameter for parameter in net.parameters() if parameter.requires_grad]
    for module in in_place:
        module.inplace = False  # type: ignore[assignment]
    for parameter in learned:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for module in in_place:
            module.inplace = True  # type: ignore[assignment]
        for parameter in learned:
            parameter.requires_grad_(True)
