"""Names that people recognise: of layers, and of the blocks that layers form."""

import re
from collections.abc import Sequence

from szem.results.explanation import LayerRow
from szem.runtime.graph import Graph, Node
from szem.runtime.graph_costs import LEARNED

__all__ = ["name_blocks", "name_layers"]


def name_layers(graph: Graph, mains: Sequence[Node]) -> list[str]:
    """Short names people recognise: from the weights where those are named, else from the operation."""
    stems = [_weight_stem(graph, main) for main in mains]
    shared = _shared_scope([stem for stem in stems if stem])
    used: dict[str, int] = {}
    names = []
    for main, stem in zip(mains, stems, strict=True):
        base = stem.removeprefix(shared) or _path_stem(main)
        base = f"{main.op}.{base}" if base.isdecimal() else base  # a bare number would be taken for the layer's place
        used[base] = used.get(base, 0) + 1
        names.append(base if used[base] == 1 else f"{base} #{used[base]}")
    return names


def _shared_scope(stems: list[str]) -> str:
    """What all names begin with, up to a point: `net.` of `net.stem` and `net.head`."""
    if len(stems) < 2:
        return ""
    first, last = min(stems), max(stems)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
    return first[: first.rfind(".", 0, same) + 1]


def _weight_stem(graph: Graph, node: Node) -> str:
    for position in LEARNED.get(node.op, ())[:2]:
        name = node.input(position)
        if name not in graph.constant_names:
            continue
        maker = graph.producers.get(name)  # the weights may be widened or given back from 8 bits first
        for candidate in (name, maker.input(0) if maker is not None else ""):
            found = re.fullmatch(r"(.*[A-Za-z].*?)\.weight(_\w+)?", candidate)
            if found:
                return found.group(1)
    return ""


def _path_stem(node: Node) -> str:
    parts = [part for part in node.name.split("/") if part]
    if len(parts) > 1 and re.fullmatch(rf"{re.escape(node.op)}(_\d+)?(_quant)?", parts[-1]):
        parts.pop()
    kept = [p for p, after in zip(parts, [*parts[1:], ""], strict=False) if not after.startswith(p + ".")]
    return ".".join(kept).removeprefix("node_").lstrip("_") or node.op  # torch begins every operation so


def name_blocks(rows: list[LayerRow]) -> list[str]:
    """Which block each layer belongs to: what lies between two places where only one value goes on is together.

    A chain without branches is cut where the names' scope changes (`blocks.3`), or the size of the maps.
    """
    last_use = [max([r.index for r in rows if row.index in r.inputs], default=row.index) for row in rows]
    open_until, marks, start = 0, [0] * len(rows), 0
    for i, _ in enumerate(rows):
        marks[i] = start
        open_until = max(open_until, last_use[i])
        crossing = sum(1 for j in range(i + 1) if last_use[j] > i)
        if crossing <= 1:
            start = i + 1
    counts = [marks.count(mark) for mark in marks]
    starts: list[int] = []  # the first layer of each block
    for i, row in enumerate(rows):
        loose = counts[i] == 1 or counts[i] > 40  # a chain, or a network that is one large branch
        together = i > 0 and (
            _same_chain(rows[i - 1], row) and counts[i - 1] == counts[i] if loose else marks[i] == marks[i - 1]
        )
        starts.append(starts[-1] if together else i)
    return _labelled(rows, starts)


def _scope(name: str) -> str:
    """`stages.3.1.expand` -> `stages.3.1`; nothing where no number follows a name."""
    found = re.match(r".*[A-Za-z_][^.]*(\.\d+)+(?=[./])", name)
    return found.group(0) if found else ""


def _same_chain(a: LayerRow, b: LayerRow) -> bool:
    if b.kind in ("add", "multiply", "concat") and a.index in b.inputs and a.output_shape[1:] == b.output_shape[1:]:
        return True  # what a block ends in
    scopes = _scope(a.name), _scope(b.name)
    if all(scopes):
        return scopes[0] == scopes[1]
    return not any(scopes) and a.output_shape[1:] == b.output_shape[1:]


def _labelled(rows: list[LayerRow], starts: list[int]) -> list[str]:
    """Each block by its names' scope, else by its first layer; no two blocks share a label."""
    seen: dict[str, int] = {}
    labels: list[str] = []
    for i, start in enumerate(starts):
        if start != i:
            labels.append(labels[-1])
            continue
        label = _scope(rows[i].name) or rows[i].name
        seen[label] = seen.get(label, 0) + 1
        labels.append(label if seen[label] == 1 else f"{label} #{seen[label]}")
    return labels
