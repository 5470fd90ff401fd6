"""Buckets: read from and written to over S3's protocol, from a server on loopback; one that cannot be reached."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from szem.errors import StoreError
from szem.scale import driver
from szem.scale.parts import cut_into_parts
from szem.scale.places import Place, Sink
from szem.scale.worker import PartWorker, Setup
from tests.scale.runs import make_pictures

pytest.importorskip("pyarrow")
pytestmark = pytest.mark.slow


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def options(keys: None) -> Iterator[str]:
    """What follows the name of a bucket so that it is looked for on this machine."""
    server = pytest.importorskip("moto.server", reason="needs pip install 'moto[server]'").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0
    )
    server.start()
    host, port = server.get_host_and_port()
    yield f"?endpoint_override={host}:{port}&scheme=http&region=us-east-1&allow_bucket_creation=true"
    server.stop()


def test_a_bucket_is_read_and_written_as_a_folder_is(tmp_path: Path, options: str) -> None:
    folder = make_pictures(tmp_path / "in", 5)
    source = Sink(f"s3://photos/2026{options}")
    source.system.create_dir("photos")
    for file in sorted(folder.rglob("*.*")):
        source.write(file.relative_to(folder).as_posix(), file.read_bytes())
    found = [path for part in cut_into_parts([Place(source.name)], takes="picture") for path in part.paths]
    assert found == [f"photos/2026/{file.relative_to(folder).as_posix()}" for file in sorted(folder.rglob("*.*"))]
    pattern = Place(f"s3://photos/2026/**/*[02].png{options}")
    assert [path.rpartition("/")[2] for path, _ in pattern.files()] == ["0000.png", "0002.png"]

    source.system.create_dir("results")
    sink = f"s3://results/colors{options}"
    setup = Setup(task="colors", options={}, sources=(source.name,), sink=sink, form="jsonl", folder="")
    to = setup.open_sink()
    inputs, parts = driver._load_or_make_plan(setup, to, 0)
    assert (inputs, parts) == (6, 1)
    assert driver._load_or_make_plan(setup, to, 0) == (6, 1)  # a second start takes the same plan
    worker = PartWorker(setup)
    try:
        (row,) = ({"part": [n], "first": [f], "size": [s]} for n, f, s, _ in driver._places_in_plan(to))
        assert worker(row)["done"].tolist() == [5]
    finally:
        worker.process.close()
    assert driver._finish(setup, to, parts) == (6, 1)
    assert "manifest.json" in to.names()
    rows = [json.loads(line) for line in to.read("part-000000.jsonl").splitlines()]
    assert [row["file"] for row in rows] == [f"s3://{path}" for path in found if path.endswith(".png")]


def test_a_bucket_that_cannot_be_reached_is_said(keys: None) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = Place(f"s3://photos/2026?endpoint_override=127.0.0.1:{port}&scheme=http&region=us-east-1")
    with pytest.raises(StoreError, match=r"cannot be read .* check address, rights and network, then start again"):
        list(place.files())
