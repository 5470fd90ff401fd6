"""Drawing over HTTP: the pictures are the package's, to the pixel; what cannot be drawn is reported."""

import base64
from typing import Any

import httpx
import numpy as np
import pytest

import szem
from szem.data.flowers_birds.flower_facts import FLOWER_KINDS
from szem.media.pictures import read_picture
from szem.tasks.generation.generate import EXAMPLES, open_generator

ROUTE = "/v1/szem/generate"
ROSE = "this flower has red petals"


def draw(server: httpx.Client, **wish: object) -> dict[str, Any]:
    answer = server.post(ROUTE, json=wish)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def picture(content: str) -> np.ndarray:
    return read_picture(base64.b64decode(content))


def test_pictures_and_sketches_are_the_packages(server: httpx.Client) -> None:
    wanted = szem.generate(ROSE, n=2, seed=7, truncation=0.5)
    found = draw(server, text=ROSE, n=2, seed=7, truncation=0.5, sketches=True)
    for content, array in zip(found["pictures"], wanted.pictures, strict=True):
        assert (picture(content) == array).all()
    for content, array in zip(found["sketches"], wanted.sketches, strict=True):
        assert (picture(content) == array).all()
    assert (found["seed"], found["truncation"], found["unknown"], found["warnings"]) == (7, 0.5, [], [])
    plain = draw(server, text=ROSE, seed=7)
    assert "sketches" not in plain
    assert plain["truncation"] == open_generator().truncation


def test_the_influence_of_words_and_a_video_come_if_asked_for(server: httpx.Client) -> None:
    found = draw(server, text=ROSE, seed=1, influence=True, to="this flower has white petals", frames=3)
    assert [row["word"] for row in found["influence"]] == ROSE.split()
    assert sum(row["fraction"] for row in found["influence"]) == pytest.approx(1, abs=0.01)
    video = open_generator().between(ROSE, "this flower has white petals", frames=3, seed=1)
    for content, array in zip(found["video"], video, strict=True):
        assert np.abs(picture(content).astype(int) - array).mean() < 6  # a JPEG
    assert "influence" not in draw(server, text="rose", influence=True)  # of a single word it is no question


def test_it_says_what_it_can_draw_and_which_words_it_never_learned(server: httpx.Client) -> None:
    reported = server.get(ROUTE).json()
    assert reported["examples"] == list(EXAMPLES)
    assert reported["flowers"] == sorted(FLOWER_KINDS)
    assert len(reported["birds"]) == 50
    assert "yellow" in reported["colors"]
    rose = draw(server, text="a red rose of florble")
    assert (rose["unknown"], rose["names_subject"]) == (["florble"], True)
    assert draw(server, text="two dogs are white")["names_subject"] is False


@pytest.mark.parametrize(
    ("body", "reported"),
    [
        ({}, "no word"),
        ({"text": "zzyzx qwerty"}, "it draws flowers and birds"),
        ({"text": "a" * 501}, "at most 500 letters"),
        ({"text": ROSE, "to": "a" * 501}, "at most 500 letters"),
        ({"text": ROSE, "to": "zzyzx"}, "it draws flowers and birds"),
        ({"text": ROSE, "n": 0}, "n must lie in 1..16"),
        ({"text": ROSE, "n": 17}, "n must lie in 1..16"),
        ({"text": ROSE, "to": ROSE, "frames": 1}, "frames must lie in 2..48"),
        ({"text": ROSE, "seed": -1}, "seed must lie in"),
        ({"text": ROSE, "truncation": 2}, "truncation must lie"),
        ({"text": ROSE, "model": "road"}, "no model called"),
        ({"text": ROSE, "stages": True}, "stages"),
        ([], "object"),
    ],
)
def test_wrong_requests_are_reported(server: httpx.Client, body: Any, reported: str) -> None:
    answer = server.post(ROUTE, json=body)
    assert answer.status_code == 400, answer.text
    assert reported in answer.text
