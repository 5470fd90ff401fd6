"""Lip reading over HTTP: what the package says, as the page Lips takes it; wrong films and options reported."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

import szem
from szem.data.spoken import read_spoken
from szem.media.video_writer import VideoWriter

ROUTE = "/v1/szem/lipread"


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A second of grey, without face and sound."""
    path = tmp_path_factory.mktemp("films") / "grey.mp4"
    with VideoWriter(path, rate_hz=25) as writer:
        for _ in range(25):
            writer.write(np.full((64, 64, 3), 100, np.uint8))
    return path.read_bytes()


def ask(server: httpx.Client, data: bytes, **options: object) -> dict[str, Any]:
    answer = server.post(ROUTE, params={k: str(v) for k, v in options.items()}, content=data)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.data
def test_a_video_is_read_as_the_package_reads_it(server: httpx.Client, data_dir: Path) -> None:
    video = read_spoken(data_dir / "grid", split="val").videos[0]
    data = video.path.read_bytes()
    found = ask(server, data, use="both", levels="[100, -5]", study="true")
    wanted = szem.lipread(video.path)
    assert found["text"] == wanted.text
    assert found["confidence"] == pytest.approx(wanted.confidence, abs=1e-3)
    assert [level["noise_db"] for level in found["levels"]] == [100, -5]
    for level in found["levels"]:
        for use in ("lips", "sound", "both"):
            assert level[use]["used"] == use
            assert len(level[use]["moments"]) == found["frames"] == 75
            assert len(level[use]["spelled"]["letters"]) == len(level[use]["spelled"]["attention"])
    assert found["levels"][0]["lips"] == found["levels"][1]["lips"]  # noise does not reach the lips
    assert len(found["track"]["frames"]) == 75
    sheet = Image.open(io.BytesIO(base64.b64decode(found["crops"]["url"].partition(",")[2])))
    assert sheet.size == (found["crops"]["per_row"] * 80, 5 * 48)
    form = server.post(ROUTE, params={"study": "false"}, files={"video": ("a.mp4", data)}).json()
    body = {"video": {"content": base64.b64encode(data).decode()}, "study": False}
    assert form["text"] == server.post(ROUTE, json=body).json()["text"] == wanted.text
    assert "moments" not in form


@pytest.mark.data
def test_a_face_that_is_not_there_is_answered_with_the_reason(server: httpx.Client, data_dir: Path) -> None:
    data = read_spoken(data_dir / "grid", split="val").videos[0].path.read_bytes()
    found = ask(server, data, face=7, study="false")
    assert found["is_read"] is False
    assert found["reason"] == "only 1 face is seen, number 7 was asked for"
    assert found["guess"] == ""


def test_what_cannot_be_read_is_answered_with_the_reason(server: httpx.Client, blank: bytes) -> None:
    found = ask(server, blank)
    assert found["is_read"] is False
    assert found["reason"] == "no face is seen, and the video has no sound"
    json.dumps(found)


WRONG = [
    # options, what is said
    ({"use": "eyes"}, "lips, sound, both"),
    ({"beams": 99}, "beams must lie in 1..32"),
    ({"face": "left"}, "face must be largest"),
    ({"noiseDb": '"loud"'}, "noiseDb"),
    ({"noiseDb": 900}, "noiseDb must lie in"),
    ({"levels": "[1e9]"}, "levels must lie in"),
    ({"levels": json.dumps([0] * 13)}, "at most 12"),
    ({"levels": "5"}, "'levels' (a list)"),
    ({"surprise": 1}, "surprise"),
]


@pytest.mark.parametrize(("options", "says"), WRONG)
def test_wrong_options_are_refused(server: httpx.Client, blank: bytes, options: dict[str, object], says: str) -> None:
    answer = server.post(ROUTE, params={k: str(v) for k, v in options.items()}, content=blank)
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]


@pytest.mark.parametrize("data", [b"", b"no film at all" * 50])
def test_what_is_no_video_is_refused(server: httpx.Client, data: bytes) -> None:
    answer = server.post(ROUTE, content=data, headers={"content-type": "video/mp4"})
    assert answer.status_code == 400
    assert "film" in answer.json()["error"]["message"] or "video" in answer.json()["error"]["message"]
