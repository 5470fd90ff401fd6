"""The background: light, noise and leaves are the scene, what has come is not; regions tell what they are."""

import numpy as np
import pytest
from numpy.typing import NDArray

from szem.tasks.surveillance.abandoned_objects import probabilities
from szem.tasks.surveillance.background_model import BackgroundModel, Foreground
from szem.tasks.surveillance.static_regions import find_regions, weigh

P = NDArray[np.uint8]
RNG = np.random.default_rng(4)
HIGH, WIDE = 120, 200
TILES = np.kron(RNG.uniform(60, 190, (HIGH // 5, WIDE // 5, 1)), np.ones((5, 5, 3)))
GROUND = np.clip(TILES + RNG.normal(0, 6, (HIGH, WIDE, 3)), 0, 255).astype(np.float32)
BOX = np.s_[60:84, 80:110]


def _bag() -> P:
    bag = RNG.uniform(0, 1, (24, 30, 1)) * np.array([60, 20, 20]) + np.array([120, 20, 30])
    return bag.astype(np.uint8)


def _run(pictures: list[NDArray[np.float32]], background: BackgroundModel | None = None) -> Foreground:
    """Ten pictures a second, with noise; what the last one shows."""
    background = background or BackgroundModel()
    rng = np.random.default_rng(1)
    for k, picture in enumerate(pictures):
        noisy = (picture + rng.normal(0, 2.5, picture.shape)).clip(0, 255).astype(np.uint8)
        scene = background(noisy, time_s=k / 10)
    return scene


def _with(picture: NDArray[np.float32], obj: P) -> NDArray[np.float32]:
    out = picture.copy()
    out[BOX] = obj
    return out


@pytest.mark.parametrize(
    "change",
    [
        [1.0] * 20,  # noise alone
        [0.5] * 20,  # a lamp goes out
        [1.35] * 20,  # one goes on, and the brightest places burn out
        list(np.linspace(1, 0.4, 20)),  # dusk, in two seconds
    ],
    ids=["noise", "off", "on", "dusk"],
)
def test_light_is_no_object(change: list[float]) -> None:
    scene = _run([GROUND] * 40 + [GROUND * factor for factor in change])
    assert (scene.moving | (scene.age_s > 0)).mean() < 0.01


def test_light_in_a_part_is_no_object() -> None:
    glow = np.linspace(0.45, 1.0, WIDE, dtype=np.float32)[None, :, None]
    scene = _run([GROUND] * 40 + [GROUND * glow] * 20)
    assert (scene.moving | (scene.age_s > 0)).mean() < 0.01


def test_leaves_that_move_become_the_scene() -> None:
    pictures = []
    for k in range(150):
        picture = GROUND.copy()
        picture[:40] = np.roll(GROUND[:40], round(4 * np.sin(k / 2)), axis=1)
        pictures.append(picture)
    scene = _run(pictures)
    assert (scene.age_s > 1.0).mean() < 0.01
    assert scene.moving.mean() < 0.08


def test_what_lies_still_ages_and_passers_by_do_not_make_it_young() -> None:
    bag = _bag()
    pictures = [GROUND] * 40 + [_with(GROUND, bag)] * 60
    for k in range(70, 78):  # somebody goes past in front of it
        pictures[k] = pictures[k].copy()
        pictures[k][40:110, 60 + (k - 70) * 8 : 75 + (k - 70) * 8] = 10
    scene = _run(pictures)
    assert np.median(scene.age_s[BOX]) > 5.0
    outside = scene.age_s.copy()
    outside[54:90, 74:116] = 0
    assert (outside > 1).mean() < 0.005


def _evidence(before: NDArray[np.float32], after: NDArray[np.float32]) -> tuple[float, float, float]:
    scene = _run([before] * 40 + [after] * 40)
    regions = find_regions(scene, min_age_s=1.0, min_px=40, max_px=4000)
    assert len(regions) == 1
    assert np.abs(np.array(regions[0].box) - (80, 60, 110, 84)).max() < 5
    return probabilities(weigh(scene, regions[0]))


def test_an_object_a_gap_and_a_shadow_are_distinguished() -> None:
    bag = _bag()
    shade = GROUND.copy()
    shade[BOX] *= 0.55
    obj, gap, light = (
        _evidence(GROUND, _with(GROUND, bag)),
        _evidence(_with(GROUND, bag), GROUND),
        _evidence(GROUND, shade),
    )
    assert obj[0] > 0.8
    assert gap[1] > 0.8
    assert light[2] > 0.6


def test_what_is_absorbed_belongs_to_the_scene() -> None:
    background = BackgroundModel()
    after = _with(GROUND, _bag())
    _run([GROUND] * 40 + [after] * 20, background)
    background.absorb(np.ones((HIGH, WIDE), bool))
    scene = background(after.astype(np.uint8), time_s=6.1)
    assert (scene.moving | (scene.age_s > 0)).mean() < 0.01


def test_another_size_is_learnt_anew() -> None:
    background = BackgroundModel()
    _run([GROUND] * 30, background)
    assert background(GROUND[:60].astype(np.uint8), time_s=3.5).is_learning
