"""What a neuron sees: walk back from any number inside a network to the part of the input that it depends on.

Where paths meet, the region that holds all of them counts. What each operation needs is told by `graph_rules`.
"""

from fractions import Fraction

from szem.runtime.graph import Graph
from szem.runtime.graph_rules import Region, aligned_region, join_regions, needed_regions
from szem.runtime.graph_run import Probe

__all__ = ["field_of", "find_grown", "trace_back"]

FAR = 96
_GROWING = frozenset(("ConvTranspose", "Resize", "Upsample", "DepthToSpace", "Reshape", "Expand", "Tile"))


def trace_back(probe: Probe, value: str, region: Region, *, to: str, clip: bool = True) -> Region | None:
    """Find the part of one input that a region of a value depends on.

    Args:
        probe: The opened network.
        value: The value's name.
        region: (first, last) per axis of that value, both included.
        to: The name of an input.
        clip: Keep to what is really there; without it, padding counts as if the picture went on.
    Returns:
        (first, last) per axis of the input, or None when nothing of it is needed.
    """
    graph = probe.graph
    wanted: dict[str, Region] = {value: region}
    first = graph.producers.get(value)
    if first is None:
        return region if value == to else None
    for node in reversed(graph.nodes[: first.index + 1]):
        for position, out in enumerate(node.outputs):
            if out not in wanted:
                continue
            for name, part in needed_regions(node, probe, position, wanted[out]).items():
                if not name or name in graph.constant_names or name not in probe.shapes:
                    continue
                kept: Region | None = part
                if clip:
                    kept = _clipped(aligned_region(node, probe, wanted[out], part), probe.shapes[name])
                if kept is not None:
                    wanted[name] = join_regions(wanted.get(name), kept)
    return wanted.get(to)


def field_of(
    probe: Probe,
    value: str,
    *,
    to: str,
    axes: tuple[int, int],
    input_axes: tuple[int, int],
    grown: frozenset[str],
) -> tuple[tuple[int, int], tuple[float, float], tuple[float, float]] | None:
    """The receptive field of a map's neurons in pixels of the input: size, jump, and the first neuron's centre.

    Args:
        probe: The opened network.
        value: A value with two spatial axes.
        to: The input.
        axes: Which axes of the value are rows and columns.
        input_axes: Which axes of the input are.
        grown: From `find_grown`: behind these, near neurons may differ in what they see.
    Returns:
        ((height, width), (jump y, jump x), (centre y, centre x)), or None when it does not see the input.
        The size is that of the widest neuron, where they differ (behind a transposed convolution).
    """
    shape = probe.shapes[value]
    middle = {axis: shape[axis] // 2 for axis in axes}
    # Neurons FAR apart stand alike behind up-sampling by 2 to 32, 3 and 6; near ones may differ only behind it.
    offsets = (0, 1, 2, 3, FAR) if value in grown else (0, FAR)
    found = []
    for offset in offsets:
        region = tuple((middle[a] + offset,) * 2 if a in middle else (0, side - 1) for a, side in enumerate(shape))
        seen = trace_back(probe, value, region, to=to, clip=False)
        if seen is None:
            return None
        found.append(seen)
    size, stride, centre = [0, 0], [0.0, 0.0], [0.0, 0.0]
    for i, (axis, input_axis) in enumerate(zip(axes, input_axes, strict=True)):
        spans = [seen[input_axis] for seen in found]
        size[i] = max(last - first + 1 for first, last in spans[:-1] or spans)
        step = Fraction(sum(spans[-1]) - sum(spans[0]), 2 * FAR)
        stride[i] = float(step)
        centre[i] = float(Fraction(sum(spans[0]), 2) - middle[axis] * step)
    return (size[0], size[1]), (stride[0], stride[1]), (centre[0], centre[1])


def _clipped(region: Region, shape: tuple[int, ...]) -> Region | None:
    cut = tuple((max(low, 0), min(high, side - 1)) for (low, high), side in zip(region, shape, strict=True))
    return cut if all(low <= high for low, high in cut) else None


def find_grown(graph: Graph) -> frozenset[str]:
    """Values behind an operation that may make maps larger."""
    grown: set[str] = set()
    for node in graph.nodes:
        if node.op in _GROWING or any(name in grown for name in node.inputs):
            grown.update(node.outputs)
    return frozenset(grown)
