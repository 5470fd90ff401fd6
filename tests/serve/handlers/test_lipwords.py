"""A word from the lips over HTTP: the drawn face, reasons, and options that are refused."""

import httpx
import numpy as np
import pytest

from szem.studio import studio_folder
from szem.tasks.faces.mouth_crops import track_mouth
from szem.tasks.lipreading.single_words import read_lip_word

ROUTE = "/v1/szem/lipwords"
SPEAKING = studio_folder() / "samples" / "speaking.mp4"


def test_a_word_is_read_as_the_package_reads_it(server: httpx.Client) -> None:
    answer = server.post(ROUTE, params={"kind": "word", "top": 3, "study": "true"}, content=SPEAKING.read_bytes())
    assert answer.status_code == 200, answer.text
    found = answer.json()
    wanted = read_lip_word(track_mouth(SPEAKING), kind="word", top=3)
    assert [label["name"] for label in found["labels"]] == [label.name for label in wanted]
    assert found["labels"][0]["name"] == "start"
    assert np.allclose([label["score"] for label in found["labels"]], [label.score for label in wanted], atol=0.05)
    assert found["is_confident"] == (found["labels"][0]["score"] >= 0.5)
    assert len(found["track"]["frames"]) == found["crops"]["count"] > 15


def test_a_number_of_a_face_that_is_not_there_is_a_reason(server: httpx.Client) -> None:
    found = server.post(ROUTE, params={"face": "2"}, content=SPEAKING.read_bytes()).json()
    assert found["labels"] == []
    assert not found["is_confident"]
    assert "number 2 was asked for" in found["reason"]


@pytest.mark.parametrize(
    ("options", "said"),
    [({"kind": "sentence"}, "no kind called"), ({"top": 0}, "top"), ({"face": "left"}, "face must be largest")],
)
def test_wrong_options_are_refused(server: httpx.Client, options: dict[str, object], said: str) -> None:
    answer = server.post(ROUTE, params=options, content=SPEAKING.read_bytes())  # type: ignore[arg-type]
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
