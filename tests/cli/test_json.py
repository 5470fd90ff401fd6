"""`--json` of every verb: each line, or all of it, is JSON that a strict reader takes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from szem.cli.run import run
from szem.media.pictures import write_picture
from szem.media.sound import write_sound
from szem.media.video_writer import VideoWriter

# Words after szem, and whether the whole output is one value (else one a line).
VERBS = {
    "look": (["look", "flat.png", "noise.png"], False),
    "classify": (["classify", "flat.png", "noise.png", "--map", "-o", "out/"], False),
    "caption": (["caption", "flat.png", "--beam", "1", "--top", "2"], False),
    "detect": (["detect", "noise.png", "v.mp4", "--write", "none", "--zone", "0,0 1,0 1,1"], False),
    "segment": (["segment", "flat.png", "v.mp4", "-m", "road", "--workers", "1", "--write", "none"], False),
    "listen": (["listen", "silent.wav", "loud.wav"], False),
    "lipread": (["lipread", "v.mp4"], False),
    "search": (["search", "a cat", ".", "--index", "x.index"], False),
    "generate": (["generate", "a rose", "--n", "1", "--influence", "-o", "g.png"], False),
    "explain": (["explain", "flat.png", "-l", "stem.conv", "--neuron", "0,0,0", "-o", "out/"], True),
    "models list": (["models", "list"], True),
    "models show": (["models", "show", "caption"], True),
}


@pytest.fixture
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    write_picture("flat.png", np.full((48, 64, 3), 128, np.uint8))  # nothing to divide by
    write_picture("noise.png", noise)
    with VideoWriter("v.mp4", rate_hz=10) as video:
        for _ in range(3):
            video.write(noise)
    write_sound("silent.wav", np.zeros(16_000, np.float32))
    write_sound("loud.wav", np.ones(16_000, np.float32))


def refuse(word: str) -> Any:
    pytest.fail(f"{word} is not JSON")


@pytest.mark.slow
@pytest.mark.usefixtures("_folder")
@pytest.mark.parametrize("verb", VERBS)
def test_every_answer_is_json(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, is_one = VERBS[verb]
    assert run([*words, "--json"]) in (0, 1)  # one word alone has no influence to compare
    out = capsys.readouterr().out
    assert out.isascii()
    answers = [json.loads(text, parse_constant=refuse) for text in ([out] if is_one else out.splitlines())]
    assert answers
    if verb not in ("models list", "models show", "search", "generate", "explain"):
        assert all("file" in answer for answer in answers)
