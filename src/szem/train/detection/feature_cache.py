"""Maps of a network's first stages, computed once for several views of each picture and kept as float16.

Stages that do not learn give the same maps every time. They are written to one flat file that is read as memory, so
many more of them than fit into memory can be kept. This file does not know what is learnt from them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.errors import TrainError
from szem.files import write_file
from szem.kept import is_whole, seal_folder

__all__ = ["JoinedMaps", "MapCache", "open_maps", "write_maps"]

_MAPS, _INDEX = "maps.f16", "index.npy"


@dataclass(frozen=True, eq=False)
class MapCache:
    """Kept maps, by number.

    Args:
        maps: Flat.
        index: (N, 4): where each begins, its rows, columns, channels.
    """

    maps: NDArray[np.float16]
    index: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, number: int) -> NDArray[np.float16]:
        begin, rows, columns, channels = (int(v) for v in self.index[number])
        return self.maps[begin : begin + rows * columns * channels].reshape(rows, columns, channels)


class JoinedMaps:
    """Several sets of kept maps, numbered through.

    Args:
        parts: The sets; of each the last map is left out (an empty picture's), but it is the last of the whole.
    """

    def __init__(self, parts: Sequence[MapCache]) -> None:
        self.parts = parts
        self.begins = np.cumsum([0, *(len(part) - 1 for part in parts)])

    def __len__(self) -> int:
        return int(self.begins[-1]) + 1

    def __getitem__(self, number: int) -> NDArray[np.float16]:
        if number == self.begins[-1]:
            return self.parts[0][len(self.parts[0]) - 1]
        place = int(np.searchsorted(self.begins, number, side="right")) - 1
        return self.parts[place][number - int(self.begins[place])]


def write_maps(folder: Path, items: Iterable[NDArray[np.float32]], *, about: dict[str, Any]) -> MapCache:
    """Keep maps, each (rows, columns, channels), in the order they come.

    Args:
        folder: Where; killed half-way, it does not count as written.
        items: The maps.
        about: What they depend on, as JSON types; `open_maps` compares it.
    """
    index, begin = [], 0
    with write_file(folder / _MAPS) as part, part.open("wb") as file:
        for maps in items:
            half = np.clip(maps, -65504, 65504).astype(np.float16)
            file.write(np.ascontiguousarray(half).tobytes())
            index.append((begin, *half.shape))
            begin += half.size
    if not index:
        raise TrainError(f"{folder}: no maps to keep; the data has no pictures")
    with write_file(folder / _INDEX) as part, part.open("wb") as file:
        np.save(file, np.asarray(index, np.int64))
    seal_folder(folder, (_MAPS, _INDEX), about)
    return _open(folder)


def open_maps(folder: Path, *, about: dict[str, Any]) -> MapCache | None:
    """Open kept maps; None where there are none, others, or damaged ones."""
    return _open(folder) if is_whole(folder, (_MAPS, _INDEX), about) else None


def _open(folder: Path) -> MapCache:
    return MapCache(np.memmap(folder / _MAPS, np.float16, "r"), np.load(folder / _INDEX))
