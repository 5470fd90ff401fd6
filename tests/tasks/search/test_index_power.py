"""The index killed at random moments while it grows: never half, never less than before."""

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

from szem.tasks.search.encoder import WIDTH
from szem.tasks.search.index import IndexFile

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
PICTURES = 160

# The index is written after every few pictures; the networks are replaced by the picture's mean.
VICTIM = """
import sys, time
from pathlib import Path
import numpy as np
from szem.tasks.search import search
from szem.tasks.search.encoder import WIDTH, EncodedRow

search._TOGETHER = search._SAVE_EVERY = 8

class Encoder:
    identity, workers = "fake", 1
    def encode(self, picture):
        time.sleep(0.004)
        return EncodedRow(np.full(2 * WIDTH, int(picture.mean()) - 80, np.int8), "[]")

print("ready", flush=True)
search.update_index(Path(sys.argv[1]), encoder=Encoder(), file=Path(sys.argv[2]))
"""


def open_index(file: Path) -> IndexFile:
    return IndexFile(file, identity="fake", width=2 * WIDTH)


def kept(file: Path) -> int:
    index = open_index(file)
    try:
        return len(index)
    finally:
        index.close()


@pytest.mark.slow
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
        now = kept(file)
        assert now >= before, "what was encoded is kept"
        before = now
    assert kills
    subprocess.run(command, check=True, env=environment, timeout=60, capture_output=True)
    index = open_index(file)
    assert index.check() == 0
    assert [state.name for state, _ in index.states_after("", 999)] == [f"{n:03}.png" for n in range(PICTURES)]
    unit = np.zeros(2 * WIDTH, np.float32)
    unit[0] = 1
    found = {one.name: one.value for one in index.best(unit, PICTURES)}
    assert found == {f"{n:03}.png": n - 80 for n in range(PICTURES)}
    index.close()
