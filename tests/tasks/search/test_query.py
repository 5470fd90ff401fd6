"""tasks/search/query.py and word_pieces.py: what a sentence demands, and how it is split."""

import pytest

from szem.results.caption import Tag
from szem.tasks.search.encoder import open_encoder
from szem.tasks.search.query import Demand, DemandEvidence, demands_of, demands_probability, evidence_of


@pytest.mark.parametrize(
    ("text", "demands"),
    [
        ("a cat", (Demand("cat"),)),
        ("two dogs", (Demand("dog", 2),)),
        ("a red car", (Demand("car", 0, "red"),)),
        ("three white horses and a boat", (Demand("horse", 3, "white"), Demand("boat"))),
        ("one grey cat", (Demand("cat", 1, "grey"),)),
        ("a gray cat", (Demand("cat", 0, "grey"),)),
        ("dogs in the snow", (Demand("dog", -1),)),
        ("a green field", ()),
    ],
)
def test_objects_numbers_and_colors_are_read(text: str, demands: tuple[Demand, ...]) -> None:
    assert demands_of(text) == demands


@pytest.mark.parametrize(
    ("text", "tag", "evidence"),
    [
        ("a red car", Tag("car", 0.9, color="red"), DemandEvidence(0.8, 0, 1)),
        ("a red car", Tag("car", 0.9, color="blue"), DemandEvidence(0.8, 0, -1)),
        ("a red car", Tag("car", 0.9), DemandEvidence(0.8, 0, 0)),  # not measured
        ("a red car", Tag("dog", 0.9, color="red"), DemandEvidence(-1, 0, 0)),
        ("two dogs", Tag("dog", 0.9, count=2), DemandEvidence(0.8, 1, 0)),
        ("two dogs", Tag("dog", 0.9, count=1), DemandEvidence(0.8, -1, 0)),
        ("a sunset", Tag("dog", 0.9), DemandEvidence()),
    ],
)
def test_tags_confirm_or_contradict(text: str, tag: Tag, evidence: DemandEvidence) -> None:
    found = evidence_of(demands_of(text), [tag])
    assert (found.objects, found.counts, found.colors) == pytest.approx(
        (evidence.objects, evidence.counts, evidence.colors)
    )


def test_sentences_of_one_meaning_lie_together() -> None:
    _, near = open_encoder(threads=1).embed(
        ["a kitten on a sofa", "a cat lies on a couch", "a person is standing on the street"]
    )
    assert near[0] @ near[1] > 0.6
    assert near[0] @ near[2] < 0.1


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("a bus", 0.9, 0.99),
        ("a red bus", 0.5, 0.9),
        ("a blue bus", 0.01, 0.1),  # it was measured to be red
        ("two buses", 0.01, 0.2),  # one was counted
        ("a white dog", 0.01, 0.2),  # its colour was not measured
        ("a bus and a giraffe", 0.01, 0.01),
    ],
)
def test_numbers_and_colours_change_the_probability(text: str, low: float, high: float) -> None:
    tags = [Tag("bus", 0.95, color="red"), Tag("dog", 0.9)]
    assert low <= demands_probability(demands_of(text), tags) <= high
