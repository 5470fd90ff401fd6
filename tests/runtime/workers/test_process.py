"""runtime/workers: a call in another process; what ends the process ends one call."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from szem.errors import BusyError, FormatError, RangeError, TimeLimitError, TooLargeError, WorkerCrashError
from szem.runtime.workers.forkserver import ForkServer
from szem.runtime.workers.limits import WorkerLimits
from szem.runtime.workers.process import CAN_FORK, WorkerFaultError, WorkerProcess
from tests.runtime.workers import jobs

PATIENCE_S = 60
Make = Callable[..., WorkerProcess]
linux = pytest.mark.skipif(not CAN_FORK, reason="the kernel's limits and forks are tested on Linux")


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    server = ForkServer(["numpy", jobs.__name__])
    yield server
    server.close()


@pytest.fixture
def make(server: ForkServer) -> Iterator[Make]:
    """Make a worker: `make(wall_s=1.0)`."""
    made: list[WorkerProcess] = []

    def worker(*arguments: object, forked: bool = True, **limits: float) -> WorkerProcess:
        how = server if forked and CAN_FORK else None
        limit = WorkerLimits(**limits)  # type: ignore[arg-type]
        made.append(WorkerProcess(jobs.make_context, arguments, limits=limit, server=how))
        return made[-1]

    yield worker
    for one in made:
        one.close()


def until(happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not happens():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("forked", [True, False])
def test_results_and_arrays_come_back_from_another_process(make: Make, forked: bool) -> None:
    worker = make("a", 1, forked=forked)
    assert worker.pid is None  # nothing starts before the first call
    assert worker.call(jobs.add, 2, 3) == 5
    assert worker.call(jobs.add_later, 2, 3) == 5
    assert worker.call(jobs.pid) == worker.pid != os.getpid()
    assert worker.call(jobs.context_of) == ["a", 1]
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    got = worker.call(jobs.add, picture, picture)
    np.testing.assert_array_equal(got, picture * 2)
    assert worker.starts == 1


def test_the_context_is_made_once_and_kept(make: Make) -> None:
    worker = make()
    worker.call(jobs.remember, 1)
    assert worker.call(jobs.remember, 2) == [1, 2]


def test_errors_of_szem_come_back_with_what_they_hold(make: Make) -> None:
    worker = make()
    with pytest.raises(FormatError, match="no picture"):
        worker.call(jobs.fail)
    with pytest.raises(BusyError) as caught:
        worker.call(jobs.fail_with_more)
    assert caught.value.retry_after_s == 7.0
    with pytest.raises(FormatError, match="1 and 2"):  # the nearest error of the tree
        worker.call(jobs.fail_oddly)
    with pytest.raises(WorkerFaultError, match="KeyError"):
        worker.call(jobs.fault)
    assert worker.starts == 1  # none of these costs a process


def test_what_cannot_be_sent_costs_no_worker(make: Make) -> None:
    worker = make()
    assert worker.call(jobs.add, 1, 1) == 2
    with pytest.raises(Exception, match="pickle"):
        worker.call(jobs.add, lambda: 1, 1)
    assert worker.call(jobs.add, 1, 1) == 2
    assert worker.starts == 1


def test_an_answer_that_names_code_is_refused(make: Make) -> None:
    with pytest.raises(Exception, match="which is no data"):
        make().call(jobs.code)


@linux
@pytest.mark.parametrize(
    ("job", "arguments", "kind", "text"),
    [
        (jobs.crash, (), WorkerCrashError, "SIGSEGV"),
        (jobs.die, (signal.SIGABRT,), WorkerCrashError, "SIGABRT"),
        (jobs.die, (signal.SIGKILL,), BusyError, "ended from outside"),
        (jobs.leave, (), BusyError, "ended from outside"),
    ],
)
def test_a_process_that_ends_is_one_failed_call_and_is_replaced(
    make: Make, job: Callable[..., None], arguments: tuple[int, ...], kind: type[Exception], text: str
) -> None:
    worker = make()
    first = worker.call(jobs.pid)
    with pytest.raises(kind, match=text):
        worker.call(job, *arguments)
    assert worker.call(jobs.pid) != first
    assert worker.starts == 2


@linux
def test_a_worker_that_died_idle_costs_no_call(make: Make) -> None:
    worker = make()
    os.kill(worker.call(jobs.pid), signal.SIGKILL)
    until(lambda: worker.pid is not None and not is_alive(worker.pid))
    assert worker.call(jobs.add, 1, 1) == 2


@linux
def test_a_native_call_that_hangs_is_ended_at_its_limit(make: Make, tmp_path: Path) -> None:
    worker = make(wall_s=0.2)
    with pytest.raises(TimeLimitError, match=r"longer than the 0\.2 s"):
        worker.call(jobs.hang, str(tmp_path / "begun"))
    assert not is_alive(0 if worker.pid is None else worker.pid)


@linux
def test_processor_time_is_limited_by_the_kernel(make: Make) -> None:
    worker = make(cpu_s=0.5)
    with pytest.raises(TooLargeError, match="processor time"):
        worker.call(jobs.spin)
    for _ in range(3):  # each call has its own
        assert worker.call(jobs.add, 1, 1) == 2


@linux
def test_memory_is_limited_and_the_worker_lives_on(make: Make) -> None:
    worker = make(memory_bytes=400 << 20)
    assert worker.call(jobs.eat, 10) == 1
    with pytest.raises(TooLargeError, match=r"more memory than the 0\.4 GiB"):
        worker.call(jobs.eat, 1000)
    assert worker.call(jobs.eat, 10) == 1
    assert worker.starts == 1


@linux
def test_a_call_can_be_ended_from_another_thread(make: Make, tmp_path: Path) -> None:
    worker = make()
    begun = tmp_path / "begun"
    caught: list[Exception] = []

    def call() -> None:
        try:
            worker.call(jobs.hang, str(begun))
        except TimeLimitError as error:
            caught.append(error)

    worker.cancel()  # nothing runs: nothing ends
    thread = threading.Thread(target=call)
    thread.start()
    until(begun.exists)
    assert (worker.busy_s or 0) > 0
    assert worker.ping(1.0)  # at work, within its limits
    worker.cancel()
    thread.join(PATIENCE_S)
    assert "given up" in str(caught[0])
    assert worker.busy_s is None
    assert worker.call(jobs.add, 1, 1) == 2


@linux
def test_close_ends_a_call_that_hangs(make: Make, tmp_path: Path) -> None:
    worker = make()
    begun = tmp_path / "begun"
    failed: list[Exception] = []

    def call() -> None:
        try:
            worker.call(jobs.hang, str(begun))
        except BusyError as error:
            failed.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    until(begun.exists)
    worker.close()
    thread.join(PATIENCE_S)
    assert len(failed) == 1
    with pytest.raises(BusyError, match="ending"):
        worker.call(jobs.add, 1, 1)


@linux
def test_ping_finds_a_worker_that_has_stopped(make: Make) -> None:
    worker = make()
    assert worker.ping(PATIENCE_S)  # none was wanted yet
    stopped = worker.call(jobs.pid)
    assert worker.ping(PATIENCE_S)
    os.kill(stopped, signal.SIGSTOP)
    assert not worker.ping(0.2)
    assert worker.call(jobs.pid) != stopped


@linux
def test_workers_end_with_their_parent_even_in_a_native_call(tmp_path: Path) -> None:
    """The parent is killed with SIGKILL: it has no chance to end anything itself."""
    program = f"""
import sys, threading
sys.path[:0] = {sys.path!r}
from szem.runtime.workers.forkserver import ForkServer
from szem.runtime.workers.limits import WorkerLimits
from szem.runtime.workers.process import WorkerProcess
from tests.runtime.workers import jobs
server = ForkServer([])
busy, idle = (WorkerProcess(jobs.make_context, limits=WorkerLimits(), server=server) for _ in range(2))
print(idle.call(jobs.pid), busy.call(jobs.pid), busy.call(jobs.parent), flush=True)
threading.Thread(target=busy.call, args=(jobs.hang, sys.argv[1])).start()
"""
    begun = tmp_path / "begun"
    with subprocess.Popen([sys.executable, "-c", program, str(begun)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(text) for text in process.stdout.readline().split()]
        assert len(pids) == 3
        until(begun.exists)
        assert all(is_alive(pid) for pid in pids)
        process.kill()
        process.wait(PATIENCE_S)
        until(lambda: not any(is_alive(pid) for pid in pids))


@linux
def test_the_forking_process_is_started_again_if_it_has_ended(make: Make, server: ForkServer) -> None:
    worker = make()
    os.kill(worker.call(jobs.parent), signal.SIGKILL)
    until(lambda: worker.pid is not None and not is_alive(worker.pid))  # it goes down with it
    assert worker.call(jobs.add, 1, 1) == 2


@linux
def test_signals_of_the_group_do_not_end_workers(make: Make) -> None:
    assert make().call(jobs.signals) == (True, True)


@pytest.mark.parametrize("wrong", [{"cpu_s": 0}, {"wall_s": -1}, {"memory_bytes": -1}])
def test_limits_are_positive(wrong: dict[str, float]) -> None:
    with pytest.raises(RangeError, match="positive"):
        WorkerLimits(**wrong)  # type: ignore[arg-type]


def test_a_call_without_an_end_may_not_be_silent_for_long(make: Make) -> None:
    worker = make(wall_s=0.1)
    reports: list[int] = []

    def take(value: int) -> None:
        reports.append(value)
        worker.reply()

    assert worker.call(jobs.count_with_replies, 5, silence_s=lambda: PATIENCE_S, on_progress=take) == 5
    assert reports == [0, 1, 2, 3, 4]
    with pytest.raises(TimeLimitError, match=r"silent for 0\.3 s"):
        worker.call(jobs.sleep, 600.0, silence_s=lambda: 0.3)
    assert worker.call(jobs.add, 2, 3, wall_s=PATIENCE_S, silence_s=lambda: PATIENCE_S) == 5


def test_fractions_come_through_but_not_from_any_text(make: Make) -> None:
    worker = make()
    assert worker.call(jobs.add, Fraction(1, 90000), Fraction(1, 2)) == Fraction(45001, 90000)
    with pytest.raises(pickle.UnpicklingError, match="fraction"):
        worker.call(jobs.huge_fraction)
