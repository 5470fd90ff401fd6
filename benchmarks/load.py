"""The server under more clients than it can serve, one in five of them hostile: what fails, and whether it lives on.

    python benchmarks/load.py [--clients 64 256] [--seconds 60] [--markdown FILE]

One server process on loopback. Each client sends its next request when it has the answer to the last one, and waits
as Retry-After says when it is refused. Three in five ask for the labels of a small JPEG, one in five for the objects
of a larger one, and one in five sends what nobody should: damaged pictures, bombs of compressed bytes, headers of
huge pictures, JSON without end, uploads that break off. Meanwhile another process asks /healthz five times a second,
each time over a new connection, and the memory of the server with all its workers is noted.

A good request may be answered, or refused with 429 or 503 and Retry-After: anything else is a failure, and printed.
"""

import argparse
import asyncio
import gzip
import http.client
import io
import json
import multiprocessing
import random
import re
import sys
import time
import wave
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from PIL import Image

from machine import describe_machine
from serve import make_request, memory_mib, server
from szem.media.samples import SAMPLES, read_sample

PROBE_S, MEMORY_S = 0.2, 5.0
_PATIENCE_S = 180.0  # above every limit of the server: what takes longer is a failure
Exchange = tuple[str, bytes, bool]  # kind, the request, and whether it breaks off before its end


@dataclass
class Tally:
    """What came of the requests of one run."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)  # (kind of request, outcome)
    times_ms: dict[str, list[float]] = field(default_factory=dict)  # of answers to good requests
    failures: list[str] = field(default_factory=list)

    def note(self, kind: str, outcome: str, *, took_ms: float | None = None) -> None:
        """Count a request; the milliseconds of an answer."""
        self.outcomes[kind, outcome] += 1
        if took_ms is not None:
            self.times_ms.setdefault(kind, []).append(took_ms)


def post(path: str, body: bytes, *headers: str) -> bytes:
    """A whole HTTP request."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def jpeg(name: str, width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(read_sample(name)).resize((width, height)).save(out, "JPEG", quality=88)
    return out.getvalue()


def good_requests() -> dict[str, list[Exchange]]:
    """Requests that deserve an answer, by what they ask for."""
    labels = [make_request(jpeg(name, 320, 240)) for name in SAMPLES]
    objects = [post("/v1/szem/detect", jpeg(name, 640, 480), "Content-Type: image/jpeg") for name in SAMPLES]
    return {
        "labels": [("labels", request, False) for request in labels],
        "objects": [("objects", request, False) for request in objects],
    }


def hostile_requests(rng: random.Random) -> list[Exchange]:
    """Requests that do not: each is to be refused, and none to do harm."""
    whole = jpeg(next(iter(SAMPLES)), 320, 240)
    damaged = [bytearray(whole) for _ in range(8)]
    for file in damaged:
        for _ in range(40):
            file[rng.randrange(200, len(file))] = rng.randrange(256)
    png = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(png, "PNG")
    huge = png.getvalue()[:16] + (60_000).to_bytes(4, "big") * 2 + png.getvalue()[24:]
    sound = io.BytesIO()
    with wave.open(sound, "wb") as out:
        out.setparams((64, 4, 192_000, 0, "NONE", ""))
        out.writeframes(bytes(64 * 4 * 500))
    bomb, packed = gzip.compress(b" " * 100_000_000), "Content-Encoding: gzip"
    sent = [
        *(post("/v1/szem/classify", bytes(file)) for file in damaged),
        post("/v1/szem/classify", whole[: len(whole) // 2]),
        post("/v1/szem/detect", huge),
        post("/v1/szem/filter?kernel=gaussian:80&dilation=2147483647", whole),
        post("/v1/szem/listen", sound.getvalue()[:-7]),
        post("/v1/images:annotate", bomb, packed),
        post("/v1/images:annotate", b"[" * 100_000, "Content-Type: application/json"),
        post("/v1/images:annotate", b'{"requests":' + b"9" * 5000 + b"}", "Content-Type: application/json"),
        post("/v1/szem/lab/networks", rng.randbytes(50_000)),
        post("/v1/szem/nothing", whole),
    ]
    cut = post("/v1/szem/classify", whole)
    return [("hostile", one, False) for one in sent] + [("hostile", cut[: len(cut) // 2], True)]


async def client(
    address: tuple[str, int], choose: Callable[[], Exchange], until: float, tally: Tally, rng: random.Random
) -> None:
    """Ask until the time is over."""
    stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    while time.perf_counter() < until:
        kind, request, breaks_off = choose()
        asked = time.perf_counter()
        wait_s = 0.0
        try:
            async with asyncio.timeout(_PATIENCE_S):
                if stream is None:
                    stream = await asyncio.open_connection(*address)
                reader, writer = stream
                writer.write(request)
                await writer.drain()
                if breaks_off:
                    writer.close()
                    stream = None
                    tally.note(kind, "left")
                    await asyncio.sleep(rng.random())
                    continue
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                if b"\r\ntransfer-encoding: chunked" in head:
                    body = await reader.read()
                else:
                    length = re.search(rb"\r\ncontent-length: (\d+)", head)
                    body = await reader.readexactly(int(length[1])) if length else await reader.read()
            if b"\r\nconnection: close" in head or b"\r\ntransfer-encoding: chunked" in head:
                writer.close()
                stream = None
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            stream = None
            tally.note(kind, type(error).__name__)
            if kind != "hostile" or isinstance(error, TimeoutError):
                tally.failures.append(f"{kind}: {type(error).__name__} {error}")
            await asyncio.sleep(0.5)
            continue
        status = int(head[9:12])
        took_ms = (time.perf_counter() - asked) * 1000
        told = re.search(rb"\r\nretry-after: (\d+)", head)
        if status in (429, 503) and told:
            tally.note(kind, f"{status}, told to wait")
            wait_s = int(told[1]) * rng.uniform(0.5, 1.5)
        elif kind == "hostile":
            tally.note(kind, str(status))
            if status >= 500 and status not in (501, 503, 504):
                tally.failures.append(f"hostile: {status} {body[:200]!r} to {request[:80]!r}")
        elif status == 200 and b'"error"' not in body[:4000]:
            tally.note(kind, "answered", took_ms=took_ms)
        else:
            tally.note(kind, str(status))
            tally.failures.append(f"{kind}: {status} {body[:200]!r}")
        if wait_s:
            await asyncio.sleep(min(wait_s, max(0.0, until - time.perf_counter())))
    if stream is not None:
        stream[1].close()


def probe(host: str, port: int, seconds: float, out: Connection) -> None:
    """Ask /healthz again and again, in a process of its own; sends (milliseconds, status) of each."""
    found: list[tuple[float, int]] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        asked = time.perf_counter()
        connection = http.client.HTTPConnection(host, port, timeout=30)
        try:
            connection.request("GET", "/healthz")
            status = connection.getresponse().status
        except OSError:
            status = 0
        finally:
            connection.close()
        took = time.perf_counter() - asked
        found.append((took * 1000, status))
        time.sleep(max(0.0, PROBE_S - took))
    out.send(found)


async def load(address: tuple[str, int], clients: int, seconds: float, pid: int) -> tuple[Tally, list[float]]:
    """Run all clients for a time; what came of it, and the memory of the server in MiB, every few seconds."""
    tally, good, hostile = Tally(), good_requests(), hostile_requests(random.Random(clients))
    until = time.perf_counter() + seconds

    def chooser(number: int) -> Callable[[], Exchange]:
        rng = random.Random(number)
        kind = ("labels", "labels", "objects", "labels", "hostile")[number % 5]
        return lambda: rng.choice(hostile if kind == "hostile" else good[kind])

    async def watch() -> list[float]:
        found = []
        while time.perf_counter() < until:
            found.append(await asyncio.to_thread(memory_mib, pid))
            await asyncio.sleep(MEMORY_S)
        return found

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(client(address, chooser(n), until, tally, random.Random(n)) for n in range(clients)))
    return tally, await watching


def run_one(host: str, port: int, pid: int, clients: int, seconds: float) -> tuple[list[str], int]:
    """One number of clients: rows of the tables, and how many failures there were."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    prober = multiprocessing.get_context("spawn").Process(target=probe, args=(host, port, seconds, theirs))
    prober.start()
    tally, memory = asyncio.run(load((host, port), clients, seconds, pid))
    health = ours.recv() if ours.poll(90) else [(float("nan"), 0)]
    prober.join(10)
    probed = np.array([ms for ms, _ in health])
    statuses = Counter(status for _, status in health)
    p50, p99 = np.percentile(probed, [50, 99])
    rows = [f"## {clients} clients, {seconds:g} s", ""]
    for kind in ("labels", "objects", "hostile"):
        each = ", ".join(f"{n} {what}" for (k, what), n in sorted(tally.outcomes.items()) if k == kind)
        times = tally.times_ms.get(kind, [])
        waited = f"; p50 {np.median(times):.0f} ms, p99 {np.percentile(times, 99):.0f} ms" if times else ""
        rows.append(f"- {kind}: {each}{waited}")
    told = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, most {probed.max():.0f} ms"
    rows += [
        f"- /healthz: {len(health)} times, statuses {json.dumps(dict(statuses))}; {told}",
        f"- memory of all processes (MiB, every {MEMORY_S:g} s): {', '.join(f'{m:.0f}' for m in memory)}",
        f"- failures: {len(tally.failures)}",
        *[f"    - {failure}" for failure in tally.failures[:20]],
        "",
    ]
    return rows, len(tally.failures) + sum(n for status, n in statuses.items() if status != 200)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, nargs="+", default=[64, 256], help="how many ask at once")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each run (default: %(default)s)")
    parser.add_argument("--markdown", type=Path, help="write the report into this file too")
    options = parser.parse_args()
    lines = ["# More clients than can be served", "", describe_machine(), ""]
    failures = 0
    with server() as (host, port, pid):
        for clients in options.clients:
            rows, failed = run_one(host, port, pid, clients, options.seconds)
            lines += rows
            failures += failed
        time.sleep(5)
        lines.append(f"Memory 5 s after the last request: {memory_mib(pid):.0f} MiB.")
        begun = time.perf_counter()
    lines.append(f"SIGTERM to the end of the process: {time.perf_counter() - begun:.1f} s.")
    report = "\n".join([*lines, ""])
    print(report)
    if options.markdown is not None:
        options.markdown.write_text(report, encoding="utf-8")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
