"""Faces in pictures: found where they are, however they are taken, and nowhere else."""

import cv2
import numpy as np
import pytest

from szem.arrays import Picture8
from szem.data.faces import MIRRORED
from szem.errors import RangeError, ShapeError
from szem.media.samples import read_sample
from szem.results.faces import Faces
from szem.tasks.faces.detect import FaceDetector, find_faces, open_faces


@pytest.fixture(scope="module")
def finder() -> FaceDetector:
    return open_faces(threads=1)


@pytest.fixture(scope="module")
def portrait() -> Picture8:
    """One face, its middle near (222, 115), its eyes 43 pixels apart; 512×512."""
    return read_sample("astronaut")


@pytest.fixture(scope="module")
def plain(finder: FaceDetector, portrait: Picture8) -> Faces:
    return finder(portrait)


def scaled(picture: Picture8, share: float) -> Picture8:
    side = round(picture.shape[0] * share)
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def test_a_face_is_found_where_it_is(plain: Faces) -> None:
    (face,) = plain
    x0, y0, x1, y1 = face.box_xyxy
    assert x0 < 222 < x1
    assert y0 < 115 < y1
    assert face.eye_distance_px == pytest.approx(43, abs=4)
    assert face.presence > 0.9


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_picture_turned_by_quarters_gives_the_same_points(
    finder: FaceDetector, portrait: Picture8, plain: Faces, quarters: int
) -> None:
    turned = np.ascontiguousarray(np.rot90(portrait, quarters))
    found = finder(turned)
    assert len(found) == 1
    points = plain.points_xy[0]
    for _ in range(quarters):  # against the clock: (x, y) of a square picture goes to (y, side - x)
        points = np.stack([points[:, 1], 512 - points[:, 0]], axis=1)
    off = np.linalg.norm(found.points_xy[0] - points, axis=1)
    assert off.mean() < 0.1 * 43
    assert (found.angles_deg[0, 0] - plain.angles_deg[0, 0] + 90 * quarters + 180) % 360 - 180 == pytest.approx(
        0, abs=8
    )


def test_a_mirror_gives_mirrored_points(finder: FaceDetector, portrait: Picture8, plain: Faces) -> None:
    found = finder(np.ascontiguousarray(portrait[:, ::-1]))
    back = (found.points_xy[0] * (-1, 1) + (512, 0))[MIRRORED]
    assert np.linalg.norm(back - plain.points_xy[0], axis=1).mean() < 0.06 * 43
    assert found.angles_deg[0, 1] == pytest.approx(-plain.angles_deg[0, 1], abs=5)


# What is done to the picture, and how far the eyes' middle may lie from where it was, in shares of their distance.
HARD = {
    "a quarter of the size": (lambda p: scaled(p, 0.25), 0.25, 0.15),  # 11 pixels between the eyes
    "an eighth of a larger picture": (lambda p: np.pad(scaled(p, 0.5), ((0, 768), (0, 768), (0, 0))), 0.5, 0.15),
    "dark": (lambda p: (p * 0.1).astype(np.uint8), 1.0, 0.12),
    "bright": (lambda p: np.clip(p * 1.0 + 90, 0, 255).astype(np.uint8), 1.0, 0.12),
    "grey": (lambda p: np.repeat(p.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8), 1.0, 0.1),
    "cut off below the mouth": (lambda p: np.ascontiguousarray(p[:158]), 1.0, 0.2),
    "cut off at the cheek": (lambda p: np.ascontiguousarray(p[:, :248]), 1.0, 0.25),
    "blurred": (lambda p: cv2.GaussianBlur(p, (0, 0), 4), 1.0, 0.15),
}


@pytest.mark.parametrize("name", HARD)
def test_hard_pictures(finder: FaceDetector, portrait: Picture8, plain: Faces, name: str) -> None:
    change, grow, near = HARD[name]
    found = finder(change(portrait), turned=False)
    assert len(found) == 1
    eyes = found.points_xy[0, 36:48].mean(axis=0) / grow
    assert np.linalg.norm(eyes - plain.points_xy[0, 36:48].mean(axis=0)) < near * 43


def test_several_faces_of_several_sizes(finder: FaceDetector, portrait: Picture8) -> None:
    face = portrait[20:220, 120:320]
    scene = np.full((480, 800, 3), 120, np.uint8)
    for (x, y), share in {(20, 20): 1.0, (300, 40): 0.5, (500, 200): 0.75, (700, 380): 0.4}.items():
        small = scaled(face, share)
        scene[y : y + len(small), x : x + len(small)] = small
    found = finder(scene)
    assert len(found) == 4
    assert found.largest is not None
    assert found.largest.box_xyxy[0] < 200
    assert list(found.scores) == sorted(found.scores, reverse=True)


@pytest.mark.parametrize("name", ["coffee", "rocket", "cat"])
def test_nothing_is_found_where_nobody_is(finder: FaceDetector, name: str) -> None:
    assert len(finder(read_sample(name))) == 0


@pytest.mark.parametrize("size", [(1, 1), (2, 900), (31, 7)])
def test_odd_sizes_are_looked_at(finder: FaceDetector, size: tuple[int, int]) -> None:
    assert len(finder(np.full((*size, 3), 90, np.uint8))) == 0


def test_following_gives_the_same_face_in_the_next_picture(
    finder: FaceDetector, portrait: Picture8, plain: Faces
) -> None:
    moved = np.roll(portrait, (4, -6), axis=(0, 1))
    now = finder.follow(moved, plain)
    shift = (now.points_xy - plain.points_xy)[0].mean(axis=0)
    np.testing.assert_allclose(shift, (-6, 4), atol=1.5)
    gone = finder.follow(np.zeros_like(portrait), plain)
    assert gone.presence[0] < 0.5


def test_many_meshes_in_one_run_equal_lone_ones(finder: FaceDetector, portrait: Picture8, plain: Faces) -> None:
    twelve = finder.follow(portrait, plain.take(np.zeros(12, np.int64)))
    assert np.abs(twelve.points_xy - twelve.points_xy[:1]).max() < 0.01


def test_wrong_input_is_refused(finder: FaceDetector) -> None:
    with pytest.raises(RangeError, match="threshold must lie in"):
        find_faces(np.zeros((9, 9, 3), np.uint8), threshold=1.5)
    with pytest.raises(ShapeError):
        finder(np.zeros(9, np.uint8))


def test_drawing_shows_the_points_and_leaves_the_picture_alone(portrait: Picture8, plain: Faces) -> None:
    before = portrait.copy()
    drawn = plain.draw(portrait)
    assert np.array_equal(before, portrait)
    x, y = plain.points_xy[0, 57].astype(int)
    assert (drawn[y - 2 : y + 3, x - 2 : x + 3] != portrait[y - 2 : y + 3, x - 2 : x + 3]).any()
    assert plain.to_dict()["faces"][0]["points_xy"][0] == [round(float(v), 2) for v in plain.points_xy[0, 0]]
    with pytest.raises(ShapeError, match="give that one"):
        plain.draw(portrait[:100])


@pytest.mark.parametrize("mirrored", [False, True])
def test_pupils_lie_where_they_are(finder: FaceDetector, portrait: Picture8, mirrored: bool) -> None:
    pupils = np.array([(203.9, 101.2), (246.9, 103.4)])  # read off a tenfold enlargement by eye
    if mirrored:
        portrait, pupils = np.ascontiguousarray(portrait[:, ::-1]), (pupils * (-1, 1) + (512, 0))[::-1]
    found = finder.find_pupils(portrait, finder(portrait))
    assert found.shape == (1, 2, 2)
    assert np.abs(found[0] - pupils).max() < 1.5  # pixels; an eye is 20 wide


def test_pupils_of_no_faces_and_of_another_picture(finder: FaceDetector, portrait: Picture8, plain: Faces) -> None:
    assert finder.find_pupils(portrait, plain[:0]).shape == (0, 2, 2)
    with pytest.raises(ShapeError, match="512×512"):
        finder.find_pupils(portrait[:100], plain)
