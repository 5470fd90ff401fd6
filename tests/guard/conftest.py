"""Films to try a guard on, and stores in folders of their own."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from szem.guard.event_store import EventStore

from .acts import make_video


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds, a picture that stands alone each second, with sound."""
    return make_video(tmp_path_factory.mktemp("films") / "yard.mp4")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    """An empty store."""
    with closing(EventStore(tmp_path / "store")) as opened:
        yield opened
