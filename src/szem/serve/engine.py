"""Where the work happens: threads for decoding and arithmetic, a budget of pixels, networks.

Networks use one thread each, as many side by side as there are cores: on a processor that is the fastest way.
Pictures that wait for labels at the same time go through their network in one batch; the other networks gain nothing
by it (docs/api.md, "Speed").

Made in the application's lifespan, handed to routes as an argument, closed with it. Knows nothing of HTTP or of
Google's messages.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from szem.arrays import Picture8
from szem.errors import SzemError, UnknownNameError, UnsupportedError
from szem.media.pages import picture_size
from szem.media.pictures import Limits, read_picture
from szem.results.labels import Labels
from szem.runtime.sessions import Session, cores
from szem.runtime.store import list_models
from szem.serve.metrics import Metrics
from szem.serve.middleware.limits import ByteBudget
from szem.serve.settings import ServeSettings
from szem.serve.workers import Workers
from szem.tasks.classification.classify import Classifier
from szem.tasks.models import open_model

__all__ = ["Engine"]


T = TypeVar("T")
X = TypeVar("X")
_OUTSIDE = 8  # pictures fetched or read from folders at the same time; each may hold a whole file


class Engine:
    """The workshop of one application.

    Args:
        settings: The operator's choices.
        metrics: Where batches are counted.
    """

    def __init__(self, settings: ServeSettings, metrics: Metrics) -> None:
        self.settings = settings
        self.limits = Limits(
            max_bytes=settings.max_picture_bytes,
            max_pixels=settings.max_pixels,
            max_frames=settings.max_async_images,
        )
        self.outside = asyncio.Semaphore(_OUTSIDE)
        self._pixels = ByteBudget(settings.max_decoded_pixels)
        self._workers = Workers(
            settings.threads or cores(), max_batch=settings.max_batch, on_batch=metrics.batches.observe
        )
        self._sessions: dict[tuple[str, str], Session] = {}
        self._opening = threading.Lock()

    def open(self) -> None:
        """Open the network that most ask for, so that the first who asks does not wait."""
        with suppress(SzemError):  # it is missed only when it is asked for
            self.open_model(task="classify")

    def close(self) -> None:
        """End the threads."""
        self._workers.close()

    async def classify(self, picture: Picture8, *, top: int) -> Labels:
        """Labels of a picture, in one batch with others that wait.

        Raises:
            UnsupportedError: no model for it is installed.
        """
        classifier = Classifier(await self.session("classify"), workers=1)
        return await self.run_together(("labels", top), lambda many: classifier.together(many, top=top), picture)

    async def run_together(self, kind: Hashable, function: Callable[[Sequence[X]], Sequence[T]], item: X) -> T:
        """Run blocking work that is cheaper for several requests of one kind at once.

        Args:
            kind: What may be done in one batch; equal kinds bring equal functions.
            function: Takes items, gives as many results in their order.
            item: What this request brings.
        """
        return await asyncio.wrap_future(self._workers.submit_alike(kind, function, item))

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
        return found if found is not None else await self.run(lambda: self.open_model(name, task=task))

    def open_model(self, name: str | os.PathLike[str] | None = None, *, task: str) -> Session:
        """As `session`, for work that is on a thread already."""
        name = "" if name is None else str(name)
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
        """Run blocking work on a thread, the oldest request's first."""
        return await asyncio.wrap_future(self._workers.submit(function, *args))

    @asynccontextmanager
    async def picture(self, data: bytes, *, for_labels_only: bool = False) -> AsyncIterator[Picture8]:
        """Decode a picture and hold it for the time of the block.

        Args:
            data: A picture file.
            for_labels_only: It may be smaller than it is: as small as the labels' network needs it.
        Raises:
            As `szem.media.pictures.read_picture`.
        """
        width, height = await self.run(self._size, data)
        async with self._pixels.take(width * height):
            side_px = await self._labels_side_px() if for_labels_only else None
            yield await self.run(self._decode, data, side_px)

    @asynccontextmanager
    async def room_for(self, pixels: int) -> AsyncIterator[None]:
        """Wait until so many decoded pixels fit into memory, and count them for the time of the block."""
        async with self._pixels.take(pixels):
            yield

    def _size(self, data: bytes) -> tuple[int, int]:
        return picture_size(data, limits=self.limits)

    def _decode(self, data: bytes, least_side_px: int | None) -> Picture8:
        return read_picture(data, limits=self.limits, least_side_px=least_side_px)

    async def _labels_side_px(self) -> int | None:
        try:
            return Classifier(await self.session("classify")).least_side_px
        except SzemError:
            return None  # told when the labels are asked for
