"""Sounds over HTTP: events, curves, and what is wrong with a request."""

import base64
from pathlib import Path

import httpx
import numpy as np
import pytest

from szem.media.sound import write_sound

from ... import sounds

ROUTE = "/v1/szem/listen"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("sounds") / "a.wav"
    write_sound(file, np.concatenate([sounds.quiet(1), sounds.noise(2), sounds.quiet(1)]))
    return file.read_bytes()


def test_a_sound_comes_in_three_ways(server: httpx.Client, clip: bytes, tmp_path: Path) -> None:
    body = server.post(ROUTE, params={"curves": "true"}, content=clip)
    form = server.post(ROUTE, files={"sound": ("a.wav", clip)}, data={"curves": "true"})
    json = server.post(ROUTE, json={"sound": {"content": base64.b64encode(clip).decode()}, "curves": True})
    assert body.status_code == form.status_code == json.status_code == 200, (body.text, form.text, json.text)
    assert body.json() == form.json() == json.json()
    found = body.json()
    assert found["duration_s"] == 4
    curves = found["curves"]
    assert len(curves["time_s"]) == len(curves["level_db"]) > 10
    assert all(len(row) == len(curves["time_s"]) for row in curves["scores"].values())
    assert max(curves["level_db"]) > min(curves["level_db"]) + 20


WRONG = [
    # options, body, status, what is said
    ({}, b"", 400, "no sound came"),
    ({}, b"RIFFnothing", 400, "not a sound"),
    ({"threshold": "2"}, None, 400, "threshold must lie"),
    ({"classes": "a kazoo"}, None, 400, "it knows"),
    ({"surprise": "1"}, None, 400, "surprise"),
    ({"model": "detect"}, None, 400, "for listen; there are"),
]


@pytest.mark.parametrize(("options", "body", "status", "says"), WRONG)
def test_wrong_requests_are_reported(
    server: httpx.Client, clip: bytes, options: dict[str, str], body: bytes | None, status: int, says: str
) -> None:
    answer = server.post(ROUTE, params=options, content=clip if body is None else body)
    assert answer.status_code == status, answer.text
    assert says in answer.json()["error"]["message"]
