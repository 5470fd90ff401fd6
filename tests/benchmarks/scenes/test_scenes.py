"""Composed scenes: the same seed gives the same film, and the truth is where the pictures show it."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.scenes.degrade import Degradation, degrade
from benchmarks.scenes.sprites import draw_sprites, read_sprites
from benchmarks.scenes.stories import STORIES, compose_scene
from szem.errors import FileMissingError, RangeError, UnknownNameError
from szem.tasks.surveillance.settings import KINDS

SPRITES = draw_sprites()
SMALL = (320, 180)


@pytest.mark.parametrize("story", STORIES)
def test_every_story_has_truth_in_order_and_draws(story: str) -> None:
    scene = compose_scene(story, 3, SPRITES, size=SMALL, duration_s=30)
    assert all(true.kind in KINDS and 0 <= true.start_s <= true.end_s <= 30 for true in scene.truth)
    assert [true.start_s for true in scene.truth] == sorted(true.start_s for true in scene.truth)
    time_s, picture = next(iter(scene.frames()))
    assert (time_s, picture.shape, picture.dtype) == (0.0, (180, 320, 3), np.uint8)


def test_the_same_seed_gives_the_same_video() -> None:
    films = [
        [picture for _, picture in compose_scene("left", seed, SPRITES, size=SMALL, duration_s=1).frames()]
        for seed in (1, 1, 2)
    ]
    assert (np.stack(films[0]) == np.stack(films[1])).all()
    assert (np.stack(films[0]) != np.stack(films[2])).any()


def test_a_left_object_is_where_the_truth_says_and_only_from_then_on() -> None:
    scene = compose_scene("dropped", 5, SPRITES, size=SMALL, extras=False)
    true = next(t for t in scene.truth if t.kind == "left behind")
    assert true.box_xyxy is not None
    x0, y0, x1, y1 = (round(v) for v in true.box_xyxy)
    pictures = {round(t, 1): p.astype(int) for t, p in scene.frames() if abs(t - true.start_s) < 1.5}
    before, after = (pictures[round(true.start_s + d, 1)] for d in (-1, 1))
    changed = np.abs(after - before).mean(-1)
    assert changed[y0:y1, x0:x1].mean() > 20
    changed[max(y0 - 8, 0) : y1 + 12, max(x0 - 12, 0) : x1 + 12] = 0
    assert changed.mean() < 6  # noise


def test_boxes_follow_the_actors() -> None:
    scene = compose_scene("passes", 2, SPRITES, size=SMALL, extras=False)
    enters, leaves = (next(t.start_s for t in scene.truth if t.kind == kind) for kind in ("enters", "leaves"))
    assert scene.boxes(enters - 1.0) == []
    middle = scene.boxes((enters + leaves) / 2)
    assert [(number, label) for number, label, _ in middle] == [(1, "person")]


def test_another_class_may_pass() -> None:
    scene = compose_scene("passes", 2, SPRITES, size=SMALL, label="car")
    assert {t.label for t in scene.truth} == {"car"}
    with pytest.raises(UnknownNameError, match="no sprite called 'whale'"):
        compose_scene("passes", 2, SPRITES, label="whale")


def test_an_unknown_story_is_reported() -> None:
    with pytest.raises(UnknownNameError, match="no story called 'opera'; there are quiet"):
        compose_scene("opera", 0, SPRITES)


@pytest.mark.parametrize(
    ("how", "low", "high"),
    [
        (Degradation(), 0, 0),
        (Degradation(light=0.1), 80, 100),
        (Degradation(noise=20), 10, 25),
        (Degradation(blur=0.02), 1, 60),
        (Degradation(hidden=0.5), 20, 90),
    ],
)
def test_a_degradation_changes_as_much_as_it_says(how: Degradation, low: float, high: float) -> None:
    picture = np.full((90, 160, 3), 100, np.uint8)
    picture[::8] = 110
    assert low <= np.abs(degrade(picture, how).astype(int) - picture).mean() <= high


def test_what_hides_a_picture_stays_where_it_is() -> None:
    picture = np.zeros((90, 160, 3), np.uint8)
    one, other = (degrade(picture, Degradation(hidden=0.4), index=k) for k in (1, 9))
    assert (one == other).all()
    assert 0.3 < (one > 0).any(-1).mean() < 0.7


def test_impossible_degradations_are_refused() -> None:
    with pytest.raises(RangeError, match=r"hidden 0\.\.1"):
        Degradation(hidden=2)


def test_missing_photographs_are_reported(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError, match="pedestrians"):
        read_sprites(tmp_path, split="tune")
    with pytest.raises(UnknownNameError, match="no split"):
        read_sprites(tmp_path, split="train")
