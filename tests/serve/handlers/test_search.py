"""Search over HTTP: pictures that are sent, ordered by a sentence as the package orders them; wrong requests told."""

import base64
from typing import Any

import httpx
import pytest

from szem.media.pictures import encode_picture
from szem.media.samples import read_sample
from szem.tasks.search.search import rank_sentences

ROUTE = "/v1/szem/search"
NAMES = ("coffee", "cat", "cameraman")


def content(name: str) -> dict[str, str]:
    return {"content": base64.b64encode(encode_picture(read_sample(name))).decode()}


def test_pictures_come_in_the_order_of_the_package(server: httpx.Client) -> None:
    text = "a man with a camera"
    answer = server.post(ROUTE, json={"text": text, "images": [content(name) for name in NAMES]})
    assert answer.status_code == 200, answer.text
    hits = answer.json()["hits"]
    wanted = {n: rank_sentences(read_sample(name), [text])[0][1] for n, name in enumerate(NAMES)}
    assert [hit["index"] for hit in hits] == sorted(wanted, key=lambda n: -wanted[n])
    assert {hit["index"]: hit["score"] for hit in hits} == pytest.approx(wanted, abs=1e-4)
    assert NAMES[hits[0]["index"]] == "cameraman"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"text": "a cat", "images": []}, "1 to 64 pictures"),
        ({"text": "a cat", "images": [{"content": ""}] * 65}, "1 to 64 pictures"),
        ({"text": " ", "images": [None]}, "one word at least"),
        ({"text": "a" * 501, "images": [None]}, "at most 500 letters"),
        ({"text": "a cat", "images": [{"content": "AAAA"}]}, "images[0].image.content"),
        ({"text": "a cat", "images": [{}]}, "Request must specify image"),
        ({"text": "a cat", "images": [None], "top": 65}, "top must lie in 1..64"),
    ],
)
def test_wrong_requests_are_reported(server: httpx.Client, body: dict[str, Any], told: str) -> None:
    images = [content("cat") if image is None else image for image in body["images"]]
    answer = server.post(ROUTE, json=body | {"images": images})
    assert answer.status_code == 400
    assert told in answer.text
