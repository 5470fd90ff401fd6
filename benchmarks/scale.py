"""Ray on one machine: speed with two workers, its cost, the driver's memory, and what `kill -9` takes.

Command:  python benchmarks/scale.py            (all)
          python benchmarks/scale.py throughput overhead memory kills

Wants a quiet machine with two cores; each table names the load that it was measured under. Workers compute in one
thread each. The rate is that between the first and the last part, without what Ray needs to start.
"""

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from machine import describe_machine
from szem.media.pictures import write_picture
from szem.media.samples import SAMPLES, sample_path
from szem.scale.driver import run

__all__ = ["main"]

_STORE_BYTES = 200_000_000


@dataclass
class _Watch:
    """Notes when inputs were done, and the memory of this process then."""

    seen: list[tuple[float, int, float]] = field(default_factory=list)  # seconds, inputs, MiB

    def __call__(self, done: int, _: int) -> None:
        self.seen.append((time.monotonic(), done, _resident_mib(os.getpid())))

    def rate(self) -> float:
        """Inputs a second between the first part and the last."""
        first, last = self.seen[1], self.seen[-1]
        return (last[1] - first[1]) / (last[0] - first[0])


def _resident_mib(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def _photographs(folder: Path, count: int) -> Path:
    """The bundled photographs, again and again."""
    folder.mkdir(parents=True)
    files = [sample_path(name) for name in SAMPLES]
    for number in range(count):
        source = files[number % len(files)]
        shutil.copy(source, folder / f"{number:05d}{source.suffix}")
    return folder


def _small_pictures(folder: Path, count: int) -> Path:
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for number in range(count):
        write_picture(folder / f"{number:05d}.png", rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
    return folder


def _load() -> str:
    return f"load {os.getloadavg()[0]:.1f}"


def _print(*cells: object) -> None:
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def _throughput(place: Path, args: argparse.Namespace) -> None:
    """One worker, then two: on Ray of this machine, and on two raylets that listen on loopback."""
    folder = _photographs(place / "photographs", args.pictures)
    print(f"\n{args.task}, {args.pictures} photographs, {_load()} before\n")
    _print("Ray", "1 worker", "2 workers", "factor", "seconds in all")
    _print(*["---"] * 5)
    for name in ("this machine", "two raylets"):
        rates, seconds = [], []
        for workers in (1, 2):
            with _two_raylets() if name == "two raylets" else _local() as on:
                watch = _Watch()
                report = run(
                    args.task,
                    folder,
                    place / f"{name}-{workers}",
                    on=on,
                    workers=workers,
                    part_inputs=args.part,
                    on_progress=watch,
                )
            assert (report.inputs, report.failed) == (args.pictures, 0)
            rates.append(watch.rate())
            seconds.append(report.seconds)
        spent = " and ".join(f"{one:.0f}" for one in seconds)
        _print(name, *(f"{rate:.1f}/s" for rate in rates), f"{rates[1] / rates[0]:.2f}", spent)
    print(f"\n{_load()} after")


@contextmanager
def _local() -> Iterator[str]:
    yield "ray"


@contextmanager
def _two_raylets() -> Iterator[str]:
    """A cluster of a head without processors and two nodes with one each, all on 127.0.0.1; its client's address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, __file__, "--cluster", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise SystemExit("the cluster did not start")
        yield f"ray://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _run_cluster(port: int) -> None:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    common = {"node_ip_address": "127.0.0.1", "object_store_memory": _STORE_BYTES, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={**common, "num_cpus": 0, "ray_client_server_port": port})
    try:
        for _ in range(2):
            cluster.add_node(**common, num_cpus=1)
        cluster.wait_for_nodes()
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", port)):
                    break
            time.sleep(0.2)
        print("ready", flush=True)
        signal.pause()
    finally:
        cluster.shutdown()


_NO_FILES = {"detect": ("--write", "none")}  # on Ray nothing is drawn


def _overhead(place: Path, args: argparse.Namespace) -> None:
    """The plain verb with two threads, which prints results and draws nothing, and the same verb on Ray."""
    folder = _photographs(place / "many", args.many)
    print(f"\nszem {args.task}, {args.many} photographs, two cores, {_load()} before\n")
    _print("command", "seconds", "against the plain verb")
    _print(*["---"] * 3)
    plain = _seconds(args.task, str(folder), "--json", "--quiet", *_NO_FILES.get(args.task, ()))
    _print("plain", f"{plain:.1f}", "")
    on_ray = _seconds(args.task, str(folder), "--on", "ray", "-o", str(place / "many-out"), "--workers", "2")
    _print("--on ray --workers 2", f"{on_ray:.1f}", f"{on_ray / plain - 1:+.0%}")
    print(f"\n{_load()} after")


def _seconds(*words: str) -> float:
    begin = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "szem", *words], stdout=subprocess.DEVNULL)
    assert done.returncode == 0
    return time.monotonic() - begin


def _memory(place: Path, args: argparse.Namespace) -> None:
    """The driver's resident memory while 20,000 small pictures pass."""
    folder = _small_pictures(place / "small", args.inputs)
    watch = _Watch()
    report = run("measure", folder, place / "small-out", workers=2, on_progress=watch)
    print(f"\nmeasure, {report.inputs} pictures of 32x24, {report.seconds:.0f} s, {_load()} after\n")
    _print("inputs done", "driver, MiB")
    _print(*["---"] * 2)
    for fraction in (0, 0.1, 0.25, 0.5, 0.75, 1):
        _, done, mib = next(row for row in watch.seen if row[1] >= fraction * report.inputs)
        _print(done, f"{mib:.0f}")


def _kills(place: Path, args: argparse.Namespace) -> None:
    """The driver, then a worker, killed at random moments; each input is looked for afterwards."""
    folder = _photographs(place / "kills", args.kill_pictures)
    names = sorted(file.name for file in folder.iterdir())
    begin = time.monotonic()
    process = _start(folder, place / "whole", args)
    _wait_for_workers(process)
    until_working, begin = time.monotonic() - begin, time.monotonic()
    while not (place / "whole" / "manifest.json").exists():
        assert process.poll() in (None, 0)
        time.sleep(0.1)
    working = time.monotonic() - begin
    assert process.wait() == 0
    assert sorted(_names_in(place / "whole")[0]) == names
    rng = random.Random(args.seed)
    print(f"\n{args.task}, {len(names)} photographs: workers there after {until_working:.0f} s, then {working:.0f} s")
    print(f"undisturbed; seed {args.seed}, {_load()}\n")
    _print("killed", "after its workers began", "parts there then", "starts", "rows", "failed", "lost", "twice")
    _print(*["---"] * 8)
    for number in range(args.kills):
        for whom in ("driver", "worker"):
            sink = place / f"{whom}-{number}"
            process = _start(folder, sink, args)
            _wait_for_workers(process)
            moment = rng.uniform(0, working)
            time.sleep(moment)
            pids = [process.pid] if whom == "driver" else _below(process.pid, "PartWorker")
            there, is_late = len(list(sink.glob("part-*"))), not pids or process.poll() is not None
            if not is_late:
                os.kill(rng.choice(pids), signal.SIGKILL)
            starts = 1
            while process.wait() != 0:
                process, starts = _start(folder, sink, args), starts + 1
            rows, failed = _names_in(sink)
            lost = set(names) - {*rows, *failed}
            twice = len(rows) + len(failed) - len({*rows, *failed})
            after = f"{moment:.1f} s" + (", done already" if is_late else "")
            _print(whom, after, there, starts, len(rows), len(failed), len(lost), twice)
            shutil.rmtree(sink)


def _wait_for_workers(process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None and not _below(process.pid, "PartWorker"):
        time.sleep(0.1)


def _start(folder: Path, sink: Path, args: argparse.Namespace) -> "subprocess.Popen[bytes]":
    words = [args.task, str(folder), "--on", "ray", "-o", str(sink), "--workers", "2", "--quiet"]
    return subprocess.Popen([sys.executable, "-m", "szem", *words], start_new_session=True)


def _names_in(sink: Path) -> tuple[list[str], list[str]]:
    """Names of the inputs among the results, and among the failures."""
    files = [sorted(sink.glob("part-*.jsonl")), [sink / "failed.jsonl"]]
    rows, failed = (
        [Path(json.loads(line)["file"]).name for file in some for line in file.read_text().splitlines()]
        for some in files
    )
    return rows, failed


def _below(pid: int, name: str) -> list[int]:
    """Processes below one whose command line holds a name."""
    lines = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True).stdout.splitlines()[1:]
    rows = {int(one): (int(parent), args) for one, parent, args in (line.split(None, 2) for line in lines)}

    def is_below(one: int) -> bool:
        while one in rows and one != pid:
            one = rows[one][0]
        return one == pid

    return [one for one, (_, args) in rows.items() if name in args and is_below(one)]


_PARTS: dict[str, Callable[[Path, argparse.Namespace], None]] = {
    "throughput": _throughput,
    "overhead": _overhead,
    "memory": _memory,
    "kills": _kills,
}


def _arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("what", nargs="*", help=f"of {', '.join(_PARTS)}; all")
    parser.add_argument("--task", default="detect")
    parser.add_argument("--pictures", type=int, default=480, help="of throughput")
    parser.add_argument("--part", type=int, default=16, help="pictures in a part of throughput")
    parser.add_argument("--many", type=int, default=2000, help="pictures of overhead")
    parser.add_argument("--inputs", type=int, default=20_000, help="pictures of memory")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--kill-pictures", type=int, default=480)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cluster", type=int, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def main() -> None:
    """Measure and print."""
    args = _arguments()
    if args.cluster:
        _run_cluster(args.cluster)
        return
    print(describe_machine("ray", "onnxruntime"))
    for name in args.what or list(_PARTS):
        with tempfile.TemporaryDirectory() as place:
            _PARTS[name](Path(place), args)


if __name__ == "__main__":
    main()
