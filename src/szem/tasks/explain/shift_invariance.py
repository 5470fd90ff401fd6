"""How much the answer of a real network changes when the picture moves a few pixels, with and without pooling.

The picture is moved under the network's window, so every pixel that comes in is real. Two questions are measured:
how far the maps of a layer change when they are pooled over windows of 1 (no pooling), 2, 4, 8 and the whole map; and
how far the final answer changes when the classifier reads the average of the last maps (as built) or only their
middle neuron (the same network without its pooling).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.errors import RangeError, UnsupportedError
from szem.tasks.explain.attribution import pooled_layers
from szem.tasks.explain.explain import Explorer, softmax
from szem.tasks.explain.neuron import dense_weights
from szem.tasks.explain.preprocess import cut_picture, prepare_cut

__all__ = ["ShiftCurve", "measure_shift", "pool_maps"]

WINDOWS = (1, 2, 4, 8, 0)  # 0: one window over the whole map


@dataclass(frozen=True)
class ShiftCurve:
    """One number per shift in each list; the first shift is the comparison, so its changes are 0."""

    network: str
    layer: str
    shifts_px: tuple[int, ...]
    window_names: tuple[str, ...]  # none, 2, 4, 8, all
    max_change: tuple[tuple[float, ...], ...]  # per window: |pooled maps − those unmoved| / |those unmoved|
    mean_change: tuple[tuple[float, ...], ...]  # the same with average pooling
    top_class: int | None
    pooled_probability: tuple[float, ...]  # of that class, as the network is built
    pooled_distance: tuple[float, ...]  # half the sum of all probabilities' changes: 0 same answer, 1 wholly another
    single_probability: tuple[float, ...]  # of the middle neuron's own likeliest class, without the last pooling
    single_distance: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def measure_shift(
    explorer: Explorer,
    picture: Picture8,
    *,
    shifts_px: Sequence[int] = tuple(range(17)),
    layer: str | int | None = None,
) -> ShiftCurve:
    """Move the picture to the left in pixels of the network's input and measure what changes.

    Args:
        explorer: The opened network.
        picture: (H, W, 3) uint8.
        shifts_px: How far; the first is what the others are compared with.
        layer: Whose maps are pooled; by default the last layer with at least 28 rows.
    Raises:
        RangeError: fewer than two shifts, or one outside 0..64.
        UnknownNameError: no such layer.
        UnsupportedError: the network has no layers at all.
    """
    shifts = tuple(shifts_px)
    if len(shifts) < 2 or min(shifts) < 0 or max(shifts) > 64:
        raise RangeError(f"give at least two shifts of 0 to 64 pixels, got {shifts}")
    chosen = explorer.layer(_default_layer(explorer) if layer is None else layer)
    try:
        last, dense = pooled_layers(explorer)
        head = dense_weights(explorer, dense)
    except UnsupportedError:
        last, head = None, None
    columns = explorer.size[1]
    # Wider by the largest shift: every window then shows picture, no border that would change the answer by itself.
    rules = explorer.rules.model_copy(update={"width_px": columns + max(shifts), "resize": "centre-crop"})
    wide = cut_picture(picture, rules)
    maps, pooled, single = [], [], []
    for shift in shifts:
        window = np.ascontiguousarray(wide[:, shift : shift + columns])
        values = prepare_cut(window, explorer.layout, explorer.rules)
        read = explorer.maps(values, [chosen, *([last] if last is not None else [])])
        maps.append(read[chosen.row.name])
        if explorer.scores_output is not None:
            pooled.append(explorer.answer(values))
        if last is not None and head is not None:
            features = read[last.row.name]
            # Without the mean over all places the head answers for one alone: the difference is what pooling adds.
            middle = features[:, features.shape[1] // 2, features.shape[2] // 2]
            single.append(softmax(middle @ head[0] + head[1]))
    return ShiftCurve(
        network=explorer.name,
        layer=chosen.row.name,
        shifts_px=shifts,
        window_names=tuple({1: "none", 0: "all"}.get(w, str(w)) for w in WINDOWS),
        max_change=tuple(_changes([pool_maps(m, w, how="max") for m in maps]) for w in WINDOWS),
        mean_change=tuple(_changes([pool_maps(m, w, how="mean") for m in maps]) for w in WINDOWS),
        top_class=int(pooled[0].argmax()) if pooled else None,
        pooled_probability=tuple(float(p[pooled[0].argmax()]) for p in pooled),
        pooled_distance=_distances(pooled),
        single_probability=tuple(float(p[single[0].argmax()]) for p in single),
        single_distance=_distances(single),
    )


def pool_maps(maps: NDArray[np.float32], window: int, *, how: str) -> NDArray[np.float32]:
    """Pool (C, H, W) maps over windows that do not overlap; what does not fill a window at the end is left out.

    Args:
        maps: The numbers.
        window: Side of the windows; 0 for the whole map.
        how: max or mean.

    >>> pool_maps(np.arange(16, dtype=np.float32).reshape(1, 4, 4), 2, how="max")[0].tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    """
    count, height, width = maps.shape
    h, w = (height, width) if window == 0 else (min(window, height), min(window, width))
    cut = maps[:, : height // h * h, : width // w * w]
    tiles = cut.reshape(count, height // h, h, width // w, w)
    pooled: NDArray[np.float32] = tiles.max(axis=(2, 4)) if how == "max" else tiles.mean(axis=(2, 4))
    return pooled


def _default_layer(explorer: Explorer) -> str:
    fitting = [r for r in explorer.rows if r.output_shape[1] >= 28 and r.output_shape[2] >= 28 and r.kind != "shape"]
    if not explorer.rows:
        raise UnsupportedError(
            f"{explorer.name}: the network has no layer whose maps could change; send a larger one"
        )
    return (fitting or list(explorer.rows))[-1].name


def _changes(pooled: list[NDArray[np.float32]]) -> tuple[float, ...]:
    first = pooled[0].astype(np.float64)
    size = float(np.linalg.norm(first)) or 1.0
    return tuple(float(np.linalg.norm(p - first)) / size for p in pooled)


def _distances(answers: list[NDArray[np.float32]]) -> tuple[float, ...]:
    return tuple(float(np.abs(a - answers[0]).sum()) / 2 for a in answers)
