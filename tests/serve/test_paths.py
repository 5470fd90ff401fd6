"""Files under allowed folders, on every route that takes their address: links are not followed, and a file that is
deleted or swapped while it is read is one that is not there."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.openapi import describe

from .conftest import encode

DOCUMENT: dict[str, Any] = describe()
ADDRESSES = ("imageUri", "gcsImageUri", "uri")
RED = encode(np.full((8, 8, 3), (255, 0, 0), np.uint8))
GREY = encode(np.full((8, 8, 3), 120, np.uint8))


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return resolved(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return resolved(next(one for one in schema["anyOf"] if one.get("type") != "null"))
    return schema


def places(schema: dict[str, Any], place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where a body takes the address of a file, by its schema."""
    schema = resolved(schema)
    if len(place) > 8:
        return
    for name, inner in schema.get("properties", {}).items():
        if name in ADDRESSES:
            yield (*place, name)
        else:
            yield from places(inner, (*place, name))
    if schema.get("type") == "array":
        yield from places(schema["items"], (*place, "[]"))


def routes() -> Iterator[tuple[str, tuple[str, ...]]]:
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            media = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if media is not None:
                yield from ((path, place) for place in places(media["schema"]))


ROUTES = list(routes())
IDS = [f"{path} {'.'.join(place)}" for path, place in ROUTES]


def body(place: tuple[str, ...], uri: str) -> Any:
    value: Any = uri
    for part in reversed(place):
        value = [value] if part == "[]" else {part: value}
        if part == "requests":
            needed = {"features": [{"type": "IMAGE_PROPERTIES"}]}
            value = {part: [one | needed for one in value[part]]}
    return value


@pytest.fixture(scope="module")
def wicked(inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Addresses of a red picture outside, by ways that begin inside."""
    outside = tmp_path_factory.mktemp("outside")
    (outside / "red.png").write_bytes(RED)
    (inbox / "link.png").symlink_to(outside / "red.png")
    (inbox / "around").symlink_to(outside)
    (inbox / "hard.png").hardlink_to(outside / "red.png")
    (inbox / "pipe").unlink(missing_ok=True)
    os.mkfifo(inbox / "pipe")
    top = f"file://{inbox}"
    return [
        f"{top}/link.png", f"{top}/around/red.png", f"{top}/hard.png", f"{top}/pipe", f"{top}/../outside0/red.png",
        f"{top}/%2e%2e/outside0/red.png", f"{top}/", f"file://{outside}/red.png", f"{top}/gone.png", "file:///etc/passwd",
        f"{outside}/red.png", "gs://bucket/red.png", f"file://localhost{outside}/red.png",
    ]  # fmt: skip


def test_all_routes_that_take_the_address_of_a_file_are_found() -> None:
    assert len({path for path, _ in ROUTES}) >= 10
    wanted = {"/v1/images:annotate", "/v1/files:annotate", "/v1/szem/look", "/v1/szem/colors"}
    assert wanted <= {path for path, _ in ROUTES}


@pytest.mark.parametrize(("path", "place"), ROUTES, ids=IDS)
def test_no_address_leads_out_of_the_allowed_folders(
    path: str, place: tuple[str, ...], server: httpx.Client, wicked: list[str]
) -> None:
    for uri in wicked:
        answer = server.post(path, json=body(place, uri))
        assert answer.status_code < 500 or answer.status_code == 501, answer.text
        found = json.dumps(answer.json())
        assert "error" in found or "operations/" in found, (uri, found[:300])
        assert '"red": 255' not in found


def test_what_is_deleted_or_swapped_while_it_is_read_is_read_whole_or_not_at_all(
    server: httpx.Client, inbox: Path, tmp_path: Path
) -> None:
    """A picture that somebody replaces, deletes, or makes a link to elsewhere, all the time."""
    (tmp_path / "red.png").write_bytes(RED)
    target, part, stop = inbox / "race.png", inbox / "race.part", threading.Event()

    def swap() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            part.unlink(missing_ok=True)
            if turn % 3 == 0:
                part.write_bytes(GREY)
            elif turn % 3 == 1:
                part.symlink_to(tmp_path / "red.png")
            else:
                target.unlink(missing_ok=True)
                continue
            part.replace(target)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for n in range(40):
            image = {"source": {"imageUri": f"file://{target}"}}
            if n % 2:
                wanted = {"requests": [{"image": image, "features": [{"type": "IMAGE_PROPERTIES"}]}]}
                answer = server.post("/v1/images:annotate", json=wanted)
            else:
                answer = server.post("/v1/szem/colors", json={"image": image})
            assert answer.status_code < 500, answer.text
            assert '"red": 255' not in json.dumps(answer.json())
    finally:
        stop.set()
        swapper.join()
        target.unlink(missing_ok=True)
        part.unlink(missing_ok=True)
