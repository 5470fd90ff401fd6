"""`szem look`: the time of a picture, each task's fraction of it, memory, and the same beside another commit.

    python benchmarks/look.py [--rounds 8] [--against COMMIT] [--cores 0,1]

The bundled photographs, one after the other. Wall and processor time are medians over rounds; a task's fraction is
measured with tasks run one after the other. `--against 6f95c69` checks that commit out into a temporary worktree and
runs it in turns with this one, each in a process of its own, so both see the same load. Tasks that only one of the
two has are left out. No peer does the same work.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from machine import describe_machine

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ("cat", "coffee", "astronaut", "rocket")
# Run in a process of its own with the source of one commit. It talks in lines: a command in, JSON out.
WORKER = """
import json, resource, sys, time
from szem.media.samples import read_sample
from szem.tasks.look import Looker
began = time.perf_counter(), time.process_time()
looker = Looker(sys.argv[1].split(",") if sys.argv[1] else None)
opened = time.perf_counter() - began[0], time.process_time() - began[1]
pictures = [read_sample(name) for name in sys.argv[2].split(",")]
for picture in pictures:
    looker(picture)
print(json.dumps({"tasks": list(looker.runs), "opened": opened}), flush=True)
for line in sys.stdin:
    if line.strip() == "round":
        wall, cpu = time.perf_counter(), time.process_time()
        for picture in pictures:
            looker(picture)
        n = len(pictures)
        answer = {"wall": (time.perf_counter() - wall) / n, "cpu": (time.process_time() - cpu) / n}
    else:
        answer = {"fractions": dict.fromkeys(looker.runs, 0.0)}
        for picture in pictures:
            common = {}
            for name, run in looker.runs.items():
                cpu = time.process_time()
                run(picture, common)
                answer["fractions"][name] += (time.process_time() - cpu) / len(pictures)
    answer["rss_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(answer), flush=True)
"""


class Worker:
    """`look` of one source tree in a process of its own."""

    def __init__(self, source: Path, tasks: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(source)}
        command = [sys.executable, "-c", WORKER, tasks, ",".join(PICTURES)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)
        self.about = self._read()

    def ask(self, command: str) -> dict[str, Any]:
        """One round, or the fractions of the tasks."""
        assert self.process.stdin is not None
        print(command, file=self.process.stdin, flush=True)
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("look ended early; its error stands above")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)


def tasks_of(source: Path) -> list[str]:
    """The tasks of one source tree."""
    worker = Worker(source, "")
    worker.close()
    return worker.about["tasks"]


def median(rounds: list[dict[str, Any]], what: str) -> float:
    """Milliseconds."""
    return statistics.median(one[what] for one in rounds) * 1e3


def run(sources: dict[str, Path], rounds: int) -> None:
    """Measure every source tree in turns, and print."""
    common = [set(tasks_of(source)) for source in sources.values()]
    tasks = ",".join(name for name in tasks_of(ROOT / "src") if all(name in some for some in common))
    workers = {name: Worker(source, tasks) for name, source in sources.items()}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in workers}
    for _ in range(rounds):
        for name, worker in workers.items():
            found[name].append(worker.ask("round"))
    print(f"Tasks: {tasks}. Pictures: {', '.join(PICTURES)}. Medians of {rounds} rounds, milliseconds a picture.\n")
    print(
        "| | wall | processor | opening, wall | opening, processor | memory at the end |\n"
        "|---|---:|---:|---:|---:|---:|"
    )
    for name, worker in workers.items():
        wall, cpu = (1e3 * value for value in worker.about["opened"])
        memory = found[name][-1]["rss_mib"]
        print(
            f"| {name} | {median(found[name], 'wall'):.0f} | {median(found[name], 'cpu'):.0f} "
            f"| {wall:.0f} | {cpu:.0f} | {memory:.0f} MiB |"
        )
    fractions = workers["this commit"].ask("fractions")["fractions"]
    total = sum(fractions.values())
    print("\n| task | ms | fraction |\n|---|---:|---:|")
    for name, seconds in sorted(fractions.items(), key=lambda item: -item[1]):
        print(f"| {name} | {seconds * 1e3:.1f} | {seconds / total:.0%} |")
    for name in [name for name in workers if name != "this commit"]:
        ratios = [median(found["this commit"], what) / median(found[name], what) for what in ("wall", "cpu")]
        print(f"\nBeside {name}: wall ×{ratios[0]:.2f}, processor time ×{ratios[1]:.2f}.")
    for worker in workers.values():
        worker.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--against", help="a commit to run in the same turns")
    parser.add_argument("--cores", help="the cores to run on, such as 0,1")
    chosen = parser.parse_args()
    if chosen.cores:
        os.sched_setaffinity(0, {int(core) for core in chosen.cores.split(",")})
    print(
        f"{describe_machine('onnxruntime')}; load {os.getloadavg()[0]:.1f}; {time.strftime('%Y-%m-%d')}\n", flush=True
    )
    sources = {"this commit": ROOT / "src"}
    if not chosen.against:
        run(sources, chosen.rounds)
        return
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(tree), chosen.against], check=True)
        try:
            run({**sources, chosen.against: tree / "src"}, chosen.rounds)
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)


if __name__ == "__main__":
    main()
