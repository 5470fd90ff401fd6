"""What the server keeps for the network lab: the files that were sent, so that any worker can take up a look.

Bounded: the oldest is forgotten first, and asking for it says that it is gone. Nothing here is parsed. Knows nothing
of HTTP.
"""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from szem.errors import FormatError, NotFoundError
from szem.serve.handlers.lab import SENT_PREFIX, LookSource, Recent, picture_models
from szem.tasks.explain.explain import EXPLAINED_TASK
from szem.tasks.models import default_model

__all__ = ["LabFiles"]

_SENT_BYTES = 320_000_000  # networks that visitors sent, all together
_PICTURE_BYTES = 160_000_000  # and the pictures being looked at
_INPUT_BYTES = 32_000_000  # and what networks see of them
_FORGOTTEN = "this picture has been forgotten since; send it again"

T = TypeVar("T")


class LabFiles:
    """The files of one server's lab."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: Recent[tuple[str, bytes]] = Recent(_SENT_BYTES)
        self._looks: Recent[tuple[str, bytes]] = Recent(_PICTURE_BYTES)
        self._inputs: Recent[bytes] = Recent(_INPUT_BYTES)
        # network -> the fraction of the pictures it has looked at, while it does
        self._searched: dict[str, float] = {}

    def networks(self) -> list[dict[str, Any]]:
        """The networks that can be looked into: classifiers, the task's own first; others; those that were sent."""
        models = picture_models()
        named = [m for m in models if m.card.task == EXPLAINED_TASK]
        first = default_model(EXPLAINED_TASK).name if named else ""
        models.sort(key=lambda m: (m.name != first, m.card.task != EXPLAINED_TASK))
        rows: list[dict[str, Any]] = [
            {"name": m.name, "title": m.name, "task": m.card.task, "text": m.card.summary} for m in models
        ]
        with self._lock:
            for name in reversed(self._sent.names()):
                kept = self._sent.get(name)
                if kept is not None:
                    rows.append({"name": name, "title": kept[0], "task": "", "text": ""})
        return rows

    def sent(self, data: bytes) -> LookSource:
        """A network that a visitor sends, not kept yet.

        Raises:
            FormatError: there is none.
        """
        if not data:
            raise FormatError("no network came; send an .onnx file as the body")
        return LookSource(SENT_PREFIX + hashlib.sha256(data).hexdigest()[:20], network_data=data)

    def keep_network(self, source: LookSource, title: str) -> None:
        """Keep a network that a worker has judged."""
        assert source.network_data is not None
        with self._lock:
            self._sent.put(source.network, (title[:80] or "network", source.network_data), len(source.network_data))

    def begin(self, network: str, data: bytes) -> LookSource:
        """Begin to look at a picture; the same picture in the same network has the same name.

        Raises:
            NotFoundError: the network was sent, and has been forgotten since.
        """
        name = hashlib.sha256(network.encode() + b"\0" + data).hexdigest()[:24]
        source = self.with_files(LookSource(network, name, picture_data=data))
        with self._lock:
            self._looks.put(name, (network, data), len(data))
        return source

    def find(self, name: str) -> LookSource:
        """A picture being looked at, without its files.

        Raises:
            NotFoundError: it has been forgotten since.
        """
        with self._lock:
            return LookSource(_still_kept(self._looks, name)[0], name)

    def with_files(self, source: LookSource) -> LookSource:
        """The same with its files.

        Raises:
            NotFoundError: one has been forgotten since.
        """
        with self._lock:
            network, look = self._sent.get(source.network), self._looks.get(source.name)
        if source.network.startswith(SENT_PREFIX) and network is None:
            raise NotFoundError("this network has been forgotten since; send its file again")
        data = source.picture_data if look is None else look[1]
        if source.name and data is None:
            raise NotFoundError(_FORGOTTEN)
        return replace(source, network_data=None if network is None else network[1], picture_data=data)

    def keep_input(self, name: str, png: bytes) -> None:
        """Keep what the network sees of a picture being looked at."""
        with self._lock:
            self._inputs.put(name, png, len(png))

    def input(self, name: str) -> bytes:
        """What the network sees of a picture, as PNG.

        Raises:
            NotFoundError: it has been forgotten since.
        """
        with self._lock:
            return _still_kept(self._inputs, name)

    def searched(self, network: str) -> float | None:
        """How far the search for a network's strongest pictures is, 0 to 1; None while there is none."""
        return self._searched.get(network)

    def search(self, network: str) -> tuple[Callable[[float], None], Callable[[], None]]:
        """Notes how far a search is: a function to call with the fraction, and one for its end."""
        return lambda fraction: self._searched.update({network: fraction}), lambda: _forget(self._searched, network)


def _still_kept(pictures: Recent[T], name: str) -> T:
    kept = pictures.get(name)
    if kept is None:
        raise NotFoundError(_FORGOTTEN)
    return kept


def _forget(kept: dict[str, float], name: str) -> None:
    kept.pop(name, None)
