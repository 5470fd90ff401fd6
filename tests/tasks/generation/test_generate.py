"""Drawing for a sentence with the shipped model: the same seed, the same picture; what is not known is said."""

import json

import numpy as np
import pytest

import szem
from szem.errors import DTypeError, RangeError, UnknownNameError
from szem.media.oklab import rgb_to_oklab
from szem.tasks.generation.generate import EXAMPLES, Generator, open_generator

ROSE = "this flower has red petals"


@pytest.fixture(scope="module")
def painter() -> Generator:
    return open_generator()


def test_a_sentence_becomes_pictures_with_their_sketches() -> None:
    drawn = szem.generate(EXAMPLES[0], n=2, seed=7)
    assert [p.shape for p in drawn.pictures] == [(128, 128, 3)] * 2
    assert [p.shape for p in drawn.sketches] == [(64, 64, 3)] * 2
    assert (drawn.unknown, drawn.warnings, drawn.seed) == ((), (), 7)
    assert drawn.model == "draw"


def test_the_same_seed_gives_the_same_pictures_however_many_and_by_however_many_threads(painter: Generator) -> None:
    many, few = painter(ROSE, n=5, seed=3), painter(ROSE, n=2, seed=3)
    for a, b in zip(many.pictures[:2], few.pictures, strict=True):
        assert np.array_equal(a, b)
    alone = Generator(painter.session, workers=1)(ROSE, n=5, seed=3)
    assert all(np.array_equal(a, b) for a, b in zip(many.pictures, alone.pictures, strict=True))
    assert not np.array_equal(many.pictures[0], many.pictures[1])
    assert not np.array_equal(many.pictures[0], painter(ROSE, seed=4).pictures[0])


def test_truncation_brings_pictures_nearer_together(painter: Generator) -> None:
    def spread(truncation: float) -> float:
        return float(
            np.std(np.stack(painter(ROSE, n=6, truncation=truncation).pictures).astype(float), axis=0).mean()
        )

    assert spread(0.0) == 0
    assert 0 < spread(0.4) < spread(1.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("one", "other", "axis", "grows"),
    [
        ("this flower has red petals", "this flower has white petals", 0, True),  # lighter
        ("this flower has yellow petals", "this flower has red petals", 1, True),  # redder
        ("this flower has blue petals", "this flower has yellow petals", 2, True),  # yellower
        ("this flower has yellow petals", "this flower has purple petals", 2, False),
    ],
)
def test_the_colour_asked_for_is_drawn(painter: Generator, one: str, other: str, axis: int, grows: bool) -> None:
    a, b = (
        rgb_to_oklab(np.stack(painter(text, n=6).pictures)[:, 32:96, 32:96]).mean(axis=(0, 1, 2))[axis]
        for text in (one, other)
    )
    assert (b > a + 0.02) if grows else (b < a - 0.02)


def test_a_video_leads_from_one_sentence_to_the_other(painter: Generator) -> None:
    film = painter.between(ROSE, "this flower has white petals", frames=5, seed=2)
    assert len(film) == 5
    assert np.array_equal(film[0], painter(ROSE, seed=2).pictures[0])
    ends = [float(np.abs(film[i].astype(int) - film[0]).mean()) for i in range(5)]
    assert ends[1] < ends[4]


def test_the_colour_has_more_influence_than_small_words(painter: Generator) -> None:
    words = painter.influence("this flower has purple petals", seed=1)
    assert [w.word for w in words] == ["this", "flower", "has", "purple", "petals"]
    assert sum(w.fraction for w in words) == pytest.approx(1)
    assert max(words, key=lambda w: w.fraction).word == "purple"
    assert words[0].where.shape == words[0].picture.shape[:2] == (128, 128)


def test_words_never_learned_are_named_and_spellings_are_understood(painter: Generator) -> None:
    drawn = painter("this flower has quuxy, florble petals and a grey colour")
    assert drawn.unknown == ("quuxy", "florble")
    assert "quuxy, florble" in drawn.warnings[0]
    assert painter("gray grey colour color centre center petals").unknown == ()


@pytest.mark.parametrize(
    "text",
    [
        "a red car on the road",
        "two dogs are white",
        "a wing of the house",
        "a dollar bill",
        "crown of the king",
    ],
)
def test_a_sentence_about_something_else_learns_what_can_be_drawn(painter: Generator, text: str) -> None:
    drawn = painter(text)
    assert any("neither a flower nor a bird" in warning and "red rose" in warning for warning in drawn.warnings)


@pytest.mark.parametrize("text", [*EXAMPLES, "black wings and a white belly", "a small feather"])
def test_a_sentence_about_a_flower_or_bird_is_not_warned_of(painter: Generator, text: str) -> None:
    assert painter(text).warnings == ()


def test_long_sentences_are_cut_and_say_so(painter: Generator) -> None:
    drawn = painter("a red flower " * 40)
    assert "first 32 of 120" in drawn.warnings[0]


@pytest.mark.parametrize(
    ("text", "options", "error", "match"),
    [
        ("", {}, RangeError, "no word"),
        (" … !", {}, RangeError, "no word"),
        ("zzyzx florble", {}, UnknownNameError, "flowers and birds"),
        (ROSE, {"n": 0}, RangeError, r"n must be .* in 1\.\.100"),
        (ROSE, {"n": 101}, RangeError, "n must be"),
        (ROSE, {"n": True}, RangeError, "n must be"),
        (ROSE, {"seed": -1}, RangeError, "seed must be"),
        (ROSE, {"seed": 2**63}, RangeError, "seed must be"),
        (ROSE, {"truncation": 1.6}, RangeError, "truncation must lie"),
        (ROSE, {"truncation": float("nan")}, RangeError, "truncation must lie"),
        (ROSE, {"truncation": "x"}, DTypeError, "truncation must be a number"),
        (ROSE, {"seed": 7.0}, RangeError, "seed must be a whole number"),
        (None, {}, DTypeError, "a sentence .* got NoneType"),
        (5, {}, DTypeError, "got int"),
        (b"red", {}, DTypeError, "got bytes"),
        (ROSE, {"model": "caption"}, UnknownNameError, "not for generate"),
    ],
)
def test_wrong_arguments_say_what_is_right(text: str, options: dict, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        szem.generate(text, **options)


def test_numbers_may_be_numpys(painter: Generator) -> None:
    one = szem.generate(ROSE, n=np.int32(1), seed=np.int64(7), truncation=np.float32(0.5))  # type: ignore[arg-type]
    assert np.array_equal(one.pictures[0], painter(ROSE, seed=7, truncation=0.5).pictures[0])
    assert json.loads(json.dumps(one.to_dict()))["seed"] == 7


def test_influence_and_videos_have_limits(painter: Generator) -> None:
    with pytest.raises(RangeError, match="one word"):
        painter.influence("rose")
    with pytest.raises(RangeError, match="frames"):
        painter.between(ROSE, ROSE, frames=1)
