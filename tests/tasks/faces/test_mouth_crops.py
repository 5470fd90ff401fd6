"""The mouth followed through videos made from one picture: moved, turned, resized, hidden, doubled."""

import dataclasses
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from szem.arrays import Picture8
from szem.errors import RangeError, ShapeError
from szem.media.samples import read_sample
from szem.results.mouth import MouthTrack
from szem.tasks.faces.detect import FaceDetector, open_faces
from szem.tasks.faces.mouth_crops import CROP_SIZE, follow_mouth

SIDE = 320
Way = Callable[[float], tuple[float, float, float, float]]  # time -> x, y, size, degrees clockwise


@pytest.fixture(scope="module")
def finder() -> FaceDetector:
    return open_faces(threads=1)


@pytest.fixture(scope="module")
def face() -> Picture8:
    return np.ascontiguousarray(read_sample("astronaut")[0:280, 80:360])


def video(face: Picture8, way: Way, *, frames: int = 24, rate_hz: float = 25.0) -> Iterator[tuple[float, Picture8]]:
    """The face moved over grey ground."""
    for number in range(frames):
        x, y, size, degrees = way(number / rate_hz)
        turn = cv2.getRotationMatrix2D((140, 140), -degrees, size)
        turn[:, 2] += (SIDE / 2 - 140 + x, SIDE / 2 - 140 + y)
        picture = cv2.warpAffine(face, turn, (SIDE, SIDE), borderValue=(110, 110, 110))
        yield number / rate_hz, np.asarray(picture, np.uint8)


def unlike(track: MouthTrack) -> float:
    """How much the crops differ from their mean, in grey levels: of a steady track little."""
    crops = track.crops.astype(float)
    return float(np.abs(crops - crops.mean(axis=0)).mean())


STILL: Way = lambda t: (0, 0, 1, 0)  # noqa: E731
MOVES: dict[str, Way] = {
    "it stands": STILL,
    "it walks": lambda t: (60 * t - 30, 20 * np.sin(3 * t), 1, 0),
    "it nods sideways": lambda t: (0, 0, 1, 20 * np.sin(4 * t)),
    "it comes nearer": lambda t: (0, 0, 0.7 + 0.5 * t, 0),
}


@pytest.mark.parametrize("name", MOVES)
def test_crops_stand_still_however_the_head_moves(finder: FaceDetector, face: Picture8, name: str) -> None:
    track = follow_mouth(video(face, MOVES[name]), finder=finder)
    assert track.valid.all()
    assert track.crops.shape == (24, *CROP_SIZE)
    assert track.rate_hz == pytest.approx(25)
    for crop in track.crops:
        start = np.eye(2, 3, dtype=np.float32)
        _, way = cv2.findTransformECC(track.crops[12], crop, start, cv2.MOTION_TRANSLATION)
        assert np.hypot(*way[:, 2]) < 1.2  # pixels of the crop
    assert unlike(track) < 5  # of 255
    assert track.crops[0].std() > 10  # there is a mouth in it


def test_crops_of_a_small_and_a_large_video_are_alike(finder: FaceDetector, face: Picture8) -> None:
    small = follow_mouth(video(face, lambda t: (0, 0, 0.7, 0), frames=4), finder=finder)
    large = follow_mouth(video(face, lambda t: (0, 0, 1.1, 0), frames=4), finder=finder)
    assert np.abs(small.crops[2].astype(float) - large.crops[2]).mean() < 8


def test_a_face_that_leaves_and_comes_back_is_marked(finder: FaceDetector, face: Picture8) -> None:
    def frames() -> Iterator[tuple[float, Picture8]]:
        for number, (time_s, picture) in enumerate(video(face, STILL, frames=30)):
            yield time_s, np.full_like(picture, 110) if 10 <= number < 20 else picture

    track = follow_mouth(frames(), finder=finder)
    assert track.valid.tolist() == [True] * 10 + [False] * 10 + [True] * 10
    assert not track.boxes_xyxy[15].any()
    assert track.seen_fraction == pytest.approx(2 / 3)
    assert track.draw(np.zeros((SIDE, SIDE, 3), np.uint8), 15).sum() == 0


def test_the_chosen_face_is_followed(finder: FaceDetector, face: Picture8) -> None:
    def frames() -> Iterator[tuple[float, Picture8]]:
        for (time_s, left), (_, right) in zip(
            video(face, lambda t: (0, 0, 0.6, 0), frames=5), video(face, STILL, frames=5), strict=True
        ):
            yield time_s, np.concatenate([left, right], axis=1)

    tracks = {
        choice: follow_mouth(frames(), finder=finder, face=choice) for choice in ("largest", 0, 1, (100.0, 160.0))
    }
    on_left = {choice: bool(track.boxes_xyxy[-1, 2] < SIDE) for choice, track in tracks.items()}
    assert on_left == {"largest": False, 0: True, 1: False, (100.0, 160.0): True}
    assert (tracks["largest"].faces == 2).all()
    third = follow_mouth(frames(), finder=finder, face=2)
    assert not third.valid.any()
    assert (third.faces == 2).all()


def test_a_video_on_its_side_is_followed(finder: FaceDetector, face: Picture8) -> None:
    """A phone's film whose header does not say how it was held."""
    upright = follow_mouth(video(face, STILL, frames=4), finder=finder)
    turned = ((t, np.ascontiguousarray(np.rot90(p))) for t, p in video(face, STILL, frames=4))
    track = follow_mouth(turned, finder=finder)
    assert track.valid.all()
    assert np.abs(track.crops[2].astype(float) - upright.crops[2]).mean() < 6


def test_nobody_and_nothing(finder: FaceDetector) -> None:
    blank = follow_mouth(((n / 25, np.full((90, 120, 3), 99, np.uint8)) for n in range(3)), finder=finder)
    assert not blank.valid.any()
    assert blank.crops.shape == (3, *CROP_SIZE)
    with pytest.raises(ShapeError, match="must have frames"):
        follow_mouth(iter(()), finder=finder)
    with pytest.raises(RangeError, match="face must be"):
        follow_mouth(iter(()), finder=finder, face=-1)
    sizes = [(0.0, np.zeros((9, 9, 3), np.uint8)), (0.1, np.zeros((9, 8, 3), np.uint8))]
    with pytest.raises(ShapeError, match="one size"):
        follow_mouth(sizes, finder=finder)


def test_another_rate_keeps_the_time(finder: FaceDetector, face: Picture8) -> None:
    track = follow_mouth(video(face, MOVES["it walks"], frames=26), finder=finder)
    slow = track.at_rate(15)
    assert len(slow) == 16
    assert slow.rate_hz == pytest.approx(15)
    np.testing.assert_allclose(slow.corners_xy[3], track.corners_xy[5], atol=0.5)  # both at 0.2 s
    assert np.array_equal(track.at_rate(25).crops, track.crops)
    with pytest.raises(RangeError, match="positive"):
        track.at_rate(0)


def test_an_open_mouth_is_distinguished_from_a_closed_one(face: Picture8, finder: FaceDetector) -> None:
    track = follow_mouth(video(face, STILL, frames=2), finder=finder)
    assert 0 <= track.openness()[0] < 0.5
    lips = track.points_xy.copy()
    lips[:, 17:20, 1] += 20
    assert dataclasses.replace(track, points_xy=lips).openness()[0] > track.openness()[0] + 0.2
