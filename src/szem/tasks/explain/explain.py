"""Look inside a network with a picture: its layers as a table, its maps, its answer.

Any ONNX network that takes a picture can be opened, without torch. See `explain_neuron` for the sum behind one
number, `explain_heat` for what in the picture mattered, `explain_strongest` for what a map likes best.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8
from szem.errors import CardError, FormatError, RangeError, ShapeError, TooLargeError, UnsupportedError
from szem.media.pictures import PictureLike, as_picture
from szem.results.explanation import Explanation, LayerRow, find_layer
from szem.runtime.cards import CARD_FILE, read_card
from szem.runtime.graph import DEFAULT_LIMITS, Graph, GraphLimits, read_graph
from szem.runtime.graph_layers import GraphLayer, find_layers, to_maps
from szem.runtime.graph_quant import to_real
from szem.runtime.graph_run import Probe, Runner, Timing, find_picture_input, measure
from szem.runtime.store import Model, find_model
from szem.tasks.explain.preprocess import PreparedInput, guess_rules, prepare
from szem.tasks.models import default_model

__all__ = ["EXPLAINED_TASK", "Explorer", "explain"]

EXPLAINED_TASK = "classify"  # whose default model is looked into when none is named

FREE_SIDE_PX = 224  # what a network gets that takes any size
# What is tried after that: a file may leave its sides open and still run at some sizes only.
_OTHER_SIZES = ((256, 256), (48, 320), (128, 128), (64, 64), (32, 320), (320, 320), (640, 640))
KEEP_LIMIT = 512_000_000  # bytes of maps that `explain` keeps without being asked for single layers

NetworkSource = str | os.PathLike[str] | bytes | Model


@dataclass(frozen=True)
class _Source:
    graph: Graph
    card: Model | None


class Explorer:
    """A network opened for looking inside. It keeps nothing of the pictures it is shown.

    Args:
        model: A shipped or added model's name, an ONNX file, its bytes; None for the default classifier.
        size: Rows and columns of the input, for networks that take any; by default what the card says, else 224, else
            the first of some usual sizes at which it runs.
        mean: Subtracted from each colour (0..255), for networks without a card; by default ImageNet's.
        scale: Divides what is left; by default ImageNet's deviation.
        inputs: Values for inputs other than the picture.
        threads: Threads within one run.
        limits: What the network may cost.
    Raises:
        FormatError, TooLargeError, DeniedError, FileMissingError: see `read_graph`.
        UnsupportedError: it takes no picture, or has operations ONNX Runtime lacks.
        RangeError: the network fixes another size.
    """

    def __init__(
        self,
        model: NetworkSource | None = None,
        *,
        size: tuple[int, int] | None = None,
        mean: tuple[float, float, float] | None = None,
        scale: tuple[float, float, float] | None = None,
        inputs: Mapping[str, Array] | None = None,
        threads: int | None = None,
        limits: GraphLimits = DEFAULT_LIMITS,
    ) -> None:
        source = _open_source(model, limits)
        self.graph = source.graph
        self.name = source.card.name if source.card else source.graph.name.removesuffix(".onnx")
        self.card = source.card
        if source.card is not None:
            _ = source.card.card.picture  # only networks of pictures can be looked into
        self.layout = find_picture_input(self.graph)
        self.others = dict(inputs or {})
        needed = {v.name for v in self.graph.inputs} - {self.layout.name} - set(self.others)
        if needed:
            raise UnsupportedError(
                f"{self.name}: it also takes {', '.join(sorted(needed))}; "
                "give them as Explorer(…, inputs={name: array})"
            )
        self.size, self.probe = self._open(_choose_size(self, size), threads, may_try=size is None)
        if source.card is not None and mean is None and scale is None:
            rules = source.card.card.picture
            self.rules = rules.model_copy(update={"height_px": self.size[0], "width_px": self.size[1]})
        else:
            self.rules = guess_rules(self.layout, self.size, mean=mean, scale=scale)
        self.layers: tuple[GraphLayer, ...] = find_layers(self.probe, self.layout)

    def _open(self, size: tuple[int, int], threads: int | None, *, may_try: bool) -> tuple[tuple[int, int], Probe]:
        """Open at a size; where the file leaves its sides open and does not run at it, at another."""
        refused: FormatError | None = None  # at the first size
        is_free = self.card is None and None in (self.layout.height, self.layout.width)
        for rows, columns in (size, *(_OTHER_SIZES if may_try and is_free else ())):
            tried = (self.layout.height or rows, self.layout.width or columns)
            try:
                return tried, Probe(self.graph, shapes=self._shapes_at(tried), threads=threads)
            except FormatError as error:
                refused = refused or error
            except TooLargeError:
                if refused is None:
                    raise
                break  # the sizes after it are no smaller
        assert refused is not None
        if not is_free:
            raise refused
        raise FormatError(
            f"{refused}; it leaves its sides open: give a size it was made for (size=, --size)"
        ) from refused

    def _shapes_at(self, size: tuple[int, int]) -> dict[str, tuple[int, ...]]:
        return {self.layout.name: self.layout.shape(*size), **{n: value.shape for n, value in self.others.items()}}

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The whole shape of every input."""
        return self._shapes_at(self.size)

    @property
    def rows(self) -> tuple[LayerRow, ...]:
        """The table, without times."""
        return tuple(layer.row for layer in self.layers)

    @cached_property
    def key(self) -> str:
        """Tells this network, at this size and preparation, from all others."""
        data = self.graph.proto.SerializeToString(deterministic=True)
        digest = hashlib.sha256(data)
        digest.update(repr((self.size, self.rules, sorted(self.shapes.items()))).encode())
        return digest.hexdigest()

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, where a card gives them."""
        return () if self.card is None else self.card.labels

    def layer(self, name: str | int) -> GraphLayer:
        """A layer by name, number, or an unmistakable part of its name.

        Raises:
            UnknownNameError: none, or several.
        """
        return self.layers[find_layer(self.rows, name).index]

    def prepare(self, picture: Picture8) -> PreparedInput:
        """The network's input made from a picture."""
        return prepare(picture, self.layout, self.rules)

    def feed(self, values: Array) -> dict[str, Array]:
        """Every input by name, for `probe.run`."""
        return {self.layout.name: values, **self.others}

    def maps(self, values: Array, layers: Iterable[GraphLayer]) -> dict[str, NDArray[np.float32]]:
        """Run on prepared values and read layers.

        Returns:
            Layer name -> (maps, rows, columns) float32; integers of quantised networks given back as real numbers.
        """
        wanted = list(layers)
        raw = self.probe.run(self.feed(values), [layer.output for layer in wanted])
        return {
            layer.row.name: np.ascontiguousarray(
                to_maps(to_real(self.probe, layer.output, raw[layer.output]), layer.axes), dtype=np.float32
            )
            for layer in wanted
        }

    @cached_property
    def _runner(self) -> Runner:
        return Runner(self.graph, shapes=self.shapes)

    @cached_property
    def scores_output(self) -> str | None:
        """The output that gives one score per class, or None."""
        for value in self.graph.outputs:
            shape = self.probe.shapes.get(value.name, ())
            if len(shape) >= 2 and shape[1] > 1 and all(side == 1 for side in shape[2:]):
                return value.name
        return None

    def answer(self, values: Array) -> NDArray[np.float32]:
        """Probability of each class.

        Raises:
            UnsupportedError: the network does not end in scores of classes.
        """
        if self.scores_output is None:
            raise UnsupportedError(f"{self.name}: it gives no score per class; take a classifier for this")
        raw = self._runner.run(self._complete_feed(values))[self.scores_output]
        scores = to_real(self.probe, self.scores_output, raw).reshape(raw.shape[0], -1)[0].astype(np.float64)
        if scores.min() >= -1e-6 and abs(scores.sum() - 1) < 1e-2:
            return scores.astype(np.float32)
        return softmax(scores)

    def top(self, values: Array, *, count: int = 5) -> tuple[tuple[int, str, float], ...]:
        """The likeliest classes: number, name, probability; empty for networks that are no classifiers."""
        if self.scores_output is None:
            return ()
        probabilities = self.answer(values)
        best = np.argsort(-probabilities, kind="stable")[:count]
        return tuple((int(i), self.label(int(i)), float(probabilities[i])) for i in best)

    def label(self, index: int) -> str:
        """The name of a class, or its number as text."""
        return self.labels[index] if index < len(self.labels) else str(index)

    def measure(self, values: Array, *, runs: int = 7) -> tuple[tuple[LayerRow, ...], Timing]:
        """Time every layer as the network runs in use.

        Returns:
            The rows with their time and its fraction filled in, and the whole.
        """
        timing = measure(self.graph, self._complete_feed(values), shapes=self.shapes, runs=runs)
        times = []
        for layer in self.layers:
            times.append(sum(timing.by_node_ms.get(node.name, 0.0) for node in (layer.main, *layer.tail)))
        total = sum(times) or 1.0
        rows = tuple(
            replace(layer.row, time_ms=t, time_fraction=t / total)
            for layer, t in zip(self.layers, times, strict=True)
        )
        inner = sum(timing.by_node_ms.values()) + timing.other_ms
        return rows, replace(timing, other_ms=max(inner - sum(times), 0.0))

    def _complete_feed(self, values: Array) -> dict[str, Array]:
        feed = self.feed(values)
        return {name: np.ascontiguousarray(feed[name], dtype=dtype) for name, (dtype, _) in self.probe.inputs.items()}

    def explain(
        self, picture: Picture8, *, layers: Sequence[str | int] | None = None, timed: bool = True
    ) -> Explanation:
        """Look at one picture.

        Args:
            picture: (H, W, 3) uint8.
            layers: Whose maps to keep; None for all.
            timed: Measure the time of each layer too.
        Raises:
            UnknownNameError: no such layer.
            TooLargeError: all maps together are too large to keep; name the layers.
        """
        wanted = self.layers if layers is None else [self.layer(name) for name in layers]
        size = 4 * sum(int(np.prod([float(s) for s in layer.row.output_shape])) for layer in wanted)
        if size > KEEP_LIMIT:
            raise TooLargeError(
                f"{self.name}: the maps asked for take {size / 1e6:,.0f} MB, the limit is {KEEP_LIMIT / 1e6:,.0f}; "
                "name fewer layers"
            )
        prepared = self.prepare(picture)
        maps = self.maps(prepared.values, wanted)
        rows, timing = self.measure(prepared.values) if timed else (self.rows, None)
        return Explanation(
            network=self.name,
            picture_size=(picture.shape[0], picture.shape[1]),
            input_size=self.size,
            crop_xyxy=prepared.crop_xyxy,
            answer=self.top(prepared.values),
            rows=rows,
            total_ms=None if timing is None else timing.total_ms,
            other_ms=None if timing is None else timing.other_ms,
            activations=maps,
        )


def softmax(scores: Array) -> NDArray[np.float32]:
    """Scores of classes as probabilities."""
    odds = np.exp(scores.astype(np.float64) - scores.max())
    return (odds / odds.sum()).astype(np.float32)


def explain(
    picture: PictureLike,
    model: NetworkSource | None = None,
    *,
    layers: Sequence[str | int] | None = None,
    timed: bool = True,
) -> Explanation:
    """Explain what a network does to a picture: the table of its layers, and their maps.

    Args:
        picture: What `as_picture` takes: a path, a file's bytes, an open file, a Pillow image or an array.
        model: A model's name, an ONNX file, its bytes; None for the default classifier.
        layers: Whose maps to keep; None for all.
        timed: Measure the time of each layer too.
    Raises:
        As `as_picture`, `Explorer` and `Explorer.explain`.
    """
    return Explorer(model).explain(as_picture(picture), layers=layers, timed=timed)


def _open_source(model: NetworkSource | None, limits: GraphLimits) -> _Source:
    if isinstance(model, bytes):
        return _Source(read_graph(model, limits=limits), None)
    if model is None:
        model = default_model(EXPLAINED_TASK)
    if isinstance(model, Model):
        return _Source(read_graph(model.file(), limits=limits, trusted=True), model)
    path = Path(model)
    if path.suffix.lower() == ".onnx":
        return _Source(read_graph(path, limits=limits), _card_beside(path))
    found = find_model(model)
    return _Source(read_graph(found.file(), limits=limits, trusted=True), found)


def _card_beside(path: Path) -> Model | None:
    """The card in the file's own folder, if it speaks of this very file."""
    if not (path.parent / CARD_FILE).is_file():
        return None
    try:
        found = Model(read_card(path.parent), path.parent)
    except CardError:
        return None
    return found if found.card.file == path.name else None


def _choose_size(explorer: Explorer, size: tuple[int, int] | None) -> tuple[int, int]:
    layout, card = explorer.layout, explorer.card
    wanted = size or (
        (card.card.picture.height_px, card.card.picture.width_px) if card else (FREE_SIDE_PX, FREE_SIDE_PX)
    )
    if min(wanted) < 1 or max(wanted) > 4096:
        raise RangeError(f"the input's sides must be 1 to 4096 pixels, got {wanted}")
    fixed = (layout.height or wanted[0], layout.width or wanted[1])
    if size is not None and fixed != tuple(size):
        raise RangeError(f"{explorer.name}: the network takes {fixed[0]}×{fixed[1]} pixels only; leave the size out")
    return fixed


def check_position(row: LayerRow, map_: int, y: int, x: int) -> None:
    """Check that a layer has such a neuron.

    Raises:
        ShapeError: it has not.
    """
    maps, height, width = row.output_shape
    if not (0 <= map_ < maps and 0 <= y < height and 0 <= x < width):
        raise ShapeError(
            f"{row.name} has maps 0..{maps - 1}, rows 0..{height - 1}, columns 0..{width - 1}; got {map_}, {y}, {x}"
        )
