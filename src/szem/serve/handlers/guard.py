"""What the guard's routes ask: the store that `szem watch` writes, the rules file beside it, videos to try.

The store is opened when it is first needed; one that is not there yet is empty, not a fault. Blocking: call it from a
thread. Knows nothing of HTTP.
"""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any

from szem.errors import DeniedError, FileMissingError, NotFoundError, RangeError, RulesError, StoreError
from szem.files import sweep_folder, write_text
from szem.guard.event_record import EventQuery, StoredEvent, timestamp
from szem.guard.event_store import RULES_FILE, EventStore, default_store
from szem.guard.export import marked_in_pieces
from szem.guard.listener_pool import known_sounds, make_listening
from szem.guard.sources import all_labels
from szem.serve.handlers.guard_rules import RulesText, mask_address
from szem.serve.handlers.guard_trials import GuardTrials
from szem.serve.settings import ServeSettings
from szem.tasks.surveillance.rules import Rules
from szem.tasks.surveillance.rules_toml import parse_rules
from szem.tasks.video.zones import areas_from_json, areas_to_json

__all__ = ["GuardHandler"]

_MOST_RULES = 60_000  # characters
_MOST_FILE = 1_000_000  # bytes of a rules file
_LINE = re.compile(r"line (\d+)")


class GuardHandler:
    """The guard's side of one server.

    Args:
        settings: The operator's choices: where the store is.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self.folder = settings.guard_store or default_store()
        self._url = settings.guard_database
        self._store: EventStore | None = None
        self._lock = threading.Lock()
        self._saving = threading.Lock()  # two editors: each sees the file whole, as the other left it
        self._sounds: tuple[str, ...] | None = None
        self._labels: tuple[str, ...] = ()
        self.videos = GuardTrials(self._rules_or_default)

    def sweep(self) -> None:
        """Remove what a server left half-written that was killed while it saved the rules."""
        sweep_folder(self.folder)

    def close(self) -> None:
        """Let everything go."""
        self.videos.close()
        if self._store is not None:
            self._store.close()

    def store(self) -> EventStore | None:
        """The store; None while nothing is kept there."""
        with self._lock:
            if self._store is None:
                with suppress(FileMissingError):
                    self._store = EventStore(self.folder, url=self._url, must_exist=True)
            return self._store

    def _there(self) -> EventStore:
        found = self.store()
        if found is None:
            raise NotFoundError("no events are kept here yet; szem watch SOURCE --store DIR begins to")
        return found

    # Events -----------------------------------------------------------------------------------------------------

    def overview(self) -> dict[str, Any]:
        """What there is."""
        store = self.store()
        answer: dict[str, Any] = {"present": store is not None, "folder": str(self.folder), "total": 0, "sources": []}
        answer |= {f"{name}s": {} for name in ("kind", "place", "rule", "mark")} | {"events_of": {}}
        if store is None:
            return answer
        everything = EventQuery()
        answer["total"] = store.count(everything)
        for name in ("kind", "place", "rule", "mark"):
            answer[f"{name}s"] = store.counts(name, everything)
        answer["events_of"] = store.counts("source", everything)
        answer["sources"] = [_source(row) for row in store.sources()]
        return answer

    def page(self, wanted: EventQuery, size: int, before: int | None) -> tuple[list[StoredEvent], int | None, int]:
        """Some events, the number to ask on with, and how many there are in all."""
        store = self.store()
        if store is None:
            return [], None, 0
        found, more = store.page(wanted, size=size, before=before)
        return found, more, store.count(wanted)

    def event(self, id: str) -> StoredEvent:
        """One event.

        Raises:
            NotFoundError: there is none.
        """
        return self._there().get(id)

    def mark(self, id: str, mark: str, note: str) -> StoredEvent:
        """Mark an event."""
        return self._there().mark(id, mark, note=note)

    def each(self, wanted: EventQuery) -> Iterator[StoredEvent]:
        """All events asked for."""
        store = self.store()
        return iter(()) if store is None else store.each(wanted)

    def file(self, id: str, what: str) -> IO[bytes]:
        """The opened file of an event's picture or clip.

        Raises:
            NotFoundError: there is none.
        """
        return self._there().open_media(getattr(self.event(id), what))

    def still(self, source: str) -> IO[bytes]:
        """The opened file of a source's picture of now.

        Raises:
            NotFoundError: there is none.
        """
        store = self._there()
        found = next((row["still"] for row in store.sources() if row["name"] == source), "")
        return store.open_media(found)

    def marked(self, most: int) -> Iterator[bytes]:
        """A ZIP file of so many events that were marked, piece by piece."""
        store = self._there()
        return marked_in_pieces(store, islice(store.each(EventQuery(marks=("wrong", "right"))), most))

    # Rules ------------------------------------------------------------------------------------------------------

    @property
    def _file(self) -> Path:
        return self.folder / RULES_FILE

    def rules(self) -> dict[str, Any]:
        """The rules file, with masks in place of its secrets, and what is wrong with it."""
        file = self._read()
        if file is None:
            return {"text": "", "saved": False, "path": str(self._file), **self.check_rules("")}
        return {"text": file.masked(), "saved": True, "path": str(self._file), **self._checked(file, file.text)}

    def check_rules(self, text: str) -> dict[str, Any]:
        """What is wrong with rules, and on which line; what they say where they are right."""
        file = self._read() or RulesText("", str(self._file))
        try:
            whole = file.merged(text)
        except RulesError:
            whole = text  # the same is found below, with its line
        except DeniedError as error:
            found = self._checked(file, text)
            return found if found["fault"] else {"fault": str(error), "line": None, "rules": None}
        return self._checked(file, whole)

    def _checked(self, file: RulesText, text: str) -> dict[str, Any]:
        try:
            rules = self._parse(text)
        except RulesError as error:
            found = _LINE.search(str(error))
            return {"fault": file.hidden(str(error)), "line": int(found[1]) if found else None, "rules": None}
        return {"fault": "", "line": None, "rules": _rules_to_json(rules)}

    def areas(self, camera: str) -> str:
        """Zones and lines as JSON: those of the rules for every camera, or one camera's.

        Raises:
            NotFoundError: the rules name no such camera.
            RulesError: the rules are wrong.
        """
        rules = self._rules_or_default()
        if camera and camera not in rules.cameras:
            raise NotFoundError(
                f"the rules name no camera {camera!r}; there are: {', '.join(rules.cameras) or 'none'}"
            )
        return areas_to_json(rules.areas_for(camera))

    def check_areas(self, text: bytes) -> dict[str, Any]:
        """Zones and lines from JSON, whole, or what is wrong with them, and where."""
        try:
            return {"fault": "", **areas_from_json(text).model_dump(mode="json")}
        except RangeError as error:
            return {"fault": str(error), "zones": [], "lines": []}

    def save_rules(self, text: str) -> dict[str, Any]:
        """Replace the rules file, in one step; the answer is built before that.

        Raises:
            RulesError: the rules are wrong; the old ones stay.
            DeniedError: something changes that the operator alone may change.
            StoreError: it cannot be written.
        """
        with self._saving:
            file = self._read() or RulesText("", str(self._file))
            try:
                self._parse(text)
                whole = file.merged(text)
                rules = self._parse(whole)
            except RulesError as error:
                raise RulesError(file.hidden(str(error))) from None
            new = RulesText(whole, str(self._file))
            answer = {"text": new.masked(), "saved": True, "path": str(self._file)}
            answer |= {"fault": "", "line": None, "rules": _rules_to_json(rules)}
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_text(self._file, whole, mode=0o600)
        return answer

    def _read(self) -> RulesText | None:
        """The rules file; None when there is none. One that every user of the machine could read is closed."""
        try:
            with self._file.open("rb") as opened:
                if os.fstat(opened.fileno()).st_mode & 0o007:
                    with suppress(OSError, AttributeError):  # another owner's; Windows has no fchmod
                        os.fchmod(opened.fileno(), 0o600)
                data = opened.read(_MOST_FILE + 1)
            if len(data) > _MOST_FILE:
                raise StoreError(f"{self._file}: larger than {_MOST_FILE:,} bytes; this is not a rules file")
            return RulesText(data.decode("utf-8-sig"), str(self._file))
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(f"{self._file.name}: cannot be read ({error}); save it as UTF-8 text") from error

    def _parse(self, text: str) -> Rules:
        if len(text) > _MOST_RULES:
            raise RulesError(f"rules have at most {_MOST_RULES:,} characters, got {len(text):,}")
        with self._lock:
            if self._sounds is None:
                self._sounds, self._labels = known_sounds(), all_labels()
        rules = parse_rules(text, name="rules", sounds=self._sounds or None, labels=self._labels or None)
        if rules.listen:
            make_listening(rules)  # refuses settings that the listener does not take
        return rules

    def _rules_or_default(self) -> Rules:
        file = self._read()
        try:
            return self._parse("" if file is None else file.text)
        except RulesError as error:
            raise RulesError(str(error) if file is None else file.hidden(str(error))) from None


def _source(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": row["name"],
        "state": row["state"],
        "reason": row["reason"],
        "seen": None if row["seen"] is None else timestamp(row["seen"]),
        "updated": timestamp(row["updated"]),
        "has_sound": row["has_sound"],
        "frame": None if not row["width_px"] else {"width": row["width_px"], "height": row["height_px"]},
        "has_still": bool(row["still"]),
    }


def _rules_to_json(rules: Rules) -> dict[str, Any]:
    """Rules as an editor shows them: of notifiers their names, of cameras' addresses what is no secret."""
    shown = rules.model_dump(mode="json", exclude={"webhooks", "mqtt"})
    for camera in shown["cameras"].values():
        camera["source"] = mask_address(camera["source"])
    notifiers = [f"webhook:{name}" for name in rules.webhooks] + [f"mqtt:{name}" for name in rules.mqtt]
    return shown | {"notifiers": notifiers}
