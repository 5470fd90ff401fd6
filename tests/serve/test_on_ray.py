"""The API as a replica of Ray Serve: Google's client, 429 when it is full, and an update that no request notices.

`SZEM_TEST_ON_RAY=1 pytest -W ignore::DeprecationWarning tests/serve/test_google_client.py` asks a replica what
Google's client is asked everywhere.
"""

import dataclasses
import importlib.util
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from szem.errors import UnknownNameError
from szem.serve import on_ray
from tests.serve.google_client import client_of
from tests.serve.ray_server import Deploy, replicas_on_ray

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Ray Serve's own settings
KEY = "a-key-for-the-tests-of-the-server"
needs_serve = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None or importlib.util.find_spec("starlette") is None,
    reason="needs the extra: pip install 'szem[scale]'",
)


@pytest.fixture(scope="module")
def deploy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deploy]:
    """Deploys with choices of its own, as often as one likes: `deploy(max_in_flight=1)`."""
    home = tmp_path_factory.mktemp("on-ray")
    with replicas_on_ray(KEY) as put:
        yield lambda **choices: put(database=f"sqlite:///{home / 'operations.sqlite3'}", **choices)


@pytest.mark.slow
@needs_serve
def test_google_client_is_answered_full_says_429_and_an_update_fails_no_request(deploy: Deploy, cat: bytes) -> None:
    client = deploy(max_in_flight=1)
    found = client_of(client).label_detection(image={"content": cat})
    assert {"animal", "cat"} == {label.description for label in found.label_annotations[:2]}

    def ask(_: int) -> httpx.Response:
        return client.post("/v1/szem/detect", content=cat)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(16)))
    assert {answer.status_code for answer in answers} == {200, 429}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status_code == 429)

    statuses: list[int] = []
    ends = threading.Event()

    def go_on() -> None:
        while not ends.is_set():
            statuses.append(client.post("/v1/szem/colors", content=cat).status_code)
            time.sleep(0.05)

    thread = threading.Thread(target=go_on)
    thread.start()
    deploy(max_in_flight=8, max_pixels=1000)  # an update: after it no picture of this size is taken
    until = time.monotonic() + 60
    while statuses[-1:] == [200] and time.monotonic() < until:
        time.sleep(0.1)
    ends.set()
    thread.join()
    assert set(statuses) == {200, 400}  # before and after; nothing between
    assert statuses == sorted(statuses)


def test_choices_are_fields_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SZEM_API_KEYS", "one two")
    asked = {"read_folders": ["/in"], "buckets": [["photos", "/mnt/photos"]], "max_in_flight": 4}
    found = on_ray._settings(asked)
    assert found.read_folders == (Path("/in"),)
    assert found.buckets == (("photos", Path("/mnt/photos")),)
    assert (found.max_in_flight, found.api_keys, found.studio) == (4, ("one", "two"), False)
    assert on_ray._settings(dataclasses.asdict(found)) == found
    with pytest.raises(UnknownNameError, match="the server has no setting threds"):
        on_ray._settings({"threds": 1})
