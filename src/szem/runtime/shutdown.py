"""The end of a process that is asked to end, within a bounded time and whatever runs in it."""

import logging
import os
import signal
import threading

__all__ = ["ASKED_S", "FORCED_S", "end_in_time"]

ASKED_S = 8.5  # from the signal to the end by the process itself, which says so in the log
FORCED_S = 9.0  # to the end by the kernel; service managers and containers kill after 10


def end_in_time(signal_number: int, *, log: str) -> None:
    """Have this process ended by `FORCED_S` at the latest; for the handler of a signal that asks a command to end.

    A thread in a native call, a disk or a database that does not answer, or a full pipe would keep the interpreter
    from ending. The kernel's alarm needs neither the interpreter's lock nor a thread's turn: a starved machine
    makes no difference. Worker processes end with this one.

    Args:
        signal_number: The signal; the exit status is 128 more where the process still gets to end itself.
        log: Name of the logger.
    """
    if hasattr(signal, "setitimer"):  # not on Windows
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, FORCED_S)

    def end() -> None:
        logging.getLogger(log).warning("not everything ended within %g s; ending now", ASKED_S)
        os._exit(128 + signal_number)

    timer = threading.Timer(ASKED_S, end)
    timer.daemon = True
    timer.start()
