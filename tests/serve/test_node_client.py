"""Google's own client of another language, npm's @google-cloud/vision, over gRPC and its REST fallback."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from szem.media.samples import sample_path
from szem.serve.settings import ServeSettings
from tests.serve.conftest import on_a_thread

NODE = shutil.which("node")
# A folder node_modules that has it: `npm install @google-cloud/vision`, then SZEM_NODE_MODULES=…/node_modules
MODULES = Path(os.environ.get("SZEM_NODE_MODULES", "node_modules"))
SCRIPT = Path(__file__).with_name("node_client.cjs")

pytest.importorskip("grpc_health.v1.health", reason="needs the extra: pip install 'szem[grpc]'")
pytestmark = pytest.mark.skipif(
    NODE is None or not (MODULES / "@google-cloud" / "vision").is_dir(),
    reason="needs node, and SZEM_NODE_MODULES=DIR after `npm install @google-cloud/vision`",
)


@pytest.fixture(scope="module")
def addresses(settings: ServeSettings) -> Iterator[dict[str, str]]:
    with on_a_thread(replace(settings, grpc_port=0)) as (url, grpc):
        yield {"rest": url.removeprefix("http://"), "grpc": grpc}


def ask(transport: str, address: str) -> Any:
    host, _, port = address.rpartition(":")
    words = [str(NODE), str(SCRIPT), str(MODULES.resolve()), transport, host, port, str(sample_path("cat"))]
    environment = os.environ | {"METADATA_SERVER_DETECTION": "none"}  # it looks for Google's cloud around it
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_the_node_client_is_answered(addresses: dict[str, str], transport: str) -> None:
    found = ask(transport, addresses[transport])
    assert {"cat", "animal"} <= {name for name, _ in found["labels"]}
    assert found["colors"] > 1
    assert found["bad"]["code"] == 3
    assert found["bad"]["message"].startswith("Bad image data. ")
    assert found["refused"]["code"] in (3, 400)
    assert "must not be negative, got -1" in found["refused"]["message"]
    assert found["objects"] == [["cat"], ["cat"]]
    assert found["crops"] == [1, 1]
