"""Every part of `look` keeps one contract; unknown parts and other pictures are refused."""

import pytest

from szem.errors import ShapeError, UnknownNameError
from szem.media.samples import read_sample
from szem.tasks.look import Looker, look, look_parts


def test_every_task_of_the_table_keeps_its_contract() -> None:
    picture = read_sample("cat")
    looker = Looker()
    seen = looker(picture)
    assert set(looker.runs) | set(looker.skipped) == set(look_parts())
    for name, result in seen.results.items():
        assert isinstance(result.to_dict(), dict)
        if looker.parts[name].drawn:
            assert result.draw(picture).shape == picture.shape  # type: ignore[attr-defined]
    for section in seen.sections:
        assert section.rows or section.name not in ("labels", "colors", "crops", "sharpness")
        assert section.title
    assert [section.name for section in seen.sections] == list(seen.results)


def test_tasks_that_are_not_there_are_said() -> None:
    with pytest.raises(UnknownNameError, match="choose labels"):
        Looker(["smell"])
    with pytest.raises(UnknownNameError, match="nothing"):
        Looker([])
    with pytest.raises(ShapeError, match="give that one"):
        look(read_sample("cat"), tasks=["colors"]).draw(read_sample("coins"))
