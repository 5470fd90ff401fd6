"""What readers do in the tests of faults. A module of its own: worker processes find functions by their names."""

import os
import signal
import time
from pathlib import Path

from szem.guard.source_reader import ReadPlan, read_source


def crash_if_bad(_: None, plan: ReadPlan) -> int:
    """The decoder of a source called bad crashes."""
    if "bad" in plan.source:
        os.kill(os.getpid(), signal.SIGSEGV)
    return read_source(None, plan)


def hang_if_bad(_: None, plan: ReadPlan) -> int:
    """The decoder of a source called bad never returns."""
    if "bad" in plan.source:
        time.sleep(600)
    return read_source(None, plan)


def crash_at_first(_: None, plan: ReadPlan) -> int:
    """The first worker crashes; a file that the address names tells the next ones."""
    marker = Path(plan.source.partition("?")[2])
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGSEGV)
    return read_source(None, plan)


def hang_at_first(_: None, plan: ReadPlan) -> int:
    """The first worker hangs; likewise."""
    marker = Path(plan.source.partition("?")[2])
    if not marker.exists():
        marker.touch()
        time.sleep(600)
    return read_source(None, plan)
