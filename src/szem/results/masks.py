"""What every pixel of a picture is."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from szem.arrays import Picture8, Value
from szem.arrays.rle import mask_to_rle
from szem.errors import RangeError, ShapeError, UnknownNameError
from szem.media.drawing import RGB, color_of, draw_label, draw_masks
from szem.media.pictures import PictureLike, as_picture
from szem.results.indexing import canvas, to_png

__all__ = ["MASK_FORMS", "ClassArea", "Masks", "class_colors", "encode_grey_png"]

MASK_FORMS = ("rle", "png", "none")

# Colours people expect; every other class takes the palette's next.
_KNOWN: dict[str, RGB] = {
    "sky": (110, 180, 240),
    "building": (150, 110, 90),
    "pole": (240, 228, 66),
    "road": (128, 96, 160),
    "pavement": (230, 130, 180),
    "tree": (60, 150, 60),
    "sign_symbol": (250, 120, 40),
    "fence": (190, 170, 120),
    "car": (30, 90, 220),
    "pedestrian": (220, 40, 50),
    "bicyclist": (0, 190, 180),
    "person": (220, 40, 50),
}


def class_colors(classes: Sequence[str]) -> tuple[RGB, ...]:
    """A colour for each class, the same for the same list."""
    return tuple(_KNOWN.get(name, color_of(index)) for index, name in enumerate(classes))


@dataclass(frozen=True, kw_only=True)
class ClassArea:
    """How much of the picture one class covers."""

    label: str
    index: int  # place of the class in `Masks.classes`
    pixels: int
    fraction: float  # of all pixels
    confidence: float  # mean probability the network gave it there
    rgb: RGB


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Masks(Value):
    """A class for every pixel.

    `masks.areas` lists the classes that occur, `masks["road"]` is where one of them is.

    `background` names a class that is not drawn and not exported: the rest of the picture. `unknown` names the class
    of pixels where no class was likely enough; it is not drawn and not exported either.
    """

    class_map: NDArray[np.uint8] = field(repr=False)  # (H, W) places in `classes`
    classes: tuple[str, ...]
    model: str
    confidence: tuple[float, ...] = ()  # per class: mean probability where it won; 0 where it did not
    background: str | None = None
    unknown: str | None = None
    # (H, W) probability of the likeliest class at each pixel, times 255, or None if it was not kept.
    confidence_map: NDArray[np.uint8] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.class_map.ndim != 2 or self.class_map.dtype != np.uint8:
            raise ShapeError(f"class_map must be (H, W) uint8, got {self.class_map.shape} {self.class_map.dtype}")
        if self.class_map.size and int(self.class_map.max()) >= len(self.classes):
            raise RangeError(f"class_map holds {self.class_map.max()}, there are {len(self.classes)} classes")
        if self.confidence and len(self.confidence) != len(self.classes):
            raise ShapeError(f"confidence must be one a class: {len(self.confidence)} for {len(self.classes)}")
        if self.confidence_map is not None and self.confidence_map.shape != self.class_map.shape:
            raise ShapeError(
                f"confidence_map must be of class_map's shape {self.class_map.shape}, got {self.confidence_map.shape}"
            )
        super().__post_init__()

    def __getitem__(self, label: str) -> NDArray[np.bool_]:
        return self.mask_of(label)

    def summary(self) -> str:
        """The largest classes with their part of the picture, and its size."""
        height, width = self.class_map.shape
        areas = self.areas
        shown = ", ".join(f"{area.label} {area.fraction:.0%}" for area in areas[:4])
        more = f" and {len(areas) - 4} more" if len(areas) > 4 else ""
        return f"{len(areas)}{': ' + shown + more if areas else ''}; {width}x{height}"

    def _repr_png_(self) -> bytes:
        height, width = self.class_map.shape
        return to_png(self.draw(canvas(width, height), opacity=0.8))

    @property
    def areas(self) -> tuple[ClassArea, ...]:
        """The classes that occur, largest first; neither the background nor what is unknown is among them."""
        counts = np.bincount(self.class_map.reshape(-1), minlength=len(self.classes))
        colors = class_colors(self.classes)
        found = [
            ClassArea(
                label=self.classes[i],
                index=int(i),
                pixels=int(counts[i]),
                fraction=float(counts[i] / self.class_map.size),
                confidence=self.confidence[i] if self.confidence else 0.0,
                rgb=colors[i],
            )
            for i in np.flatnonzero(counts)
            if self.classes[i] not in (self.background, self.unknown)
        ]
        return tuple(sorted(found, key=lambda area: -area.pixels))

    @property
    def unknown_fraction(self) -> float:
        """How much of the picture no class was likely enough for."""
        if self.unknown is None or not self.class_map.size:
            return 0.0
        return float(np.mean(self.class_map == self.classes.index(self.unknown)))

    def mask_of(self, label: str) -> NDArray[np.bool_]:
        """Where one class is: (H, W).

        Raises:
            RangeError: there is no such class.
        """
        if label not in self.classes:
            raise RangeError(f"no class called {label!r}; there are {', '.join(self.classes)}")
        mask: NDArray[np.bool_] = self.class_map == self.classes.index(label)
        return mask

    def draw(self, picture: PictureLike, *, opacity: float = 0.5, legend: bool = True) -> Picture8:
        """Lay the colours of the classes over the picture, their names where they cover most.

        Args:
            picture: What `as_picture` takes, of the size of `class_map`.
            opacity: 0 shows the picture alone, 1 the colours alone.
            legend: Write the names of classes that cover a hundredth of the picture.
        Raises:
            ShapeError: another size.
        """
        picture = as_picture(picture)
        areas = self.areas
        if not areas:
            return picture.copy()
        layers = np.stack([self.class_map == area.index for area in areas])
        out = draw_masks(picture, layers, colors=[a.rgb for a in areas], opacity=opacity)
        if legend:
            for area, layer in zip(areas, layers, strict=True):
                if area.fraction >= 0.01:
                    y, x = _inner_point(layer)
                    out = draw_label(out, area.label.replace("_", " "), point_xy=(x, y), rgb=area.rgb)
        return out

    def to_image(self) -> Image.Image:
        """A palette picture whose values are the classes: what `write_label_png` and data sets hold."""
        image = Image.fromarray(self.class_map, "P")
        image.putpalette([value for rgb in class_colors(self.classes) for value in rgb])
        return image

    def to_coco(self, *, image_id: int = 1, file_name: str = "", first_id: int = 1) -> dict[str, Any]:
        """COCO JSON of this picture: one annotation a class, its mask run-length encoded.

        Args:
            image_id: Of the picture.
            file_name: Of the picture.
            first_id: Of the first annotation; several pictures of one file need different ones.
        """
        height, width = self.class_map.shape
        annotations = []
        for number, area in enumerate(self.areas):
            mask = self.class_map == area.index
            columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
            box = [columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]]
            annotations.append(
                {
                    "id": first_id + number,
                    "image_id": image_id,
                    "category_id": area.index + 1,
                    "segmentation": mask_to_rle(mask),
                    "area": area.pixels,
                    "bbox": [int(v) for v in box],
                    "iscrowd": 1,
                    "score": round(area.confidence, 4),
                }
            )
        return {
            "images": [{"id": image_id, "file_name": file_name, "width": width, "height": height}],
            "annotations": annotations,
            "categories": [
                {"id": i + 1, "name": name} for i, name in enumerate(self.classes) if name != self.unknown
            ],
        }

    def to_dict(self, *, masks: str = "rle") -> dict[str, Any]:
        """JSON types: the classes, and the area that each covers.

        Args:
            masks: `rle` adds to each area its mask, run-length encoded; `png` adds `map`, the class of every pixel as
                an 8-bit grey PNG in base64; `none` adds neither.
        Raises:
            UnknownNameError: none of these.
        """
        if masks not in MASK_FORMS:
            raise UnknownNameError(f"masks must be one of {', '.join(MASK_FORMS)}, got {masks[:40]!r}")
        height, width = self.class_map.shape
        areas: list[dict[str, Any]] = [
            {
                "index": area.index,
                "label": area.label,
                "pixels": area.pixels,
                "fraction": round(area.fraction, 6),
                "confidence": round(area.confidence, 4),
                "color": _hex(area.rgb),
            }
            for area in self.areas
        ]
        if masks == "rle":
            for row in areas:
                row["rle"] = mask_to_rle(self.class_map == row["index"])
        answer: dict[str, Any] = {
            "model": self.model,
            "background": self.background,
            "unknown": self.unknown,
            "unknown_fraction": round(self.unknown_fraction, 6),
            "classes": [
                {"index": index, "label": label, "color": _hex(color)}
                for index, (label, color) in enumerate(zip(self.classes, class_colors(self.classes), strict=True))
            ],
            "areas": areas,
            "size": {"width": width, "height": height},
        }
        if masks == "png":
            answer["map"] = encode_grey_png(self.class_map)
        return answer


def encode_grey_png(values: NDArray[np.uint8]) -> str:
    """An 8-bit grey PNG in base64, written quickly rather than small: a page reads it back and drops it."""
    done, data = cv2.imencode(".png", values, [cv2.IMWRITE_PNG_COMPRESSION, 2])
    assert done
    return base64.b64encode(data.tobytes()).decode("ascii")


def _hex(rgb: RGB) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def _inner_point(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """A point well inside the mask, near its middle: the median row, then the middle of its longest run."""
    rows = np.flatnonzero(mask.any(1))
    weights = mask.sum(1)[rows].cumsum()
    row = int(rows[np.searchsorted(weights, weights[-1] / 2)])
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask[row].view(np.int8), [0]])))
    starts, ends = edges[::2], edges[1::2]
    longest = int((ends - starts).argmax())
    return float(row), float((starts[longest] + ends[longest]) / 2)
