"""The same requests over HTTP and gRPC, to one server, alternately.

    python benchmarks/serve_grpc.py

LABEL_DETECTION on photographs of about 240 kB, sent by one and by eight clients that ask anew after each answer; over
HTTP as Google's REST client sends them (base64 in JSON). The server runs in this process, the clients too, so times
are for comparing the two ways, not for what a server can do: that is benchmarks/serve.py.
"""

import argparse
import base64
import json
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import grpc
import httpx
import numpy as np

from benchmarks.machine import describe_machine
from szem.media.samples import sample_path
from szem.serve.server import address_of, bind, build_server
from szem.serve.settings import ServeSettings
from szem.serve.vision.protos import PACKAGE, json_to_proto

METHOD = f"/{PACKAGE}.ImageAnnotator/BatchAnnotateImages"


def ask_many(ask: Callable[[], object], clients: int, count: int) -> np.ndarray:
    """(count,) seconds of each request."""

    def one(_: int) -> float:
        begun = time.perf_counter()
        ask()
        return time.perf_counter() - begun

    with ThreadPoolExecutor(clients) as pool:
        return np.array(list(pool.map(one, range(count))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=100, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(describe_machine("grpcio", "uvicorn"))
    content = base64.b64encode(sample_path("cat").read_bytes()).decode("ascii")
    message = {"requests": [{"image": {"content": content}, "features": [{"type": "LABEL_DETECTION"}]}]}
    body, packed = json.dumps(message).encode(), json_to_proto(f"{PACKAGE}.BatchAnnotateImagesRequest", message)
    print(f"a request: {len(body):,} bytes over HTTP, {packed.ByteSize():,} over gRPC")
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{Path(folder) / 'operations.sqlite3'}"
        ready = threading.Event()
        sock = bind("127.0.0.1", 0)
        server = build_server(
            ServeSettings(port=0, grpc_port=0, studio=False, key="benchmark", database=database), on_ready=ready.set
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        ready.wait(120)
        with (
            httpx.Client(base_url=address_of(sock), timeout=120, trust_env=False) as client,
            grpc.insecure_channel(server.grpc_address) as channel,
        ):
            ways: dict[str, Callable[[], object]] = {
                "HTTP": lambda: client.post("/v1/images:annotate", content=body).raise_for_status(),
                "gRPC": partial(channel.unary_unary(METHOD), packed.SerializeToString()),
            }
            print("| clients | way | p50 ms | p99 ms | requests/s |")
            for clients in (1, 8):
                times: dict[str, list[np.ndarray]] = {name: [] for name in ways}
                spent = dict.fromkeys(ways, 0.0)
                for ask in ways.values():
                    ask_many(ask, clients, 10)
                for _ in range(options.rounds):
                    for name, ask in ways.items():
                        begun = time.perf_counter()
                        times[name].append(ask_many(ask, clients, options.requests))
                        spent[name] += time.perf_counter() - begun
                for name, rows in times.items():
                    p50, p99 = 1000 * np.percentile(np.concatenate(rows), (50, 99))
                    rate = options.requests * options.rounds / spent[name]
                    print(f"| {clients} | {name} | {p50:.1f} | {p99:.1f} | {rate:.0f} |")
        server.should_exit = True
        thread.join(30)
        sock.close()


if __name__ == "__main__":
    main()
