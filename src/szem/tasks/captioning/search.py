"""Find pictures by a sentence: every picture of a folder has a place among sentences, kept in an index on disk.

The index is brought up to date at each search: new and changed pictures are looked at, those that are gone are
dropped, pictures that cannot be read are listed with the reason and tried again when they change. It is written whole
or not at all, now and then while it grows, so an interruption loses little. This file does not know about terminals.
"""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from szem.errors import FileMissingError, MediaError, RangeError, StoreError
from szem.files import sweep_folder, write_bytes
from szem.media.formats import recognize_suffix
from szem.media.pictures import PICTURE_SUFFIXES, PictureLike, as_picture, read_picture
from szem.results.hits import Hit, Hits
from szem.runtime.store import data_folder
from szem.tasks.captioning.caption import Captioner, open_captioner
from szem.tasks.models import ModelLike

__all__ = ["PictureIndex", "index_place", "rank_sentences", "read_index", "search", "update_index"]

_FORMAT = 1
_TOGETHER = 32  # pictures between two looks at the clock
_SAVE_EVERY = 640  # pictures looked at between two writings


@dataclass(frozen=True)
class _File:
    """What tells whether a file is still the one that was looked at."""

    name: str  # below the folder, with /
    size_bytes: int
    changed_ns: int


@dataclass(frozen=True, eq=False)
class PictureIndex:
    """Where each picture of a folder lies in the space it shares with sentences."""

    folder: Path
    model: str  # name and checksum of the model whose space it is
    files: tuple[_File, ...]  # those that could be read
    space: NDArray[np.float16]  # (N, D), each of length 1
    broken: tuple[tuple[_File, str], ...] = ()  # those that could not, and why
    unsaved: str = ""  # why it could not be kept on disk, if it could not

    def __len__(self) -> int:
        return len(self.files)

    def best(self, place: NDArray[np.float32], top: int) -> list[Hit]:
        """The pictures nearest to a place (D,)."""
        if not len(self):
            return []
        scores = self.space.astype(np.float32) @ place
        count = min(top, len(scores))
        best = np.argpartition(-scores, count - 1)[:count]
        best = best[np.argsort(-scores[best], kind="stable")]
        return [Hit(self.folder / self.files[i].name, float(scores[i])) for i in best]


def search(
    text: str,
    folder: str | os.PathLike[str],
    *,
    top: int = 10,
    model: str | os.PathLike[str] | None = None,
    index: str | os.PathLike[str] | None = None,
) -> Hits:
    """Find the pictures of a folder that fit a sentence.

    Args:
        text: "two dogs in the snow".
        folder: Searched on all levels; hidden files and folders are passed over.
        top: How many pictures at most.
        model: A captioning model with a common space; the shipped one if left out.
        index: Where the index is kept; by default among the user's data, not in the folder.
    Returns:
        The best pictures, best first, and the files that could not be read.
    Raises:
        FileMissingError: no such folder.
        RangeError: no word in the text, or `top` is below 1.
    """
    if top < 1:
        raise RangeError(f"top must be at least 1, got {top}")
    captioner = open_captioner(model, threads=1)
    place = captioner.place([text])[0]  # before the long work: an empty text is reported at once
    found = update_index(folder, captioner=captioner, file=index)
    broken = {file.name: why for file, why in found.broken}
    return Hits(tuple(found.best(place, top)), text, captioner.card.name, len(found), broken)


def rank_sentences(
    picture: PictureLike, sentences: Sequence[str], *, model: ModelLike | None = None
) -> list[tuple[str, float]]:
    """Sentences by how well they fit a picture, best first, each with the cosine of the angle between the two.

    Raises:
        RangeError: a sentence without a word.
    """
    captioner = open_captioner(model, threads=1)
    if not sentences:
        return []
    scores = captioner.place(sentences) @ captioner.picture_places([as_picture(picture)])[0]
    return [(sentences[i], float(scores[i])) for i in np.argsort(-scores, kind="stable")]


def index_place(folder: str | os.PathLike[str]) -> Path:
    """Where the index of a folder is kept if nothing else is said: among the user's data."""
    whole = Path(folder).resolve()
    mark = hashlib.sha256(os.fsencode(whole)).hexdigest()[:16]
    return data_folder() / "search" / f"{whole.name or 'root'}-{mark}.index"


def update_index(
    folder: str | os.PathLike[str],
    *,
    captioner: Captioner,
    file: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PictureIndex:
    """Bring a folder's index up to date.

    Args:
        folder: Searched on all levels.
        captioner: An open model with a common space.
        file: The index; by default `index_place(folder)`. One that is damaged or of another model is made anew. By
            default it is only a cache: where it cannot be kept, the answer says why (`unsaved`).
        progress: Called with how many of the pictures that had to be looked at are done, and how many there are.
    Raises:
        FileMissingError: no such folder.
        StoreError: the file that was named cannot be written.
    """
    home = Path(folder)
    if not home.is_dir():
        raise FileMissingError(f"{home}: no such folder; name a folder of pictures")
    target = index_place(home) if file is None else Path(file)
    sweep_folder(target.parent)
    model = f"{captioner.card.name} {captioner.card.sha256}"
    old = read_index(target, folder=home, model=model)
    known = {entry: i for i, entry in enumerate(old.files)} if old else {}
    # What an older szem could not read is tried again once its suffix is among those that this one reads.
    bad = {entry: why for entry, why in old.broken if not _is_read_by_now(entry.name)} if old else {}
    now = list(_pictures_in(home))
    kept = [(entry, old.space[known[entry]]) for entry in now if old and entry in known]
    broken = [(entry, bad[entry]) for entry in now if entry in bad]
    missing = [entry for entry in now if entry not in known and entry not in bad]

    def index() -> PictureIndex:
        width = len(kept[0][1]) if kept else 0
        space = np.stack([row for _, row in kept]) if kept else np.zeros((0, width), np.float16)
        return PictureIndex(home, model, tuple(entry for entry, _ in kept), space, tuple(broken))

    unsaved, why_not = 0, ""

    def save() -> None:
        nonlocal why_not
        try:
            _write(target, index())
        except StoreError as error:
            # The user named this file; one of the cache may be missing, and the search works all the same.
            if file is not None:
                raise
            why_not = str(error)

    with ThreadPoolExecutor(captioner.workers) as pool:
        # In parts: progress can be shown and the index saved between them, and Ctrl-C loses one part at most.
        for start in range(0, len(missing), _TOGETHER):
            part = missing[start : start + _TOGETHER]
            for entry, (row, why) in zip(
                part, pool.map(lambda e: _look_at(home / e.name, captioner), part), strict=True
            ):
                if row is None:
                    broken.append((entry, why))
                else:
                    kept.append((entry, row))
            unsaved += len(part)
            if unsaved >= _SAVE_EVERY:
                save()
                unsaved = 0
            if progress is not None:
                progress(min(start + _TOGETHER, len(missing)), len(missing))
    done = index()
    if old is None or missing or len(old) != len(done) or len(old.broken) != len(done.broken):
        save()
    return replace(done, unsaved=why_not)


def read_index(file: str | os.PathLike[str], *, folder: Path, model: str) -> PictureIndex | None:
    """Read an index; None where there is none, it is damaged, or it is of another model or format."""
    try:
        with Path(file).open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
            about = json.loads(stored["about"].tobytes())
            space = stored["space"]
        if about["format"] != _FORMAT or about["model"] != model:
            return None
        files = tuple(_File(*row) for row in about["files"])
        broken = tuple((_File(*row), str(why)) for row, why in about["broken"])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError):
        return None
    if space.dtype != np.float16 or space.ndim != 2 or len(space) != len(files) or not np.isfinite(space).all():
        return None
    return PictureIndex(folder, model, files, space, broken)


def _write(file: Path, index: PictureIndex) -> None:
    about = {
        "format": _FORMAT,
        "model": index.model,
        "files": [(f.name, f.size_bytes, f.changed_ns) for f in index.files],
        "broken": [((f.name, f.size_bytes, f.changed_ns), why) for f, why in index.broken],
    }
    body = io.BytesIO()
    np.savez(body, about=np.frombuffer(json.dumps(about).encode(), np.uint8), space=index.space)
    try:
        write_bytes(file, body.getvalue())
    except StoreError as error:
        raise StoreError(f"the index cannot be kept: {error}") from error


def _is_picture(suffix: str) -> bool:
    found = recognize_suffix(suffix)
    return suffix.lower() in PICTURE_SUFFIXES or (found is not None and found.kind == "picture")


def _is_read_by_now(name: str) -> bool:
    """Whether a file is of a format whose optional decoder may have been installed since it was looked at."""
    found = recognize_suffix(Path(name).suffix)
    return found is not None and found.is_read


def _look_at(path: Path, captioner: Captioner) -> tuple[NDArray[np.float16] | None, str]:
    try:
        return captioner.picture_places([read_picture(path)])[0].astype(np.float16), ""
    except (MediaError, FileMissingError) as error:
        return None, str(error).removeprefix(f"{path}: ")


def _pictures_in(folder: Path) -> Iterator[_File]:
    """Every picture file below a folder, also of formats that are not read; links to folders are not followed."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(root, name)
            if name.startswith(".") or not _is_picture(path.suffix):
                continue
            try:
                about = path.stat()
            except OSError:  # gone meanwhile, or a link to nowhere
                continue
            yield _File(path.relative_to(folder).as_posix(), about.st_size, about.st_mtime_ns)
