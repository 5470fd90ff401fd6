"""The API on a Ray of this machine, for tests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from szem.serve.on_ray import build_api
from szem.serve.server import bind

__all__ = ["Deploy", "replicas_on_ray"]

Deploy = Callable[..., httpx.Client]


@contextmanager
def replicas_on_ray(key: str) -> Iterator[Deploy]:
    """Deploys with choices of its own, as often as one likes: `deploy(max_in_flight=1)`; gives a client."""
    from szem.scale.cluster import connected

    with bind("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
    with connected("ray", workers=2):
        from ray import serve

        serve.start(http_options={"host": "127.0.0.1", "port": port})
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120, trust_env=False)
        client.headers["x-szem-key"] = key

        def deploy(**choices: Any) -> httpx.Client:
            serve.run(build_api({**choices, "key": key}), route_prefix="/")
            return client

        yield deploy
        client.close()
        serve.shutdown()
