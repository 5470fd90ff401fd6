"""The pictures a newcomer sees first: CC0 photographs that scikit-image carries, the cameraman among them."""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from szem.arrays import Picture8
from szem.errors import MissingExtraError, UnknownNameError
from szem.media.pictures import read_picture

__all__ = [
    "GALLERY_COLUMNS",
    "GALLERY_SIDE",
    "SAMPLES",
    "Sample",
    "gallery_path",
    "read_gallery",
    "read_sample",
    "sample_path",
]

GALLERY_SIDE = 96  # pixels of a gallery picture
GALLERY_COLUMNS = 16  # gallery pictures in a row of the file


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One bundled picture and where it comes from."""

    name: str
    title: str
    file: str
    credit: str


# Terms as scikit-image's skimage/data/README.txt states them.
SAMPLES: dict[str, Sample] = {
    sample.name: sample
    for sample in (
        Sample(name="cameraman", title="Cameraman", file="camera.png", credit="Lav Varshney, CC0"),
        Sample(name="cat", title="Chelsea the cat", file="chelsea.png", credit="Stéfan van der Walt, CC0"),
        Sample(name="coffee", title="A cup of coffee", file="coffee.png", credit="Rachel Michetti, CC0"),
        Sample(name="astronaut", title="Eileen Collins", file="astronaut.png", credit="NASA, public domain"),
        Sample(name="rocket", title="Rocket launch", file="rocket.jpg", credit="SpaceX, CC0"),
        Sample(
            name="coins",
            title="Greek coins",
            file="coins.png",
            credit="Brooklyn Museum, no known restrictions",
        ),
    )
}


def sample_path(name: str) -> Path:
    """Where a bundled picture lies on this machine.

    Raises:
        UnknownNameError: no sample of that name.
        MissingExtraError: scikit-image, or this picture of it, is not installed.
    """
    sample = SAMPLES.get(name)
    if sample is None:
        raise UnknownNameError(f"no sample called {name!r}; there are {', '.join(SAMPLES)}")
    spec = find_spec("skimage")  # finds without importing: scikit-image itself is slow to load
    if spec is None or spec.origin is None:
        raise MissingExtraError("the samples come with scikit-image, which is missing; pip install scikit-image")
    path = Path(spec.origin).parent / "data" / sample.file
    if not path.is_file():
        raise MissingExtraError(f"this scikit-image does not carry {sample.file}; pip install -U scikit-image")
    return path


@cache
def _cached(name: str) -> Picture8:
    picture = read_picture(sample_path(name))
    picture.setflags(write=False)
    return picture


def read_sample(name: str = "cameraman") -> Picture8:
    """Read a bundled picture: a fresh (H, W, 3) uint8 RGB array.

    >>> read_sample("cameraman").shape
    (512, 512, 3)
    """
    return np.array(_cached(name))


def gallery_path() -> Path:
    """The file of the bundled gallery: small pictures side by side, which feature maps are searched over."""
    return Path(__file__).with_name("gallery.webp")


@cache
def read_gallery() -> tuple[Picture8, ...]:
    """The bundled gallery: crops of the samples and of textures, patterns, and pictures that szem drew.

    Returns:
        Some hundred pictures, each (GALLERY_SIDE, GALLERY_SIDE, 3) uint8; docs/tools/gallery.py makes them.
    """
    sheet = read_picture(gallery_path())
    rows = sheet.shape[0] // GALLERY_SIDE
    tiles = sheet.reshape(rows, GALLERY_SIDE, GALLERY_COLUMNS, GALLERY_SIDE, 3).swapaxes(1, 2)
    pictures = np.ascontiguousarray(tiles.reshape(-1, GALLERY_SIDE, GALLERY_SIDE, 3))
    pictures.setflags(write=False)
    return tuple(pictures)
