"""One video on the command line: progress with frames a second and time left, and Ctrl-C that ends it cleanly."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from szem.cli.outputs import printable
from szem.media.video_pipeline import RenderedFrame, VideoPipeline

__all__ = ["VideoRun", "run_video"]

_PACE_S = 2.0  # the rate that is shown is that of so long


@dataclass(frozen=True)
class VideoRun:
    """How a video went."""

    frames: int
    seconds: float
    dropped: int
    damaged: int
    was_stopped: bool

    @property
    def rate_hz(self) -> float:
        """Frames a second."""
        return self.frames / max(self.seconds, 1e-9)


def run_video(
    pipeline: VideoPipeline,
    name: str,
    *,
    use: Callable[[RenderedFrame], None],
    until: Callable[[RenderedFrame], bool] = lambda _: False,
    quiet: bool = False,
) -> VideoRun:
    """Run a video to its end, its fault or Ctrl-C.

    The first Ctrl-C takes no more frames and finishes what is under way; a second one breaks off at once.

    Args:
        pipeline: What is run.
        name: What to call it.
        use: Called with each frame, in order.
        until: Whether a frame is the last one wanted.
        quiet: No progress bar, and no remark about Ctrl-C.
    Raises:
        SzemError: the video or its analysis failed; what came before is written.
    """
    started = time.perf_counter()
    with _stopping(pipeline), _progress(pipeline, name, quiet=quiet) as advance:
        for drawn in pipeline:
            use(drawn)
            advance()
            if until(drawn):
                pipeline.end()
    seconds = time.perf_counter() - started
    run = VideoRun(pipeline.done, seconds, pipeline.dropped, pipeline.damaged, pipeline.was_stopped)
    if run.damaged:
        packets = f"{run.damaged} damaged packet{'' if run.damaged == 1 else 's'} skipped"
        print(f"szem: {printable(name)}: {packets}; frames are missing or distorted there", file=sys.stderr)
    if pipeline.was_stopped and not quiet:
        end = f"stopped by Ctrl-C after {run.frames} frames ({pipeline.time_s:.1f} s)"
        kept = (
            "" if pipeline.out is None else f"; {printable(str(pipeline.out))} is whole up to there and can be played"
        )
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"szem: {end}{kept}", markup=False)
    return run


@contextmanager
def _stopping(pipeline: VideoPipeline) -> Iterator[None]:
    """Ctrl-C (and an end asked for by the system) stops the video instead of the program."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        if pipeline.was_stopped:
            raise KeyboardInterrupt
        pipeline.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress(pipeline: VideoPipeline, name: str, *, quiet: bool) -> Iterator[Callable[[], None]]:
    console = Console() if sys.stdout.isatty() else Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[pace]}", markup=False),
        TimeRemainingColumn(),
    )
    shown = printable(Path(name).name)[:32] or name[:32]
    bar = Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)
    with bar:
        task = bar.add_task(shown, total=pipeline.total, pace="")
        yield _Pace(bar, task, pipeline)


class _Pace:
    """Moves the bar on by a frame and says how fast frames come."""

    def __init__(self, bar: Progress, task: TaskID, pipeline: VideoPipeline) -> None:
        self._bar, self._task, self._pipeline = bar, task, pipeline
        self._since, self._done = time.perf_counter(), 0
        self._text = ""

    def __call__(self) -> None:
        now = time.perf_counter()
        self._done += 1
        if now - self._since > _PACE_S or not self._text:
            rate = self._done / max(now - self._since, 1e-3)
            lost = f", {self._pipeline.dropped} left out" if self._pipeline.dropped else ""
            self._text = f"{rate:.0f} frames/s{lost}"
            self._since, self._done = now, 0
        if not self._bar.disable:
            self._bar.update(self._task, advance=1, pace=self._text)
