"""A training killed while a checkpoint is being written: at every step, and after every so many bytes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="fork, SIGKILL, RLIMIT_FSIZE")

# Imports torch once and forks a child for each moment: the child saves step 2 over step 1 (and perhaps step 0) and is
# killed at its n-th operation on files, or by the kernel when its file reaches a size.
PROGRAM = """
import os, resource, signal, sys
from pathlib import Path
import torch
from szem.train.checkpoint import load_checkpoint, previous_generation, save_checkpoint

torch.set_num_threads(1)
home = Path(sys.argv[1])

def state(step):
    return {"step": step, "weights": torch.full((20_000,), float(step))}

def die_at_operation(number):
    seen = 0
    def hook(event, _):
        nonlocal seen
        if event in ("open", "os.rename", "os.mkdir", "os.remove"):
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    sync = os.fsync
    def fsync(handle):
        hook("open", ())
        sync(handle)
        hook("open", ())
    os.fsync = fsync

def die_at_bytes(size):
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

def try_one(name, prepare, value, generations):
    run = home / f"{name}-{value}-{generations}"
    path = run / "checkpoint.pt"
    for step in range(2 - generations, 2):
        save_checkpoint(path, state(step))
    pid = os.fork()
    if pid == 0:
        prepare(value)
        save_checkpoint(path, state(2))
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    found = load_checkpoint(path)
    assert found["step"] in (1, 2), (run, found["step"])
    assert bool((found["weights"] == found["step"]).all()), run
    save_checkpoint(path, state(3))  # it goes on
    assert load_checkpoint(path)["step"] == 3
    assert sorted(p.name for p in run.iterdir()) == ["checkpoint.previous.pt", "checkpoint.pt"], list(run.iterdir())
    return os.WIFSIGNALED(status)

killed = 0
for generations in (1, 2):
    number, dies = 1, True
    while dies:  # until the writing outlives it
        dies = try_one("operation", die_at_operation, number, generations)
        killed += dies
        number += 1
    for size in (1, 17, 50, 4096, 40_000, 79_999, 81_000):
        killed += try_one("bytes", die_at_bytes, size, generations)
print(killed)
"""


def test_a_checkpoint_being_written_may_be_cut_off_at_any_moment(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(PROGRAM)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 20, "hardly any of them was killed"
