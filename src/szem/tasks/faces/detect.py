"""Find faces in a picture: two detectors propose, the mesh decides and gives the points.

Where nothing is sure the picture is turned by quarters and looked at again, as phones turn pictures. This file does
not know about videos or requests.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import overload

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.errors import CardError, RangeError, ShapeError
from szem.media.pictures import PictureLike, as_picture, as_pictures
from szem.results.faces import Faces
from szem.runtime.sessions import OnnxFile, Session
from szem.tasks.faces.blazeface import BlazeFace, FaceCandidates, join_doubles, overlaps
from szem.tasks.faces.mesh import FaceMesh, Meshes, squares_of_candidates, squares_of_meshes
from szem.tasks.faces.pose import head_angles
from szem.tasks.faces.pupils import PupilFinder
from szem.tasks.models import ModelLike, as_session

__all__ = ["FaceDetector", "face_detector_of", "find_faces", "open_faces"]

_PROPOSED = 0.35  # candidates below are not looked at
_PRESENT = 0.75  # the mesh must be so sure
_MAYBE = 0.1  # likewise at the first look, whose square is rough
_SAME = 0.4  # meshes that overlap more are of one face
_LOOKS = 3  # at most, after the first
_LEVEL = 0.12  # radians by which a face may lie turned in its square
_UPRIGHT = 0.8  # a face that is less sure may be one of a picture on its side, or upside down
_MARGIN = 0.05  # so much surer must it be when turned
_MOST = 64  # candidates of one picture that are looked at


def find_faces(
    picture: PictureLike,
    *,
    model: ModelLike | None = None,
    threshold: float = 0.5,
    turned: bool = True,
) -> Faces:
    """Find faces, 68 and 468 points of each, and how the heads are turned.

    Args:
        picture: What `as_picture` takes: a path, a file's bytes, an open file, a Pillow image or an array.
        model: A model's name or folder, or one that is open; the shipped one if left out.
        threshold: Faces below this score are dropped, 0..1.
        turned: Where nothing is sure, look again with the picture turned by quarters.
    Returns:
        Faces, best first.
    Raises:
        MediaError, FileMissingError: the picture cannot be read.
        UnknownNameError: no such model.
        RangeError: the threshold is not in 0..1.
    """
    return open_faces(model)(picture, threshold=threshold, turned=turned)


def open_faces(model: ModelLike | None = None, *, threads: int | None = None) -> "FaceDetector":
    """Open a face finder by name, once per process.

    Args:
        model: A model's name or folder; the shipped one if left out.
        threads: Threads within one run; None for as many as there are cores.
    Raises:
        As `open_model` and `FaceDetector`.
    """
    return face_detector_of(as_session(model, task="faces", threads=threads))


@cache
def face_detector_of(session: Session) -> "FaceDetector":
    """The face detector of an open model, made once."""
    return FaceDetector(session)


class FaceDetector:
    """A face model ready to be called; keeps nothing between calls.

    Args:
        model: A model's name or folder, or an open session; the shipped model if left out.
    Raises:
        CardError: the card lacks what a face finder needs.
        ChecksumError: a file of the model is not the card's.
    """

    def __init__(self, model: ModelLike | None = None) -> None:
        session = as_session(model, task="faces")
        opened = session.model
        sides = {role: opened.card.constants.get(f"{role}_px") for role in ("near", "far")}
        if opened.card.head != "mesh" or None in sides.values():
            raise CardError(f"{opened.folder}: head {opened.card.head!r} or its constants are not a face detector's")
        self.session, self.card = session, opened.card
        self.mesh = FaceMesh(session)
        self.eyes = tuple(
            BlazeFace(
                role,
                OnnxFile(opened.part(role), threads=session.threads, may_use_openvino=True),
                side_px=int(side or 0),
            )
            for role, side in sides.items()
        )
        self._pupils: PupilFinder | None = None

    @overload
    def __call__(self, pictures: PictureLike, *, threshold: float = 0.5, turned: bool = True) -> Faces: ...  # type: ignore[overload-overlap]  # a path of text is a sequence too
    @overload
    def __call__(
        self, pictures: Sequence[PictureLike], *, threshold: float = 0.5, turned: bool = True
    ) -> list[Faces]: ...
    def __call__(
        self, pictures: PictureLike | Sequence[PictureLike], *, threshold: float = 0.5, turned: bool = True
    ) -> Faces | list[Faces]:
        """Find faces in a picture, or in each of several; the arguments are those of `find_faces`.

        Raises:
            ShapeError, DTypeError: not a picture.
            RangeError: the threshold is not in 0..1.
        """
        if not 0 <= threshold <= 1:
            raise RangeError(f"threshold must lie in 0..1, got {threshold}")
        several, is_one = as_pictures(pictures)
        found = [self._one(picture, threshold, turned) for picture in several]
        return found[0] if is_one else found

    def _one(self, picture: Picture8, threshold: float, turned: bool) -> Faces:
        found = self._upright(picture, threshold)
        if turned and _surest(found) < _UPRIGHT:  # also faces upside down, which the detectors mistake
            for quarters in (1, 3, 2):
                other = self._upright(np.ascontiguousarray(np.rot90(picture, quarters)), threshold)
                if _surest(other) > _surest(found) + _MARGIN:
                    found = _turn_back(other, quarters)
        return found

    def find_pupils(self, picture: PictureLike, faces: Faces) -> NDArray[np.float32]:
        """Find the pupils of faces that were found.

        Args:
            picture: The one the faces are of.
            faces: What was found in it.
        Returns:
            (N, 2, 2) x and y in pixels; the viewer's left eye first. A closed eye has one too: where it would be.
        Raises:
            ShapeError: a picture of another size.
            CardError: the model has no part `iris`.
        """
        picture = as_picture(picture)
        if picture.shape[:2] != (faces.height, faces.width):
            raise ShapeError(
                f"picture is {picture.shape[1]}×{picture.shape[0]}, the faces are of one of "
                f"{faces.width}×{faces.height}; give that one"
            )
        if self._pupils is None:  # most callers never ask
            network = OnnxFile(self.session.model.part("iris"), threads=self.session.threads)
            self._pupils = PupilFinder(network)
        return self._pupils(picture, faces.mesh_xyz)

    def follow(self, picture: Picture8, faces: Faces) -> Faces:
        """Find the same faces in the next picture of a video, without looking for others.

        Args:
            picture: (H, W, 3) uint8 RGB.
            faces: Of the picture before.
        Returns:
            One for each given, in the same order; `presence` says whether it is still there.
        """
        height, width = picture.shape[:2]
        meshes = self.mesh(picture, squares_of_meshes(faces.mesh_xyz))
        return self._faces(meshes, faces.scores, width, height)

    def _upright(self, picture: Picture8, threshold: float) -> Faces:
        height, width = picture.shape[:2]
        lowest = max(_PROPOSED, threshold)
        found = join_doubles(FaceCandidates.join([eye(picture, lowest=lowest) for eye in self.eyes]), blend=False)
        found = found.take(np.arange(min(len(found), _MOST)))
        rough = self.mesh(picture, squares_of_candidates(found))
        seen = np.flatnonzero(rough.presence >= _MAYBE)
        meshes = self._look_again(picture, rough.take(seen))
        kept = _distinct(meshes, found.scores[seen])
        return self._faces(meshes.take(kept), found.scores[seen][kept], width, height)

    def _look_again(self, picture: Picture8, meshes: Meshes) -> Meshes:
        """Look at better squares, until the faces lie level in them."""
        for _ in range(_LOOKS):
            before = squares_of_meshes(meshes.mesh_xyz)
            meshes = self.mesh(picture, before, both_ways=True)
            turned = [a.angle - b.angle for a, b in zip(squares_of_meshes(meshes.mesh_xyz), before, strict=True)]
            if not turned or np.abs((np.array(turned) + np.pi) % (2 * np.pi) - np.pi).max() < _LEVEL:
                break
        return meshes

    def _faces(self, meshes: Meshes, scores: NDArray[np.float32], width: int, height: int) -> Faces:
        return Faces(
            boxes_xyxy=meshes.boxes_xyxy,
            scores=scores,
            presence=meshes.presence,
            points_xy=meshes.points_xy,
            mesh_xyz=meshes.mesh_xyz,
            angles_deg=head_angles(meshes.mesh_xyz),
            width=width,
            height=height,
            model=self.card.name,
        )


def _surest(faces: Faces) -> float:
    """Of the faces, the best product of score and presence; 0 for none."""
    return float((faces.scores * faces.presence).max(initial=0.0))


def _distinct(meshes: Meshes, scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """Places of the meshes that lie on a face, the surest of each face, the surest first."""
    boxes = meshes.boxes_xyxy
    kept: list[int] = []
    for place in np.argsort(-scores, kind="stable"):
        is_new = not kept or overlaps(boxes[place], boxes[kept]).max() <= _SAME
        if meshes.presence[place] >= _PRESENT and is_new:
            kept.append(int(place))
    return np.array(kept, np.int64)


def _turn_back(faces: Faces, quarters: int) -> Faces:
    """Faces of a picture that was turned by quarters against the clock, as they lie in the one before."""
    mesh, points = faces.mesh_xyz.copy(), faces.points_xy.copy()
    width, height = faces.width, faces.height
    for _ in range(quarters):
        width, height = height, width
        for values in (mesh, points):
            values[..., 0], values[..., 1] = width - values[..., 1], values[..., 0].copy()
    flat = mesh[..., :2]
    boxes = np.concatenate([flat.min(axis=1), flat.max(axis=1)], axis=1)
    return replace(
        faces,
        boxes_xyxy=boxes,
        points_xy=points,
        mesh_xyz=mesh,
        angles_deg=head_angles(mesh),
        width=width,
        height=height,
    )
