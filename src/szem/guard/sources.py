"""What is to be guarded: names and addresses of cameras, streams and videos, from what a person typed and the rules.

This file opens nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from szem.errors import FileMissingError, RangeError
from szem.guard.event_store import slug
from szem.media.live import address_without_password, is_camera, is_url
from szem.runtime.store import find_model, list_models
from szem.tasks.models import default_model
from szem.tasks.surveillance.rules import Rules

__all__ = ["Source", "all_labels", "known_labels", "name_sources"]

_NAMED = re.compile(r"([A-Za-z][\w .-]{0,79})=(.+)\Z")


@dataclass(frozen=True)
class Source:
    """One source."""

    name: str
    address: str
    is_live: bool
    sound: bool = True

    @property
    def shown(self) -> str:
        """The address as it may be shown."""
        return address_without_password(self.address)


def name_sources(typed: Sequence[str], rules: Rules) -> tuple[Source, ...]:
    """Give each source its name: the one typed (`door=rtsp://…`), the rules' own, or one from its address.

    Args:
        typed: Sources as typed; none: the cameras of the rules. A camera of the rules may be meant by its name.
        rules: With `[cameras]`.
    Raises:
        RangeError: nothing to guard, or one name for two.
        FileMissingError: no such video.
    """
    by_source = {camera.source: name for name, camera in rules.cameras.items() if camera.source}
    wanted = list(typed) or list(by_source)
    if not wanted:
        raise RangeError(
            "nothing to watch; name a video, a camera's number or an rtsp:// address, or cameras in --rules"
        )
    found: dict[str, Source] = {}
    for text in wanted:
        name, address = _split(text)
        if not name and text in rules.cameras and rules.cameras[text].source and not Path(text).exists():
            name, address = text, rules.cameras[text].source
        name = name or by_source.get(address) or _own_name(address)
        if name in found:
            raise RangeError(f"two sources are called {name!r}; name one otherwise: other={found[name].shown}")
        is_live = (is_camera(address) or is_url(address)) and not Path(address).exists()
        if not is_live and not Path(address).is_file():
            raise FileMissingError(f"{address_without_password(address)}: no such video, camera or stream; check it")
        sound = rules.cameras[name].sound if name in rules.cameras else True
        found[name] = Source(name, address, is_live, sound)
    return tuple(found.values())


def _split(text: str) -> tuple[str, str]:
    match = _NAMED.match(text)
    return (match[1], match[2]) if match and not Path(text).exists() else ("", text)


def _own_name(address: str) -> str:
    if is_camera(address):
        return f"camera-{address}"
    if is_url(address):
        return slug(address_without_password(address).split("://", 1)[1].split("?", 1)[0])
    return Path(address).stem[:80] or "video"


def known_labels(model: str = "") -> tuple[str, ...]:
    """The classes of things that can be seen; none where no model is installed.

    Args:
        model: A model's name or folder; the shipped one if left out.
    Raises:
        As `szem.runtime.store.find_model`.
    """
    if model:
        return find_model(model, task="detect").labels
    return default_model("detect").labels if list_models(task="detect") else ()


def all_labels() -> tuple[str, ...]:
    """The classes of all installed detectors: for rules of a guard that may look with any of them."""
    return tuple(dict.fromkeys(label for model in list_models(task="detect") for label in model.labels))
