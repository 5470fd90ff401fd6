"""Search over HTTP: pictures that are sent, ordered by a sentence as the package orders them; wrong requests to."""

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
    ("body", "says"),
    [
        ({"text": "a cat", "images": []}, "1 to 64 pictures"),
        ({"text": "a cat", "images": [{"content": ""}] * 65}, "1 to 64 pictures"),
        ({"text": " ", "images": [None]}, "one word at least"),
        ({"text": "a" * 501, "images": [None]}, "at most 500 letters"),
        ({"text": "a cat", "images": [{"content": "AAAA"}]}, "images[0].image.content"),
        ({"text": "a cat", "images": [{}]}, "Request must specify image"),
        ({"text": "a cat", "images": [None], "top": 65}, "top must lie in 1..64"),
        ({"text": "a cat", "images": [], "rows": ["AAAA []"]}, "rows[0] is no row"),
        ({"text": "a cat", "images": [None], "like": 0}, "got both"),
        ({"images": [None], "like": 1}, "like must be below the number of pictures, 1"),
    ],
)
def test_wrong_requests_are_reported(server: httpx.Client, body: dict[str, Any], says: str) -> None:
    images = [content("cat") if image is None else image for image in body["images"]]
    answer = server.post(ROUTE, json=body | {"images": images})
    assert answer.status_code == 400
    assert says in answer.text


def test_encoded_pictures_are_searched_again_without_being_sent(server: httpx.Client) -> None:
    images = [content(name) for name in NAMES]
    rows = server.post(ROUTE, json={"encode": True, "images": images}).json()["rows"]
    assert len(rows) == len(NAMES)
    for query in ({"text": "a cup on a table"}, {"like": 1}):
        sent = server.post(ROUTE, json=query | {"images": images}).json()
        again = server.post(ROUTE, json=query | {"rows": rows}).json()
        assert again == sent
    assert again["hits"][0]["index"] == 1  # nothing is more like a picture than itself
    mixed = server.post(ROUTE, json={"text": "a cat", "rows": rows[:1], "images": images[1:]}).json()
    assert mixed["hits"][0]["index"] == NAMES.index("cat")


def test_tags_that_a_client_made_up_do_no_harm(server: httpx.Client) -> None:
    row = server.post(ROUTE, json={"encode": True, "images": [content("cat")]}).json()["rows"][0]
    for tags in (
        "",
        "[" * 10_000,
        '[["cat", "high", 1, ""]]',
        '{"a": 1}',
        '[["cat", 1e999, 1, ""]]',
        '[["cat", 5, -3, 2]]',
    ):
        answer = server.post(ROUTE, json={"text": "a cat", "rows": [f"{row.split(' ')[0]} {tags}"]})
        assert answer.status_code == 200, (tags, answer.text)
        assert 0 <= answer.json()["hits"][0]["score"] <= 1
