"""tag_memory.py: which tags the decoder is shown, and in which numbers."""

from typing import Any

import numpy as np
import pytest

from szem.results.caption import Tag
from szem.tasks.captioning.tag_memory import TagMemory


class File:
    """An ONNX file that gives back what it is given."""

    def __init__(self) -> None:
        self.metadata = {"names": "cat\ndog", "slots": "2"}

    def run(self, feeds: dict[str, Any], outputs: list[str]) -> list[np.ndarray]:
        assert outputs == ["memory"]
        self.feeds = feeds
        return [feeds["numbers"]]


def test_the_most_important_tags_fill_the_slots() -> None:
    file = File()
    memory = TagMemory(file)  # type: ignore[arg-type]
    memory(
        [
            Tag(name="zebra", confidence=0.9, box=(0, 0, 1, 1)),  # the part has no such name
            Tag(name="cat", confidence=0.1, box=(0, 0, 1, 1)),  # too uncertain to be shown
            Tag(name="dog", confidence=0.5, count=3, box=(0, 0, 0.5, 0.5), color="white"),
        ]
    )
    assert file.feeds["tags"].tolist() == [[2, 0]]
    assert file.feeds["numbers"][0, 0].tolist() == pytest.approx([0, 1, 0.5, 1])
    assert file.feeds["colors"].tolist() == [[2, 0]]
    memory([])
    assert not file.feeds["tags"].any()
