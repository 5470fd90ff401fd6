"""What was measured on this machine: small files in szem's cache folder, each with a checksum (`szem.kept`).

A measurement belongs to one machine and to the versions it was made with, which its key names. A file that is
missing, damaged, or of another key is as good as none: what it held is measured again.
"""

import hashlib
import platform
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from szem.errors import OverwriteError, StoreError
from szem.kept import write_kept

__all__ = ["measurement_file", "processor_name", "write_measurement"]


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


def write_measurement(file: Path, key: str, values: dict[str, Any]) -> bool:
    """Keep a measurement and the day, for `read_kept`; False where nothing can be written, as in a read-only home."""
    try:
        write_kept(file, key, {"day": datetime.now(UTC).date().isoformat(), **values})
    except (StoreError, OverwriteError):  # the second: a folder is in its place
        return False
    return True
