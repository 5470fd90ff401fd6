"""Faces on the wire, for `/v1/szem/faces` and for FACE_DETECTION. Knows nothing of HTTP."""

from dataclasses import dataclass
from typing import Any

from szem.arrays import Picture8
from szem.results.faces import Faces
from szem.serve.engine import Engine
from szem.serve.messages import Image
from szem.tasks.faces.detect import open_faces

__all__ = ["FacesRequest", "face_picture", "find_faces_of"]


@dataclass(frozen=True, kw_only=True)
class FacesRequest:
    """A picture, the lowest score of a face (0.5), and whether all 468 points of each are wanted beside the 68."""

    image: Image | None = None
    threshold: float = 0.5
    mesh: bool = False


async def face_picture(engine: Engine, picture: Picture8, request: FacesRequest) -> dict[str, Any]:
    """Answer `POST /v1/szem/faces`.

    Raises:
        RangeError: the threshold is not in 0..1.
        UnsupportedError: no model is installed.
    """
    found = await find_faces_of(engine, picture, threshold=request.threshold)
    answer = found.to_dict()
    if request.mesh:
        for row, mesh in zip(answer["faces"], found.mesh_xyz, strict=True):
            row["mesh_xyz"] = [[round(float(v), 2) for v in point] for point in mesh]
    return answer


async def find_faces_of(engine: Engine, picture: Picture8, *, threshold: float = 0.5) -> Faces:
    """Faces of a picture, the surest first.

    Raises:
        RangeError: the threshold is not in 0..1.
        UnsupportedError: no model is installed.
    """
    await engine.session("faces")  # says clearly where there is none
    finder = await engine.run(lambda: open_faces(threads=1))
    return await engine.run(lambda: finder(picture, threshold=threshold))
