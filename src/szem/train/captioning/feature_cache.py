"""The maps of a trunk that does not learn, computed once for each picture and kept on disk.

A picture is kept in several forms, for a training that should not see the same twice: whole, mirrored, and cut and
mirrored by chance. What was computed stays after an interruption. This file does not know what is trained on it.
"""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from szem.arrays import Picture8
from szem.data.broken import Broken
from szem.errors import MediaError
from szem.files import write_json
from szem.media.pictures import read_picture
from szem.models.encoder import Trunk
from szem.nn.pixels import FromPixels
from szem.runtime.cards import PictureInput
from szem.runtime.prepare import prepare_picture
from szem.runtime.sessions import OnnxFile, cores
from szem.train.export import export_onnx

__all__ = ["FORMS", "input_rules", "keep_maps"]

FORMS = 4  # whole, mirrored, cut, cut and mirrored
_SMALLEST_CUT = 0.78  # fraction of a side


def input_rules(side_px: int) -> PictureInput:
    """How a picture becomes the trunk's input: stretched to a square, as pixels."""
    return PictureInput(
        width_px=side_px, height_px=side_px, resize="stretch", interpolation="bicubic", layout="NHWC", dtype="uint8"
    )


def keep_maps(
    trunk: Trunk, files: Sequence[Path], folder: Path, *, side_px: int, forms: int = FORMS, quiet: bool = False
) -> tuple[NDArray[np.float16], list[Broken]]:
    """Compute or find the maps of pictures.

    Args:
        trunk: Does not learn.
        files: The pictures.
        folder: Where the maps are kept; other pictures or another trunk begin anew.
        side_px: Of the square a picture is stretched to.
        forms: How many of the forms, 1 to 4.
        quiet: No progress bar.
    Returns:
        (pictures, forms, C, h, w), a file read as it is needed, zeros for broken pictures; and those.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key = {"trunk": _hash_weights(trunk), "files": [str(f) for f in files], "forms": forms, "side_px": side_px}
    about = folder / "about.json"
    # Maps of another trunk or of other pictures look alike: a key on the disk says whose they are.
    if not (about.is_file() and json.loads(about.read_text(encoding="utf-8")) == key):
        (folder / "done.npy").unlink(missing_ok=True)
        write_json(about, key)
    with torch.no_grad():
        shape = tuple(trunk(torch.zeros(1, 3, side_px, side_px)).shape[1:])
    maps, done = _open(folder, (len(files), forms, *shape))
    missing = np.flatnonzero(done == 0).tolist()
    if not missing:
        return maps, _describe_broken(folder)
    graph = folder / "trunk.onnx"
    example = torch.randint(0, 256, (2, side_px, side_px, 3), dtype=torch.uint8)
    export_onnx(
        FromPixels(trunk, mean=127, scale=128), graph, examples=[example], inputs=["pictures"], outputs=["maps"]
    )
    session = OnnxFile(graph, threads=1)
    rules = input_rules(side_px)
    broken = _describe_broken(folder)

    def one(index: int) -> None:
        try:
            picture = read_picture(files[index])
        except MediaError as error:
            broken.append(Broken(files[index].name, str(error)))
        else:
            batch = np.concatenate([prepare_picture(p, rules) for p in _forms(picture, index, forms)])
            maps[index] = np.clip(session.run({"pictures": batch}, ["maps"])[0], -65000, 65000)
        # Broken pictures too: they are not tried again when the training goes on.
        done[index] = 1

    with ThreadPoolExecutor(cores()) as pool:
        results = pool.map(one, missing)
        for _ in track(results, "maps of pictures", total=len(missing), disable=quiet or not missing):
            pass
    maps.flush()
    done.flush()
    write_json(folder / "broken.json", [(b.name, b.reason) for b in broken])
    return maps, broken


def _hash_weights(trunk: Trunk) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(trunk.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _describe_broken(folder: Path) -> list[Broken]:
    file = folder / "broken.json"
    return [Broken(name, why) for name, why in json.loads(file.read_text(encoding="utf-8"))] if file.is_file() else []


def _open(folder: Path, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """The file of maps and the file of what is done; made anew where the second is missing."""
    maps, done = folder / "maps.npy", folder / "done.npy"
    if maps.is_file() and done.is_file():
        return (np.lib.format.open_memmap(file, "r+") for file in (maps, done))  # type: ignore[return-value]
    (folder / "broken.json").unlink(missing_ok=True)
    made = np.lib.format.open_memmap(maps, "w+", np.float16, shape)
    return made, np.lib.format.open_memmap(done, "w+", np.uint8, shape[:1])


def _forms(picture: Picture8, index: int, forms: int) -> list[Picture8]:
    rng = np.random.default_rng(index)
    out = [picture, picture[:, ::-1]]
    for mirrored in (False, True):
        high, wide = (round(side * rng.uniform(_SMALLEST_CUT, 0.98)) for side in picture.shape[:2])
        top, left = (int(rng.integers(0, s - n + 1)) for s, n in zip(picture.shape[:2], (high, wide), strict=True))
        cut = picture[top : top + high, left : left + wide]
        out.append(cut[:, ::-1] if mirrored else cut)
    return [np.ascontiguousarray(p) for p in out[:forms]]
