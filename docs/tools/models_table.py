"""Write docs/models.md from the cards of the shipped models: python docs/tools/models_table.py."""

from pathlib import Path

from szem.runtime.cards import Card, Score, read_card
from szem.runtime.store import shipped_folder
from szem.tasks.registry import TASKS

PAGE = Path(__file__).resolve().parents[1] / "models.md"

HEAD = """# Shipped models

Written from the cards by `python docs/tools/models_table.py`; `szem models show NAME` prints a whole card, with every
score, what measured it, and other networks on the same data. \\* marks what a task takes when no model is named.
"First data" and "second data" are of different origin where the card has both. Models with NC in their licence are
not for commercial use; none of them is a default where a free one does the same.

"""


def models_page() -> str:
    """The page, from the cards as they are now."""
    rows = [
        "| model | task | licence | size | first data | second data | another network, first data |",
        "|---|---|---|---|---|---|---|",
    ]
    defaults = {row.model.default for row in TASKS.values() if row.model is not None}
    cards = [read_card(file) for file in sorted(shipped_folder().glob("*/card.json"))]
    for card in cards:
        first, second = _first_scores(card)
        mark = " \\*" if card.name in defaults else ""
        rows.append(
            f"| `{card.name}`{mark} | {card.task} | {card.licence} | {card.all_bytes / 1e6:.1f} MB | "
            f"{_written(first)} | "
            f"{_written(second)} | {_best_peer(card, first)} |"
        )
    terms = ["", "## What they were trained with, and on what terms", ""]
    for card in cards:
        data = "; ".join(f"{one.use}: {one.name} ({one.terms})" for one in card.training_data)
        terms.append(f"- **`{card.name}`**: {data}.")
    return HEAD + "\n".join(rows + terms) + "\n"


def _first_scores(card: Card) -> tuple[Score | None, Score | None]:
    """The card's first score, and the same metric on another set of data, else the first score there."""
    if not card.scores:
        return None, None
    first = card.scores[0]
    others = [score for score in card.scores if score.dataset != first.dataset]
    others += [score for score in card.scores if score.dataset == first.dataset and score.split != first.split]
    return first, next((score for score in others if score.metric == first.metric), None)


def _written(score: Score | None) -> str:
    return f"{score.metric} {score.value:.3g} ({score.dataset}, {score.split}, n = {score.n})" if score else "–"


def _best_peer(card: Card, first: Score | None) -> str:
    if first is None:
        return "–"
    found = [
        (score.value, peer.name)
        for peer in card.peers
        for score in peer.scores
        if (score.dataset, score.split, score.metric) == (first.dataset, first.split, first.metric)
    ]
    return "; ".join(f"{value:.3g} {name}" for value, name in found) or "–"


if __name__ == "__main__":
    PAGE.write_text(models_page(), encoding="utf-8")
