"""A short run of scripts/fuzz: no mutated file gives anything but a result or a typed error of one line."""

from pathlib import Path

import pytest

from benchmarks.fuzz import children
from benchmarks.fuzz.children import run_files
from benchmarks.fuzz.seeds import WEIGHTS, Seed, make_corpus, mutated


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[Seed]:
    return make_corpus(tmp_path_factory.mktemp("corpus"))


def test_every_kind_has_files_and_a_reader(corpus: list[Seed]) -> None:
    assert {one.kind for one in corpus} == set(WEIGHTS) == set(children._READERS)


def test_whole_files_are_read(corpus: list[Seed], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "home"))
    for one in corpus:
        children._READERS[one.kind](one, tmp_path)


def test_mutations_are_the_same_for_the_same_seed(corpus: list[Seed]) -> None:
    assert mutated(corpus, 3, 17) == mutated(corpus, 3, 17) != mutated(corpus, 4, 17)


def test_three_hundred_mutated_files_give_results_or_typed_errors(corpus: list[Seed], tmp_path: Path) -> None:
    tally = run_files(corpus, 300, seed=2026, workers=1, home=tmp_path, limit_s=300)
    assert tally.findings == []
    assert tally.done == 300


def test_a_child_that_dies_is_a_finding_and_the_next_goes_on(
    corpus: list[Seed], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Children of this test are killed as they start; a segmentation fault of a decoder looks the same."""
    (tmp_path / "sitecustomize.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    tally = run_files(corpus, 3, seed=1, workers=1, home=tmp_path, limit_s=60)
    assert len(tally.findings) == 3
    assert all("the child ended with status -9" in finding for finding in tally.findings)
