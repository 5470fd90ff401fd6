"""The vision API under load, beside bare sessions on the same cores.

    python benchmarks/serve.py [--quick] [--markdown FILE] [--litserve PYTHON]

One server process on loopback answers LABEL_DETECTION for pictures of mixed sizes. It is asked by 1 to 64 clients,
each sending its next request when it has the answer to the last one. Before and after each number of clients, the
same pictures go through the same network without a server, on as many threads as there are cores: that is the peer.
It keeps freed memory as the server does (`szem.serve.memory`); what it does without that is shown too. The clients
run on the same machine and take part of its cores, which the peer does not have to share; so processor time per
picture is given beside. In turns with it run the servers of `serve_peers.py`: a small FastAPI program, and LitServe
where --litserve names the Python of an environment that has it; as many worker processes as cores, the same network
and requests.
"""

import argparse
import asyncio
import base64
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from machine import describe_machine
from szem.media.pictures import read_picture
from szem.media.samples import SAMPLES, read_sample
from szem.runtime.sessions import cores
from szem.serve.memory import keep_freed_memory
from szem.tasks.classification.classify import Classifier
from szem.tasks.models import open_model

SIZES = ((320, 240), (640, 480), (1024, 768), (1600, 1200))  # width, height
CLIENTS = (1, 2, 4, 8, 16, 32, 64)
GOAL_FRACTION, GOAL_TAIL = 0.9, 4.0


@dataclass(frozen=True)
class Run:
    """One number of clients."""

    clients: int
    pictures_s: float
    bare_s: float  # pictures a second of the bare sessions just before and after
    p50_ms: float
    p99_ms: float
    cpu_ms: float  # processor time of the server for one picture
    peers_s: dict[str, float]  # pictures a second of the other servers, just afterwards


def make_pictures() -> list[bytes]:
    """Six photographs in four sizes, as JPEG files."""
    files = []
    for name in SAMPLES:
        photo = Image.fromarray(read_sample(name))
        for size in SIZES:
            out = io.BytesIO()
            photo.resize(size, Image.Resampling.LANCZOS).save(out, "JPEG", quality=88)
            files.append(out.getvalue())
    return files


def time_bare(files: Sequence[bytes], *, seconds: float) -> tuple[float, float]:
    """Pictures a second, and processor milliseconds a picture, without a server: read and classify on all cores."""
    classifier = Classifier(open_model(task="classify", threads=1), workers=1)
    stop = time.perf_counter() + seconds

    def work(offset: int) -> int:
        done = 0
        while time.perf_counter() < stop:
            file = files[(offset + done) % len(files)]
            classifier([read_picture(file, min_side_px=classifier.min_side_px)], top=10)
            done += 1
        return done

    classifier([read_picture(files[0])])
    stop = time.perf_counter() + seconds
    begun, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(cores()) as pool:
        done = sum(pool.map(work, [n * 7 for n in range(cores())]))
    return done / (time.perf_counter() - begun), (time.process_time() - cpu) / done * 1000


@contextmanager
def server() -> Iterator[tuple[str, int, int]]:
    """`szem serve` in a process of its own: host, port, process id."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "szem", "serve", "--port", "0", "--no-studio", "--quiet"]
        env = os.environ | {"SZEM_HOME": home}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
            try:
                assert process.stdout is not None
                match = re.search(r"http://([\d.]+):(\d+)", process.stdout.readline())
                assert match
                yield match[1], int(match[2]), process.pid
            finally:
                process.terminate()
                process.wait(30)


@contextmanager
def peer(kind: str, python: str) -> Iterator[tuple[str, int]]:
    """A server of `serve_peers.py` in a process of its own: host, port."""
    model = open_model(task="classify", threads=1).model
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = Path(__file__).with_name("serve_peers.py")
    command = [python, str(script), kind, "--port", str(port), "--workers", str(cores())]
    command += ["--model", str(model.file()), "--labels", str(model.folder / "labels.txt")]
    env = os.environ | {"ORT_DISABLE_TELEMETRY": "1"}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env) as process:
        try:
            end = time.monotonic() + 60
            while True:
                assert process.poll() is None, f"{kind} did not start: {' '.join(command)}"
                assert time.monotonic() < end, f"{kind} did not start in a minute"
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield "127.0.0.1", port
        finally:
            if process.poll() is None:
                for one in reversed(family(process.pid)):
                    os.kill(one, signal.SIGTERM)
                process.wait(30)


def make_request(file: bytes) -> bytes:
    """A whole HTTP request, ready to be sent: the clients should cost as little as they can."""
    body = json.dumps(
        {
            "requests": [
                {
                    "image": {"content": base64.b64encode(file).decode("ascii")},
                    "features": [{"type": "LABEL_DETECTION"}],
                }
            ]
        }
    ).encode()
    head = "POST /v1/images:annotate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def ask(
    host: str, port: int, requests: Sequence[bytes], *, clients: int, seconds: float, most: int | None = None
) -> tuple[list[float], float]:
    """Closed loop, each client asks again as soon as it is answered: milliseconds of each answer, seconds in all."""
    times: list[float] = []
    begun = time.perf_counter()

    async def client(offset: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        number = offset
        while time.perf_counter() - begun < seconds and (most is None or len(times) < most):
            asked = time.perf_counter()
            writer.write(requests[number % len(requests)])
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(re.search(rb"content-length: (\d+)", head.lower())[1])  # type: ignore[index]
            body = await reader.readexactly(length)
            assert head.startswith(b"HTTP/1.1 200"), (head, body[:300])
            assert b'"error"' not in body, body[:300]  # a picture without a likely label has an empty answer
            times.append((time.perf_counter() - asked) * 1000)
            number += 1
        writer.close()

    await asyncio.gather(*(client(n * 5) for n in range(clients)))
    return times, time.perf_counter() - begun


def family(pid: int) -> list[int]:
    """A process and all below it: the server and its workers (Linux)."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += family(int(child))
    return found


def cpu_s(pid: int) -> float:
    """Processor seconds that a process and those below it have used (Linux)."""
    total = 0.0
    for one in family(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def memory_mib(pid: int) -> float:
    """Resident memory of a process and those below it, each shared page counted for its fraction (Linux)."""
    total = 0
    for one in family(pid):
        text = Path(f"/proc/{one}/smaps_rollup").read_text()
        total += int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1])  # type: ignore[index]
    return total / 1024


def run(*, quick: bool, client_counts: Sequence[int] = CLIENTS, pythons: Mapping[str, str]) -> str:
    """Measure all, and write it as Markdown."""
    seconds = 2.0 if quick else 10.0
    total = 200 if quick else 2000
    files = make_pictures()
    requests = [make_request(file) for file in files]
    pause = seconds * 0.3
    plain, _ = time_bare(files, seconds=pause)
    keep_freed_memory()
    rows: list[Run] = []
    memory: list[float] = []
    with ExitStack() as stack:
        host, port, pid = stack.enter_context(server())
        peers = {kind: stack.enter_context(peer(kind, python)) for kind, python in pythons.items()}
        for address in ((host, port), *peers.values()):
            asyncio.run(ask(*address, requests, clients=2, seconds=2.0))  # warm
        before, bare_cpu = time_bare(files, seconds=pause)
        for clients in client_counts:
            used = cpu_s(pid)
            times, took = asyncio.run(ask(host, port, requests, clients=clients, seconds=seconds))
            p50, p99 = np.percentile(times, [50, 99])
            cpu_ms = (cpu_s(pid) - used) / len(times) * 1000
            after, _ = time_bare(files, seconds=pause)
            others = {}
            for kind, address in peers.items():
                answered, spent = asyncio.run(ask(*address, requests, clients=clients, seconds=seconds))
                others[kind] = len(answered) / spent
            rows.append(Run(clients, len(times) / took, (before + after) / 2, p50, p99, cpu_ms, others))
            before = after
        for _ in range(4):
            asyncio.run(ask(host, port, requests, clients=8, seconds=600, most=total // 4))
            memory.append(memory_mib(pid))
    return _report(rows, plain=plain, bare_cpu=bare_cpu, memory=memory, total=total)


def _report(rows: Sequence[Run], *, plain: float, bare_cpu: float, memory: Sequence[float], total: int) -> str:
    single = rows[0]
    sixteen = min(rows, key=lambda row: abs(row.clients - 16))
    best = max(rows, key=lambda row: row.pictures_s)
    bare = float(np.median([row.bare_s for row in rows]))
    sizes = ", ".join(f"{w}×{h}" for w, h in SIZES)
    about = (
        f"LABEL_DETECTION, one picture a request, JPEG {sizes}. Bare sessions (read and classify, {cores()} threads, "
        f"no server): {bare:.0f} pictures/s (median), {bare_cpu:.1f} ms of processor time a picture; {plain:.0f} "
        f"pictures/s without keeping freed memory."
    )
    throughput = (
        f"- Throughput: {best.pictures_s / best.bare_s:.2f} of bare sessions at {best.clients} clients (goal "
        f"{GOAL_FRACTION}), {best.pictures_s / plain:.2f} of bare sessions that keep no freed memory. The clients "
        f"use the same cores."
    )
    wait_ms = 1000 * sixteen.clients / sixteen.pictures_s
    tail = (
        f"- p99 at {sixteen.clients} clients: {sixteen.p99_ms / single.p99_ms:.1f} × the p99 of one client (goal at "
        f"most {GOAL_TAIL:g}), {sixteen.p99_ms / single.p50_ms:.1f} × its median. Who always waits has a mean "
        f"of {sixteen.clients} / throughput = {wait_ms:.0f} ms whatever the server does."
    )
    held = (
        f"- Memory over {total} requests: {', '.join(f'{m:.0f}' for m in memory)} MiB after each quarter "
        f"({memory[-1] - memory[0]:+.1f} MiB from the first to the last)."
    )
    table = [
        f"| {r.clients} | {r.pictures_s:.1f} | {r.pictures_s / r.bare_s:.2f} | {r.p50_ms:.0f} | {r.p99_ms:.0f} "
        f"| {r.cpu_ms:.1f} | {r.cpu_ms / bare_cpu:.2f} |"
        + "".join(f" {rate:.1f} | {r.pictures_s / rate:.2f} |" for rate in r.peers_s.values())
        for r in rows
    ]
    title = "| clients | pictures/s | of bare | p50 ms | p99 ms | server's processor ms a picture | of bare |"
    title += "".join(f" {kind}, pictures/s | szem × {kind} |" for kind in rows[0].peers_s)
    lines = ["# The vision API under load", "", describe_machine(), "", about, "", title]
    lines += ["|---:" * (title.count("|") - 1) + "|", *table, "", throughput, tail, held, ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short runs, to see that it works")
    parser.add_argument("--clients", type=int, nargs="+", default=list(CLIENTS), help="how many ask at once")
    parser.add_argument("--markdown", type=Path, help="write the report into this file too")
    parser.add_argument("--litserve", metavar="PYTHON", help="of an environment where litserve is installed")
    options = parser.parse_args()
    pythons = {"fastapi": sys.executable} | ({"litserve": options.litserve} if options.litserve else {})
    report = run(quick=options.quick, client_counts=options.clients, pythons=pythons)
    print(report)
    if options.markdown is not None:
        options.markdown.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
