"""`szem explain`: what a network does to a picture, layer by layer."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from szem.cli.options import Json, Quiet, spell

if TYPE_CHECKING:
    from rich.console import Console

    from szem.results.explanation import Explanation, LayerRow, NeuronSum
    from szem.tasks.explain.explain import Explorer
    from szem.tasks.explain.preprocess import PreparedInput

__all__ = ["app"]

app = typer.Typer(add_completion=False)
_HEATS = ("occlusion.png", "class-map.png")

_Picture = Annotated[str, typer.Argument(help="A picture; without one, the bundled cat.")]
_Model = Annotated[str, spell("--model", "A model's name, or any ONNX file.  \\[default: the classifier]")]
_Layers = Annotated[
    list[str], typer.Option("--layer", "-l", help="Write this layer's maps: name, number or all; may be repeated.")
]
_Out = Annotated[Path, spell("--out", "Folder for the maps.")]


@app.command()
def explain(
    picture: _Picture = "",
    model: _Model = "",
    layer: _Layers = [],  # noqa: B006
    neuron: str = typer.Option("", help="Compute one number of the (only) --layer: map,row,column."),
    heat: bool = typer.Option(
        False, "--heat", help="Write what mattered for the answer: occlusion and class activation map."
    ),
    out: _Out = Path("explained"),
    size: str = typer.Option("", help="Rows×columns of the input, for networks that take any; else 224x224."),
    mean: str = typer.Option("", help="Subtracted from each colour (0..255), for files without a card: 124,116,104."),
    scale: str = typer.Option("", help="Divides what is left: 58,57,57. With one of the two, the other is 0 or 1."),
    timed: bool = typer.Option(True, "--time/--no-time", help="Measure how long each layer takes."),
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show a network as a table, and write the maps of its layers as PNG grids and NPZ.

    The network is any ONNX file that takes a picture, or a model of szem's. Parameters stand beside what they would
    be if neurons did not share them; field is the receptive field of one neuron, stride its distance to the next,
    both in pixels of the input. --neuron prints how one number is computed, in place of the table.
    """
    from rich.console import Console

    from szem.cli.outputs import Targets, print_json
    from szem.media.pictures import read_picture
    from szem.media.samples import read_sample
    from szem.tasks.explain.explain import Explorer

    console = Console(highlight=False, soft_wrap=True)
    targets = Targets([picture] if picture else [])
    for name in _HEATS if heat else ():
        targets.take(out / name)
    pixels = read_picture(picture) if picture else read_sample("cat")
    explorer = Explorer(model or None, size=_size(size), mean=_three("mean", mean), scale=_three("scale", scale))
    names = [row.name for row in explorer.rows] if "all" in layer else layer
    for name in names:
        for suffix in (".png", ".npz"):
            targets.take(out / f"{_map_stem(explorer.layer(name).row)}{suffix}")
    prepared = explorer.prepare(pixels)
    number = _neuron(explorer, prepared, names, neuron) if neuron else None
    found = explorer.explain(pixels, layers=names, timed=timed)
    if as_json:
        print_json(found.to_dict() | ({"neuron": _neuron_to_dict(number)} if number else {}), indent=1)
    elif number is not None:
        _print_neuron(number, console)
    else:
        _print_table(found, console)
    if names:
        _write_maps(found, out, console, quiet=as_json or quiet)
    if heat:
        _write_heat(explorer, prepared, out, console, quiet=as_json or quiet)


def _three(name: str, text: str) -> tuple[float, float, float] | None:
    """Numbers with commas, one per colour; a single one stands for all three."""
    from szem.errors import RangeError

    if not text:
        return None
    try:
        parts = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise RangeError(f"--{name} takes one or three numbers with commas, got {text!r}") from error
    if len(parts) not in (1, 3):
        raise RangeError(f"--{name} takes one or three numbers with commas, got {text!r}")
    return (parts[0], parts[len(parts) // 2], parts[-1])


def _size(text: str) -> tuple[int, int] | None:
    from szem.errors import RangeError

    if not text:
        return None
    parts = text.replace("×", "x").lower().split("x")
    if len(parts) > 2 or not all(part.strip().isdecimal() for part in parts):
        raise RangeError(f"--size takes rows and columns such as 224x320, got {text!r}")
    return (int(parts[0]), int(parts[-1]))


_WIDE = ["#", "layer", "what", "kernel", "stride", "rate", "maps"]
_WIDE += ["parameters", "unshared", "products", "field", "stride", "time"]
_NARROW = ["#", "layer", "what", "maps", "param", "unshr", "prods", "field", "stride", "time"]
_TEXT = ("#", "layer", "what")  # these columns begin at the left, numbers end at the right
_MOST_NAME = 20
_SHORT = {
    "convolution": "conv",
    "global-average-pool": "mean of all",
    "global-max-pool": "maximum of all",
    "average-pool": "mean",
    "max-pool": "maximum",
}


def _print_table(found: "Explanation", console: "Console") -> None:
    height, width = found.input_size
    console.print(f"{found.network}, looking at {height}×{width} pixels", style="italic", markup=False)
    heads, lines = _WIDE, [_wide_line(row) for row in found.rows]
    widths = _widths(heads, lines)
    # A screen has an edge; a file or a pipe has none.
    narrow = console.is_terminal and sum(widths) + 2 * (len(widths) - 1) > console.width
    if narrow:
        heads, lines = _NARROW, [_narrow_line(row) for row in found.rows]
        widths = _widths(heads, lines)
    gap = " " if narrow else "  "
    console.print(_lay(heads, heads, widths, gap), style="bold", markup=False)
    block = found.rows[0].block if found.rows else ""
    for row, line in zip(found.rows, lines, strict=True):
        if row.block != block:
            block = row.block
            console.print(f"   {block}" if narrow and row.name != block else "", style="dim", markup=False)
        console.print(_lay(heads, line, widths, gap), markup=False)
    total = f"{found.parameters:,} parameters, {found.multiplications:,} multiplications"
    console.print(total + ("" if found.total_ms is None else f", {found.total_ms:.1f} ms a picture"))
    for _, name, probability in found.answer[:3]:
        console.print(f"{probability:6.1%}  {name}", markup=False)


def _wide_line(row: "LayerRow") -> list[str]:
    return [
        str(row.index),
        row.name,
        row.kind + (f" + {row.activation}" if row.activation and row.kind != "activation" else ""),
        _sides(row.kernel),
        _sides(row.stride),
        _sides(row.dilation) if row.dilation and max(row.dilation) > 1 else "",
        *_numbers(row),
    ]


def _narrow_line(row: "LayerRow") -> list[str]:
    """One column for what the layer is; its name without its block's, which stands above."""
    step = f"/{row.stride[0]}" if row.stride and max(row.stride) > 1 else ""
    rate = f" r{row.dilation[0]}" if row.dilation and max(row.dilation) > 1 else ""
    kernel = f" {_sides(row.kernel)}{step}{rate}" if row.kernel and row.kernel != (1, 1) else f"{step}{rate}"
    name = row.name.removeprefix(f"{row.block}.")
    name = name if len(name) <= _MOST_NAME else "…" + name[1 - _MOST_NAME :]
    maps, *counts, field, stride, time = _numbers(row)
    same = row.field_px is not None and not row.sees_all and row.field_px[0] == row.field_px[1]
    field = str(row.field_px[0]) if same and row.field_px else field
    return [str(row.index), name, _SHORT.get(row.kind, row.kind) + kernel, maps, *counts, field, stride, time]


def _numbers(row: "LayerRow") -> list[str]:
    return [
        "×".join(str(side) for side in row.output_shape),
        _count(row.parameters),
        _count(row.parameters_unshared),
        _count(row.multiplications),
        "all" if row.sees_all else _sides(row.field_px),
        "" if row.field_stride_px is None or row.sees_all else f"{row.field_stride_px[0]:g}",
        "" if row.time_fraction is None else f"{row.time_fraction:.1%}",
    ]


def _widths(heads: list[str], lines: list[list[str]]) -> list[int]:
    return [max(len(head), *(len(line[i]) for line in lines)) for i, head in enumerate(heads)]


def _lay(heads: list[str], line: list[str], widths: list[int], gap: str) -> str:
    cells = zip(heads, line, widths, strict=True)
    return gap.join(cell.ljust(w) if head in _TEXT else cell.rjust(w) for head, cell, w in cells).rstrip()


def _sides(pair: tuple[int, int] | None) -> str:
    return "" if pair is None else f"{pair[0]}×{pair[1]}"


def _count(number: int) -> str:
    """1234567 -> 1.23M, for a column."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return str(number) if number else ""


def _write_maps(found: "Explanation", out: Path, console: "Console", *, quiet: bool) -> None:
    import numpy as np

    from szem.files import write_file
    from szem.media.pictures import write_picture

    for name, maps in found.activations.items():
        stem = _map_stem(found.find(name))
        write_picture(out / f"{stem}.png", found.draw(name))
        with write_file(out / f"{stem}.npz") as part, part.open("wb") as file:
            np.savez_compressed(file, maps=maps)
    if not quiet:
        console.print(f"{len(found.activations)} layers written to {out}", markup=False)


def _map_stem(row: "LayerRow") -> str:
    """What to call the files of a layer's maps."""
    return f"{row.index:03d}-" + "".join(c if c.isalnum() or c in "._-" else "_" for c in row.name)[:80]


def _neuron(explorer: "Explorer", prepared: "PreparedInput", names: list[str], place: str) -> "NeuronSum":
    from szem.errors import RangeError
    from szem.tasks.explain.neuron import explain_neuron

    parts = place.split(",")
    if len(names) != 1 or len(parts) != 3 or not all(part.strip().isdecimal() for part in parts):
        raise RangeError(f"--neuron takes map,row,column and exactly one --layer, got {place!r} and {len(names)}")
    m, y, x = (int(part) for part in parts)
    return explain_neuron(explorer, prepared, names[0], map=m, row=y, column=x)


def _neuron_to_dict(found: "NeuronSum") -> dict[str, Any]:
    return {
        "layer": found.layer,
        "map": found.map,
        "row": found.row,
        "column": found.column,
        "rule": found.rule,
        "field": None if found.field_xyxy is None else [float(side) for side in found.field_xyxy],
        "inputs": found.inputs.size,
        "steps": [{"name": step.name, "value": float(step.value)} for step in found.steps],
        "measured": float(found.measured),
    }


def _print_neuron(found: "NeuronSum", console: "Console") -> None:
    console.print(f"{found.layer}, map {found.map}, row {found.row}, column {found.column}: {found.rule}")
    if found.field_xyxy is not None:
        x0, y0, x1, y1 = found.field_xyxy
        console.print(f"it sees columns {x0:.0f} to {x1:.0f}, rows {y0:.0f} to {y1:.0f} of the picture")
    if found.weights is not None:
        console.print(f"{found.inputs.size} inputs × weights")
    for step in found.steps:
        console.print(f"  {step.name:>12}  {step.value:.6g}")
    console.print(f"  {'ONNX Runtime':>12}  {found.measured:.6g}")


def _write_heat(
    explorer: "Explorer", prepared: "PreparedInput", out: Path, console: "Console", *, quiet: bool
) -> None:
    from szem.errors import UnsupportedError
    from szem.media.pictures import write_picture
    from szem.results.explanation import draw_heat
    from szem.tasks.explain.attribution import find_class_map, find_occlusion

    occlusion = find_occlusion(explorer, prepared)
    write_picture(out / _HEATS[0], draw_heat(prepared.picture, occlusion.drop))
    written = _HEATS[0]
    try:
        evidence = find_class_map(explorer, prepared).evidence
    except UnsupportedError as error:
        console_note = str(error)
    else:
        write_picture(out / _HEATS[1], draw_heat(prepared.picture, evidence))
        written, console_note = " and ".join(_HEATS), ""
    if not quiet:
        name = explorer.label(occlusion.class_index)
        console.print(f"{written} for {name} written to {out}", markup=False)
        if console_note:
            console.print(console_note, markup=False)
