"""Find the pictures of a folder by a sentence, or by a picture whose like is wanted.

The index is brought up to date at each search: new and changed pictures are encoded, those that are gone are dropped,
pictures that cannot be read are listed with the reason and tried again when they change. This file does not know
about terminals.
"""

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from szem.arrays import Picture8
from szem.errors import FileMissingError, MediaError, RangeError, StoreError
from szem.kept import made_anew
from szem.media.formats import recognize_suffix
from szem.media.pictures import PICTURE_SUFFIXES, PictureLike, as_picture, read_picture
from szem.results.hits import Hit, Hits
from szem.runtime.store import data_folder
from szem.tasks.models import ModelLike
from szem.tasks.search.encoder import WIDTH, EncodedRow, Query, SearchEncoder, open_encoder, tags_from_json
from szem.tasks.search.index import DamagedIndexError, FileState, IndexFile

__all__ = ["PictureIndex", "find_hits", "index_place", "rank_sentences", "search", "update_index"]

_TOGETHER = 16  # pictures between two looks at the clock
_SAVE_EVERY = 64  # pictures encoded between two writings
_CANDIDATES = 200  # pictures whose tags are compared with the query
# Files in folders that have not changed since they were listed can only have been overwritten in place: so many of
# them are compared at each search, in turn, so that a search among many more takes no longer.
_COMPARED = 5_000
_CHECK_S = 60.0  # between two readings of all rows for their checksums, where there are many
_SETTLED_NS = 2_000_000_000  # a folder that changed less than this ago may change again within one tick of its clock


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
        try:
            _bring_up_to_date(home, index, encoder, progress)
        except DamagedIndexError as error:
            made_anew(target, str(error).removeprefix(f"{target}: ").removesuffix("; remove it"))
            index.begin_anew()
            _bring_up_to_date(home, index, encoder, progress)
    except StoreError as error:
        if file is not None:
            raise
        # The user did not ask for this file: the search works without it.
        unsaved = str(error)
        index = IndexFile(None, identity=encoder.identity, width=2 * WIDTH)
        _bring_up_to_date(home, index, encoder, progress)
    return PictureIndex(home, index, index.faults(), unsaved)


def _bring_up_to_date(
    home: Path, index: IndexFile, encoder: _Encoder, progress: Callable[[int, int], None] | None
) -> None:
    compared, checked = index.checked()
    is_small = len(index) < _COMPARED
    if is_small or not 0 <= time.time() - checked < _CHECK_S:  # 0 <=: after a clock was set back, too
        index.check()
        checked = checked if is_small else time.time()
    found = _Changes(home, index)
    found.list_folders()
    last = found.compare_files(compared)
    if found.gone:
        index.remove(found.gone)
    missing = found.missing
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
    known = index.folders()
    news = {name: changed for name, changed in found.listed.items() if known.get(name) != changed}
    if news or found.gone_folders or (last, checked) != index.checked():
        index.note(news, gone=found.gone_folders, compared=last, checked=checked)


def _encode(path: Path, encoder: _Encoder) -> tuple[EncodedRow | None, str]:
    if path.is_symlink():  # whoever may write to the folder does not choose what is read
        return None, "a link, which is not followed in a folder"
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


class _Changes:
    """What has changed in a folder since its index was brought up to date.

    A folder's time of change tells whether files came, went or were renamed, so only changed folders are listed.
    """

    def __init__(self, home: Path, index: IndexFile) -> None:
        self.missing: list[FileState] = []  # to be encoded
        self.gone: list[str] = []
        self.listed: dict[str, int] = {}  # folder -> when it had been changed, 0 where it must be listed again
        self.gone_folders: list[str] = []
        self._home, self._index = home, index

    def list_folders(self) -> None:
        """List new and changed folders; links are not followed."""
        known = self._index.folders()
        waiting = [name for name, changed in known.items() if self._changed_ns(name) != changed] or (
            [] if known else [""]
        )
        children: dict[str, set[str]] = {}
        for name in known:
            if name:
                children.setdefault(name[: name.rindex("/", 0, -1) + 1] if "/" in name[:-1] else "", set()).add(name)
        while waiting:
            here = waiting.pop()
            if here in self.listed or here in self.gone_folders:
                continue
            below = self._list(here)
            waiting += [name for name in below if name not in known]
            waiting += children.get(here, set()) - set(below)  # these are gone

    def _list(self, here: str) -> list[str]:
        """Compare the files of one folder with the index; returns its folders."""
        before = self._index.states_in(here)
        below = []
        changed = self._changed_ns(here)  # taken before it is read
        try:
            with os.scandir(self._home / here) as entries:
                for entry in entries:
                    name = entry.name
                    if name.startswith("."):
                        continue
                    try:
                        if entry.is_dir(follow_symlinks=False):
                            below.append(f"{here}{name}/")
                        elif _is_picture(name) and (entry.is_symlink() or entry.is_file()):
                            state = _state(entry.stat(follow_symlinks=False))
                            self._compare(FileState(f"{here}{name}", *state), before.pop(f"{here}{name}", None))
                    except OSError:  # gone meanwhile
                        continue
        except OSError:  # gone, or not ours to read
            self.gone_folders.append(here)
        else:
            self.listed[here] = changed if time.time_ns() - changed > _SETTLED_NS else 0
        self.gone += before
        return below

    def compare_files(self, after: str) -> str:
        """Compare the next files of folders that were not listed; returns the last one's name."""
        states = self._index.states_after(after, _COMPARED)
        if len(states) < _COMPARED and after:  # from the beginning again, but no file twice
            states += [
                pair for pair in self._index.states_after("", _COMPARED - len(states)) if pair[0].name <= after
            ]
        for state, fault in states:
            name = state.name
            if name[: name.rfind("/") + 1] in self.listed:
                continue
            try:
                self._compare(FileState(name, *_state((self._home / name).lstat())), (state, fault))
            except OSError:
                self.gone.append(name)
        return states[-1][0].name if len(states) == _COMPARED else ""

    def _compare(self, now: FileState, known: tuple[FileState, str | None] | None) -> None:
        # What an older szem could not read is tried again once its suffix is among those that this one reads.
        if known is None or known[0] != now or (known[1] and _is_read_by_now(now.name)):
            self.missing.append(now)

    def _changed_ns(self, folder: str) -> int:
        try:
            return (self._home / folder).stat().st_mtime_ns
        except OSError:
            return -1


def _state(about: os.stat_result) -> tuple[int, int]:
    return about.st_size, about.st_mtime_ns
