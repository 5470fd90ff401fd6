"""Sounds with what is heard in them: a folder per class, an index, or labels as Audacity exports them.

- `index.csv`: columns audio and label, perhaps split, recording, source, fold; the files in `audio/` or beside it.
- A folder per class, perhaps inside `train/`, `val/` (or valid), `test/`.
- Audacity's label tracks: for `street.wav` a `street.txt` with lines of start, end and label.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from szem.data.box_set import split_of_folder
from szem.data.broken import Broken, describe_broken
from szem.data.tables import find_column, read_table
from szem.errors import EmptyFileError, FileMissingError, FormatError, UnknownNameError
from szem.media.sound import SOUND_SUFFIXES, Samples, read_sound
from szem.media.video import VIDEO_SUFFIXES

__all__ = [
    "SPLITS",
    "LabelledSound",
    "SoundSet",
    "in_split",
    "kind_of",
    "read_audacity_labels",
    "read_clip",
    "read_labelled_sounds",
    "recording_of",
    "rename_kinds",
]

_TUNED = 8  # one recording in so many of the folds learned from is held out for tuning
_HELD_OUT = 5  # of data without splits and folds, one recording in so many of each class
_SHORTEST_S = 0.05  # of a labelled part
_LAYOUTS = "index.csv (audio, label), a folder per class, or Audacity's labels beside the sounds"


@dataclass(frozen=True)
class LabelledSound:
    """A file, or a part of one, and what is heard in it."""

    path: Path
    kind: str  # "dog bark"
    source: str = ""  # the set it is from
    fold: int = 0
    split: str = ""  # train, val or test, where the data marks them
    recording: str = ""  # what it was cut from, where the data says so
    start_s: float = 0.0
    end_s: float | None = None  # None: to the end of the file


@dataclass(frozen=True)
class SoundSet:
    """Labelled sounds."""

    sounds: tuple[LabelledSound, ...]
    broken: tuple[Broken, ...] = field(default=())
    form: str = ""  # how they were labelled

    @property
    def kinds(self) -> tuple[str, ...]:
        """The classes, by name."""
        return tuple(sorted({one.kind for one in self.sounds}))


def read_labelled_sounds(folder: Path) -> SoundSet:
    """Read a folder of labelled sounds; the form is found out. Sounds are not decoded here.

    Raises:
        FileMissingError: no such folder, or none of the forms.
        FormatError: a table without its columns, or not one usable sound.
    """
    if not folder.is_dir():
        raise FileMissingError(f"{folder}: no such folder; give the folder of the sounds: {_LAYOUTS}")
    broken: list[Broken] = []
    if (folder / "index.csv").is_file():
        form, sounds = "index.csv", _from_index(folder / "index.csv", broken)
    elif any(_labels_beside(file) for file in _sound_files(folder)):
        form, sounds = "Audacity labels", _from_audacity(folder, broken)
    else:
        form, sounds = "a folder per class", _from_folders(folder, broken)
    if not sounds:
        said = describe_broken(broken)
        raise FormatError(f"{folder}: not one labelled sound; it needs {_LAYOUTS}.{' ' + said if said else ''}")
    return SoundSet(tuple(sounds), tuple(broken), form)


def rename_kinds(data: SoundSet, names: Mapping[str, str]) -> SoundSet:
    """The same sounds with classes of other names; "" leaves a class out.

    Raises:
        UnknownNameError: the data has no such class.
    """
    wanted = {kind_of(name): kind_of(new) for name, new in names.items()}
    unknown = [name for name in wanted if name not in data.kinds]
    if unknown:
        raise UnknownNameError(f"no class called {', '.join(unknown)}; the data has {', '.join(data.kinds)}")
    renamed = (replace(one, kind=wanted.get(one.kind, one.kind)) for one in data.sounds)
    return replace(data, sounds=tuple(one for one in renamed if one.kind))


def _from_index(index: Path, broken: list[Broken]) -> list[LabelledSound]:
    base = index.parent / "audio" if (index.parent / "audio").is_dir() else index.parent
    header, lines = read_table(index)
    columns = {
        what: find_column(header, what) for what in ("sound", "label", "split", "recording", "start_s", "end_s")
    }
    if columns["sound"] is None or columns["label"] is None:
        raise FormatError(f"{index}: needs columns audio and label, got {', '.join(header)}")

    def cell(line: Mapping[str, str], what: str) -> str:
        name = columns.get(what, what)
        return (line.get(name, "") if name else "").strip()

    found = []
    for number, line in lines:
        where = f"{index.name}:{number}"
        path, kind = base / cell(line, "sound"), kind_of(cell(line, "label"))
        try:
            fold, start_s = int(line.get("fold") or 0), float(cell(line, "start_s") or 0)
            end_s = float(cell(line, "end_s")) if cell(line, "end_s") else None
        except ValueError as error:
            broken.append(Broken(where, f"the fold must be whole and times numbers of seconds ({error})"))
            continue
        if not cell(line, "sound") or not path.is_file():
            broken.append(Broken(where, f"no such file {path.name!r} in {base.name}/"))
        elif not kind:
            broken.append(Broken(where, f"{path.name} has no label"))
        else:
            split, source = split_of_folder(cell(line, "split")), (line.get("source") or "").strip()
            recording = cell(line, "recording")
            found.append(LabelledSound(path, kind, source, fold, split, recording, start_s, end_s))
    return found


def _from_folders(folder: Path, broken: list[Broken]) -> list[LabelledSound]:
    homes = [p for p in sorted(folder.iterdir()) if p.is_dir() and not p.name.startswith(".")]
    splits = {home: split_of_folder(home.name) for home in homes}
    if homes and all(splits.values()):
        classes = [(home, split) for split_home, split in splits.items() for home in sorted(split_home.iterdir())]
    else:
        classes = [(home, "") for home in homes]
    found = []
    for home, split in classes:
        if not home.is_dir() or home.name.startswith("."):
            continue
        for file in sorted(p for p in home.rglob("*") if p.is_file() and not p.name.startswith(".")):
            if file.suffix.lower() in SOUND_SUFFIXES | VIDEO_SUFFIXES:
                found.append(LabelledSound(file, kind_of(home.name), split=split))
            else:
                broken.append(Broken(f"{home.name}/{file.name}", "not a sound"))
    return found


def _from_audacity(folder: Path, broken: list[Broken]) -> list[LabelledSound]:
    found = []
    for file in _sound_files(folder):
        labels = _labels_beside(file)
        if labels is None:
            broken.append(Broken(file.name, f"has no labels: {file.stem}.txt is missing"))
            continue
        split = next((s for part in file.relative_to(folder).parts[:-1] if (s := split_of_folder(part))), "")
        for start_s, end_s, label in read_audacity_labels(labels, broken):
            found.append(LabelledSound(file, kind_of(label), "", 0, split, file.stem, start_s, end_s))
    return found


def read_audacity_labels(path: Path, broken: list[Broken]) -> list[tuple[float, float, str]]:
    """Start, end and label of each line of a label track that Audacity exported.

    Lines that begin with a backslash give the frequencies of the label before them and are passed over. A label of a
    moment, without length, is left out and named.

    Args:
        path: The text file.
        broken: Lines that cannot be used are added.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        broken.append(Broken(path.name, f"not UTF-8 text ({error})"))
        return []
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("\\"):
            continue
        cells = line.split("\t")
        try:
            start_s, end_s, label = float(cells[0]), float(cells[1]), "\t".join(cells[2:]).strip()
        except (ValueError, IndexError):
            broken.append(Broken(f"{path.name}:{number}", f"not `start<tab>end<tab>label`: {line[:60]!r}"))
            continue
        if not 0 <= start_s < end_s < 1e7 or end_s - start_s < _SHORTEST_S:
            broken.append(Broken(f"{path.name}:{number}", f"{label}: from {start_s:g} to {end_s:g} s is no length"))
        elif not label:
            broken.append(Broken(f"{path.name}:{number}", "a label without text"))
        else:
            found.append((start_s, end_s, label))
    return found


def _sound_files(folder: Path) -> list[Path]:
    suffixes = SOUND_SUFFIXES | VIDEO_SUFFIXES
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in suffixes and p.is_file())


def _labels_beside(file: Path) -> Path | None:
    """The label track of a sound: `street.txt` or `street.wav.txt`, or in `labels/`."""
    names = (f"{file.stem}.txt", f"{file.name}.txt")
    return next((place / name for place in (file.parent, file.parent.parent / "labels") for name in names
                 if (place / name).is_file()), None)  # fmt: skip


def read_clip(labelled: LabelledSound, *, rate_hz: int = 16000) -> Samples:
    """The samples of what is labelled: (T,) float32 mono.

    Raises:
        EmptyFileError: the file ends before the labelled part begins.
        As `read_sound`.
    """
    sound = read_sound(labelled.path, rate_hz=rate_hz)
    first = int(labelled.start_s * rate_hz)
    last = len(sound) if labelled.end_s is None else int(labelled.end_s * rate_hz)
    if first >= len(sound):
        length_s = len(sound) / rate_hz
        raise EmptyFileError(
            f"{labelled.path.name}: ends at {length_s:g} s, the label begins at {labelled.start_s:g}"
        )
    return sound[first:last]


def kind_of(label: str) -> str:
    """A label as people write it.

    >>> kind_of("dog_bark")
    'dog bark'
    """
    return " ".join(label.replace("_", " ").split()).lower()


def recording_of(labelled: LabelledSound) -> str:
    """The recording a clip was cut from: as the data says, or its number at Freesound, which file names of both
    UrbanSound8K and ESC-10 tell; else the file itself.

    >>> recording_of(LabelledSound(Path("101415-3-0-2.ogg"), "dog bark", "urbansound8k", 1))
    '101415'
    >>> recording_of(LabelledSound(Path("1-100032-A.ogg"), "dog bark", "esc10", 1))
    '100032'
    """
    if labelled.recording:
        return labelled.recording
    parts = labelled.path.stem.split("-")
    if labelled.source.startswith("esc") and len(parts) > 1:
        return parts[1]
    return parts[0] if labelled.source in _TEST_FOLDS else labelled.path.stem


# What the recipe `sounds` never sees: a fold of each set. Of the others one recording in eight is for tuning.
_TEST_FOLDS: Mapping[str, int] = {"urbansound8k": 3, "esc10": 4}
SPLITS = ("all", "train", "tune", "test", "test-urbansound8k", "test-esc10")


def in_split(labelled: Sequence[LabelledSound], split: str) -> list[LabelledSound]:
    """Those of one split; recordings never cross, also where two sets cut clips from the same.

    Of UrbanSound8K and ESC-10 the folds decide. Of other data its own marks do (`val` is `tune`), and where it has
    none, one recording in five of each class is `tune`, the others are `train`.

    Raises:
        UnknownNameError: no such split.
    """
    split = {"val": "tune"}.get(split, split)
    if split not in SPLITS:
        raise UnknownNameError(f"no split called {split!r}; there are {', '.join(SPLITS)}")
    if split == "all":
        return list(labelled)
    if any(h.split for h in labelled):
        return [h for h in labelled if {"val": "tune"}.get(h.split, h.split or "train") == split]
    if not any(h.source in _TEST_FOLDS for h in labelled):
        held_out = _held_out_recordings(labelled)
        wanted = {"tune": True, "train": False}
        return [h for h in labelled if wanted.get(split) == (recording_of(h) in held_out)]
    test = [h for h in labelled if _TEST_FOLDS.get(h.source) == h.fold]
    if split.startswith("test"):
        _, _, source = split.partition("-")
        return [h for h in test if source in ("", h.source)]
    crossing = {recording_of(h) for h in test}
    rest = [h for h in labelled if _TEST_FOLDS.get(h.source) != h.fold and recording_of(h) not in crossing]
    return [h for h in rest if (zlib.crc32(recording_of(h).encode()) % _TUNED == 0) == (split == "tune")]


def _held_out_recordings(labelled: Sequence[LabelledSound]) -> set[str]:
    """One recording in five of each class, chosen by its name; of a class with one recording none."""
    by_kind: dict[str, set[str]] = {}
    for one in labelled:
        by_kind.setdefault(one.kind, set()).add(recording_of(one))
    held_out: set[str] = set()
    for recordings in by_kind.values():
        order = sorted(recordings, key=lambda name: (zlib.crc32(name.encode()), name))
        count = max(1, len(order) // _HELD_OUT) if len(order) > 1 else 0
        held_out.update(order[:count])
    # A class whose every recording was chosen for others would have nothing to learn from.
    for recordings in by_kind.values():
        if recordings <= held_out:
            held_out.discard(min(recordings))
    return held_out
