"""What was measured on this machine: small files in szem's cache folder, each checked by a sum.

A measurement belongs to one machine and to the versions it was made with, which its key names. A file that is
missing, damaged, or of another key is as good as none: what it held is measured again.
"""

import hashlib
import json
import platform
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from szem.errors import StoreError
from szem.files import write_json

__all__ = ["measurement_file", "processor_name", "read_measurement", "write_measurement"]


@cache
def processor_name() -> str:
    """The processor's name: caches in a home that several machines share stay apart."""
    with suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith(("model name", "Model", "CPU part")):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def measurement_file(folder: Path, what: str, key: str) -> Path:
    """Where a measurement lies: `folder/what-HASH.json`."""
    return folder / f"{what}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.json"


def read_measurement(file: Path, key: str) -> dict[str, Any] | None:
    """What `write_measurement` kept, with its `day`; None where there is nothing to trust."""
    try:
        body = json.loads(file.read_bytes())
        claimed = body.pop("sha256")
        if claimed != _checksum(body) or body.pop("machine") != key:
            return None
        return dict(body)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def write_measurement(file: Path, key: str, values: dict[str, Any]) -> bool:
    """Keep a measurement; False where nothing can be written, as in a read-only home."""
    body = {"machine": key, "day": datetime.now(UTC).date().isoformat(), **values}
    try:
        write_json(file, {**body, "sha256": _checksum(body)}, indent=1)
    except StoreError:
        return False
    return True


def _checksum(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
