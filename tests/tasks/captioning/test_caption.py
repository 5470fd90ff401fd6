"""caption.py with the shipped model: sentences, starts, others, batches; what is wrong is reported."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

import szem
from szem.errors import CardError, ChecksumError, RangeError, UnknownNameError
from szem.media.samples import read_sample, sample_path
from szem.runtime.sessions import Session
from szem.runtime.store import Model, find_model, shipped_folder
from szem.tasks.captioning.caption import LONGEST, Captioner, open_captioner


@pytest.fixture(scope="module")
def captioner() -> Captioner:
    return open_captioner(threads=1)


def test_a_picture_gets_a_sentence() -> None:
    captions = szem.caption(read_sample("astronaut"), n=3, attention=True, others=4)
    assert 1 <= len(captions) <= 3
    assert len({sentence.text for sentence in captions}) == len(captions)
    assert 0 <= captions.confidence <= 1
    for sentence in captions:
        assert 1 <= len(sentence.words) <= LONGEST
        assert sentence.ending is not None
        product = math.prod(word.probability for word in sentence.words) * sentence.ending.probability
        assert sentence.probability == pytest.approx(product, rel=1e-3)
        for word in sentence.words:
            assert word.attention is not None
            assert word.attention.sum() == pytest.approx(1, abs=1e-3)
            assert len(word.others) == 4
            probabilities = [probability for _, probability in word.others]
            assert probabilities == sorted(probabilities, reverse=True)
            assert word.text not in dict(word.others)
            assert word.probability + sum(probabilities) <= 1.001
    probabilities = [s.probability for s in captions]
    assert probabilities[0] > 0
    assert szem.caption(sample_path("astronaut"), n=3).text == captions.text  # a path is as good as an array


def test_a_start_is_kept_and_goes_on(captioner: Captioner) -> None:
    captions = captioner([read_sample("cat")], start="Two dogs", n=2)[0]
    for sentence in captions:
        assert sentence.text.startswith("two dogs")
        assert len(sentence.words) > 2


def test_choosing_what_was_said_anyway_changes_nothing(captioner: Captioner) -> None:
    picture = read_sample("coffee")
    whole = captioner([picture], beams=1)[0].sentences[0]
    for count in range(1, len(whole.words)):
        start = " ".join(word.text for word in whole.words[:count])
        assert captioner([picture], beams=1, start=start)[0].text == whole.text


def test_many_pictures_are_said_as_each_alone(captioner: Captioner) -> None:
    names = ["cat", "coffee", "astronaut", "rocket", "coins", "cameraman"] * 2
    pictures = [read_sample(name) for name in names]
    together = captioner(pictures)
    alone = {name: captioner([read_sample(name)])[0] for name in set(names)}
    assert [captions.text for captions in together] == [alone[name].text for name in names]
    assert captioner([]) == []


def test_of_likely_sentences_the_nearest_to_the_picture_comes_first(captioner: Captioner) -> None:
    encoded = captioner.encode([read_sample("astronaut")])
    found = captioner.search(encoded, beams=5)[0]
    power, weight = (captioner.card.constants[name] for name in ("power", "fit"))
    assert weight > 0
    for hypotheses in found:
        near = captioner.fit(encoded[0], captioner.words.decode(hypotheses.numbers))
        assert near is not None
        assert hypotheses.rank == pytest.approx(
            hypotheses.log_probability / (len(hypotheses.numbers) + 1) ** power + weight * near, abs=1e-3
        )
    assert [hypotheses.rank for hypotheses in found] == sorted(
        (hypotheses.rank for hypotheses in found), reverse=True
    )


@pytest.mark.parametrize("kind", ["noise", "black", "white"])
def test_what_shows_nothing_gets_a_low_score(captioner: Captioner, kind: str) -> None:
    rng = np.random.default_rng(7)
    picture = {
        "noise": rng.integers(0, 256, (200, 200, 3), dtype=np.uint8),
        "black": np.zeros((64, 64, 3), np.uint8),
        "white": np.full((30, 90, 3), 255, np.uint8),
    }[kind]
    captions = captioner([picture])[0]
    assert not captions.is_confident
    assert captions.confidence < 0.35


@pytest.mark.parametrize("shape", [(1, 1, 3), (3000, 2, 3), (2, 900, 3)])
def test_odd_sizes_are_taken(captioner: Captioner, shape: tuple[int, ...]) -> None:
    assert captioner([np.full(shape, 90, np.uint8)])[0].text


WRONG = [
    # options, the error, what it says
    ({"beams": 0}, RangeError, "beams must be 1 to 20, got 0"),
    ({"n": 99}, RangeError, "n must be 1 to 20, got 99"),
    ({"others": -1}, RangeError, "others must be 0 to 50"),
    ({"start": "a xylophonist"}, UnknownNameError, "the network has no word 'xylophonist'"),
    ({"start": "a dogg"}, UnknownNameError, "near it are dog"),
    ({"start": "<unknown>"}, UnknownNameError, "no word 'unknown'"),
    ({"start": "a dog " * 20}, RangeError, "start must have fewer than 20 words, got 40"),
]


@pytest.mark.parametrize(("options", "error", "says"), WRONG)
def test_wrong_options_are_told(captioner: Captioner, options: dict, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        captioner([read_sample("cat")], **options)


def test_what_is_no_picture_is_reported(captioner: Captioner) -> None:
    with pytest.raises(RangeError):
        captioner([np.full((4, 4, 3), 7, np.float32)])


@pytest.mark.parametrize("part", ["step.onnx", "sentence.onnx", "encoder.onnx"])
def test_every_file_of_the_model_is_checked(part: str, tmp_path: Path) -> None:
    folder = tmp_path / "caption"
    shutil.copytree(shipped_folder() / "caption", folder)
    with (folder / part).open("ab") as file:
        file.write(b"x")
    with pytest.raises(ChecksumError, match=f"{part}: not the file its card describes"):
        Captioner(Session(find_model(folder), threads=1))


def test_a_model_without_a_part_says_which(tmp_path: Path) -> None:
    folder = tmp_path / "caption"
    shutil.copytree(shipped_folder() / "caption", folder)
    card = json.loads((folder / "card.json").read_text())
    del card["parts"]["step"]
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(CardError, match="has no part 'step'"):
        Captioner(Session(find_model(folder), threads=1))
    assert isinstance(find_model(folder), Model)


def test_sentences_are_ranked_for_a_picture(captioner: Captioner) -> None:
    scores = captioner.place(["a dog", "a dog runs in the snow", "people"])
    assert scores.shape[0] == 3
    assert np.linalg.norm(scores, axis=1) == pytest.approx(1, abs=1e-3)
    with pytest.raises(RangeError, match="needs one word at least"):
        captioner.place(["a dog", " . "])
