"""results/caption.py, results/hits.py: checked when made, plain when reported, drawn at any size."""

import json
from pathlib import Path

import numpy as np
import pytest

from szem.errors import RangeError, ShapeError
from szem.results.caption import Caption, Sentence, Tag, Word
from szem.results.hits import Hit, Hits

LOOKED = np.array([[0.1, 0.2], [0.3, 0.4]], np.float32)


def said(*, confidence: float = 0.8) -> Caption:
    words = (Word("a", 0.9, LOOKED), Word("dog", 0.5, LOOKED[::-1].copy(), others=(("cat", 0.3),)))
    best = Sentence(words, 0.4, Word(".", 0.9))
    return Caption((best, Sentence((Word("dogs", 0.2),), 0.1)), confidence, "toy")


def test_a_caption_is_its_best_sentence() -> None:
    caption = said()
    assert (caption.text, str(caption), len(caption), caption.is_confident) == ("a dog", "a dog", 2, True)
    assert [sentence.text for sentence in caption] == ["a dog", "dogs"]
    assert not said(confidence=0.49).is_confident
    apart = Sentence((Word("a", 1), Word("man", 1), Word("'s", 1), Word("hat", 1)), 1)
    assert apart.text == "a man's hat"


def test_it_becomes_plain_json() -> None:
    parts = json.loads(json.dumps(said().to_dict()))
    assert (parts["caption"], parts["confidence"], parts["model"]) == ("a dog", 0.8, "toy")
    first = parts["sentences"][0]
    assert first["words"][1]["others"] == [{"text": "cat", "probability": 0.3}]
    assert first["words"][0]["attention"] == [[0.1, 0.2], [0.3, 0.4]]
    assert first["ending"] == {"text": ".", "probability": 0.9}
    assert "attention" not in parts["sentences"][1]["words"][0]


def test_where_nothing_is_known_there_is_no_caption() -> None:
    guess = said().sentences[0]
    silent = Caption((), 0.2, "toy", source="none", guesses=(guess,))
    assert (silent.text, str(silent), len(silent), silent.is_confident) == ("", "", 0, False)
    parts = json.loads(json.dumps(silent.to_dict()))
    assert (parts["caption"], parts["source"], parts["sentences"]) == (None, "none", [])
    assert parts["guesses"][0]["text"] == "a dog"
    picture = np.zeros((90, 120, 3), np.uint8)
    assert silent.draw(picture).shape[1] == 480
    assert silent.draw_attention(picture).any()  # what the network would have said


def test_tags_say_what_where_and_how_many() -> None:
    tag = Tag(name="cat", confidence=0.9, count=2, box=(0, 0, 0.5, 0.5), color="black", detail="Siamese cat")
    parts = Caption(said().sentences, 0.8, "toy", "tags", tags=(tag, Tag(name="bed", confidence=0.6))).to_dict()[
        "tags"
    ]
    assert tag.area == 0.25
    assert parts[0] == {
        "name": "cat",
        "confidence": 0.9,
        "count": 2,
        "box": [0, 0, 0.5, 0.5],
        "color": "black",
        "detail": "Siamese cat",
    }
    assert parts[1] == {"name": "bed", "confidence": 0.6, "count": 1}


WRONG = [
    # what is made, the error, what it says
    (lambda: Caption((), 0.5, "toy"), RangeError, "source 'model' cannot have 0 sentences"),
    (lambda: Caption(said().sentences, 0.5, "toy", "none"), RangeError, "source 'none' cannot have 2 sentences"),
    (lambda: Tag(name="cat", confidence=0.5, count=0), RangeError, "one object at least, got 0 of 'cat'"),
    (lambda: said(confidence=1.5), RangeError, "confidence must lie in 0..1, got 1.5"),
    (lambda: said(confidence=float("nan")), RangeError, "confidence must lie in 0..1"),
    (lambda: Word("dog", -0.1), RangeError, "probability of 'dog' must lie in 0..1"),
    (
        lambda: Word("dog", 0.5, np.zeros(4, np.float32)),
        ShapeError,
        r"attention of 'dog' must be \(h, w\), got \(4,\)",
    ),
    (lambda: Sentence((), 2.0), RangeError, "probability must lie in 0..1"),
    (lambda: Hits((Hit(Path("a"), 0.1), Hit(Path("b"), 0.2)), "t", "m", 2), RangeError, "best first"),
    (lambda: Hits((Hit(Path("a"), 3.0),), "t", "m", 1), RangeError, "must lie in 0..1"),
    (lambda: said().draw_attention(np.zeros((9, 9, 3), np.uint8), columns=0), RangeError, "columns must be 1"),
]


@pytest.mark.parametrize(("make", "error", "says"), WRONG)
def test_what_is_wrong_is_refused(make: object, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("size", [(1, 1), (40, 300), (700, 90)])
def test_it_is_drawn_at_any_size(size: tuple[int, int]) -> None:
    picture = np.full((*size, 3), 120, np.uint8)
    before = picture.copy()
    assert said().draw(picture).shape[0] > size[0]
    sheet = said().draw_attention(picture, columns=2)
    assert sheet.dtype == np.uint8
    assert sheet.ndim == 3
    assert (picture == before).all()


def test_the_sheet_is_light_where_the_network_looked() -> None:
    picture = np.full((100, 100, 3), 200, np.uint8)
    sheet = said().draw_attention(picture, columns=3, side_px=100).astype(int)
    first_word = sheet[6:106, sheet.shape[1] // 3 + 6 :][:100, :100]  # the second tile: "a", strongest below right
    assert first_word[75, 75].sum() > first_word[25, 25].sum() + 100


def test_a_sheet_needs_to_know_where_the_network_looked() -> None:
    blind = Caption((Sentence((Word("dog", 0.5),), 0.5),), 0.5, "toy")
    with pytest.raises(RangeError, match="ask for it: attention=True"):
        blind.draw_attention(np.zeros((8, 8, 3), np.uint8))


def test_hits_become_plain_json() -> None:
    hits = Hits((Hit(Path("a.jpg"), 0.5),), "a dog", "toy", 3, {"b.jpg": "damaged"})
    assert json.loads(json.dumps(hits.to_dict())) == {
        "text": "a dog",
        "model": "toy",
        "searched": 3,
        "threshold": 0.0,
        "hits": [{"path": "a.jpg", "score": 0.5, "fits": True}],
        "broken": {"b.jpg": "damaged"},
    }
