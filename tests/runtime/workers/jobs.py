"""What the workers of the tests do. A module of its own: workers find functions by their names."""

import asyncio
import ctypes
import os
import signal
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from szem.errors import BusyError, FormatError
from szem.runtime.workers.child import report_progress, wait_for_reply


def make_context(*arguments: object) -> list[object]:
    return list(arguments)


def context_of(context: list[object]) -> list[object]:
    return context


def add(context: list[object], a: Any, b: Any) -> Any:
    return a + b


async def add_later(context: list[object], a: int, b: int) -> int:
    await asyncio.sleep(0)
    return a + b


def pid(context: list[object]) -> int:
    return os.getpid()


def parent(context: list[object]) -> int:
    return os.getppid()


def remember(context: list[object], value: object) -> list[object]:
    context.append(value)
    return context


def fail(context: list[object]) -> None:
    raise FormatError("no picture")


def fail_with_more(context: list[object]) -> None:
    raise BusyError("later", retry_after_s=7.0)


class OddError(FormatError):
    """An error that cannot be made again from its message."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")


def fail_oddly(context: list[object]) -> None:
    raise OddError(1, 2)


def fault(context: list[object]) -> None:
    raise KeyError("nobody meant this")


def crash(context: list[object]) -> None:
    ctypes.string_at(0)


def die(context: list[object], number: int) -> None:
    os.kill(os.getpid(), number)


def leave(context: list[object]) -> None:
    os._exit(3)


def hang(context: list[object], marker: str) -> None:
    """A native call that never ends, holds the interpreter's lock, and takes no signal from Python."""
    Path(marker).touch()
    ctypes.PyDLL(None).pause()
    while True:
        ctypes.PyDLL(None).pause()


def spin(context: list[object]) -> None:
    while True:
        pass


def eat(context: list[object], mib: int) -> int:
    return int(np.ones(mib << 20, np.uint8).sum() > 0)


def code(context: list[object]) -> "Code":
    return Code()


class Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("true",))


def sleep(context: list[object], seconds: float) -> None:
    time.sleep(seconds)


def signals(context: list[object]) -> tuple[bool, bool]:
    return tuple(signal.getsignal(s) is signal.SIG_IGN for s in (signal.SIGINT, signal.SIGTERM))  # type: ignore[return-value]


def count_with_replies(context: list[object], number: int) -> int:
    for k in range(number):
        report_progress(k)
        wait_for_reply()
    return number


class _Huge:
    def __reduce__(self) -> Any:
        return Fraction, ("1e999999999",)


def huge_fraction(context: list[object]) -> Any:
    return _Huge()
