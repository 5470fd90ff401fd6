"""Starting Ray on this machine, or joining a cluster. The only file that decides how Ray is started.

Ray's usage report is switched off, its dashboard is not started, and what is started here listens on 127.0.0.1 alone,
behind a token of its own.
"""

import logging
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any

from szem.errors import MissingExtraError, RangeError, StoreError
from szem.files import ScratchFolder, sweep_scratch

__all__ = ["LOCAL", "check_address", "connected"]

LOCAL = "ray"
_CLIENT = "ray://"
_OBJECT_STORE_BYTES = 100_000_000  # only numbers of parts travel through it
# Read when Ray is imported. Without the last one Ray takes the machine's outer address even for one machine.
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token"}


def check_address(on: str) -> str:
    """Give back where to run.

    Raises:
        RangeError: neither `ray` nor an address of a cluster.
        MissingExtraError: Ray is not installed.
    """
    if on != LOCAL and not (on.startswith(_CLIENT) and on[len(_CLIENT) :].rpartition(":")[2].isdecimal()):
        raise RangeError(f"--on is ray (this machine) or ray://HOST:PORT (a cluster), got {on!r}")
    for name in ("ray", "pyarrow", "fsspec"):
        if find_spec(name) is None:
            raise MissingExtraError(f"running on Ray needs {name}; pip install 'szem[scale]'")
    return on


@contextmanager
def connected(on: str, *, workers: int) -> Iterator[Any]:
    """Ray, started for as long as the block runs, or joined.

    Args:
        on: `ray` for this machine; `ray://HOST:PORT` for a cluster's client port.
        workers: Processors that a Ray started here may use.
    Raises:
        As `check_address`; StoreError: the cluster cannot be reached.
    """
    check_address(on)
    os.environ.update(_QUIET)
    logging.getLogger("ray").setLevel(logging.ERROR)
    if on != LOCAL:
        import ray

        try:
            ray.init(on, logging_level=logging.ERROR, log_to_driver=False)
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            raise StoreError(f"{on}: the cluster cannot be reached ({error}); check that it runs") from error
        try:
            yield ray
        finally:
            with suppress(Exception):  # a cluster that is gone needs no farewell
                ray.shutdown()
        return
    sweep_scratch()
    os.environ.update(_LOOPBACK)
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    import ray

    with ScratchFolder("ray") as folder:
        with _silent():
            ray.init(
                "local",
                num_cpus=workers,
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _temp_dir=str(folder.path),
            )
        try:
            yield ray
        finally:
            ray.shutdown()


@contextmanager
def _silent() -> Iterator[None]:
    """Ray's own core says on standard error that it follows its settings; nobody asked."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
