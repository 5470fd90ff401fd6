"""The scores on a card as one table: a column for each set of data and each network measured on it."""

from collections import Counter
from collections.abc import Sequence

from szem.runtime.cards import Card, Score

__all__ = ["score_lines"]

_COLUMNS = 3  # sets of data side by side; with more of them each is a row
_Set = tuple[str, str]  # data set, split


def score_lines(card: Card) -> list[str]:
    """Networks, sets of data and commands, then the table: `B2` is network 2 on data B; notes last.

    Where a number was measured on another number of items than most on its set, the number stands behind it.
    """
    networks = [(card.name, card.scores), *((peer.name, peer.scores) for peer in card.peers)]
    every = [score for _, scores in networks for score in scores]
    if not every:
        return ["not measured"]
    sets = list(dict.fromkeys((score.dataset, score.split) for score in every))
    letters = {one: _letter(k) for k, one in enumerate(sets)}
    usual = {one: Counter(s.n for s in every if (s.dataset, s.split) == one).most_common(1)[0][0] for one in sets}
    lines = [f"network {k}: {name}" for k, (name, _) in enumerate(networks, 1)] if len(networks) > 1 else []
    commands: list[str] = []
    for one, letter in letters.items():
        own = [s for s in every if (s.dataset, s.split) == one]
        date = f", {own[0].date}" if own[0].date else ""
        lines.append(f"data {letter}: {one[0]}, {one[1]}: {usual[one]} items{date}")
        commands += [score.command for score in own]
    lines += [f"measured by: {command}" for command in dict.fromkeys(commands)] + [""]
    metrics = list(dict.fromkeys(score.metric for score in every))

    def cell(scores: Sequence[Score], one: _Set, metric: str) -> str:
        for score in scores:
            if (score.dataset, score.split, score.metric) == (*one, metric):
                return f"{score.value:.4g}" + (f" ({score.n})" if score.n != usual[one] else "")
        return ""

    # Few sets of data stand side by side; many would be wider than a terminal, so each is a row then.
    if len(sets) <= _COLUMNS:
        heads = [
            (letters[one] + (str(k) if len(networks) > 1 else ""), scores, one)
            for one in sets
            for k, (_, scores) in enumerate(networks, 1)
            if any((s.dataset, s.split) == one for s in scores)
        ]
        rows = [["", *(head for head, _, _ in heads)]]
        rows += [[metric, *(cell(scores, one, metric) for _, scores, one in heads)] for metric in metrics]
    else:
        wide = [
            (metric + (f", {k}" if len(networks) > 1 else ""), scores, metric)
            for metric in metrics
            for k, (_, scores) in enumerate(networks, 1)
            if any(s.metric == metric for s in scores)
        ]
        rows = [["", *(head for head, _, _ in wide)]]
        rows += [[letters[one], *(cell(scores, one, metric) for _, scores, metric in wide)] for one in sets]
    lines += _aligned(rows)
    for note in dict.fromkeys(score.note for score in every if score.note):
        about = [score.metric for score in every if score.note == note]
        lines.append(f"note: {note}" + (f" ({', '.join(dict.fromkeys(about))})" if len(set(about)) < 6 else ""))
    return lines


def _letter(k: int) -> str:
    return chr(ord("A") + k % 26) * (1 + k // 26)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
