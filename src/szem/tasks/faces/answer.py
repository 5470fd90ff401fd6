"""`faces` as a request: options in, JSON values out."""

from dataclasses import dataclass
from typing import Any

from szem.arrays import Picture8
from szem.tasks.contracts import OpenModel
from szem.tasks.faces.detect import face_detector_of
from szem.tasks.option import option

__all__ = ["FacesRequest", "answer_faces"]


@dataclass(frozen=True, kw_only=True)
class FacesRequest:
    """Which faces are wanted: the lowest score (0.5), and whether all 468 points of each come beside the 68.

    `model`: one of those for faces.
    """

    threshold: float = option(0.5, minimum=0, maximum=1)
    mesh: bool = False
    model: str = option("", most=200)


def answer_faces(picture: Picture8, request: FacesRequest, open_model: OpenModel) -> dict[str, Any]:
    """Faces as `Faces.to_dict` gives them, with `mesh_xyz` if it was asked for.

    Raises:
        RangeError: the threshold is not in 0..1.
        UnsupportedError: no model is installed.
    """
    detector = face_detector_of(open_model(request.model or None, task="faces"))
    found = detector(picture, threshold=request.threshold)
    answer = found.to_dict()
    if request.mesh:
        for row, mesh in zip(answer["faces"], found.mesh_xyz, strict=True):
            row["mesh_xyz"] = [[round(float(v), 2) for v in point] for point in mesh]
    return answer
