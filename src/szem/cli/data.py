"""`szem data`: look at labelled data before anything is learned from it, split it, write it in another form."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from szem.cli.options import Json, Quiet, spell
from szem.data.class_names import class_pairs

if TYPE_CHECKING:
    from szem.data.check import DataReport, FilePair
    from szem.data.own_data import OwnData

__all__ = ["app"]

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Check, split and convert labelled data.")

_Data = Annotated[Path, typer.Argument(help="A folder of labelled pictures or sounds, or a file that describes it.")]
_Classes = Annotated[
    str, spell("--classes", "What the data calls a class = another name, with commas: kat=cat,junk=.")
]
_Folder = Annotated[Path, spell("--out", "A new folder for the result.")]
_SHOWN = 12  # files that are named


@app.command()
def check(
    data: _Data,
    out: Annotated[
        Path | None, spell("--out", "Write a contact sheet here: pictures with their labels or boxes drawn.")
    ] = None,
    classes: _Classes = "",
    suspects: bool = typer.Option(True, help="Look for labels that may be wrong, among the features of a network."),
    strict: bool = typer.Option(False, "--strict", help="Exit with status 1 where anything is wrong."),
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say what the data is, and what is wrong with it.

    Recognised form, splits, how often each class occurs; broken files; files that occur twice or nearly, in two
    splits or with two labels; boxes outside their picture; labels that may be wrong.
    """
    from szem.cli.outputs import print_json, printable
    from szem.data.check import check_data
    from szem.data.own_data import read_own_data
    from szem.media.pictures import write_picture
    from szem.tasks.classification.suspect_labels import suspect_labels

    found = read_own_data(data, classes=class_pairs(classes.split(",")))
    with _bar("files", quiet=quiet) as progress:
        report = check_data(found, on_progress=progress)
    doubts = []
    if suspects:
        with _bar("labels", quiet=quiet) as progress:
            doubts = suspect_labels(found, on_progress=progress)
    if out is not None:
        write_picture(out, _sheet(found))
    if as_json:
        rows = [
            {"file": str(d.path), "label": d.label, "looks_like": d.other, "fraction": d.fraction} for d in doubts
        ]
        print_json(_to_json(report) | {"labels_to_look_at": rows}, indent=2)
    else:
        for line in _lines(report):
            print(printable(line))
        if doubts:
            print(f"{len(doubts)} labels to look at: their nearest neighbours have another class")
            for one in doubts[:_SHOWN]:
                print(printable(f"  {_short(one.path, data)}: {one.label}, looks like {one.other}"))
        if out is not None:
            print(printable(f"Contact sheet: {out}"))
        if report.is_clean and not doubts:
            print("Nothing is wrong.")
    if strict and not (report.is_clean and not doubts):
        raise typer.Exit(1)


@app.command()
def split(
    data: _Data,
    out: _Folder,
    fractions: str = typer.Option("train=0.7,val=0.15,test=0.15", help="Fraction of each split; they sum to 1."),
    group: str = typer.Option(
        "",
        help="Regular expression for what belongs together (scene, speaker, recording), looked for in each path: "
        "'(scene[0-9]+)'.",
    ),
    form: str = typer.Option("", "--to", help="Form of the result, as of convert.  \\[default: the first one]"),
    classes: _Classes = "",
    seed: int = typer.Option(0, min=0, max=2**31 - 1, help="Of the order of groups of one size."),
    quiet: Quiet = False,
) -> None:
    """Copy the data into train, val and test, so that nothing measured on was learned from.

    Kept together: files of one group, one recording, the same content, and nearly the same pictures. Classes are
    spread as evenly as that allows. Broken files are left out.
    """
    from szem.data.check import check_data
    from szem.data.groups import group_by_name, join_groups, split_groups
    from szem.data.own_data import read_own_data
    from szem.data.write_data import write_data

    wanted = _parse_fractions(fractions)
    found = read_own_data(data, classes=class_pairs(classes.split(",")))
    home = data if data.is_dir() else data.parent
    paths = [item.path.relative_to(home) if item.path.is_relative_to(home) else item.path for item in found.items]
    with _bar("files", quiet=quiet) as progress:
        report = check_data(found, on_progress=progress)
    files = [item.path for item in found.items]
    place = {file: number for number, file in reversed(list(enumerate(files)))}
    pairs = [(place[pair.one], place[pair.other]) for pair in (*report.same, *report.near)]
    recordings = [item.group or None for item in found.items]
    unread = set(report.unread)
    keep = [k for k, file in enumerate(files) if file not in unread]
    named: list[Hashable | None] = [None] * len(files)
    if group:
        for k, key in zip(keep, group_by_name([paths[k] for k in keep], group), strict=True):
            named[k] = key
    groups = join_groups(len(files), files, recordings, named, pairs=pairs)
    splits = split_groups(groups, [item.labels for item in found.items], wanted, seed=seed)
    left_out = write_data(found, out, form=form, splits=splits, keep=keep)
    _say_written(
        found, out, [splits[k] for k in keep], len({groups[k] for k in keep}), quiet=quiet, left_out=len(left_out)
    )


@app.command()
def convert(
    data: _Data,
    out: _Folder,
    form: str = typer.Option(
        "",
        "--to",
        help="coco, yolo, voc or csv for boxes; folders or csv for classes and sounds.  \\[default: the first]",
    ),
    classes: _Classes = "",
    quiet: Quiet = False,
) -> None:
    """Copy the data into another form; splits stay as they are marked."""
    from szem.data.own_data import read_own_data
    from szem.data.write_data import write_data

    found = read_own_data(data, classes=class_pairs(classes.split(",")))
    left_out = write_data(found, out, form=form)
    _say_written(found, out, [item.split for item in found.items], 0, quiet=quiet, left_out=len(left_out))


def _parse_fractions(text: str) -> dict[str, float]:
    from szem.errors import RangeError

    found: dict[str, float] = {}
    for part in text.split(","):
        name, is_pair, value = part.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            is_pair = ""
        if not is_pair or name.strip() not in ("train", "val", "test"):
            raise RangeError(f"--fractions takes train, val and test with their fractions, got {part!r}")
    return found


@contextmanager
def _bar(what: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _say_written(data: "OwnData", out: Path, splits: list[str], groups: int, *, quiet: bool, left_out: int) -> None:
    from rich.console import Console

    from szem.data.broken import describe_broken

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    counts = ", ".join(f"{name or 'without a split'} {splits.count(name)}" for name in dict.fromkeys(sorted(splits)))
    print(f"{out}: {counts}" + (f", of {groups} groups" if groups else ""))
    if data.broken and not quiet:
        console.print(describe_broken(data.broken), markup=False)
    if left_out:
        console.print(f"{left_out} files could not be copied", markup=False)


def _sheet(data: "OwnData") -> Any:
    from szem.data.contact_sheet import boxes_tile, class_tile, sheet_of
    from szem.errors import UnsupportedError

    if data.kind == "sounds":
        raise UnsupportedError("sounds have no contact sheet; leave --out away")
    most = 36
    step = max(1, -(-len(data.items) // most))
    if data.boxes is not None:
        # Pictures with boxes first: those without show nothing of what was read.
        pictures = sorted(data.boxes.pictures, key=lambda picture: not len(picture.labels))
        shown = [p for p in pictures if len(p.labels)] or pictures
        return sheet_of([boxes_tile(p, data.classes) for p in shown[:: max(1, -(-len(shown) // most))]])
    items = data.items[::step]
    return sheet_of([class_tile(i.path, data.classes[i.labels[0]] if i.labels else "") for i in items])


def _lines(report: "DataReport") -> Iterator[str]:
    unit = {"sounds": "sounds", "boxes": "pictures"}.get(report.kind, "pictures")
    yield f"{report.kind}: {report.form}, {report.items} {unit}, {len(report.histogram)} classes"
    splits = ", ".join(f"{name or 'without a split'} {count}" for name, count in report.splits.items())
    yield f"splits: {splits}"
    names = list(report.splits)
    width = max([5, *map(len, report.histogram)])
    if report.histogram:
        yield f"{'class':<{width}} " + " ".join(f"{name or 'all':>7}" for name in names)
    most = max((sum(row.values()) for row in report.histogram.values()), default=1) or 1
    for name, row in report.histogram.items():
        mark = "#" * max(1, round(24 * sum(row.values()) / most)) if sum(row.values()) else "none"
        yield f"{name:<{width}} " + " ".join(f"{row[split]:>7}" for split in names) + f"  {mark}"
    yield from _listed(f"{len(report.broken)} broken", [f"{b.name}: {b.reason}" for b in report.broken])
    for what, pairs in (("the same", report.same), ("nearly the same", report.near)):
        crossing = sum(pair.crosses for pair in pairs)
        differing = sum(pair.disagrees for pair in pairs)
        also = "".join(
            text
            for count, text in (
                (crossing, f", {crossing} in two splits"),
                (differing, f", {differing} with other labels"),
            )
            if count
        )
        ordered = sorted(pairs, key=lambda pair: (not pair.disagrees, not pair.crosses))
        yield from _listed(f"{len(pairs)} pairs of files are {what}{also}", [_pair_line(pair) for pair in ordered])
    rows = [f"{name}: {count}" for name, count in report.outside.items()]
    yield from _listed(f"{sum(report.outside.values())} boxes reach outside their picture and are cut", rows)


def _listed(head: str, rows: list[str]) -> Iterator[str]:
    if rows:
        yield head
        yield from (f"  {row}" for row in rows[:_SHOWN])
        if len(rows) > _SHOWN:
            yield f"  and {len(rows) - _SHOWN} more"


def _pair_line(pair: "FilePair") -> str:
    sides = [
        f"{path.parent.name}/{path.name}" + (f" ({about})" if about else "")
        for path, about in zip(
            (pair.one, pair.other),
            (", ".join(filter(None, (pair.labels[k], pair.splits[k]))) for k in (0, 1)),
            strict=True,
        )
    ]
    return " = ".join(sides)


def _short(path: Path, home: Path) -> str:
    return str(path.relative_to(home)) if path.is_relative_to(home) else path.name


def _to_json(report: "DataReport") -> dict[str, Any]:
    def pairs(rows: "tuple[FilePair, ...]") -> list[dict[str, Any]]:
        return [
            {"files": [str(p.one), str(p.other)], "splits": list(p.splits), "labels": list(p.labels)} for p in rows
        ]

    return {
        "kind": report.kind,
        "form": report.form,
        "items": report.items,
        "splits": report.splits,
        "classes": report.histogram,
        "broken": [{"name": b.name, "reason": b.reason} for b in report.broken],
        "same": pairs(report.same),
        "nearly_same": pairs(report.near),
        "outside": report.outside,
    }
