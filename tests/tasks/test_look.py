"""Every part of `look` keeps one contract; unknown parts and other pictures are refused."""

from typing import Any

import pytest

from szem.arrays import Picture8
from szem.errors import ShapeError, UnknownNameError
from szem.media.samples import read_sample
from szem.results.look import LookResult
from szem.tasks.contracts import Run
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


def test_tasks_side_by_side_answer_as_one_after_the_other() -> None:
    picture = read_sample("cat")
    wanted = Looker(workers=1)(picture)
    found = Looker(workers=3)(picture)
    assert [section.name for section in found.sections] == [section.name for section in wanted.sections]
    for name in ("colors", "crops", "sharpness", "caption"):  # crops read what labels leave for them
        assert found.results[name].to_dict() == wanted.results[name].to_dict()
    assert found.to_dict()["boxes"].keys() == wanted.to_dict()["boxes"].keys()


def test_a_task_that_waits_for_another_never_blocks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    looker = Looker(["labels", "masks", "boxes", "colors", "crops"], workers=2)
    for name, run in list(looker.runs.items()):

        def watched(picture: Picture8, shared: dict[str, Any], *, name: str = name, run: Run = run) -> LookResult:
            result = run(picture, shared)
            order.append(name)
            return result

        monkeypatch.setitem(looker.runs, name, watched)
    looker(read_sample("cat"))
    assert sorted(order) == sorted(looker.runs)
    assert order.index("masks") < order.index("boxes")
    assert order.index("labels") < order.index("crops")


def test_an_error_of_one_task_is_raised_and_the_others_end(monkeypatch: pytest.MonkeyPatch) -> None:
    looker = Looker(["labels", "colors", "crops"], workers=2)

    def fails(picture: Picture8, shared: dict[str, Any]) -> LookResult:
        raise ShapeError("no such picture")

    monkeypatch.setitem(looker.runs, "labels", fails)
    with pytest.raises(ShapeError, match="no such picture"):
        looker(read_sample("cat"))


def test_tasks_that_are_not_there_are_said() -> None:
    with pytest.raises(UnknownNameError, match="choose labels"):
        Looker(["smell"])
    with pytest.raises(UnknownNameError, match="nothing"):
        Looker([])
    with pytest.raises(ShapeError, match="give that one"):
        look(read_sample("cat"), tasks=["colors"]).draw(read_sample("coins"))
