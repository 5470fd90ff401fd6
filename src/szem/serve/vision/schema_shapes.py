"""Points and polygons of Google's messages.

Source: googleapis, google/cloud/vision/v1/geometry.proto, google/type/latlng.proto.
"""

from dataclasses import dataclass
from typing import ClassVar

__all__ = ["BoundingPoly", "LatLng", "NormalizedVertex", "Position", "Vertex"]


@dataclass(frozen=True, kw_only=True)
class Vertex:
    """A point in pixels; whole numbers, or Google's client fails."""

    _dense: ClassVar[bool] = True
    x: int = 0
    y: int = 0


@dataclass(frozen=True, kw_only=True)
class NormalizedVertex:
    """A point as shares of width and height, 0..1."""

    _dense: ClassVar[bool] = True
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True, kw_only=True)
class BoundingPoly:
    """A polygon: top left, top right, bottom right, bottom left."""

    vertices: tuple[Vertex, ...] = ()
    normalized_vertices: tuple[NormalizedVertex, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Position:
    """A point in pixels, and its depth in the same measure."""

    _dense: ClassVar[bool] = True
    x: float = 0.0
    y: float = 0.0
    z: float = 0.0


@dataclass(frozen=True, kw_only=True)
class LatLng:
    """A place on Earth in degrees."""

    latitude: float = 0.0
    longitude: float = 0.0
