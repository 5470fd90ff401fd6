"""What a network does to one picture: its layers as a table, the maps of layers, and the sum behind one number."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8, Value
from szem.errors import RangeError, ShapeError, UnknownNameError

__all__ = ["Explanation", "LayerRow", "NeuronSum", "SumStep", "draw_heat", "draw_maps"]

# Anchors of the two colour scales, evenly spaced; light grows steadily in the first, both ways from the middle in the
# second, so they also read in grey and to colour-blind eyes. The studio's colours.js holds the same numbers.
_HEAT = ((13, 14, 28), (52, 40, 98), (118, 50, 122), (190, 69, 103), (238, 116, 74), (252, 182, 84), (255, 250, 215))
_SIGNED = ((0, 92, 175), (250, 250, 250), (214, 96, 0))


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """One layer of the table. Sizes are rows × columns; `None` where the word does not apply."""

    index: int
    name: str
    kind: str  # convolution, depthwise, atrous, max-pool, add … as in `graph_layers.KINDS`
    op: str  # ONNX's name of the operation
    activation: str | None  # what follows the sum: Relu, Clip, Swish …
    block: str  # layers of one block belong together
    inputs: tuple[int, ...]  # indices of the layers it reads; -1 is the picture
    kernel: tuple[int, int] | None
    stride: tuple[int, int] | None
    dilation: tuple[int, int] | None
    groups: int
    output_shape: tuple[int, int, int]  # maps, rows, columns
    parameters: int  # weights and biases, shared by all places of a map
    parameters_unshared: int  # what they would be if every neuron had its own
    multiplications: int
    field_px: tuple[int, int] | None  # receptive field in pixels of the network's input
    field_stride_px: tuple[float, float] | None  # distance of neighbouring neurons' fields
    centre_px: tuple[float, float] | None  # middle of the first neuron's field
    sees_all: bool  # every neuron depends on the whole picture
    time_ms: float | None = None
    time_fraction: float | None = None  # of the time of all layers


@dataclass(frozen=True)
class SumStep:
    """What happened to the sum, and what came out."""

    name: str  # products, bias, normalise, Relu, round …
    value: float


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class NeuronSum(Value):
    """How one number of a map came about; `value` is worked out here, `measured` is what ONNX Runtime computed."""

    layer: str
    map: int
    row: int
    column: int
    rule: str  # weighted sum, maximum, mean, sum, product, copy; "other" where only the place is known
    inputs: NDArray[np.float32]  # (maps, rows, columns) the numbers read
    weights: NDArray[np.float32] | None  # the same shape
    inside: NDArray[np.bool_]  # (rows, columns) False where padding stands instead of a number
    first: tuple[int, int, int]  # map, row, column of inputs[0, 0, 0] in the layer before; negative in padding
    spacing: tuple[int, int]  # distance of neighbouring numbers there: the dilation
    steps: tuple[SumStep, ...]
    value: float
    measured: float
    quantum: float  # the step of an int8 value, 0 for float networks
    field_xyxy: tuple[float, float, float, float] | None  # in pixels of the picture
    input_xyxy: tuple[int, int, int, int] | None  # in pixels of the network's input, last included

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        plain = asdict(self)
        plain["inputs"] = self.inputs.tolist()
        plain["weights"] = None if self.weights is None else self.weights.tolist()
        plain["inside"] = self.inside.tolist()
        return plain


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Explanation(Value):
    """A network looked at with one picture."""

    network: str
    picture_size: tuple[int, int]  # rows, columns
    input_size: tuple[int, int]  # rows, columns of what the network takes
    crop_xyxy: tuple[float, float, float, float]  # the part of the picture that it sees
    rows: tuple[LayerRow, ...]
    answer: tuple[tuple[int, str, float], ...] = ()  # class number, name, probability; most probable first
    total_ms: float | None = None  # one run, the median of several
    other_ms: float | None = None  # of that, what belongs to no layer
    activations: Mapping[str, NDArray[np.float32]] = field(default_factory=dict, repr=False)  # (maps, rows, columns)

    def summary(self) -> str:
        """The network, its size, and its answer."""
        said = f"; {self.answer[0][1]} {self.answer[0][2]:.1%}" if self.answer else ""
        return f"{self.network}: {len(self.rows)} layers, {self.parameters / 1e6:.2f} million parameters{said}"

    @property
    def parameters(self) -> int:
        """Weights and biases of the whole network."""
        return sum(row.parameters for row in self.rows)

    @property
    def multiplications(self) -> int:
        """Multiplications for one picture."""
        return sum(row.multiplications for row in self.rows)

    def find(self, layer: str | int) -> LayerRow:
        """A layer by its name, its number, or a part of its name that only one layer has.

        Raises:
            UnknownNameError: none, or more than one.
        """
        return find_layer(self.rows, layer)

    def maps(self, layer: str | int) -> NDArray[np.float32]:
        """The (maps, rows, columns) numbers of a layer.

        Raises:
            UnknownNameError: no such layer, or its maps were not asked for.
        """
        row = self.find(layer)
        if row.name not in self.activations:
            raise UnknownNameError(
                f"the maps of {row.name!r} were not kept; ask for them: explain(picture, layers=[{row.name!r}])"
            )
        return self.activations[row.name]

    def draw(self, layer: str | int, *, each: bool = True) -> Picture8:
        """Draw all maps of a layer as one picture; `each` map has its own brightness, or all fraction one."""
        return draw_maps(self.maps(layer), each=each)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, without the maps."""
        plain = {f: getattr(self, f) for f in ("network", "picture_size", "input_size", "crop_xyxy", "answer")}
        return {
            **plain,
            "parameters": self.parameters,
            "multiplications": self.multiplications,
            "total_ms": self.total_ms,
            "other_ms": self.other_ms,
            "layers": [asdict(row) for row in self.rows],
        }


def find_layer(rows: tuple[LayerRow, ...], layer: str | int) -> LayerRow:
    """See `Explanation.find`."""
    text = str(layer)
    if isinstance(layer, int) or (text.lstrip("-").isdecimal() and not any(row.name == text for row in rows)):
        number = int(text)
        if -len(rows) <= number < len(rows):
            return rows[number]
        raise UnknownNameError(f"there is no layer {number}; they are numbered 0 to {len(rows) - 1}")
    exact = [row for row in rows if row.name == text]
    found = exact or [row for row in rows if text.lower() in row.name.lower()]
    if len(found) == 1:
        return found[0]
    if not found:
        some = ", ".join(row.name for row in rows[:8])
        raise UnknownNameError(f"no layer called {text!r}; there are {some}{' …' if len(rows) > 8 else ''}")
    some = ", ".join(row.name for row in found[:6])
    raise UnknownNameError(f"{text!r} is a part of {len(found)} layers' names ({some} …); write one in full")


def draw_maps(maps: Array, *, columns: int = 0, tile_px: int = 0, each: bool = True, gap_px: int = 2) -> Picture8:
    """Draw feature maps as a grid of tiles, left to right, top to bottom.

    Maps without a negative number are drawn from dark (0) to light; others from blue over white (0) to orange.

    Args:
        maps: (C, H, W) numbers.
        columns: Tiles in a row; 0 makes the whole about half as wide again as high.
        tile_px: The longer side of a tile; 0 chooses. Maps grow by whole factors: neurons stay square.
        each: Every map has its own scale; else the strongest of all sets one for all.
        gap_px: Between tiles.
    Returns:
        (rows, columns, 3) uint8.
    Raises:
        ShapeError: not (C, H, W).
        RangeError: it would be larger than 100 million pixels.

    >>> draw_maps(np.ones((6, 4, 4)), columns=3, tile_px=4, gap_px=1).shape
    (11, 16, 3)
    """
    if maps.ndim != 3 or 0 in maps.shape:
        raise ShapeError(f"maps must be (C, H, W) with no empty axis, got {maps.shape}")
    count, height, width = maps.shape
    columns = columns or max(1, min(count, round((count * 1.5 * height / width) ** 0.5)))
    rows = -(-count // columns)
    wanted = tile_px or max(8, min(160, 1600 // columns))
    factor = max(1, wanted // max(height, width))
    th, tw = height * factor, width * factor
    size = (rows * (th + gap_px) + gap_px, columns * (tw + gap_px) + gap_px)
    if size[0] * size[1] > 100_000_000:
        raise RangeError(f"{count} maps of {height}×{width} make {size[1]}×{size[0]} pixels; draw fewer of them")
    canvas = np.full((*size, 3), 24, np.uint8)
    coloured = colour_maps(maps, each=each)
    for index in range(count):
        y = gap_px + index // columns * (th + gap_px)
        x = gap_px + index % columns * (tw + gap_px)
        canvas[y : y + th, x : x + tw] = coloured[index].repeat(factor, 0).repeat(factor, 1)
    return canvas


def colour_maps(maps: Array, *, each: bool = True) -> NDArray[np.uint8]:
    """Colour (C, H, W) numbers as (C, H, W, 3); see `draw_maps`."""
    values = np.nan_to_num(maps.astype(np.float32, copy=False))
    signed = bool((values < 0).any())
    axes = (1, 2) if each else (0, 1, 2)
    top = np.abs(values).max(axis=axes, keepdims=True)
    scaled = values / np.where(top > 0, top, 1)
    if signed:
        return _ramp(_SIGNED, 255)[np.rint((scaled + 1) * 127).astype(np.uint8)]
    return _ramp(_HEAT, 256)[np.rint(scaled * 255).astype(np.uint8)]


def draw_heat(picture: Picture8, heat: Array, *, opacity: float = 0.6) -> Picture8:
    """Lay a coarse map over a picture: bright where it is positive and strong, the grey picture where it is not.

    Args:
        picture: (H, W, 3) uint8.
        heat: (h, w) numbers; below 0 counts as 0.
        opacity: Of the strongest place.
    Returns:
        (H, W, 3) uint8.
    """
    if heat.ndim != 2 or heat.size == 0:
        raise ShapeError(f"heat must be (rows, columns), got {heat.shape}")
    height, width = picture.shape[:2]
    values = np.maximum(np.nan_to_num(heat.astype(np.float32)), 0)
    top = float(values.max())
    smooth = cv2.resize(values / top if top > 0 else values, (width, height), interpolation=cv2.INTER_CUBIC).clip(
        0, 1
    )
    grey = picture.mean(axis=2, keepdims=True) * 0.7
    colours = _ramp(_HEAT, 256)[np.rint(smooth * 255).astype(np.uint8)]
    fraction = opacity * smooth[..., None] ** 0.5
    mixed: Picture8 = np.rint(grey * (1 - fraction) + colours * fraction).astype(np.uint8)
    return mixed


def _ramp(anchors: tuple[tuple[int, int, int], ...], count: int) -> NDArray[np.uint8]:
    """(count, 3) colours between the anchors."""
    at = np.linspace(0, len(anchors) - 1, count)
    columns = [np.interp(at, np.arange(len(anchors)), [a[c] for a in anchors]) for c in range(3)]
    return np.rint(np.stack(columns, axis=1)).astype(np.uint8)
