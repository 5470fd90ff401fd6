"""Where pictures are decoded and networks run: the inside of a worker process.

A request is answered here in one piece, so that its pixels never leave the process. Networks use one thread each:
with as many workers as cores, that is the fastest way on a processor. What one request does side by side (`look`
asks seven tasks) goes to threads. Knows nothing of HTTP or of Google's messages.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from szem.arrays import Picture8
from szem.errors import UnknownNameError, UnsupportedError
from szem.media.pictures import Limits, read_picture
from szem.runtime.sessions import Session, card_mark, cores
from szem.runtime.store import list_models
from szem.serve.settings import ServeSettings
from szem.tasks.models import open_model

__all__ = ["Engine", "make_engine", "picture_limits", "work_as_server"]


T = TypeVar("T")


def picture_limits(settings: ServeSettings) -> Limits:
    """What a picture of a request may be."""
    return Limits(
        max_bytes=settings.max_picture_bytes, max_pixels=settings.max_pixels, max_frames=settings.max_async_images
    )


def make_engine(settings: ServeSettings, environment: Mapping[str, str], folder: str) -> "Engine":
    """The engine of a worker, in the environment and working folder of its server."""
    work_as_server(environment, folder)
    return Engine(settings)


def work_as_server(environment: Mapping[str, str], folder: str) -> None:
    """Take the environment and the working folder of the server: the process that forks workers may have others."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)


class Engine:
    """Decodes pictures and runs networks for one request at a time.

    Args:
        settings: The operator's choices.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self.settings = settings
        self.limits = picture_limits(settings)
        self._threads = ThreadPoolExecutor(cores(), thread_name_prefix="szem-engine")
        self._sessions: dict[tuple[str, str], Session] = {}
        self._opening = threading.Lock()

    async def session(self, task: str, name: str = "") -> Session:
        """The open network of a task; opened when it is first asked for, one thread each.

        Args:
            task: What it must be for.
            name: A model's name, never a path; the task's own when empty.
        Raises:
            UnknownNameError: no such model for this task.
            UnsupportedError: there is no model for this task at all.
        """
        found = self._sessions.get((task, name))
        if found is not None and card_mark(found.model.folder) == found.card_mark:
            return found
        return await self.run(lambda: self.open_model(name, task=task))

    def open_model(self, name: str | os.PathLike[str] | None = None, *, task: str) -> Session:
        """As `session`, for work that is on a thread already."""
        name = "" if name is None else str(name)
        known = [model.name for model in list_models(task=task)]
        if not known:
            raise UnsupportedError(f"no model for {task} is installed here; see szem models")
        if name and name not in known:
            raise UnknownNameError(f"no model called {name[:60]!r} for {task}; there are {', '.join(known)}")
        with self._opening:
            found = self._sessions.get((task, name))
            # A model of the user's may have been replaced by another of its name since.
            if found is None or card_mark(found.model.folder) != found.card_mark:
                found = self._sessions[task, name] = open_model(name or None, task=task, threads=1)
        return found

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """Run blocking work: here, where nothing else waits, on a thread beside what else the request does."""
        if len(asyncio.all_tasks()) == 1:
            return function(*args)
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)

    def picture(self, data: bytes, *, min_side_px: int | None = None) -> Picture8:
        """Decode a picture.

        Args:
            data: A picture file.
            min_side_px: As for `szem.media.pictures.read_picture`.
        Raises:
            As `read_picture`.
        """
        return read_picture(data, limits=self.limits, min_side_px=min_side_px)
