"""`szem search` killed at random moments while its index is built: never half, never less than before."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

from szem.tasks.captioning import search as module
from szem.tasks.captioning.search import PictureIndex, read_index

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
PICTURES = 240
MODEL = "fake 0"

# The index is written after every few pictures; the network is replaced by the picture's mean.
VICTIM = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
import numpy as np
from szem.tasks.captioning import search

search._TOGETHER = search._SAVE_EVERY = 8

class Captioner:
    card, workers = SimpleNamespace(name="fake", sha256="0"), 1
    def picture_places(self, pictures):
        time.sleep(0.004)
        return np.array([[picture.mean() / 255, 1.0] for picture in pictures])

print("ready", flush=True)
search.update_index(Path(sys.argv[1]), captioner=Captioner(), file=Path(sys.argv[2]))
"""


def index_of(folder: Path, file: Path) -> PictureIndex | None:
    return read_index(file, folder=folder, model=MODEL)


@pytest.mark.parametrize("rounds", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_a_search_may_be_killed_at_any_moment(tmp_path: Path, rounds: int) -> None:
    folder, file, script = tmp_path / "pictures", tmp_path / "place" / "x.index", tmp_path / "victim.py"
    folder.mkdir()
    script.write_text(VICTIM)
    for n in range(PICTURES):
        cv2.imwrite(str(folder / f"{n:03}.png"), np.full((8, 8, 3), n, np.uint8))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script), str(folder), str(file)]
    rng, before, kills = random.Random(rounds), 0, 0
    for _ in range(rounds):
        if before == PICTURES:  # it is done: begin anew
            file.unlink()
            before = 0
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as victim:
            assert victim.stdout is not None
            assert victim.stdout.readline() == b"ready\n"
            written = file.stat().st_mtime_ns if file.exists() else 0
            deadline = time.monotonic() + 60
            while victim.poll() is None and (not file.exists() or file.stat().st_mtime_ns == written):
                assert time.monotonic() < deadline, "nothing is kept"
                time.sleep(0.001)
            time.sleep(rng.uniform(0.0, 0.1))
            with suppress(ProcessLookupError):
                victim.send_signal(signal.SIGKILL)
            kills += victim.wait(60) == -signal.SIGKILL
        found = index_of(folder, file)
        assert found is not None, "an index that cannot be read"
        assert len(found) >= before, "what was looked at is kept"
        before = len(found)
    assert kills
    subprocess.run(command, check=True, env=environment, timeout=60, capture_output=True)
    found = index_of(folder, file)
    assert found is not None
    assert [entry.name for entry in found.files] == [f"{n:03}.png" for n in range(PICTURES)]
    expected = np.array([[n / 255, 1.0] for n in range(PICTURES)], np.float16)
    np.testing.assert_array_equal(found.space[:, :2], expected)
    assert [path.name for path in file.parent.iterdir()] == ["x.index"], "what was half-written is swept"
    assert module._SAVE_EVERY > 8, "the victim's own setting"
