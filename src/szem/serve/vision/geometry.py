"""Boxes as Google's polygons."""

import math

from szem.serve.vision.schema import BoundingPoly, NormalizedVertex, Vertex

__all__ = ["box_to_poly"]


def box_to_poly(box_xyxy: tuple[float, float, float, float], *, width: int, height: int) -> BoundingPoly:
    """A box as four corners: in whole pixels that lie inside the picture, and as shares of its sides.

    >>> box_to_poly((0, 0, 8, 4), width=8, height=8).vertices[2]
    Vertex(x=7, y=3)
    """
    x0, y0, x1, y1 = box_xyxy
    left, top = min(max(int(x0), 0), width - 1), min(max(int(y0), 0), height - 1)
    right, bottom = min(max(math.ceil(x1) - 1, left), width - 1), min(max(math.ceil(y1) - 1, top), height - 1)
    u0, v0, u1, v1 = (min(max(a, 0.0), 1.0) for a in (x0 / width, y0 / height, x1 / width, y1 / height))
    return BoundingPoly(
        vertices=tuple(Vertex(x=x, y=y) for x, y in ((left, top), (right, top), (right, bottom), (left, bottom))),
        normalized_vertices=tuple(NormalizedVertex(x=u, y=v) for u, v in ((u0, v0), (u1, v0), (u1, v1), (u0, v1))),
    )
