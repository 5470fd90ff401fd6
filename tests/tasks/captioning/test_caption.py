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
from szem.tasks.captioning.confidence import CONFIDENCE


@pytest.fixture(scope="module")
def captioner() -> Captioner:
    return open_captioner(threads=1)


def test_a_picture_gets_a_sentence() -> None:
    captions = szem.caption(read_sample("cat"), n=3, attention=True, others=4)
    own = captions.guesses or captions.sentences
    assert 1 <= len(own) <= 3
    assert len({sentence.text for sentence in own}) == len(own)
    assert 0 <= captions.confidence <= 1
    confidences = [sentence.confidence for sentence in own]
    assert confidences == sorted(confidences, reverse=True)  # by the number that is shown
    for sentence in own:
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
    assert szem.caption(sample_path("cat"), n=3).text == captions.text  # a path is as good as an array


def test_a_plainer_sentence_is_said_where_the_network_is_not_confident(captioner: Captioner) -> None:
    said = captioner([read_sample("cat")])[0]
    assert said.source == "tags"
    assert "cat" in said.text
    assert said.confidence == said.tags[0].confidence >= 0.75
    assert "person" not in " ".join(sentence.text for sentence in said.guesses)


@pytest.mark.parametrize("name", ["coins"])
def test_of_what_nothing_is_known_nothing_is_said(captioner: Captioner, name: str) -> None:
    said = captioner([read_sample(name)])[0]
    assert (said.source, said.text, said.sentences) == ("none", "", ())
    assert said.guesses


def test_without_grounding_the_network_says_what_it_likes() -> None:
    said = Captioner(Session(find_model(shipped_folder() / "caption"), threads=1), grounded=False)(
        read_sample("coins")
    )
    assert (said.source, said.tags) == ("model", ())
    assert said.text


def test_a_start_is_kept_and_goes_on(captioner: Captioner) -> None:
    captions = captioner([read_sample("cat")], start="Two dogs", n=2)[0]
    for sentence in captions:
        assert sentence.text.startswith("two dogs")
        assert len(sentence.words) > 2


def test_choosing_what_was_said_anyway_changes_nothing(captioner: Captioner) -> None:
    picture = read_sample("coffee")
    whole = captioner([picture], beams=1, start="a cup")[0].sentences[0]
    for count in range(2, len(whole.words)):
        start = " ".join(word.text for word in whole.words[:count])
        assert captioner([picture], beams=1, start=start)[0].text == whole.text


@pytest.mark.slow
def test_many_pictures_are_said_as_each_alone(captioner: Captioner) -> None:
    names = ["cat", "coffee", "astronaut", "rocket", "coins", "cameraman"] * 2
    pictures = [read_sample(name) for name in names]
    together = captioner(pictures)
    alone = {name: captioner([read_sample(name)])[0] for name in set(names)}
    assert [captions.text for captions in together] == [alone[name].text for name in names]
    assert captioner([]) == []


def test_the_sentence_with_the_highest_confidence_comes_first(captioner: Captioner) -> None:
    encoded = captioner.encode([read_sample("astronaut")])
    found = captioner.search(encoded, beams=5)[0]
    constants = captioner.card.constants
    weights = np.array([constants[f"confidence_{name}"] for name in CONFIDENCE])
    for hypothesis, evidence in zip(found, captioner.evidence(encoded[0], found), strict=True):
        assert hypothesis.rank == pytest.approx(constants["confidence_base"] + weights @ evidence, abs=1e-4)
    ranks = [hypothesis.rank for hypothesis in found]
    assert ranks == sorted(ranks, reverse=True)
    assert len({hypothesis.numbers for hypothesis in found}) == len(found)


@pytest.mark.parametrize("kind", ["noise", "black", "white"])
def test_what_shows_nothing_gets_a_low_score(captioner: Captioner, kind: str) -> None:
    rng = np.random.default_rng(7)
    picture = {
        "noise": rng.integers(0, 256, (200, 200, 3), dtype=np.uint8),
        "black": np.zeros((64, 64, 3), np.uint8),
        "white": np.full((30, 90, 3), 255, np.uint8),
    }[kind]
    captions = captioner([picture])[0]
    assert (captions.source, captions.text) == ("none", "")
    assert captions.confidence < 0.5


@pytest.mark.parametrize("shape", [(1, 1, 3), (3000, 2, 3), (2, 900, 3)])
def test_odd_sizes_are_taken(captioner: Captioner, shape: tuple[int, ...]) -> None:
    said = captioner([np.full(shape, 90, np.uint8)])[0]
    assert said.text or said.guesses


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
def test_wrong_options_are_refused(captioner: Captioner, options: dict, error: type[Exception], says: str) -> None:
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
