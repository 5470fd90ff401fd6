"""One evaluation under way: its progress, results kept for the next try, what cannot be read, what its report shows.

Evaluators ask it for the result of each item; it computes what it does not have. This file does not know any task.
"""

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from szem.data.broken import Broken, describe_broken
from szem.errors import EmptyFileError, FileMissingError, MediaError, StoreError

if TYPE_CHECKING:
    from szem.results.score import Confusion, Reliability

__all__ = ["EvalRun", "KeptRecords"]

_T = TypeVar("_T")
OnProgress = Callable[[str, int, int], None]


class KeptRecords:
    """Results of items in a file, a line each, so that an evaluation that was interrupted goes on.

    Args:
        file: Made when the first result is kept. A line that a kill left half written is passed over.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._known: dict[str, Any] = {}
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            lines = []
        for line in lines:
            try:
                row = json.loads(line)
                self._known[str(row["item"])] = row["record"]
            except (ValueError, KeyError, TypeError):
                continue

    def __len__(self) -> int:
        return len(self._known)

    def get(self, item: str) -> Any:
        """What was kept of an item; None where nothing was."""
        return self._known.get(item)

    def keep(self, item: str, record: Any) -> None:
        """Keep a result at once.

        Raises:
            StoreError: it cannot be written.
        """
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("a", encoding="utf-8") as opened:
                opened.write(json.dumps({"item": item, "record": record}) + "\n")
        except OSError as error:
            raise StoreError(f"{self.file}: results cannot be kept ({error.strerror})") from error
        self._known[item] = record

    def drop(self) -> None:
        """Remove the file: the evaluation is done."""
        self.file.unlink(missing_ok=True)


class EvalRun:
    """What an evaluator is given beside model, data and split.

    Args:
        classes: What the data calls a class -> what the model calls it; "" leaves its items out.
        on_progress: Called with what is being done, how much of it is done, and how much there is.
        kept: Results of an earlier try; new ones are added.
    """

    def __init__(
        self,
        *,
        classes: Mapping[str, str] | None = None,
        on_progress: OnProgress | None = None,
        kept: KeptRecords | None = None,
    ) -> None:
        self.classes = dict(classes or {})
        self.on_progress, self.kept = on_progress, kept
        self.broken: list[Broken] = []
        self.confusion: Confusion | None = None
        self.reliability: Reliability | None = None

    def name_of(self, given: str) -> str:
        """What a class of the data is called here; "" where it is to be left out."""
        return self.classes.get(given, given)

    def each(
        self,
        items: Sequence[_T],
        compute: Callable[[_T], Any],
        *,
        key: Callable[[_T], Hashable],
        doing: str = "items",
    ) -> list[tuple[_T, Any]]:
        """The result of each item, in order; an item whose file cannot be read goes to `broken` and is left out.

        Args:
            items: What is measured.
            compute: Gives a result of JSON's types.
            key: Tells an item from all others, and from itself after its file changed: a path, say.
            doing: What the items are, for the bar.
        Raises:
            EmptyFileError: there are no items, or none can be read.
        """
        done: list[tuple[_T, Any]] = []
        for number, item in enumerate(items):
            if self.on_progress is not None:
                self.on_progress(doing, number, len(items))
            name = _spelled(key(item))
            record = self.kept.get(f"{doing} {name}") if self.kept is not None else None
            if record is None:
                try:
                    record = compute(item)
                except (MediaError, FileMissingError) as error:
                    self.broken.append(Broken(name.partition("?")[0], str(error)))
                    continue
                if self.kept is not None:
                    self.kept.keep(f"{doing} {name}", record)
            done.append((item, record))
        if self.on_progress is not None:
            self.on_progress(doing, len(items), len(items))
        if not done:
            raise EmptyFileError(f"nothing could be measured of {len(items)} {doing}. {describe_broken(self.broken)}")
        return done


def _spelled(key: Hashable) -> str:
    """A key as text; of a file, with its size and time, so that a changed file is measured anew."""
    if isinstance(key, Path):
        try:
            about = key.stat()
        except OSError:
            return str(key)
        return f"{key}?{about.st_size}-{about.st_mtime_ns}"
    if isinstance(key, tuple):
        return " ".join(_spelled(part) for part in key)
    return str(key)
