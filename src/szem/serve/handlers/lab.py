"""The network lab in a worker process: networks that are open, and the pictures being looked at.

A network that somebody sent is parsed, judged and run here and nowhere else. Everything is bounded: the oldest is
forgotten first. What is asked for and is not here is brought again by the server (`ForgottenError`), which keeps the
files: a worker may have been replaced since. Knows nothing of HTTP.
"""

import base64
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.errors import NotFoundError, RangeError, UnknownNameError, UnsupportedError
from szem.media.pictures import PICTURE_SUFFIXES, encode_picture, read_picture
from szem.media.samples import read_gallery
from szem.runtime.cards import PictureInput
from szem.runtime.graph import GraphLimits
from szem.runtime.store import Model, list_models
from szem.runtime.workers.child import report_progress
from szem.serve.engine import picture_limits, work_as_server
from szem.serve.folders import list_pictures, read_listed
from szem.serve.protojson import dump_json
from szem.serve.settings import ServeSettings
from szem.tasks.explain.attribution import find_class_map, find_occlusion
from szem.tasks.explain.explain import Explorer
from szem.tasks.explain.neuron import explain_neuron
from szem.tasks.explain.preprocess import PreparedInput
from szem.tasks.explain.receptive_field import StackLayer, measure_stack
from szem.tasks.explain.shift_invariance import measure_shift
from szem.tasks.explain.top_activations import cut_patch, find_strongest

__all__ = ["LAB_LIMITS", "SENT_PREFIX", "ForgottenError", "Lab", "LookSource", "make_lab", "picture_models"]

LAB_LIMITS = GraphLimits(
    max_bytes=150 << 20, max_nodes=5_000, max_multiplications=1e11, max_value_bytes=256 << 20, max_run_s=20.0
)
SENT_PREFIX = "sent-"
_OPEN_NETWORKS = 4
_LOOKS = 48
_GALLERY = 400  # pictures that maps are searched for what they like best
_PATCH_PX = 96
_MOST_INPUTS = 60_000  # numbers of one sum that are sent; a dense layer may have more
_MOST_MAP_BYTES = 64_000_000

T = TypeVar("T")


class ForgottenError(NotFoundError):
    """This worker does not hold the network or the picture: the call is to be made again, with the files."""


@dataclass(frozen=True)
class LookSource:
    """A picture in a network, by their names; the files where the worker may not have them."""

    network: str
    name: str = ""  # of the look; empty: only the network is meant
    network_data: bytes | None = None
    picture_data: bytes | None = None


@dataclass(frozen=True, eq=False)
class _View:
    """One picture in one network, open."""

    source: LookSource
    explorer: Explorer
    prepared: PreparedInput
    picture: Picture8


class Recent(Generic[T]):
    """The last few things by name; the weight of all together stays below a limit."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, tuple[T, float]] = OrderedDict()

    def get(self, name: str) -> T | None:
        """What was put under a name; None if it has been forgotten."""
        if name not in self._kept:
            return None
        self._kept.move_to_end(name)
        return self._kept[name][0]

    def put(self, name: str, item: T, weight: float = 1.0) -> None:
        """Keep something; the oldest make room for it."""
        self._kept.pop(name, None)
        self._kept[name] = (item, weight)
        while len(self._kept) > 1 and sum(w for _, w in self._kept.values()) > self._limit:
            self._kept.popitem(last=False)

    def names(self) -> list[str]:
        """All names, the oldest first."""
        return list(self._kept)


def make_lab(settings: ServeSettings, environment: Mapping[str, str], folder: str) -> "Lab":
    """The lab of a worker, in the environment and working folder of its server."""
    work_as_server(environment, folder)
    return Lab(settings)


class Lab:
    """Open networks and looks of one worker.

    Args:
        settings: The operator's choices: below `read_folders` lie the pictures that maps are searched over.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self.settings = settings
        self._explorers: Recent[Explorer] = Recent(_OPEN_NETWORKS)
        self._views: Recent[_View] = Recent(_LOOKS)

    def explorer(self, source: LookSource) -> Explorer:
        """The network, open.

        Raises:
            NotFoundError: there is no such network.
            ForgottenError: it was sent, and is not here.
            SzemError: as `Explorer`.
        """
        found = self._explorers.get(source.network)
        if found is None:
            found = self._open(source)
            self._explorers.put(source.network, found)
        return found

    def _open(self, source: LookSource) -> Explorer:
        if source.network.startswith(SENT_PREFIX):
            if source.network_data is None:
                raise ForgottenError("the network is not open here")
            return Explorer(source.network_data, limits=LAB_LIMITS)
        for model in picture_models():
            if model.name == source.network:
                return Explorer(model, limits=LAB_LIMITS)
        names = ", ".join(model.name for model in picture_models()) or "none"
        raise NotFoundError(f"no network called {source.network[:80]!r}; there are {names}")

    def view(self, source: LookSource) -> _View:
        """The picture in the network, prepared.

        Raises:
            ForgottenError: the picture is not here.
            MediaError: it cannot be read.
            SzemError: as `explorer`.
        """
        found = self._views.get(source.name)
        if found is not None:
            return found
        if source.picture_data is None:
            raise ForgottenError("the picture is not here")
        explorer = self.explorer(source)
        picture = read_picture(source.picture_data, limits=picture_limits(self.settings))
        kept = replace(source, network_data=None, picture_data=None)
        found = _View(kept, explorer, explorer.prepare(picture), picture)
        self._views.put(source.name, found)
        return found

    def gallery(self) -> Sequence[Path | Picture8]:
        """The pictures that maps are searched over: those below the folders the operator allows, else the bundled."""
        files = list_pictures(self.settings.read_folders, suffixes=PICTURE_SUFFIXES, most=_GALLERY)
        return files or read_gallery()

    def read(self, file: str | Path) -> Picture8:
        """A picture of the gallery.

        Raises:
            MediaError: it cannot be read, or not any more.
        """
        return read_picture(read_listed(Path(file), self.settings.read_folders))


def picture_models() -> list[Model]:
    """The models that take pictures: only those can be looked into."""
    return [model for model in list_models() if isinstance(model.card.input, PictureInput)]


# What a worker is asked. Each takes the lab, what is meant, and options; answers are JSON or bytes, ready to be sent.


async def open_network(lab: Lab, source: LookSource) -> None:
    """Open a network, which is what judges it."""
    lab.explorer(source)


async def describe_look(lab: Lab, source: LookSource) -> tuple[bytes, bytes]:
    """The network's layers as a table with its answer for the picture; and what the network sees of it, as PNG."""
    view = lab.view(source)
    explorer, prepared = view.explorer, view.prepared
    table = dump_json(
        {
            "look": source.name,
            "network": source.network,
            "title": explorer.name,
            "picture_size": view.picture.shape[:2],
            "input_size": explorer.size,
            "crop_xyxy": prepared.crop_xyxy,
            "answer": [
                {"class_index": index, "name": name, "probability": p}
                for index, name, p in explorer.top(prepared.values, count=5)
            ],
            "parameters": sum(row.parameters for row in explorer.rows),
            "multiplications": sum(row.multiplications for row in explorer.rows),
            "layers": [asdict(row) for row in explorer.rows],
        }
    )
    return table, encode_picture(prepared.picture)


async def draw_thumbnails(lab: Lab, source: LookSource) -> bytes:
    """One small map per layer: (layers, 48, 48) bytes."""
    view = lab.view(source)
    return thumbnails(view.explorer, view.prepared).tobytes()


async def read_maps(lab: Lab, source: LookSource, layer: int) -> bytes:
    """All maps of a layer, packed."""
    view = lab.view(source)
    _check_layer(view.explorer, layer)
    found = view.explorer.layers[layer]
    size = int(np.prod([float(side) for side in found.row.output_shape]))
    if size > _MOST_MAP_BYTES:
        raise UnsupportedError(
            f"{found.row.name} has {size:,} numbers, the studio shows up to {_MOST_MAP_BYTES:,}; "
            "use szem explain --layer, or a smaller input"
        )
    return pack_maps(view.explorer.maps(view.prepared.values, [found])[found.row.name])


async def read_neuron(lab: Lab, source: LookSource, layer: int, map_index: int, row: int, column: int) -> bytes:
    """The sum behind one number."""
    view = lab.view(source)
    _check_layer(view.explorer, layer)
    found = explain_neuron(view.explorer, view.prepared, layer, map=map_index, row=row, column=column)
    plain = found.to_dict()
    if found.inputs.size > _MOST_INPUTS:
        plain |= {"inputs": None, "weights": None, "inside": None}
    plain["input_count"] = int(found.inputs.size)
    return dump_json(plain)


async def find_attribution(lab: Lab, source: LookSource, class_index: int | None) -> bytes:
    """What mattered for a class."""
    view = lab.view(source)
    occlusion = find_occlusion(view.explorer, view.prepared, class_index=class_index)
    answer: dict[str, Any] = {
        "name": view.explorer.label(occlusion.class_index),
        "occlusion": occlusion.to_dict(),
        "class_map": None,
        "why_no_class_map": "",
    }
    try:
        found = find_class_map(view.explorer, view.prepared, class_index=occlusion.class_index)
    except UnsupportedError as error:
        answer["why_no_class_map"] = str(error)
    else:
        answer["class_map"] = found.to_dict()
    return dump_json(answer)


async def measure_times(lab: Lab, source: LookSource) -> bytes:
    """Each layer's time."""
    view = lab.view(source)
    rows, timing = view.explorer.measure(view.prepared.values)
    times = [{"index": row.index, "time_ms": row.time_ms, "time_fraction": row.time_fraction} for row in rows]
    return dump_json({"layers": times, "total_ms": timing.total_ms, "other_ms": timing.other_ms, "runs": timing.runs})


async def measure_shifts(lab: Lab, source: LookSource, layer: str) -> bytes:
    """How far maps and answer change when the picture moves."""
    view = lab.view(source)
    return dump_json(measure_shift(view.explorer, view.picture, layer=layer or None).to_dict())


async def search_strongest(lab: Lab, source: LookSource, layer: int, map_index: int) -> bytes:
    """What one map likes best of the gallery; the search over all maps is kept on disk."""
    explorer = lab.explorer(source)
    _check_layer(explorer, layer)
    row = explorer.rows[layer]
    if map_index >= row.output_shape[0]:
        raise RangeError(f"{row.name} has maps 0 to {row.output_shape[0] - 1}, got {map_index}")
    gallery = lab.gallery()
    found = find_strongest(explorer, gallery, keep=6, progress=report_progress, read=lab.read)
    entries = []
    for rank, picture_index in enumerate(found.pictures[row.name][map_index]):
        if picture_index < 0:
            continue
        y, x = (int(v) for v in found.places[row.name][map_index][rank])
        chosen = gallery[picture_index]
        picture = chosen if isinstance(chosen, np.ndarray) else lab.read(chosen)
        entries.append(
            {
                "value": float(found.scores[row.name][map_index][rank]),
                "row": y,
                "column": x,
                "patch": _data_url(cut_patch(explorer, picture, layer, row=y, column=x)),
                "picture": _data_url(picture),
            }
        )
    return dump_json({"pictures": len(found.files) - len(found.skipped), "strongest": entries})


async def run_stack(_: Lab, __: LookSource, layers: tuple[StackLayer, ...], channels: int, side_px: int) -> bytes:
    """Convolutions built and run: what one neuron sees, parameters, milliseconds."""
    return dump_json(measure_stack(layers, channels=channels, side_px=side_px).to_dict())


def thumbnails(explorer: Explorer, prepared: PreparedInput, *, side_px: int = 48) -> NDArray[np.uint8]:
    """One small map per layer, for the overview: the map whose numbers differ most over its places.

    Returns:
        (layers, side, side) uint8; 0 is the map's least number, 255 its largest; a layer without rows is shown as
        its maps' numbers, line by line in a square.
    """
    found = explorer.maps(prepared.values, explorer.layers)
    out = np.zeros((len(found), side_px, side_px), np.uint8)
    for i, layer in enumerate(explorer.layers):
        maps = found[layer.row.name]
        if maps.shape[1] < 2 or maps.shape[2] < 2:
            numbers = np.nan_to_num(maps).ravel()
            square = int(np.ceil(np.sqrt(numbers.size)))
            best = np.pad(numbers, (0, square * square - numbers.size), constant_values=numbers.min())
            best = best.reshape(square, square)
        else:
            best = maps[int(np.nan_to_num(maps).std(axis=(1, 2)).argmax())]
        low, high = float(best.min()), float(best.max())
        ys = np.arange(side_px) * best.shape[0] // side_px
        xs = np.arange(side_px) * best.shape[1] // side_px
        scaled = (best[ys[:, None], xs[None]] - low) / (high - low or 1)
        out[i] = np.rint(np.nan_to_num(scaled) * 255).astype(np.uint8)
    return out


def pack_maps(maps: NDArray[np.float32]) -> bytes:
    """All maps of a layer for the browser: each number in one byte, between its map's least and largest.

    Layout, little-endian: three uint32 (maps, rows, columns), the least number of each map and then the largest
    (float32), then the bytes map by map.
    """
    values = np.nan_to_num(maps, posinf=0, neginf=0)
    low, high = values.min(axis=(1, 2)), values.max(axis=(1, 2))
    span = np.where(high > low, high - low, 1)
    scaled = np.rint((values - low[:, None, None]) * (255 / span)[:, None, None]).astype(np.uint8)
    parts = (np.array(maps.shape, "<u4"), low.astype("<f4"), high.astype("<f4"), scaled)
    return b"".join(part.tobytes() for part in parts)


def _check_layer(explorer: Explorer, index: int) -> None:
    if not 0 <= index < len(explorer.layers):
        raise UnknownNameError(f"there is no layer {index}; they are numbered 0 to {len(explorer.layers) - 1}")


def _data_url(picture: Picture8) -> str:
    """A small JPEG inside the answer."""
    height, width = picture.shape[:2]
    factor = _PATCH_PX / max(height, width)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    small = cv2.resize(np.ascontiguousarray(picture), size, interpolation=how).astype(np.uint8)
    data = encode_picture(small, suffix=".jpg", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
