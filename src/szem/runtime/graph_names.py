"""Names that people recognise: of layers, and of the blocks that layers form."""

import re
from collections.abc import Sequence

from szem.results.explanation import LayerRow
from szem.runtime.graph import Graph, Node
from szem.runtime.graph_costs import LEARNED

__all__ = ["name_blocks", "name_layers"]


def name_layers(graph: Graph, mains: Sequence[Node]) -> list[str]:
    """Short names people recognise: from the weights where those are named, else from the operation."""
    used: dict[str, int] = {}
    names = []
    for main in mains:
        base = _weight_stem(graph, main) or _path_stem(main)
        base = f"{main.op}.{base}" if base.isdecimal() else base  # a bare number would be taken for the layer's place
        used[base] = used.get(base, 0) + 1
        names.append(base if used[base] == 1 else f"{base} #{used[base]}")
    return names


def _weight_stem(graph: Graph, node: Node) -> str:
    for position in LEARNED.get(node.op, ())[:2]:
        name = node.input(position)
        maker = graph.producers.get(name)
        if maker is not None and name in graph.constant_names and maker.inputs:
            name = maker.inputs[0]
        found = re.fullmatch(r"(.*[A-Za-z].*)\.weight(_quantized)?", name)
        if found and graph.initializer(name) is not None:
            return found.group(1)
    return ""


def _path_stem(node: Node) -> str:
    parts = [part for part in node.name.split("/") if part]
    if len(parts) > 1 and re.fullmatch(rf"{re.escape(node.op)}(_\d+)?(_quant)?", parts[-1]):
        parts.pop()
    kept = [p for p, after in zip(parts, [*parts[1:], ""], strict=False) if not after.startswith(p + ".")]
    return ".".join(kept) or node.op


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
    labels: list[str] = []
    for i, row in enumerate(rows):
        alone = marks.count(marks[i]) == 1 or marks.count(marks[i]) > 40
        previous = rows[i - 1] if i else None
        if previous is not None and (
            (marks[i] == marks[i - 1] and not alone)
            or (alone and marks.count(marks[i - 1]) in (1, marks.count(marks[i])) and _same_chain(previous, row))
        ):
            labels.append(labels[-1])
        else:
            labels.append(_scope(row.name) or row.name)
    return _unique_runs(labels)


def _scope(name: str) -> str:
    """`features.3.conv.0` -> `features.3`; nothing where no number follows a name."""
    found = re.match(r"[^\d]*[A-Za-z_][^\d.]*\.\d+(?=[./])", name)
    return found.group(0) if found else ""


def _same_chain(a: LayerRow, b: LayerRow) -> bool:
    scopes = _scope(a.name), _scope(b.name)
    if all(scopes):
        return scopes[0] == scopes[1]
    return not any(scopes) and a.output_shape[1:] == b.output_shape[1:]


def _unique_runs(labels: list[str]) -> list[str]:
    """Two runs of layers apart from each other never share a label."""
    seen: dict[str, int] = {}
    out: list[str] = []
    for i, label in enumerate(labels):
        if i == 0 or label != labels[i - 1]:
            seen[label] = seen.get(label, 0) + 1
        out.append(label if seen[label] == 1 else f"{label} #{seen[label]}")
    return out
