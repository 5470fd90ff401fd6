"""What the network lab keeps between requests: networks that are open, and the pictures being looked at.

Everything here is bounded: the oldest is forgotten first, and asking for it again opens it anew (a network by name)
or says that it is gone (a picture, or a network that was sent). Knows nothing of HTTP.
"""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.errors import FormatError, NotFoundError, UnknownNameError
from szem.media.pictures import PICTURE_SUFFIXES
from szem.media.samples import SAMPLES, sample_path
from szem.runtime.cards import PictureInput
from szem.runtime.graph import GraphLimits
from szem.runtime.store import Model, list_models
from szem.serve.settings import ServeSettings
from szem.tasks.explain.explain import EXPLAINED_TASK, Explorer
from szem.tasks.explain.preprocess import PreparedInput
from szem.tasks.explain.top_activations import TopActivations, find_strongest
from szem.tasks.models import default_model

__all__ = ["LAB_LIMITS", "LabHandler", "LabView", "pack_maps"]

LAB_LIMITS = GraphLimits(
    max_bytes=150 << 20, max_nodes=5_000, max_multiplications=1e11, max_value_bytes=256 << 20, max_run_s=20.0
)
_OPEN_NETWORKS = 4
_SENT_BYTES = 320_000_000  # networks that visitors sent, all together
_LOOKS = 48
_GALLERY = 400  # pictures that maps are searched for what they like best
_SENT_PREFIX = "sent-"

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class LabView:
    """One picture in one network."""

    name: str
    network: str
    explorer: Explorer
    picture_size: tuple[int, int]
    prepared: PreparedInput
    picture: Picture8


class _Recent(Generic[T]):
    """The last few things by name; the weight of all together stays below a limit."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, tuple[T, float]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str) -> T | None:
        with self._lock:
            if name not in self._kept:
                return None
            self._kept.move_to_end(name)
            return self._kept[name][0]

    def put(self, name: str, thing: T, weight: float = 1.0) -> None:
        with self._lock:
            self._kept.pop(name, None)
            self._kept[name] = (thing, weight)
            while len(self._kept) > 1 and sum(w for _, w in self._kept.values()) > self._limit:
                self._kept.popitem(last=False)

    def names(self) -> list[str]:
        with self._lock:
            return list(self._kept)


class LabHandler:
    """The lab of one server.

    Args:
        settings: The operator's choices: below `read_folders` lie the pictures that maps are searched over.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self._settings = settings
        self._explorers: _Recent[Explorer] = _Recent(_OPEN_NETWORKS)
        self._sent: _Recent[tuple[str, bytes]] = _Recent(_SENT_BYTES)
        self._looks: _Recent[LabView] = _Recent(_LOOKS)
        self._opening = threading.Lock()  # one network is opened at a time: it takes all cores
        self._searching = threading.Lock()  # and one searches the pictures; who asks for the same finds it on disk
        self._searched: dict[str, float] = {}  # network -> the share of the pictures it has looked at, while it does

    def networks(self) -> list[dict[str, Any]]:
        """The networks that can be looked into: the default first, then others of its task, others, those sent."""
        models = _picture_models()
        first = default_model(EXPLAINED_TASK).name if any(m.card.task == EXPLAINED_TASK for m in models) else ""
        models.sort(key=lambda m: (m.name != first, m.card.task != EXPLAINED_TASK))
        rows: list[dict[str, Any]] = [
            {"name": m.name, "title": m.name, "task": m.card.task, "text": m.card.summary} for m in models
        ]
        for name in reversed(self._sent.names()):
            kept = self._sent.get(name)
            if kept is not None:
                rows.append({"name": name, "title": kept[0], "task": "", "text": ""})
        return rows

    def send(self, title: str, data: bytes) -> str:
        """Take a network that a visitor sent: open it once, which is what judges it, and give its name.

        Raises:
            As `Explorer`.
        """
        if not data:
            raise FormatError("no network came; send an .onnx file as the body")
        name = _SENT_PREFIX + hashlib.sha256(data).hexdigest()[:20]
        if self._sent.get(name) is None:
            with self._opening:
                self._explorers.put(name, Explorer(data, limits=LAB_LIMITS))
        self._sent.put(name, (title[:80] or "network", data), len(data))
        return name

    def open(self, name: str) -> Explorer:
        """A network by name.

        Raises:
            NotFoundError: no such network, or one that was sent and has been forgotten since.
        """
        found = self._explorers.get(name)
        if found is not None:
            return found
        with self._opening:
            found = self._explorers.get(name)
            if found is not None:
                return found
            found = self._open_anew(name)
            self._explorers.put(name, found)
            return found

    def _open_anew(self, name: str) -> Explorer:
        if name.startswith(_SENT_PREFIX):
            kept = self._sent.get(name)
            if kept is None:
                raise NotFoundError("this network has been forgotten since; send its file again")
            return Explorer(kept[1], limits=LAB_LIMITS)
        try:
            model = next(m for m in _picture_models() if m.name == name)
        except StopIteration:
            names = ", ".join(m.name for m in _picture_models()) or "none"
            raise NotFoundError(f"no network called {name[:80]!r}; there are {names}") from None
        return Explorer(model, limits=LAB_LIMITS)

    def look(self, network: str, picture: Picture8, data: bytes) -> LabView:
        """Begin to look at a picture; the same picture in the same network has the same name."""
        explorer = self.open(network)
        name = hashlib.sha256(network.encode() + b"\0" + data).hexdigest()[:24]
        prepared = explorer.prepare(picture)
        found = LabView(name, network, explorer, (picture.shape[0], picture.shape[1]), prepared, picture)
        self._looks.put(name, found)
        return found

    def find(self, name: str) -> LabView:
        """A picture being looked at.

        Raises:
            NotFoundError: it has been forgotten since.
        """
        found = self._looks.get(name)
        if found is None:
            raise NotFoundError("this picture has been forgotten since; send it again")
        return found

    def gallery(self) -> list[Path]:
        """The pictures that maps are searched over: those below the folders the operator allows, else the bundled."""
        files: list[Path] = []
        for folder in self._settings.read_folders:
            for path in sorted(folder.rglob("*")):
                if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file():
                    files.append(path)
                if len(files) >= _GALLERY:
                    return files
        return files or [sample_path(name) for name in SAMPLES]

    def strongest(self, network: str) -> TopActivations:
        """The strongest pictures for every map of a network; found once, then kept on disk."""
        explorer = self.open(network)
        with self._searching:
            try:
                return find_strongest(
                    explorer, self.gallery(), keep=6, progress=lambda share: self._searched.update({network: share})
                )
            finally:
                self._searched.pop(network, None)

    def searched(self, network: str) -> float | None:
        """How far the search for a network's strongest pictures is, 0 to 1; None while there is none."""
        return self._searched.get(network)


def thumbnails(look: LabView, *, side_px: int = 48) -> NDArray[np.uint8]:
    """One small map per layer, for the overview: the map whose numbers differ most over its places.

    Returns:
        (layers, side, side) uint8; 0 is the map's least number, 255 its largest; a layer without rows is shown as
        its maps' numbers, line by line in a square.
    """
    found = look.explorer.maps(look.prepared.values, look.explorer.layers)
    out = np.zeros((len(found), side_px, side_px), np.uint8)
    for i, layer in enumerate(look.explorer.layers):
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


def check_layer(explorer: Explorer, index: int) -> None:
    """Check that a network has such a layer.

    Raises:
        UnknownNameError: it has not.
    """
    if not 0 <= index < len(explorer.layers):
        raise UnknownNameError(f"there is no layer {index}; they are numbered 0 to {len(explorer.layers) - 1}")


def _picture_models() -> list[Model]:
    """The models that take pictures: only those can be looked into."""
    return [model for model in list_models() if isinstance(model.card.input, PictureInput)]
