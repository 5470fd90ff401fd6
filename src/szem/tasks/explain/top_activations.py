"""What each map of a network likes best: the pictures of a set, and the places in them, that it answers to most.

One pass over the set serves all layers. What was found is kept on disk under a key of the network and the pictures,
so asking again costs nothing; a changed picture or network asks anew. For the default classifier and the bundled
gallery it comes with the package (docs/tools/gallery.py).
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.errors import OverwriteError, RangeError, StoreError, SzemError
from szem.files import sweep_folder, write_file
from szem.kept import made_anew
from szem.media.pictures import read_picture
from szem.runtime.graph_fields import trace_back
from szem.runtime.store import data_folder
from szem.tasks.explain.explain import Explorer

__all__ = ["SHIPPED", "TopActivations", "cut_patch", "find_strongest"]

MOST_FILES = 20_000
SHIPPED = Path(__file__).with_name("strongest.npz")


@dataclass(frozen=True, eq=False)
class TopActivations:
    """The best places for every map of every layer, best first. A place is a neuron of the map."""

    files: tuple[str, ...]  # empty for a picture that came as an array
    skipped: tuple[tuple[str, str], ...]  # files that could not be read, and why
    scores: dict[str, NDArray[np.float32]]  # layer -> (maps, kept)
    pictures: dict[str, NDArray[np.int32]]  # layer -> (maps, kept), places in `files`
    places: dict[str, NDArray[np.int32]]  # layer -> (maps, kept, 2), row and column


def find_strongest(
    explorer: Explorer,
    files: Sequence[str | Path | Picture8],
    *,
    keep: int = 9,
    cache: Path | None = None,
    progress: Callable[[float], None] | None = None,
    read: Callable[[str | Path], Picture8] = read_picture,
) -> TopActivations:
    """Find the strongest pictures and places for every map; each picture counts once per map.

    Args:
        explorer: The opened network.
        files: Pictures, or their files; those that cannot be read are reported, not raised.
        keep: How many per map.
        cache: Where to keep what was found; by default a folder beside the user's models.
        progress: Called with the share that is done.
        read: How a file is read.
    Raises:
        RangeError: no files, too many, or `keep` below 1.
    """
    if not 0 < len(files) <= MOST_FILES or keep < 1:
        raise RangeError(f"give 1 to {MOST_FILES} pictures and keep at least 1, got {len(files)} and {keep}")
    key = _key(explorer, files, keep)
    target = (cache or data_folder() / "cache" / "strongest") / f"{key}.npz"
    kept = _load(target, key) or _load(SHIPPED, key)
    if kept is not None:
        if progress is not None:
            progress(1.0)
        return kept
    found = _search(explorer, files, keep, progress, read)
    _save(target, key, found)
    return found


def _search(
    explorer: Explorer,
    files: Sequence[str | Path | Picture8],
    keep: int,
    progress: Callable[[float], None] | None,
    read: Callable[[str | Path], Picture8],
) -> TopActivations:
    names = [row.name for row in explorer.rows]
    counts = {row.name: row.output_shape[0] for row in explorer.rows}
    scores = {n: np.full((counts[n], keep), -np.inf, np.float32) for n in names}
    pictures = {n: np.full((counts[n], keep), -1, np.int32) for n in names}
    places = {n: np.zeros((counts[n], keep, 2), np.int32) for n in names}
    skipped = []
    for index, file in enumerate(files):
        try:
            prepared = explorer.prepare(file if isinstance(file, np.ndarray) else read(file))
        except SzemError as error:
            skipped.append((str(file), str(error)))
        else:
            for name, maps in explorer.maps(prepared.values, explorer.layers).items():
                _enter(maps, index, scores[name], pictures[name], places[name])
        if progress is not None:
            progress((index + 1) / len(files))
    names_of = tuple("" if isinstance(file, np.ndarray) else str(file) for file in files)
    return TopActivations(names_of, tuple(skipped), scores, pictures, places)


def _enter(
    maps: NDArray[np.float32],
    index: int,
    scores: NDArray[np.float32],
    pictures: NDArray[np.int32],
    places: NDArray[np.int32],
) -> None:
    """Enter one picture's best places, for the maps whose weakest entry it beats; ranks stay sorted."""
    flat = np.nan_to_num(maps.reshape(maps.shape[0], -1), nan=-np.inf)
    best = flat.argmax(axis=1)
    value = flat[np.arange(len(flat)), best]
    for m in np.flatnonzero(value > scores[:, -1]):
        rank = int(np.searchsorted(-scores[m], -value[m], side="right"))
        for table, entry in (
            (scores, value[m]),
            (pictures, index),
            (places, np.array(divmod(int(best[m]), maps.shape[2]))),
        ):
            table[m, rank + 1 :] = table[m, rank:-1].copy()
            table[m, rank] = entry


def cut_patch(explorer: Explorer, picture: Picture8, layer: str | int, *, row: int, column: int) -> Picture8:
    """Cut out what a neuron sees of a picture, as far as it lies inside.

    Args:
        explorer: The opened network.
        picture: (H, W, 3) uint8.
        layer: Which layer.
        row: The neuron's row in its map.
        column: The neuron's column.
    """
    found = explorer.layer(layer)
    prepared = explorer.prepare(picture)
    shape = explorer.probe.shapes[found.output]
    box = (0, 0, explorer.size[1] - 1, explorer.size[0] - 1)
    if found.axes is not None:
        where = {found.axes[1]: row, found.axes[2]: column}
        region = tuple((where[a], where[a]) if a in where else (0, side - 1) for a, side in enumerate(shape))
        seen = trace_back(explorer.probe, found.output, region, to=explorer.layout.name)
        if seen is not None:
            rows, columns = seen[2:] if explorer.layout.layout == "NCHW" else seen[1:3]
            box = (columns[0], rows[0], columns[1], rows[1])
    x0, y0, x1, y1 = prepared.to_picture(box)
    height, width = picture.shape[:2]
    left, top = min(max(int(x0), 0), width - 1), min(max(int(y0), 0), height - 1)
    return picture[top : max(min(round(y1), height), top + 1), left : max(min(round(x1), width), left + 1)]


def _key(explorer: Explorer, files: Sequence[str | Path | Picture8], keep: int) -> str:
    digest = hashlib.sha256(f"1 {explorer.key} {keep}".encode())
    for file in files:
        if isinstance(file, np.ndarray):
            digest.update(f"{file.shape}".encode() + file.tobytes())
            continue
        path = Path(file).resolve()
        try:
            state = path.stat()
            digest.update(f"{path}\0{state.st_size}\0{state.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
        except OSError:
            digest.update(f"{path}\0missing\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:32]


def _save(target: Path, key: str, found: TopActivations) -> None:
    """Write the cache; a folder that cannot be written only means that nothing is kept."""
    tables: dict[str, Any] = {}
    for i, name in enumerate(found.scores):
        tables |= {f"s{i}": found.scores[name], f"p{i}": found.pictures[name], f"w{i}": found.places[name]}
    head = json.dumps({"key": key, "files": found.files, "skipped": found.skipped, "layers": list(found.scores)})
    sweep_folder(target.parent)
    with suppress(StoreError, OverwriteError), write_file(target) as part, part.open("wb") as out:
        np.savez_compressed(out, head=np.frombuffer(head.encode(), np.uint8), **tables)


def _load(target: Path, key: str) -> TopActivations | None:
    try:
        with target.open("rb") as opened, np.load(opened, allow_pickle=False) as data:
            head = json.loads(data["head"].tobytes())
            if head["key"] != key:
                return None
            tables = [
                {name: data[f"{letter}{i}"] for i, name in enumerate(head["layers"])} for letter in ("s", "p", "w")
            ]
        return TopActivations(tuple(head["files"]), tuple((a, b) for a, b in head["skipped"]), *tables)
    except (FileNotFoundError, NotADirectoryError):
        return None
    # Each table has a checksum in the archive; a damaged archive raises classes of many modules.
    except Exception as error:
        made_anew(target, f"damaged ({type(error).__name__})")
        return None
