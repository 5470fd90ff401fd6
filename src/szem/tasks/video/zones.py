"""Zones and lines as people draw them: named, with corners as shares of the picture's sides.

They come from rules, from the studio and from the command line, and outlive a change of the camera's resolution.
`szem.tasks.video.counting` counts with them once the picture's size is known. This file does not know
what happens in them.
"""

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Self

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from szem.errors import FileMissingError, RangeError
from szem.tasks.video.counting import PixelLine, PixelZone

__all__ = ["Line", "Zone", "Zones", "areas_from_json", "areas_to_json", "read_areas"]

_MIN_AREA = 1e-5  # of the picture
_MOST_CORNERS = 200
_MOST_BYTES = 1_000_000
_Name = Annotated[str, Field(min_length=1, max_length=80)]
_Points = tuple[tuple[float, float], ...]


class _Drawn(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: _Name
    points: _Points  # shares of the picture's width and height

    @field_validator("points", mode="before")
    @classmethod
    def _fractions(cls, value: Any) -> Any:
        return check_points(value)


class Zone(_Drawn):
    """A zone: a polygon.

    >>> Zone(name="door", points=((0, 0), (0.5, 0), (0.5, 1))).to_zone(200, 100).corners_xy[1]
    (100.0, 0.0)
    """

    ignore: bool = False  # nothing that happens in it counts: trees, screens, a street behind the fence

    @model_validator(mode="after")
    def _has_area(self) -> Self:
        if len(self.points) < 3 or cv2.contourArea(np.array(self.points, np.float32)) < _MIN_AREA:
            raise ValueError(f"a zone is three points or more around an area, got {_reported(self.points)}")
        return self

    def to_zone(self, width: int, height: int) -> PixelZone:
        """In pixels of a picture of this size."""
        return PixelZone(self.name, tuple((x * width, y * height) for x, y in self.points), (width, height))


class Line(_Drawn):
    """A line from one point to another; its right side is that of somebody who walks along it."""

    @model_validator(mode="after")
    def _has_two_ends(self) -> Self:
        if len(self.points) != 2 or math.dist(*self.points) < 1e-3:
            raise ValueError(f"a line is two different points, got {_reported(self.points)}")
        return self

    def to_line(self, width: int, height: int) -> PixelLine:
        """In pixels of a picture of this size."""
        (x0, y0), (x1, y1) = self.points
        return PixelLine(self.name, (x0 * width, y0 * height), (x1 * width, y1 * height))


class Zones(BaseModel):
    """All zones and lines of one camera; names are unique among both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [area.name for area in (*self.zones, *self.lines)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"zones and lines need names of their own, got {twice[0]!r} twice")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Of all zones and lines."""
        return tuple(area.name for area in (*self.zones, *self.lines))

    def joined(self, other: "Zones") -> "Zones":
        """Both; what `other` has of the same name comes in place of one's own."""
        own = set(self.names) - set(other.names)
        return Zones(
            zones=(*(zone for zone in self.zones if zone.name in own), *other.zones),
            lines=(*(line for line in self.lines if line.name in own), *other.lines),
        )


def check_points(value: Any) -> _Points:
    """Points as written, `[[0.1, 0.2], …]`, checked.

    Raises:
        ValueError: they are not pairs of numbers in 0..1.
    """
    if not isinstance(value, Sequence) or isinstance(value, str) or not 2 <= len(value) <= _MOST_CORNERS:
        raise ValueError(f"points are [[x, y], …], two to {_MOST_CORNERS} of them, got {_reported(value)}")
    points = []
    for point in value:
        if not isinstance(point, Sequence) or isinstance(point, str) or len(point) != 2:
            raise ValueError(f"a point is [x, y], got {_reported(point)}")
        for fraction in point:
            if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 <= fraction <= 1:
                raise ValueError(
                    f"a point's x and y are fractions of the picture's sides, 0 to 1, got {_reported(point)}; "
                    "divide pixels by the picture's width and height"
                )
        points.append((float(point[0]), float(point[1])))
    return tuple(points)


def areas_from_json(text: str | bytes | dict[str, Any]) -> Zones:
    """Zones and lines from JSON: `{"zones": [{"name", "points", "ignore"}], "lines": [{"name", "points"}]}`.

    Raises:
        RangeError: it is not JSON, or says something that cannot be drawn; the message names the place.

    >>> areas_from_json('{"lines": [{"name": "gate", "points": [[0, 0.5], [1, 0.5]]}]}').names
    ('gate',)
    """
    try:
        raw = text if isinstance(text, dict) else json.loads(text)
        return Zones.model_validate(raw)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = "".join(f"[{p + 1}]" if isinstance(p, int) else f".{p}" for p in fault["loc"]).removeprefix(".")
        raise RangeError(f"{place or 'areas'}: {fault['msg'].removeprefix('Value error, ')}") from error
    except RecursionError as error:
        raise RangeError("zones and lines: lists lie too deep in one another; export them anew") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RangeError(f"zones and lines: not JSON ({error}); export them anew") from error
    except ValueError as error:  # Python's own words are advice for its programmers
        raise RangeError("zones and lines: a number has thousands of digits; points lie in 0..1") from error


def read_areas(path: str | os.PathLike[str]) -> Zones:
    """Read a file of JSON, as `areas_from_json` takes it.

    Raises:
        FileMissingError: no such file.
        RangeError: it cannot be read, or as `areas_from_json`; the message names the file and the place in it.
    """
    file = Path(path)
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise RangeError(f"larger than {_MOST_BYTES // 1_000_000} MB; these are no zones and lines")
        return areas_from_json(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise FileMissingError(f"{file}: no such file; check the path") from error
    except RangeError as error:
        raise RangeError(f"{file}: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise RangeError(f"{file}: cannot be read ({error}); save it as UTF-8 text") from error


def areas_to_json(areas: Zones) -> str:
    """What `areas_from_json` reads."""
    return areas.model_dump_json(indent=2)


def _reported(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"
