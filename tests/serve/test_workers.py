"""The server's threads: the oldest request first, errors and cancelling, an end that leaves nobody waiting."""

import contextvars
import os
import subprocess
import sys
import threading
from concurrent.futures import CancelledError
from contextlib import closing
from pathlib import Path

import pytest

from szem.errors import RangeError, UnsupportedError
from szem.serve.workers import ARRIVED, Workers

PATIENCE_S = 60.0  # only a test that fails waits so long


def arrived(workers: Workers, when: float, function: object) -> object:
    """Hand in work of a request that came at a time."""

    def submit() -> object:
        ARRIVED.set(when)
        return workers.submit(function)  # type: ignore[arg-type]

    return contextvars.copy_context().run(submit)


def test_the_oldest_request_is_served_first_whatever_the_order_of_handing_in() -> None:
    done: list[float] = []
    begun, go = threading.Event(), threading.Event()
    with closing(Workers(1)) as workers:
        workers.submit(lambda: (begun.set(), go.wait(PATIENCE_S)))
        assert begun.wait(PATIENCE_S)
        futures = [arrived(workers, when, lambda when=when: done.append(when)) for when in (3.0, 1.0, 2.0, 1.0)]
        late = workers.submit(lambda: done.append(99.0))  # of no request: it comes now, after all of them
        go.set()
        for future in (*futures, late):
            future.result(PATIENCE_S)  # type: ignore[attr-defined]
    assert done == [1.0, 1.0, 2.0, 3.0, 99.0]


def test_work_of_one_request_keeps_its_order() -> None:
    done: list[int] = []
    begun, go = threading.Event(), threading.Event()
    with closing(Workers(1)) as workers:
        workers.submit(lambda: (begun.set(), go.wait(PATIENCE_S)))
        assert begun.wait(PATIENCE_S)
        futures = [arrived(workers, 1.0, lambda n=n: done.append(n)) for n in range(20)]
        go.set()
        for future in futures:
            future.result(PATIENCE_S)  # type: ignore[attr-defined]
    assert done == list(range(20))


def test_results_arguments_and_errors_come_back() -> None:
    with closing(Workers(2)) as workers:
        assert workers.submit(divmod, 7, 2).result(PATIENCE_S) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            workers.submit(divmod, 7, 0).result(PATIENCE_S)
        assert workers.submit(lambda: 1).result(PATIENCE_S) == 1  # an error ends no thread


def test_work_runs_side_by_side_on_as_many_threads_as_there_are() -> None:
    meet = threading.Barrier(3, timeout=PATIENCE_S)
    with closing(Workers(3)) as workers:
        for future in [workers.submit(meet.wait) for _ in range(3)]:
            future.result(PATIENCE_S)


def test_what_is_cancelled_is_left_out() -> None:
    done: list[str] = []
    begun, go = threading.Event(), threading.Event()
    with closing(Workers(1)) as workers:
        first = workers.submit(lambda: (begun.set(), go.wait(PATIENCE_S)))
        assert begun.wait(PATIENCE_S)
        unwanted, wanted = workers.submit(done.append, "unwanted"), workers.submit(done.append, "wanted")
        assert unwanted.cancel()
        assert not first.cancel()
        go.set()
        wanted.result(PATIENCE_S)
    assert done == ["wanted"]


def test_at_the_end_what_runs_is_finished_and_what_waits_is_cancelled() -> None:
    workers = Workers(1)
    begun, go = threading.Event(), threading.Event()
    running = workers.submit(lambda: (begun.set(), go.wait(PATIENCE_S), "done")[-1])
    assert begun.wait(PATIENCE_S)
    waiting = workers.submit(lambda: "never")
    ender = threading.Thread(target=workers.close)
    ender.start()
    with pytest.raises(CancelledError):
        waiting.result(PATIENCE_S)
    go.set()
    ender.join(PATIENCE_S)
    assert not ender.is_alive()
    assert running.result(0) == "done"
    with pytest.raises(UnsupportedError, match="ending"):
        workers.submit(lambda: 1)
    workers.close()  # again does no harm


def test_there_is_at_least_one_thread() -> None:
    with pytest.raises(RangeError, match="at least 1"):
        Workers(0)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("engine", ["auto", "onnxruntime"])
def test_the_process_that_forks_workers_has_one_thread(engine: str, tmp_path: Path) -> None:
    """A fork has only the thread that forked: a lock that another one held would stay locked for ever. A second
    engine with threads of its own (OpenVINO) is opened by the workers, not before they are forked."""
    program = """
import os
from szem.guard.service import _fork_server
from szem.serve.dispatcher import FORK_SERVER
for server in (FORK_SERVER, _fork_server(0)):
    server.fork()
    print(len(os.listdir(f"/proc/{server._process.pid}/task")))
"""
    environment = os.environ | {
        "SZEM_ENGINE": engine,
        "SZEM_HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.stdout.split() == ["1", "1"], done.stderr
    assert done.stderr == ""
