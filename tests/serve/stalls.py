"""What a worker does instead of its work, for tests. A module of its own: workers find functions by their names."""

import ctypes
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from szem.serve.engine import Engine
from szem.serve.vision.annotate import Annotated, annotate_file_data


async def slow(engine: Engine, *arguments: Any) -> Annotated:
    time.sleep(0.2)
    return await annotate_file_data(engine, *arguments)


async def fault(engine: Engine, *arguments: object) -> None:
    raise KeyError("/secret/path")


async def hang(engine: Engine, *arguments: object) -> None:
    """A native call that never ends and holds the interpreter's lock; says its process id in $SZEM_TEST_MARKER."""
    marker = os.environ.get("SZEM_TEST_MARKER")
    if marker:
        Path(f"{marker}.part").write_text(str(os.getpid()))
        Path(f"{marker}.part").rename(marker)
    while True:
        ctypes.PyDLL(None).pause()


async def crash(engine: Engine, *arguments: object) -> None:
    ctypes.string_at(0)


async def spin(engine: Engine, *arguments: object) -> None:
    while True:
        pass


async def eat(engine: Engine, *arguments: object) -> None:
    np.ones(64 << 30, np.uint8)


async def pid(engine: Engine) -> int:
    return os.getpid()
