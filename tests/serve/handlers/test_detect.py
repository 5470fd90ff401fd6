"""Boxes over HTTP: Google's own client asks for OBJECT_LOCALIZATION, a program for /v1/szem/detect."""

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import vision
from PIL import Image

from szem.runtime.cards import read_card, write_card


@pytest.fixture
def server(
    tmp_path: Path, color_detector: Path, run_server: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[httpx.Client]:
    """A server whose detector finds red, green and blue squares: a user's own model takes the shipped one's place."""
    monkeypatch.setenv("SZEM_HOME", str(tmp_path))
    home = tmp_path / "models" / "detect"
    shutil.copytree(color_detector, home)
    write_card(home, read_card(home).model_copy(update={"name": "detect"}))
    with run_server() as client:
        yield client


@pytest.fixture
def squares() -> bytes:
    """A sure red square at the left, a blue one off the grid, and so less sure, at the right; 256×192."""
    picture = np.zeros((192, 256, 3), np.uint8)
    picture[16:96, 0:80, 0] = 255
    picture[100:180, 152:232, 2] = 235
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()


def test_googles_client_gets_objects_best_first_with_corners_as_fractions(
    server: httpx.Client, squares: bytes
) -> None:
    client = vision.ImageAnnotatorClient(
        transport="rest",
        client_options={"api_endpoint": str(server.base_url).rstrip("/")},
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
    )
    answer = client.object_localization(image=vision.Image(content=squares))  # type: ignore[attr-defined]
    assert not answer.error.message
    red, blue = answer.localized_object_annotations
    assert (red.name, blue.name) == ("red", "blue")
    assert 1 >= red.score > blue.score > 0.6
    corners = [(v.x, v.y) for v in red.bounding_poly.normalized_vertices]
    expected = [(0, 16 / 192), (80 / 256, 16 / 192), (80 / 256, 96 / 192), (0, 96 / 192)]
    np.testing.assert_allclose(corners, expected, atol=0.02)
    assert not red.bounding_poly.vertices
    few = client.object_localization(image=vision.Image(content=squares), max_results=1)  # type: ignore[attr-defined]
    assert [o.name for o in few.localized_object_annotations] == ["red"]
    black = io.BytesIO()
    Image.new("RGB", (30, 20)).save(black, "PNG")
    none = client.object_localization(image=vision.Image(content=black.getvalue()))  # type: ignore[attr-defined]
    assert not none.localized_object_annotations
    assert not none.error.message


def test_the_route_takes_threshold_and_classes(server: httpx.Client, squares: bytes) -> None:
    answer = server.post("/v1/szem/detect", content=squares).json()
    assert (answer["width"], answer["height"], answer["model"]) == (256, 192, "detect")
    assert [box["label"] for box in answer["boxes"]] == ["red", "blue"]
    only = server.post("/v1/szem/detect", params={"classes": "blue"}, content=squares).json()
    assert [box["label"] for box in only["boxes"]] == ["blue"]
    sure = server.post("/v1/szem/detect", params={"threshold": "0.97"}, content=squares).json()
    assert [box["label"] for box in sure["boxes"]] == ["red"]
    for params, said in (({"classes": "cow"}, "cow"), ({"threshold": "7"}, "0..1"), ({"model": "../x"}, "no model")):
        refused = server.post("/v1/szem/detect", params=params, content=squares)
        assert refused.status_code in (400, 404)
        assert said in refused.text
    seen = server.post("/v1/szem/look", content=squares).json()
    assert [box["label"] for box in seen["boxes"]["boxes"]] == ["red", "blue"]
