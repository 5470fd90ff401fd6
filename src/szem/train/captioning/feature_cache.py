"""The maps of a trunk that does not learn, computed once for each picture and kept on disk.

A picture is kept in several forms, for a training that should not see the same twice: whole, mirrored, and cut and
mirrored by chance. What was computed stays after an interruption. This file does not know what is trained on it.
"""

import hashlib
import json
import zlib
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
from szem.files import write_error
from szem.kept import made_anew, read_kept, write_kept
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
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
    if read_kept(about, digest) is None:
        (folder / "done.npy").unlink(missing_ok=True)
        write_kept(about, digest, {})
    with torch.no_grad():
        shape = tuple(trunk(torch.zeros(1, 3, side_px, side_px)).shape[1:])
    maps, done = _open(folder, (len(files), forms, *shape))
    missing = np.flatnonzero(done == 0).tolist()
    if not missing:
        return maps, _describe_broken(folder, digest)
    graph = folder / "trunk.onnx"
    example = torch.randint(0, 256, (2, side_px, side_px, 3), dtype=torch.uint8)
    export_onnx(
        FromPixels(trunk, mean=127, scale=128), graph, examples=[example], inputs=["pictures"], outputs=["maps"]
    )
    session = OnnxFile(graph, threads=1)
    rules = input_rules(side_px)
    broken = _describe_broken(folder, digest)

    def one(index: int) -> None:
        try:
            picture = read_picture(files[index])
        except MediaError as error:
            broken.append(Broken(files[index].name, str(error)))
        else:
            batch = np.concatenate([prepare_picture(p, rules) for p in _forms(picture, index, forms)])
            maps[index] = np.clip(session.run({"pictures": batch}, ["maps"])[0], -65000, 65000)
        # Broken pictures too: they are not tried again when the training goes on.
        done[index] = _checksum(maps[index])

    with ThreadPoolExecutor(cores()) as pool:
        results = pool.map(one, missing)
        for _ in track(results, "maps of pictures", total=len(missing), disable=quiet or not missing):
            pass
    maps.flush()
    done.flush()
    write_kept(folder / "broken.json", digest, {"broken": [(b.name, b.reason) for b in broken]})
    return maps, broken


def _hash_weights(trunk: Trunk) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(trunk.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _describe_broken(folder: Path, digest: str) -> list[Broken]:
    kept = read_kept(folder / "broken.json", digest) or {"broken": []}
    return [Broken(name, why) for name, why in kept["broken"]]


def _checksum(maps: NDArray[np.float16]) -> int:
    """Of one picture's maps; never 0, which says that they are not done."""
    return zlib.crc32(np.ascontiguousarray(maps).tobytes()) or 1


def _open(folder: Path, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """The file of maps and that of their checksums; made anew where either is missing or of another shape.

    Maps whose checksum differs (damage, or a power failure before they reached the disk) are not done.
    """
    maps, done = folder / "maps.npy", folder / "done.npy"
    if done.is_file():
        try:
            kept, sums = (np.lib.format.open_memmap(file, "r+") for file in (maps, done))
            if (kept.shape, str(kept.dtype), sums.shape, str(sums.dtype)) != (shape, "float16", shape[:1], "uint32"):
                raise ValueError("of another shape")
            bad = [i for i in np.flatnonzero(sums) if sums[i] != _checksum(kept[i])]
            if bad:
                sums[bad] = 0
                made_anew(maps, f"the maps of {len(bad)} of {len(sums)} pictures have another checksum")
            return kept, sums
        except Exception as error:  # numpy's reader raises classes of many modules
            made_anew(maps, f"damaged ({error})")
    try:
        (folder / "broken.json").unlink(missing_ok=True)
        made = np.lib.format.open_memmap(maps, "w+", np.float16, shape)
        return made, np.lib.format.open_memmap(done, "w+", np.uint32, shape[:1])
    except OSError as error:
        raise write_error(folder, error) from error


def _forms(picture: Picture8, index: int, forms: int) -> list[Picture8]:
    rng = np.random.default_rng(index)
    out = [picture, picture[:, ::-1]]
    for mirrored in (False, True):
        high, wide = (round(side * rng.uniform(_SMALLEST_CUT, 0.98)) for side in picture.shape[:2])
        top, left = (int(rng.integers(0, s - n + 1)) for s, n in zip(picture.shape[:2], (high, wide), strict=True))
        cut = picture[top : top + high, left : left + wide]
        out.append(cut[:, ::-1] if mirrored else cut)
    return [np.ascontiguousarray(p) for p in out[:forms]]
