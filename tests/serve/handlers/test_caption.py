"""Captions over HTTP: what the package says, word by word; sentences ranked; wrong options reported."""

from typing import Any

import httpx
import pytest

import szem
from szem.media.pictures import read_picture

ROUTE = "/v1/szem/caption"


def ask(server: httpx.Client, data: bytes, **options: object) -> dict[str, Any]:
    answer = server.post(ROUTE, params={k: str(v) for k, v in options.items()}, content=data)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_sentence_is_what_the_package_says(server: httpx.Client, cat: bytes) -> None:
    wanted = szem.caption(read_picture(cat), n=2, attention=True, others=3)
    found = ask(server, cat, n=2, attention="true", others=3)
    assert found["caption"] == wanted.text
    assert found["confidence"] == pytest.approx(wanted.confidence, abs=1e-3)
    assert found["source"] == wanted.source == "tags"
    assert found["tags"][0]["name"] == "cat"
    word = found["guesses"][0]["words"][0]
    assert len(word["others"]) == 3
    assert sum(map(sum, word["attention"])) == pytest.approx(1, abs=0.01)
    assert "ending" in found["guesses"][0]
    assert found["picture"]["width"] == 451
    assert "attention" not in ask(server, cat)["guesses"][0]["words"][0]


def test_it_goes_on_from_a_start(server: httpx.Client, cat: bytes) -> None:
    assert ask(server, cat, start="two dogs")["caption"].startswith("two dogs")


def test_sentences_are_ranked(server: httpx.Client, cat: bytes) -> None:
    rows = ask(server, cat, rank='["two men on a beach", "a cat"]')["ranking"]
    assert {row["text"] for row in rows} == {"two men on a beach", "a cat"}
    assert rows[0]["score"] >= rows[1]["score"]


WRONG = [
    # options, what is said
    ({"beams": 99}, "beams must lie in 1..20"),
    ({"n": 0}, "n must lie in 1..8"),
    ({"others": 500}, "others must lie in 0..20"),
    ({"start": "xylophonist"}, "no word 'xylophonist'"),
    ({"start": "a" * 600}, "at most 500 letters"),
    ({"rank": '"a cat"'}, "(a list)"),
    ({"rank": '["..."]'}, "one word at least"),
    ({"rank": str(["a"] * 300).replace("'", '"')}, "at most 256"),
    ({"surprise": 1}, "surprise"),
]


@pytest.mark.parametrize(("options", "says"), WRONG)
def test_wrong_options_are_refused(server: httpx.Client, cat: bytes, options: dict[str, object], says: str) -> None:
    answer = server.post(ROUTE, params={k: str(v) for k, v in options.items()}, content=cat)
    assert answer.status_code == 400, answer.text
    assert says in answer.text.replace('\\"', '"')
