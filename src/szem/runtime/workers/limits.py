"""What one worker process may use. Set inside the worker; the kernel holds it to them."""

import os
import sys
from dataclasses import dataclass

from szem.errors import RangeError

__all__ = ["WorkerLimits", "limit_cpu", "limit_process", "machine_memory_bytes"]

_GIB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class WorkerLimits:
    """Limits of a worker process.

    Args:
        memory_bytes: Of private memory (RLIMIT_DATA: heap and anonymous maps; shared libraries and mapped files do
            not count, as they would with RLIMIT_AS). 0: half of the machine's memory, at most 4 GiB.
        cpu_s: Processor seconds of one call, all threads together.
        wall_s: Seconds of one call.
    Raises:
        RangeError: a limit is negative, or a time is 0.
    """

    memory_bytes: int = 0
    cpu_s: float = 100.0
    wall_s: float = 120.0

    def __post_init__(self) -> None:
        if self.memory_bytes < 0 or self.cpu_s <= 0 or self.wall_s <= 0:
            raise RangeError(
                f"a worker's limits must be positive, got {self}; memory_bytes=0 takes half of the machine's memory"
            )

    @property
    def memory(self) -> int:
        """The limit of memory in bytes, resolved."""
        return self.memory_bytes or min(4 * _GIB, machine_memory_bytes() // 2)


def machine_memory_bytes() -> int:
    """Memory of this machine; 8 GiB where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 * _GIB


def limit_process(limits: WorkerLimits) -> None:
    """Hold this process to the limit of memory, and write no core file. Nothing happens where there is no rlimit."""
    if sys.platform == "win32":
        return
    import resource

    for kind, value in ((resource.RLIMIT_DATA, limits.memory), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        resource.setrlimit(kind, (value, value))


def limit_cpu(seconds: float) -> None:
    """Let this process use so many processor seconds more; then the kernel ends it with SIGXCPU."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    # whole seconds; the hard limit stays, so that the next call may move the soft one again
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
