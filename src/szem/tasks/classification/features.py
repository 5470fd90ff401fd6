"""What the shipped ImageNet classifier sees of a picture before it names it: the ground for scores of drawings.

Its inner outputs are read from the same ONNX file that `szem classify` runs. This file does not know what is
compared.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from szem.arrays import Array, Picture8
from szem.errors import CardError
from szem.runtime.onnx import ort
from szem.runtime.prepare import prepare_picture
from szem.runtime.sessions import cores, session_options
from szem.runtime.store import find_model

__all__ = ["CLASSIFIER", "ClassifierFeatures"]

CLASSIFIER = "efficientnet-lite0"
_GRID = 7  # places along a side
_STAGES = (2, 4, 6)  # whose maps are read, at strides 8, 16, 32


class ClassifierFeatures:
    """Mean features (N, 1280), probabilities (N, 1000) and maps on a grid (N, 49, 472) of pictures.

    Args:
        workers: Pictures looked at side by side; None for as many as there are cores.
    Raises:
        CardError: the shipped classifier is not the network this was written for.
    """

    def __init__(self, *, workers: int | None = None) -> None:
        self.model = find_model(CLASSIFIER, task="classify")
        self.workers = workers or cores()
        self._session, self._maps = _open(self.model.file())

    def __call__(self, pictures: Sequence[Picture8]) -> tuple[Array, Array, Array]:
        """Look at pictures (H, W, 3) uint8 RGB of any size."""
        with ThreadPoolExecutor(self.workers) as pool:
            seen = list(pool.map(self._one, pictures))
        means, logits, grids = (np.concatenate(part) for part in zip(*seen, strict=True))
        probabilities = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
        return means, probabilities / probabilities.sum(axis=1, keepdims=True), grids

    def _one(self, picture: Picture8) -> tuple[Array, Array, Array]:
        # no more of the picture than it has is cut away: drawings are square already
        rules = self.model.card.picture.model_copy(update={"crop": 1.0})
        feeds = {self._session.get_inputs()[0].name: prepare_picture(picture, rules)}
        mean, logits, *maps = self._session.run(["mean", "logits", *self._maps], feeds)
        grid = [_to_grid(one) for one in maps]
        return (
            np.reshape(mean, (1, -1)),
            logits,
            np.concatenate(grid, axis=1)[0].reshape(1, -1, _GRID**2).transpose(0, 2, 1),
        )


def _to_grid(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """(1, C, h, w) to (1, C, 7, 7) by means, each place at unit size."""
    n, c, h, w = maps.shape
    x = maps.reshape(n, c, _GRID, h // _GRID, _GRID, w // _GRID).mean(axis=(3, 5))
    size = np.sqrt((x * x).mean(axis=1, keepdims=True) + 1e-4)
    out: NDArray[np.float32] = (x / size).astype(np.float32)
    return out


@lru_cache(maxsize=1)
def _open(file: Path) -> tuple[ort.InferenceSession, list[str]]:
    graph = onnx.load(file)
    made = {name: node for node in graph.graph.node for name in node.output}
    if "mean" not in made:
        raise CardError(f"{file}: not the classifier that scores of drawings are taken with; restore it")
    maps = [_last_of_stage(graph, stage) for stage in _STAGES]
    for name in ("mean", *maps):
        graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    options = session_options(threads=1)
    return ort.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"]), maps


def _last_of_stage(graph: onnx.ModelProto, stage: int) -> str:
    """The output of the last block's projection of a stage."""
    names = [
        node.output[0]
        for node in graph.graph.node
        if node.op_type == "Conv"
        and node.input[1].startswith(f"net.stages.{stage}.")
        and ".project." in node.input[1]
    ]
    if not names:
        raise CardError(f"{graph.graph.name}: the classifier has no stage {stage}; restore the shipped one")
    return names[-1]
