"""Make the gallery that feature maps are searched over: `python docs/tools/gallery.py`; with the word `strongest`,
only the table of what each map of the default classifier likes best in it (half a minute).

It writes `szem/media/gallery.webp`, one picture of tiles, `SIDE` pixels each: crops at several scales of photographs
and textures that scikit-image carries (CC0 or public domain), gratings, grids, rings and corners, and flowers and
birds that the project's own network drew. The table is `szem/tasks/explain/strongest.npz`, for the Network page.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import szem
from szem.media.pictures import read_picture
from szem.media.samples import GALLERY_COLUMNS, GALLERY_SIDE, gallery_path, read_gallery, sample_path
from szem.tasks.explain.explain import Explorer
from szem.tasks.explain.top_activations import SHIPPED, find_strongest

Tile = NDArray[np.uint8]
SIDE, COLUMNS = GALLERY_SIDE, GALLERY_COLUMNS
KEPT = 6  # as many as the Network page shows
# File of scikit-image's data folder -> how many crops; all CC0 or in the public domain.
PHOTOGRAPHS = {"chelsea.png": 22, "coffee.png": 22, "astronaut.png": 22, "rocket.jpg": 14, "coins.png": 12}
PHOTOGRAPHS |= {"camera.png": 16, "hubble_deep_field.jpg": 8, "moon.png": 6, "clock_motion.png": 6}
TEXTURES = {"brick.png": 8, "grass.png": 8, "gravel.png": 8}
SENTENCES = (
    "this flower has white petals with a yellow center",
    "a red rose with many petals",
    "a purple flower with long thin petals",
    "an orange flower with black spots",
    "a yellow bird with black wings",
    "a small blue bird with a white belly",
)
PER_SENTENCE = 6


def crops(rng: np.random.Generator) -> Iterator[Tile]:
    """Crops of photographs and textures, from a sixth of the shorter side to all of it."""
    folder = sample_path("cameraman").parent
    for name, count in (PHOTOGRAPHS | TEXTURES).items():
        picture = read_picture(folder / name)
        height, width = picture.shape[:2]
        for part in np.geomspace(1.0, 1 / 6, count):
            side = max(SIDE // 2, round(part * min(height, width)))
            top, left = (int(rng.integers(0, most - side + 1)) for most in (height, width))
            cut = picture[top : top + side, left : left + side]
            yield cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA if side > SIDE else cv2.INTER_CUBIC)


def patterns(rng: np.random.Generator) -> Iterator[Tile]:
    """Simple shapes in pairs of colours: what the first layers look for."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE - 0.5
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    masks = [
        0.5 + 0.5 * np.sin(2 * np.pi * cycles * (x * np.cos(turn) + y * np.sin(turn)))
        for cycles in (3, 8, 18)
        for turn in np.arange(6) * np.pi / 6
    ]
    masks += [(np.floor(x * n) + np.floor(y * n)) % 2 for n in (3, 6, 12)]
    masks += [0.5 + 0.5 * np.sin(2 * np.pi * n * radius) for n in (3, 7, 14)]
    masks += [0.5 + 0.5 * np.sin(n * angle) for n in (4, 8, 16)]
    masks += [(radius < r).astype(float) for r in (0.08, 0.2, 0.38)]
    masks += [((np.abs(x) < w) | (np.abs(y) < w)).astype(float) for w in (0.03, 0.12)]
    masks += [((x > 0) & (y > 0)).astype(float), (y > np.abs(x) - 0.2).astype(float), x + 0.5, y + 0.5]
    masks += [(np.hypot((x * n) % 1 - 0.5, (y * n) % 1 - 0.5) < 0.3).astype(float) for n in (3, 6, 10)]
    for mask in masks:
        one, other = rng.integers(0, 256, (2, 3)) if rng.random() < 0.6 else np.array([[0] * 3, [255] * 3])
        yield np.rint(one + (other - one) * mask[..., None]).astype(np.uint8)


def drawn() -> Iterator[Tile]:
    """Flowers and birds that szem draws."""
    for sentence in SENTENCES:
        for picture in szem.generate(sentence, n=PER_SENTENCE, seed=1).pictures:
            yield cv2.resize(np.asarray(picture), (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def main() -> None:
    """Write the tiles, row by row."""
    rng = np.random.default_rng(0)
    tiles = [*crops(rng), *patterns(rng), *drawn()]
    tiles = tiles[: len(tiles) // COLUMNS * COLUMNS]
    rows = len(tiles) // COLUMNS
    sheet = (
        np.stack(tiles).reshape(rows, COLUMNS, SIDE, SIDE, 3).swapaxes(1, 2).reshape(rows * SIDE, COLUMNS * SIDE, 3)
    )
    path = gallery_path()
    Image.fromarray(sheet).save(path, quality=72, method=6)
    print(path.name, len(tiles), path.stat().st_size)


def write_strongest() -> None:
    """Search the gallery as the Network page does, and keep what was found beside the code that reads it."""
    SHIPPED.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        find_strongest(Explorer(), read_gallery(), keep=KEPT, cache=Path(folder))
        (made,) = Path(folder).iterdir()
        shutil.copyfile(made, SHIPPED)
    print(SHIPPED.name, SHIPPED.stat().st_size)


if __name__ == "__main__":
    if sys.argv[1:] != ["strongest"]:
        main()
    write_strongest()
