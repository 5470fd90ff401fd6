"""What is wrong with labelled data before anything is learned from it: broken and doubled files, boxes outside."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from szem.data.broken import Broken
from szem.data.duplicates import PictureMark, find_near, find_same, mark_picture
from szem.data.own_data import OwnData
from szem.errors import SzemError
from szem.media.pictures import read_picture
from szem.media.sound import read_sound

__all__ = ["DataReport", "FilePair", "check_data"]

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class FilePair:
    """Two files that are the same, or nearly."""

    one: Path
    other: Path
    splits: tuple[str, str]
    labels: tuple[str, str]  # of each, with commas

    @property
    def crosses(self) -> bool:
        """Whether they lie in different splits: what is measured on was learned from."""
        return self.splits[0] != self.splits[1]

    @property
    def disagrees(self) -> bool:
        """Whether their labels differ: one of them is wrong."""
        return self.labels[0] != self.labels[1]


@dataclass(frozen=True)
class DataReport:
    """What a check found."""

    kind: str
    form: str
    splits: dict[str, int]
    histogram: dict[str, dict[str, int]]  # class -> split -> how many pictures or sounds, or boxes
    broken: tuple[Broken, ...]
    same: tuple[FilePair, ...]
    near: tuple[FilePair, ...]
    outside: dict[str, int]  # picture -> boxes that reach beyond it
    items: int
    unread: tuple[Path, ...] = ()  # files that cannot be decoded

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.broken or self.same or self.near or self.outside)


def check_data(data: OwnData, *, on_progress: OnProgress | None = None) -> DataReport:
    """Read every file and compare all of them.

    Args:
        data: From `read_own_data`.
        on_progress: Called with how many files are done, and how many there are.
    """
    broken = list(data.broken)
    files = list(dict.fromkeys(item.path for item in data.items))
    marks: list[PictureMark | None] = []
    unread: list[Path] = []
    for number, file in enumerate(files):
        if on_progress is not None:
            on_progress(number, len(files))
        mark, why = _look(file, data.kind)
        marks.append(mark)
        if why:
            broken.append(Broken(file.name, why))
            unread.append(file)
    if on_progress is not None:
        on_progress(len(files), len(files))
    about = _about_files(data)
    same = [_pair(files, pair, about) for pair in find_same(files)]
    known = {(pair.one, pair.other) for pair in same}
    near = [_pair(files, pair, about) for pair in find_near(marks)]
    near = [pair for pair in near if (pair.one, pair.other) not in known]
    boxes = data.boxes.pictures if data.boxes is not None else ()
    return DataReport(
        kind=data.kind,
        form=data.form,
        splits=data.splits,
        histogram=_histogram(data),
        broken=tuple(dict.fromkeys(broken)),
        same=tuple(same),
        near=tuple(near),
        outside={p.path.name: p.outside for p in boxes if p.outside},
        items=len(data.items),
        unread=tuple(unread),
    )


def _look(file: Path, kind: str) -> tuple[PictureMark | None, str]:
    """What a picture is compared by, and why a file cannot be read."""
    try:
        if kind == "sounds":
            return None, "" if len(read_sound(file)) else "no sound in it"
        return mark_picture(read_picture(file)), ""
    except SzemError as error:
        return None, str(error).removeprefix(f"{file}: ").removeprefix(f"{file.name}: ")


def _about_files(data: OwnData) -> dict[Path, tuple[str, str]]:
    """The split and the labels of each file."""
    labels: dict[Path, Counter[str]] = {}
    splits: dict[Path, str] = {}
    for item in data.items:
        labels.setdefault(item.path, Counter()).update(data.classes[label] for label in item.labels)
        splits[item.path] = item.split
    return {file: (splits[file], ", ".join(sorted(names))) for file, names in labels.items()}


def _pair(files: Sequence[Path], pair: tuple[int, int], about: dict[Path, tuple[str, str]]) -> FilePair:
    one, other = files[pair[0]], files[pair[1]]
    return FilePair(one, other, (about[one][0], about[other][0]), (about[one][1], about[other][1]))


def _histogram(data: OwnData) -> dict[str, dict[str, int]]:
    table = {name: dict.fromkeys(data.splits, 0) for name in data.classes}
    for item in data.items:
        for label in item.labels:
            table[data.classes[label]][item.split] += 1
    return table
