"""Mutated files through szem's readers in child processes with limits of memory and time.

A child says which file it begins and how it ended; one that dies or overstays is replaced, and the next goes on after
that file.
"""

import argparse
import contextlib
import io
import os
import pickle
import queue
import resource
import shutil
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.fuzz.seeds import Seed, mutated

__all__ = ["Tally", "read_one", "run_files"]

_ROOT = Path(__file__).resolve().parents[2]
_FILE_S = 10.0  # for one file
_MEMORY_BYTES = 2 << 30


@dataclass
class Tally:
    """What came of them."""

    what: str
    done: int = 0
    asked: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def report(self) -> str:
        """For people: counts, then every finding."""
        kinds = ", ".join(f"{name} {count}" for name, count in self.outcomes.most_common())
        head = f"{self.what}: {self.done} of {self.asked} in {self.seconds:.0f} s; {kinds or 'nothing'}"
        return "\n".join([head, f"findings: {len(self.findings)}", *self.findings[:50]])


def read_one(corpus: Sequence[Seed], seed: int, number: int, home: Path) -> str:
    """Read one mutated file in this process: "picture ok", "sound FormatError", or "… FINDING …"."""
    from szem.errors import SzemError

    given = mutated(corpus, seed, number)
    try:
        _READERS[given.kind](given, home)
    except SzemError as error:
        lines = str(error).splitlines()
        return f"{given.kind} {type(error).__name__}" if len(lines) == 1 else f"{given.kind} FINDING {lines[:2]}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        where = traceback.extract_tb(error.__traceback__)[-1]
        name = f"{Path(where.filename).name}:{where.lineno}"
        what = " ".join(str(error).split())[:200]
        return f"{given.kind} FINDING {given.name} {type(error).__name__} at {name}: {what}"
    return f"{given.kind} ok"


def run_files(corpus: Sequence[Seed], count: int, *, seed: int, workers: int, home: Path, limit_s: float) -> Tally:
    """Read `count` mutated files in `workers` children.

    Args:
        corpus: What is mutated.
        count: How many.
        seed: Of the mutations.
        workers: Children at a time.
        home: A folder for their files.
        limit_s: Stop after so long.
    """
    (home / "corpus.pickle").write_bytes(pickle.dumps(list(corpus)))
    tally, lock, started = Tally("files", asked=count), threading.Lock(), time.monotonic()
    threads = [
        threading.Thread(target=_drive, args=(number, workers, count, seed, home, started + limit_s, tally, lock))
        for number in range(workers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tally.seconds = time.monotonic() - started
    return tally


def _drive(
    first: int, step: int, count: int, seed: int, home: Path, until: float, tally: Tally, lock: threading.Lock
) -> None:
    """Keep one child at work; another after each that dies."""
    number = first
    while number < count and time.monotonic() < until:
        words = [str(seed), str(number), str(step), str(count), str(home)]
        child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.fuzz.children", *words],
            cwd=_ROOT,
            env={**os.environ, "SZEM_HOME": str(home / f"home{first}"), "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_pump, args=(child, lines), daemon=True).start()
        overstayed = False
        begun = number
        while time.monotonic() < until:
            try:
                line = lines.get(timeout=30.0 if begun == number else _FILE_S)
            except queue.Empty:
                overstayed = True
                break
            if not line:
                break
            place, _, outcome = line.strip().partition(" ")
            if outcome == "begins":
                begun = int(place)
                continue
            with lock:
                tally.done += 1
                tally.outcomes[outcome.split(" FINDING")[0] + (" FINDING" if "FINDING" in outcome else "")] += 1
                if "FINDING" in outcome:
                    tally.findings.append(f"seed {seed} number {place}: {outcome}")
            number = int(place) + step
        child.kill()
        status = child.wait()
        if number < count and time.monotonic() < until:
            why = f"took more than {_FILE_S:g} s" if overstayed else f"the child ended with status {status}"
            with lock:
                tally.done += 1
                tally.findings.append(f"seed {seed} number {begun}: {why}")
            number = max(begun, number) + step


def _pump(child: "subprocess.Popen[str]", lines: "queue.Queue[str]") -> None:
    assert child.stdout is not None
    with child.stdout as out:
        for line in out:
            lines.put(line)
    lines.put("")


# In the child ----------------------------------------------------------------------------------------------------


def _read_picture(given: Seed, home: Path) -> None:  # noqa: ARG001
    from szem.media.pictures import Limits, read_pictures

    for _ in read_pictures(given.data, limits=Limits(max_pixels=1_000_000, max_frames=5)):
        pass


def _read_sound(given: Seed, home: Path) -> None:  # noqa: ARG001
    from szem.media.sound import read_sound

    read_sound(given.data, most_s=600)


def _read_video(given: Seed, home: Path) -> None:  # noqa: ARG001
    from szem.media.pictures import Limits
    from szem.media.video import read_video

    for frame in read_video(io.BytesIO(given.data), limits=Limits(max_pixels=1_000_000)):
        frame.scaled(16, 16)
        if frame.index > 20:
            break


def _add_network(given: Seed, home: Path) -> None:
    from szem.tasks.models import add_model

    folder = home / f"onnx{os.getpid()}"
    folder.mkdir(exist_ok=True)
    (folder / "net.onnx").write_bytes(given.data)
    (folder / "weights.bin").write_bytes(bytes(36))
    (folder / "labels.txt").write_text("a\nb\nc\n")
    model = add_model(folder / "net.onnx", task="classify", labels=folder / "labels.txt")
    shutil.rmtree(model.folder)


def _read_annotation(given: Seed, home: Path) -> None:
    from PIL import Image

    from szem.data.boxed_folder import read_boxed

    folder = home / f"boxes{os.getpid()}" / given.name.replace("/", "-")
    file = folder / given.name
    if not folder.is_dir():
        (folder / "images").mkdir(parents=True)
        (folder / "labels").mkdir()
        for place in (folder, folder / "images"):
            Image.new("RGB", (100, 50)).save(place / "a.png")
    file.write_bytes(given.data)
    read_boxed(folder)


_READERS = {
    "picture": _read_picture,
    "sound": _read_sound,
    "video": _read_video,
    "onnx": _add_network,
    "annotation": _read_annotation,
}


def _main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("seed", "first", "step", "count"):
        parser.add_argument(name, type=int)
    parser.add_argument("home", type=Path)
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))
    corpus = pickle.loads((asked.home / "corpus.pickle").read_bytes())  # noqa: S301 -- written by the parent
    out = os.fdopen(os.dup(1), "w")
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what decoders print is no outcome
    for number in range(asked.first, asked.count, asked.step):
        print(number, "begins", file=out, flush=True)
        print(number, read_one(corpus, asked.seed, number, asked.home), file=out, flush=True)


if __name__ == "__main__":
    _main()
