"""Find the pictures of a folder by a sentence, or by a picture whose like is wanted.

The index is brought up to date at each search: new and changed pictures are encoded, those that are gone are dropped,
pictures that cannot be read are listed with the reason and tried again when they change. This file does not know
about terminals.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from szem.arrays import Picture8
from szem.errors import FileMissingError, MediaError, RangeError, StoreError
from szem.media.formats import recognize_suffix
from szem.media.pictures import PICTURE_SUFFIXES, PictureLike, as_picture, read_picture
from szem.results.hits import Hit, Hits
from szem.runtime.store import data_folder
from szem.tasks.models import ModelLike
from szem.tasks.search.encoder import WIDTH, EncodedRow, Query, SearchEncoder, open_encoder, tags_from_json
from szem.tasks.search.index import FileState, IndexFile

__all__ = ["PictureIndex", "find_hits", "index_place", "rank_sentences", "search", "update_index"]

_TOGETHER = 16  # pictures between two looks at the clock
_SAVE_EVERY = 64  # pictures encoded between two writings
_CANDIDATES = 200  # pictures whose tags are compared with the query
# Comparing every file takes a quarter of a second for 100,000: above so many files it is left out where the last time
# is less than so many seconds ago and no folder has changed since. A file that is overwritten in place shows then.
_MANY_FILES, _FRESH_S = 20_000, 60.0


class _Encoder(Protocol):
    """What the index needs of a `SearchEncoder`."""

    workers: int

    @property
    def identity(self) -> str: ...

    def encode(self, picture: Picture8) -> EncodedRow: ...


@dataclass(frozen=True, eq=False)
class PictureIndex:
    """A folder and its index, up to date."""

    folder: Path
    file: IndexFile
    broken: dict[str, str]  # files that could not be read, and why
    unsaved: str = ""  # why the index could not be kept on disk, if it could not

    def __len__(self) -> int:
        return len(self.file)


def search(
    text: str = "",
    folder: str | os.PathLike[str] = ".",
    *,
    like: PictureLike | None = None,
    top: int = 10,
    model: str | os.PathLike[str] | None = None,
    index: str | os.PathLike[str] | None = None,
) -> Hits:
    """Find the pictures of a folder that fit a sentence, or that are like a picture.

    Args:
        text: "two dogs in the snow". Objects, their number and their colour are checked against what the detector
            finds.
        folder: Searched on all levels; hidden files and folders are passed over.
        like: A picture instead of a sentence.
        top: How many pictures at most.
        model: A model for search; the shipped one if left out.
        index: Where the index is kept; by default among the user's data, not in the folder.
    Returns:
        The best pictures, best first, each with the probability that it fits; `Hits.fitting` holds those that do.
        And the files that could not be read.
    Raises:
        FileMissingError: no such folder.
        RangeError: no word in the text, both or neither of text and picture, or `top` is below 1.
    """
    if top < 1:
        raise RangeError(f"top must be at least 1, got {top}")
    if like is not None and text:
        raise RangeError("search takes a sentence or a picture (like=), got both; leave one out")
    encoder = open_encoder(model, threads=1)
    # Before the long work: an empty text or a broken picture is reported at once.
    query = encoder.query(text) if like is None else encoder.query_like(as_picture(like))
    return find_hits(update_index(folder, encoder=encoder, file=index), encoder, query, text=text, top=top)


def find_hits(index: PictureIndex, encoder: SearchEncoder, query: Query, *, text: str, top: int) -> Hits:
    """The best pictures of an index, ordered by the probability that they fit."""
    found = index.file.best(encoder.weights(query), max(top, _CANDIDATES))
    scored = [
        Hit(index.folder / one.name, encoder.probability(query, one.value, tags_from_json(one.tags))) for one in found
    ]
    scored.sort(key=lambda hit: -hit.score)
    threshold = 0.0 if query.like else encoder.threshold
    return Hits(tuple(scored[:top]), text, encoder.card.name, len(index), index.broken, threshold=threshold)


def rank_sentences(
    picture: PictureLike, sentences: Sequence[str], *, model: ModelLike | None = None
) -> list[tuple[str, float]]:
    """Sentences by how well they fit a picture, best first, each with the probability that it fits.

    Raises:
        RangeError: a sentence without a word.
    """
    encoder = open_encoder(model, threads=1)
    if not sentences:
        return []
    return rank_with(encoder, encoder.encode(as_picture(picture)), sentences)


def rank_with(encoder: SearchEncoder, encoded: EncodedRow, sentences: Sequence[str]) -> list[tuple[str, float]]:
    """As `rank_sentences`, for a picture that is encoded."""
    scores = [probability_of(encoder, encoder.query(text), encoded) for text in sentences]
    return sorted(zip(sentences, scores, strict=True), key=lambda pair: -pair[1])


def probability_of(encoder: SearchEncoder, query: Query, encoded: EncodedRow) -> float:
    """That one picture fits a query."""
    value = float(encoded.row.astype("float32") @ encoder.weights(query))
    return encoder.probability(query, value, tags_from_json(encoded.tags))


def index_place(folder: str | os.PathLike[str]) -> Path:
    """Where the index of a folder is kept if nothing else is said: among the user's data."""
    whole = Path(folder).resolve()
    mark = hashlib.sha256(os.fsencode(whole)).hexdigest()[:16]
    return data_folder() / "search" / f"{whole.name or 'root'}-{mark}.index"


def update_index(
    folder: str | os.PathLike[str],
    *,
    encoder: _Encoder,
    file: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PictureIndex:
    """Bring a folder's index up to date.

    Args:
        folder: Searched on all levels.
        encoder: The open networks.
        file: The index; by default `index_place(folder)`. One that is damaged or of another model is made anew. By
            default it is only a cache: where it cannot be kept, the answer says why (`unsaved`).
        progress: Called with how many of the pictures that had to be encoded are done, and how many there are.
    Raises:
        FileMissingError: no such folder.
        StoreError: the file that was named cannot be written.
    """
    home = Path(folder)
    if not home.is_dir():
        raise FileMissingError(f"{home}: no such folder; name a folder of pictures")
    target = index_place(home) if file is None else Path(file)
    unsaved = ""
    try:
        index = IndexFile(target, identity=encoder.identity, width=2 * WIDTH)
        if not _is_fresh(home, index):
            _bring_up_to_date(home, index, encoder, progress)
    except StoreError as error:
        if file is not None:
            raise
        # The user did not ask for this file: the search works without it.
        unsaved = str(error)
        index = IndexFile(None, identity=encoder.identity, width=2 * WIDTH)
        _bring_up_to_date(home, index, encoder, progress)
    return PictureIndex(home, index, index.faults(), unsaved)


def _is_fresh(home: Path, index: IndexFile) -> bool:
    """Whether the last comparison of all files is recent, they are many, and no folder has changed since."""
    if len(index) < _MANY_FILES or not 0 <= time.time() - index.walked_at() < _FRESH_S:
        return False
    try:
        return all((home / name).stat().st_mtime_ns == changed for name, changed in index.folders().items())
    except OSError:
        return False


def _bring_up_to_date(
    home: Path, index: IndexFile, encoder: _Encoder, progress: Callable[[int, int], None] | None
) -> None:
    index.check()
    known = index.states()
    folders: dict[str, int] = {}
    now = {state.name: state for state in _pictures_in(home, folders)}
    gone = [name for name in known if name not in now]
    if gone:
        index.remove(gone)
    # What an older szem could not read is tried again once its suffix is among those that this one reads.
    missing = [
        state
        for name, state in now.items()
        if name not in known or known[name][0] != state or (known[name][1] and _is_read_by_now(name))
    ]
    rows: list[tuple[FileState, EncodedRow]] = []
    faults: list[tuple[FileState, str]] = []

    def save() -> None:
        index.add([(state, one.row, one.tags) for state, one in rows], faults)
        rows.clear()
        faults.clear()

    with ThreadPoolExecutor(encoder.workers) as pool:
        # In parts: progress can be shown and the index saved between them, and Ctrl-C loses one part at most.
        for start in range(0, len(missing), _TOGETHER):
            part = missing[start : start + _TOGETHER]
            for state, (one, why) in zip(
                part, pool.map(lambda state: _encode(home / state.name, encoder), part), strict=True
            ):
                if one is None:
                    faults.append((state, why))
                else:
                    rows.append((state, one))
            if len(rows) + len(faults) >= _SAVE_EVERY:
                save()
            if progress is not None:
                progress(min(start + _TOGETHER, len(missing)), len(missing))
    if rows or faults:
        save()
    if len(now) >= _MANY_FILES or missing or gone:
        index.note_walk(folders)


def _encode(path: Path, encoder: _Encoder) -> tuple[EncodedRow | None, str]:
    try:
        return encoder.encode(read_picture(path)), ""
    except (MediaError, FileMissingError) as error:
        return None, str(error).removeprefix(f"{path}: ")


def _is_picture(name: str) -> bool:
    suffix = Path(name).suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        return True
    found = recognize_suffix(suffix)
    return found is not None and found.kind == "picture"


def _is_read_by_now(name: str) -> bool:
    """Whether a file is of a format whose optional decoder may have been installed since it was tried."""
    found = recognize_suffix(Path(name).suffix)
    return found is not None and found.is_read


def _pictures_in(folder: Path, folders: dict[str, int]) -> Iterator[FileState]:
    """Every picture file below a folder, also of formats that are not read; links to folders are not followed.

    Args:
        folder: Where to begin.
        folders: Filled with each folder's time of change, taken before it is read.
    """
    waiting = [""]
    while waiting:
        here = waiting.pop()
        try:
            folders[here] = (folder / here).stat().st_mtime_ns
            entries = sorted(os.scandir(folder / here), key=lambda entry: entry.name)
        except OSError:  # gone meanwhile, or not ours to read
            continue
        below = []
        for entry in entries:
            name = entry.name
            if name.startswith("."):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    below.append(f"{here}{name}/")
                elif _is_picture(name) and entry.is_file():
                    about = entry.stat()
                    yield FileState(f"{here}{name}", about.st_size, about.st_mtime_ns)
            except OSError:  # gone meanwhile, or a link to nowhere
                continue
        waiting += reversed(below)
