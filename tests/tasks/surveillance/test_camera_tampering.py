"""Each fault of a camera on pictures made for it, and what is none."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from szem.tasks.surveillance.camera_tampering import CameraState, TamperingDetector

Grey = NDArray[np.uint8]
RATE_HZ = 5.0


def scene(seed: int = 0) -> Grey:
    """A picture with something to recognise everywhere, in large and in detail."""
    rng = np.random.default_rng(seed)
    large, fine = (
        rng.integers(-most, most, size).astype(np.float32) for most, size in ((70, (18, 32)), (40, (90, 160)))
    )
    both = [cv2.resize(one, (320, 180), interpolation=cv2.INTER_CUBIC) for one in (large, fine)]
    return np.clip(128 + sum(both), 0, 255).astype(np.uint8)


def noisy(picture: Grey, rng: np.random.Generator) -> Grey:
    return np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)


def watched(change: Callable[[Grey, float], Grey], *, seconds: float = 16, noise: bool = True) -> list[CameraState]:
    """What is said of six quiet seconds and of what follows them."""
    rng, health, out = np.random.default_rng(1), TamperingDetector(), []
    for step in range(int(seconds * RATE_HZ)):
        time_s = step / RATE_HZ
        picture = scene() if time_s < 6 else change(scene(), time_s)
        out.append(health(noisy(picture, rng) if noise else picture, time_s=time_s))
    return out


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda _, __: np.full((180, 320), 120, np.uint8), "camera covered"),
        (lambda p, _: (p * 0.02).astype(np.uint8), "camera dark"),
        (lambda p, _: cv2.GaussianBlur(p, (0, 0), 7), "camera blurred"),
        (lambda p, _: np.roll(p, 40, axis=1), "camera moved"),
    ],
    ids=["covered", "dark", "blurred", "moved"],
)
def test_a_fault_is_named_once_it_has_lasted(change: Callable[[Grey, float], Grey], fault: str) -> None:
    reported = watched(change)
    assert all(one.sees for one in reported[: int(6 * RATE_HZ)])
    sure = [one for one in reported if one.is_confirmed]
    assert sure
    assert {one.fault for one in sure} == {fault}
    assert sure[0].since_s == pytest.approx(6, abs=1.5)
    assert 0.5 <= sure[-1].score < 1


def test_a_picture_that_stands_still_is_frozen_only_where_it_used_to_tremble() -> None:
    rng = np.random.default_rng(2)
    stuck = noisy(scene(), rng)
    health = TamperingDetector()
    reported = []
    for step in range(int(40 * RATE_HZ)):
        time_s = step / RATE_HZ
        reported.append(health(noisy(scene(), rng) if time_s < 6 else stuck, time_s=time_s))
    assert {one.fault for one in reported if one.is_confirmed} == {"camera frozen"}
    calm = watched(lambda p, _: p, seconds=10, noise=False)  # a film without noise
    assert all(one.sees for one in calm)


@pytest.mark.parametrize(
    "change",
    [
        lambda p, _: p,
        lambda p, _: np.clip(p * 0.6, 0, 255).astype(np.uint8),  # a cloud
        lambda p, _: np.clip(p * 1.2 + 10, 0, 255).astype(np.uint8),  # lamps
        lambda p, _: cv2.rectangle(p.copy(), (100, 60), (180, 170), 30, -1),  # somebody
    ],
    ids=["nothing", "darker", "brighter", "somebody"],
)
def test_what_happens_before_a_camera_is_no_fault_of_it(change: Callable[[Grey, float], Grey]) -> None:
    assert [one.fault for one in watched(change) if one.is_confirmed] == []


def test_a_cover_that_is_taken_away_is_over_and_a_new_view_is_learned() -> None:
    grey = np.full((180, 320), 120, np.uint8)
    reported = watched(lambda p, t: grey if t < 12 else p, seconds=20)
    assert any(one.is_confirmed for one in reported)
    assert reported[-1].sees
    turned = watched(lambda _, __: scene(9), seconds=30)
    assert sum(one.is_new_scene for one in turned) == 1
    assert turned[-1].sees
    assert turned[-1].seen > 0.9
