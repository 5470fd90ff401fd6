"""What in the picture mattered for an answer: hide it piece by piece, or ask the class for its weights.

`find_occlusion` works for any network with one score per class. `find_class_map` is exact, and needs a network that
ends in average pooling and one dense layer (B. Zhou et al., Learning Deep Features for Discriminative Localization,
2016, equation 2, arXiv:1512.04150).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.errors import RangeError, UnsupportedError
from szem.runtime.graph_layers import GraphLayer
from szem.tasks.explain.explain import Explorer
from szem.tasks.explain.neuron import dense_weights
from szem.tasks.explain.preprocess import PreparedInput, prepare_cut

__all__ = ["ClassEvidence", "Occlusion", "find_class_map", "find_occlusion", "pooled_layers"]


@dataclass(frozen=True, eq=False)
class Occlusion:
    """How much the probability of a class falls when a square of the picture is hidden."""

    class_index: int
    probability: float  # with nothing hidden
    drop: NDArray[np.float32]  # (rows, columns): probability with nothing hidden less that with this square hidden
    window_px: int  # side of the square, in pixels of the network's input
    step_px: int

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "class_index": self.class_index,
            "probability": self.probability,
            "drop": self.drop.round(6).tolist(),
            "window_px": self.window_px,
            "step_px": self.step_px,
        }


@dataclass(frozen=True, eq=False)
class ClassEvidence:
    """Where the evidence for a class lies: the mean of `evidence` plus `bias` is the class's score."""

    class_index: int
    evidence: NDArray[np.float32]  # (rows, columns) of the last maps
    bias: float
    layer: str  # whose maps they are

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "class_index": self.class_index,
            "evidence": self.evidence.round(6).tolist(),
            "bias": self.bias,
            "layer": self.layer,
        }


def find_occlusion(
    explorer: Explorer,
    prepared: PreparedInput,
    *,
    class_index: int | None = None,
    window_px: int = 0,
    step_px: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Occlusion:
    """Slide a grey square over the picture and see how the probability of a class falls.

    Args:
        explorer: The opened network.
        prepared: From `explorer.prepare(picture)`.
        class_index: Which class; None for the likeliest.
        window_px: Side of the square; 0 for a fifth of the shorter side.
        step_px: How far it moves; 0 for half of the square.
        progress: Called with the share that is done.
    Raises:
        RangeError: no such class, or a square larger than the picture.
        UnsupportedError: the network gives no score per class.
    """
    rows, columns = explorer.size
    window = window_px or max(min(rows, columns) // 5, 1)
    step = step_px or max(window // 2, 1)
    if not (1 <= window <= min(rows, columns) and 1 <= step <= window):
        raise RangeError(f"the square must fit into {rows}×{columns} and move at most its side, got {window}, {step}")
    whole = explorer.answer(prepared.values)
    index = _check_class(int(whole.argmax()) if class_index is None else class_index, len(whole))
    tops, lefts = (list(range(0, max(side - window, 0) + step, step)) for side in (rows, columns))
    drop = np.zeros((len(tops), len(lefts)), np.float32)
    for i, top in enumerate(tops):
        for j, left in enumerate(lefts):
            hidden = prepared.picture.copy()
            hidden[top : top + window, left : left + window] = 127
            values = prepare_cut(hidden, explorer.layout, explorer.rules)
            drop[i, j] = whole[index] - explorer.answer(values)[index]
        if progress is not None:
            progress((i + 1) / len(tops))
    return Occlusion(index, float(whole[index]), drop, window, step)


def find_class_map(explorer: Explorer, prepared: PreparedInput, *, class_index: int | None = None) -> ClassEvidence:
    """Where in the last maps the evidence for a class lies.

    Args:
        explorer: The opened network.
        prepared: From `explorer.prepare(picture)`.
        class_index: Which class; None for the likeliest.
    Raises:
        UnsupportedError: the network does not end in average pooling and one dense layer.
        RangeError: no such class.
    """
    last, dense = pooled_layers(explorer)
    found = dense_weights(explorer, dense)
    assert found is not None
    weights, bias = found
    index = int(explorer.answer(prepared.values).argmax()) if class_index is None else class_index
    _check_class(index, weights.shape[1])
    maps = explorer.maps(prepared.values, [last])[last.row.name]  # (C, H, W)
    evidence = np.tensordot(weights[:, index], maps.astype(np.float64), axes=1)
    return ClassEvidence(index, evidence.astype(np.float32), float(bias[index]), last.row.name)


def pooled_layers(explorer: Explorer) -> tuple[GraphLayer, GraphLayer]:
    """The last layer with maps before average pooling, and the dense layer behind it.

    Raises:
        UnsupportedError: the network does not end so.
    """
    layers = explorer.layers
    for pool in reversed(layers):
        if pool.row.kind != "global-average-pool":
            continue
        after = pool.row.index
        while after + 1 < len(layers) and layers[after + 1].row.kind == "shape":
            after += 1
        if after + 1 < len(layers) and pool.row.inputs and pool.row.inputs[0] >= 0:
            dense = layers[after + 1]
            if dense_weights(explorer, dense) is not None:
                return layers[pool.row.inputs[0]], dense
    raise UnsupportedError(
        f"{explorer.name}: a class activation map needs a network that ends in average pooling and one dense layer; "
        "use the occlusion map"
    )


def _check_class(index: int, count: int) -> int:
    if not 0 <= index < count:
        raise RangeError(f"there are classes 0 to {count - 1}, got {index}")
    return index
