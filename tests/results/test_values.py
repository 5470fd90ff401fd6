"""Every result is a value: compared by content, hashed, pickled, copied, locked, and shown in one line."""

import copy
import inspect
import pickle
import pkgutil
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields, is_dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import szem.results
from szem.media.pictures import read_picture

from .samples import HEIGHT, MAKERS, WIDTH

COUNTED = [name for name, make in MAKERS.items() if hasattr(make(), "take")]
DRAWN = [name for name, make in MAKERS.items() if hasattr(make(), "_repr_png_")]


def arrays_in(value: Any) -> Iterator[np.ndarray]:
    """Every array that a result holds, however deep."""
    if isinstance(value, np.ndarray):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from arrays_in(getattr(value, field.name))
    elif isinstance(value, tuple):
        for one in value:
            yield from arrays_in(one)
    elif hasattr(value, "values"):
        for one in value.values():
            yield from arrays_in(one)


def through_pickle(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))  # noqa: S301


def test_every_result_is_tried() -> None:
    found = set()
    for module in pkgutil.iter_modules(szem.results.__path__, "szem.results."):
        for name, kind in inspect.getmembers(import_module(module.name), is_dataclass):
            if kind.__module__ == module.name:
                found.add(name)
    assert found <= set(MAKERS)


@pytest.mark.parametrize("name", MAKERS)
def test_a_result_equals_what_is_made_of_the_same_and_its_copies(name: str) -> None:
    one, other = MAKERS[name](), MAKERS[name]()
    assert one == other
    assert hash(one) == hash(other)
    for same in (through_pickle(one), copy.deepcopy(one), copy.copy(one)):
        assert same == one
        assert hash(same) == hash(one)
        assert repr(same) == repr(one)


@pytest.mark.parametrize("name", MAKERS)
def test_a_result_differs_when_one_number_does(name: str) -> None:
    one = MAKERS[name]()
    assert one != "something else"
    for field in fields(one):
        value = getattr(one, field.name)
        if isinstance(value, np.ndarray) and value.size:
            changed = value.copy()
            changed.flat[-1] = ~changed.flat[-1] if changed.dtype == bool else changed.flat[-1] + 1
            other = copy.copy(one)
            object.__setattr__(other, field.name, changed)
            assert one != other, field.name


@pytest.mark.parametrize("name", MAKERS)
def test_a_result_cannot_be_changed_nor_can_its_copies(name: str) -> None:
    one = MAKERS[name]()
    with pytest.raises(FrozenInstanceError):
        setattr(one, fields(one)[0].name, None)
    for same in (one, through_pickle(one), copy.deepcopy(one), copy.copy(one)):
        assert not any(array.flags.writeable for array in arrays_in(same))


@pytest.mark.parametrize("name", MAKERS)
def test_a_result_shows_itself_in_one_line(name: str) -> None:
    shown = repr(MAKERS[name]())
    assert shown.startswith(f"{name}(")
    assert "\n" not in shown
    assert "array(" not in shown
    assert len(shown) < 600


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Boxes", "Boxes(3: 2 cat, 1 person; 64x48)"),
        ("Outlines", "Outlines(2: 2 cat; 64x48)"),
        ("Masks", "Masks(2: road 58%, sky 42%; 64x48)"),
        ("Labels", "Labels(3: cat 90.0%, dog 5.0%, cup 1.0%)"),
        ("Events", "Events(2: 2 dog bark; 3.0 s)"),
        ("Caption", "Caption('a cat', confidence 70%, 1 more)"),
        ("Faces", "Faces(2; 64x48)"),
        ("Hits", "Hits(2 of 9: 'a dog')"),
        ("Tracks", "Tracks(1: 1 cat)"),
        ("Transcript", "Transcript('bin', confidence 80%)"),
    ],
)
def test_the_line_says_how_many_and_what(name: str, shown: str) -> None:
    assert repr(MAKERS[name]()) == shown


@pytest.mark.parametrize("name", COUNTED)
def test_a_result_is_counted_gone_through_and_chosen_from(name: str) -> None:
    found = MAKERS[name]()
    items = list(found)
    assert len(items) == len(found) > 0
    assert np.all(found[0] == items[0])
    assert np.all(found[-1] == items[-1])
    every = np.ones(len(found), bool)
    for chosen in (
        found[:],
        found[every],
        found[every.tolist()],
        found[np.arange(len(found))],
        found[0 : len(found)],
    ):
        assert chosen == found
    first = found[[0]]
    assert type(first) is type(found)
    assert len(first) == 1
    assert np.all(first[0] == items[0])
    with pytest.raises(IndexError, match="place"):
        found[len(found)]
    with pytest.raises(IndexError, match="truth value"):
        found[np.ones(len(found) + 1, bool)]
    with pytest.raises(TypeError, match="numbers"):
        found["cat"]


@pytest.mark.parametrize("name", DRAWN)
def test_a_result_shows_itself_in_a_notebook(name: str) -> None:
    picture = read_picture(MAKERS[name]()._repr_png_())
    assert np.ptp(picture) > 0


def test_boxes_are_chosen_as_in_supervision() -> None:
    found = MAKERS["Boxes"]()
    assert (found.xyxy == found.boxes_xyxy).all()
    assert found[found.scores > 0.5].labels == ("cat", "person")
    assert found[1:].labels == ("person", "cat")
    assert found[np.argsort(found.scores)].labels == ("cat", "person", "cat")
    assert (found[found.scores > 2].width, len(found[found.scores > 2])) == (WIDTH, 0)
    assert repr(found[found.scores > 2]) == f"Boxes(0; {WIDTH}x{HEIGHT})"


def test_chosen_labels_keep_their_maps_and_pictures_their_sketches() -> None:
    labels, drawn = MAKERS["Labels"](), MAKERS["GeneratedPicture"]()
    assert set(labels[:1].maps) == {7}
    assert not labels[1:].maps
    assert len(drawn[1:].sketches) == 2


def test_the_array_given_stays_its_owners() -> None:
    scores = np.array([0.5], np.float32)
    found = MAKERS["Boxes"]()[:1]
    made = type(found)(
        boxes_xyxy=found.boxes_xyxy, scores=scores, indices=found.indices, classes=found.classes, width=64, height=48,
        model="toy",
    )  # fmt: skip
    assert scores.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        made.scores[0] = 1
