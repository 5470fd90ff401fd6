"""Where the work happens: threads for decoding and arithmetic, a budget of pixels, networks behind batchers.

Made in the application's lifespan, handed to routes as an argument, closed with it. Knows nothing of HTTP or of
Google's messages.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from szem.arrays import Picture8
from szem.errors import SzemError, UnknownNameError, UnsupportedError
from szem.media.pages import picture_size
from szem.media.pictures import Limits, read_picture
from szem.results.labels import Labels
from szem.runtime.batching import Batcher
from szem.runtime.sessions import Session, cores, open_model
from szem.runtime.store import list_models
from szem.serve.limits import Budget
from szem.serve.metrics import Metrics
from szem.serve.settings import ServeSettings
from szem.tasks.classify import Classifier

__all__ = ["Engine"]


@dataclass(frozen=True)
class _Asked:
    """One picture to classify."""

    picture: Picture8
    top: int
    maps: bool


T = TypeVar("T")
_OUTSIDE = 8  # pictures fetched or read from folders at the same time; each may hold a whole file


class Engine:
    """The workshop of one application.

    Args:
        settings: The operator's choices.
        metrics: Where batches are counted.
    """

    def __init__(self, settings: ServeSettings, metrics: Metrics) -> None:
        self.settings = settings
        self.metrics = metrics
        self.limits = Limits(
            max_bytes=settings.max_picture_bytes,
            max_pixels=settings.max_pixels,
            max_frames=settings.max_async_images,
        )
        self.outside = asyncio.Semaphore(_OUTSIDE)
        self._pixels = Budget(settings.max_decoded_pixels)
        self._workers = settings.threads or cores()
        self._threads = ThreadPoolExecutor(self._workers, thread_name_prefix="szem-work")
        self._classify: Batcher[_Asked, Labels] | None = None
        self._no_classifier = "the server has not begun yet"
        self._sessions: dict[tuple[str, str], Session] = {}
        self._opening = threading.Lock()

    def open(self) -> None:
        """Open the networks. A task without a model is missed only when it is asked for."""
        try:
            session = open_model(task="classify", threads=1)  # one thread each: pictures run side by side
        except SzemError as error:
            self._no_classifier = str(error)
            return
        classifier = Classifier(session, workers=1)
        self._classify = Batcher(
            lambda asked: [classifier([one.picture], top=one.top, maps=one.maps)[0] for one in asked],
            max_batch=self.settings.max_batch,
            workers=self._workers,
            on_batch=self.metrics.batches.observe,
        )

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        if self._classify is not None:
            self._classify.close()

    async def classify(self, picture: Picture8, *, top: int, maps: bool = False) -> Labels:
        """Name what is in a picture, in one batch with the pictures of other callers.

        Raises:
            UnsupportedError: no model for it is installed.
        """
        if self._classify is None:
            raise UnsupportedError(f"pictures cannot be classified here: {self._no_classifier}")
        return await asyncio.wrap_future(self._classify.submit(_Asked(picture, top, maps)))

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
        return found if found is not None else await self.run(self._open_session, task, name)

    def _open_session(self, task: str, name: str) -> Session:
        known = [model.name for model in list_models(task=task)]
        if not known:
            raise UnsupportedError(f"no model for {task} is installed here; see szem models")
        if name and name not in known:
            raise UnknownNameError(f"no model called {name[:60]!r} for {task}; there are {', '.join(known)}")
        with self._opening:
            if (task, name) not in self._sessions:
                self._sessions[task, name] = open_model(name or None, task=task, threads=1)
        return self._sessions[task, name]

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """Run blocking work on a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)

    @asynccontextmanager
    async def picture(self, data: bytes) -> AsyncIterator[Picture8]:
        """Decode a picture and hold it for the time of the block.

        Raises:
            As `szem.media.pictures.read_picture`.
        """
        width, height = await self.run(self._size, data)
        async with self._pixels.take(width * height):
            yield await self.run(self._decode, data)

    @asynccontextmanager
    async def room_for(self, pixels: int) -> AsyncIterator[None]:
        """Wait until so many decoded pixels fit into memory, and count them for the time of the block."""
        async with self._pixels.take(pixels):
            yield

    def _size(self, data: bytes) -> tuple[int, int]:
        return picture_size(data, limits=self.limits)

    def _decode(self, data: bytes) -> Picture8:
        return read_picture(data, limits=self.limits)
