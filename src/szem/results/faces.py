"""Where faces are in a picture, 68 and 468 points of each, and how the head is turned.

Checked once when made, trusted afterwards. It says nothing about who somebody is. This file does not know about
networks or videos.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8, Value, check_boxes_xyxy
from szem.errors import RangeError, ShapeError
from szem.media.drawing import RGB, color_of, draw_boxes, draw_lines
from szem.media.pictures import PictureLike, as_picture
from szem.results.indexing import ArrayResult, canvas, to_png

__all__ = ["FACE_LINES", "Face", "Faces"]

# The 68 points as lines, for drawing: (first, last + 1, closed).
FACE_LINES: tuple[tuple[int, int, bool], ...] = (
    (0, 17, False),  # chin
    (17, 22, False),
    (22, 27, False),  # brows
    (27, 31, False),
    (31, 36, False),  # nose
    (36, 42, True),
    (42, 48, True),  # eyes
    (48, 60, True),
    (60, 68, True),  # lips, outer and inner
)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Face(Value):
    """One face."""

    box_xyxy: tuple[float, float, float, float]  # the skin, from the forehead to the chin
    score: float  # 0..1: of the detector
    presence: float  # 0..1: score of its points, that they lie on a face
    points_xy: NDArray[np.float32]  # (68, 2) iBUG's order, in pixels; 48–67 are the mouth
    mesh_xyz: NDArray[np.float32]  # (468, 3) MediaPipe's order, in pixels; smaller z is nearer
    roll_deg: float  # turned clockwise in the picture
    pan_deg: float  # turned towards the right of the picture
    tilt_deg: float  # looking up

    def summary(self) -> str:
        """Where, with which score, and how the head is turned."""
        box = ", ".join(f"{v:.0f}" for v in self.box_xyxy)
        turned = f"roll {self.roll_deg:.0f}°, pan {self.pan_deg:.0f}°, tilt {self.tilt_deg:.0f}°"
        return f"box {box}; score {self.score:.2f}; {turned}"

    @property
    def eye_distance_px(self) -> float:
        """From the middle of one eye to that of the other."""
        return float(np.linalg.norm(self.points_xy[42:48].mean(axis=0) - self.points_xy[36:42].mean(axis=0)))


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Faces(ArrayResult[Face]):
    """Faces of one picture, best first.

    `faces[0]` is one `Face`; `faces[1:3]` and `faces[faces.scores > 0.8]` are `Faces` again.

    Raises:
        ShapeError: not as many of everything as boxes.
        RangeError: scores outside 0..1, angles outside −180..180, or a picture without pixels.
    """

    _rows = ("boxes_xyxy", "scores", "presence", "points_xy", "mesh_xyz", "angles_deg")

    boxes_xyxy: NDArray[np.float32] = field(repr=False)  # (N, 4) may reach beyond the picture
    scores: NDArray[np.float32] = field(repr=False)  # (N,)
    presence: NDArray[np.float32] = field(repr=False)  # (N,)
    points_xy: NDArray[np.float32] = field(repr=False)  # (N, 68, 2)
    mesh_xyz: NDArray[np.float32] = field(repr=False)  # (N, 468, 3)
    angles_deg: NDArray[np.float32] = field(repr=False)  # (N, 3) roll, pan, tilt; as in `Face`
    width: int  # of the picture, in pixels
    height: int
    model: str

    def __post_init__(self) -> None:
        boxes = check_boxes_xyxy(self.boxes_xyxy)
        n = len(boxes)
        wanted = {
            "scores": (n,),
            "presence": (n,),
            "points_xy": (n, 68, 2),
            "mesh_xyz": (n, 468, 3),
            "angles_deg": (n, 3),
        }
        object.__setattr__(self, "boxes_xyxy", boxes)
        for name, shape in wanted.items():
            values = np.asarray(getattr(self, name), np.float32)
            if values.shape != shape:
                raise ShapeError(f"{name} of {n} faces must be {shape}, got {values.shape}")
            if not np.isfinite(values).all():
                raise RangeError(f"{name} of faces must be finite")
            object.__setattr__(self, name, values)
        for name in ("scores", "presence"):
            values = getattr(self, name)
            if n and not 0 <= float(values.min()) <= float(values.max()) <= 1:
                raise RangeError(f"{name} must lie in 0..1, got {values.min()} to {values.max()}")
        if n and np.abs(self.angles_deg).max() > 180:
            raise RangeError(f"angles must lie in -180..180 degrees, got {np.abs(self.angles_deg).max()}")
        if self.width < 1 or self.height < 1:
            raise RangeError(f"the picture must have pixels, got {self.width}×{self.height}")
        super().__post_init__()

    def summary(self) -> str:
        """How many, and the size of the picture."""
        return f"{len(self)}; {self.width}x{self.height}"

    def _repr_png_(self) -> bytes:
        return to_png(self.draw(canvas(self.width, self.height)))

    @property
    def xyxy(self) -> NDArray[np.float32]:
        """As `boxes_xyxy`: (N, 4) left, top, right, bottom."""
        return self.boxes_xyxy

    def item(self, place: int) -> Face:
        """One face."""
        x0, y0, x1, y1 = (float(v) for v in self.boxes_xyxy[place])
        roll, pan, tilt = (float(v) for v in self.angles_deg[place])
        return Face(
            box_xyxy=(x0, y0, x1, y1),
            score=float(self.scores[place]),
            presence=float(self.presence[place]),
            points_xy=self.points_xy[place],
            mesh_xyz=self.mesh_xyz[place],
            roll_deg=roll,
            pan_deg=pan,
            tilt_deg=tilt,
        )

    @property
    def largest(self) -> Face | None:
        """The face with the largest box; None where there is none."""
        if not len(self):
            return None
        return self[int((self.boxes_xyxy[:, 2:] - self.boxes_xyxy[:, :2]).prod(axis=1).argmax())]

    def draw(self, picture: PictureLike, *, scores: bool = True) -> Picture8:
        """Draw a box, its score and the 68 points of each face.

        Args:
            picture: What `as_picture` takes, of the size the faces belong to.
            scores: Write the score at the box.
        Raises:
            ShapeError: another size.
        """
        picture = as_picture(picture)
        if picture.shape[:2] != (self.height, self.width):
            raise ShapeError(
                f"picture is {picture.shape[1]}×{picture.shape[0]}, the faces are of one of "
                f"{self.width}×{self.height}; give that one"
            )
        out = picture
        for place, face in enumerate(self):
            lines = [face.points_xy[first:end] for first, end, _ in FACE_LINES]
            out = draw_lines(out, lines, closed=[shut for *_, shut in FACE_LINES], color=self._color(place))
        texts = [f"{face.score:.0%}" for face in self] if scores else []
        return draw_boxes(out, self.boxes_xyxy, labels=texts, colors=[self._color(i) for i in range(len(self))])

    @staticmethod
    def _color(place: int) -> RGB:
        return color_of(place)

    def to_dict(self) -> dict[str, Any]:
        """JSON types; the 468 points are left out."""
        return {
            "model": self.model,
            "width": self.width,
            "height": self.height,
            "faces": [
                {
                    "box_xyxy": [round(v, 2) for v in face.box_xyxy],
                    "score": round(face.score, 4),
                    "presence": round(face.presence, 4),
                    "roll_deg": round(face.roll_deg, 1),
                    "pan_deg": round(face.pan_deg, 1),
                    "tilt_deg": round(face.tilt_deg, 1),
                    "points_xy": [[round(float(v), 2) for v in point] for point in face.points_xy],
                }
                for face in self
            ],
        }
