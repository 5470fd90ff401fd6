"""What becomes of a source's events: rules asked, a row with a picture, messages, and a clip once it is over.

An event that goes on is kept and reported when it begins, and again when it ends. This file does not know how events
are found, nor how messages are sent.
"""

import errno
import json
import logging
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from szem.arrays import Picture8
from szem.errors import StoreError, SzemError
from szem.files import is_disk_full
from szem.guard.clip_maker import ClipMaker
from szem.guard.clips import FrameBlur
from szem.guard.event_record import StoredEvent
from szem.guard.event_store import EventStore, changing_values, slug, stored_from
from szem.guard.outbox import message_row
from szem.guard.packet_buffer import PacketBuffer
from szem.guard.write_queue import WriteQueue
from szem.media.pictures import encode_picture
from szem.results.events import Event
from szem.tasks.surveillance.rules import RuleAction, Rules

__all__ = ["Recorder", "notifiers_of"]

_log = logging.getLogger("szem.guard")
_REFRESH_S = 15.0  # how often the end of an event that goes on is written down
_PICTURE_S = 1.0  # how far the picture may lie behind the moment wanted

Decision = Callable[..., tuple[RuleAction, ...]]


@dataclass
class _Entry:
    """An event that is kept, while something of it is still to come."""

    stored: StoredEvent
    notifiers: tuple[str, ...]
    is_saved: bool
    written_s: float  # when its row was last written, in the source's time
    picture: str = ""  # set by the queue's thread, as the next lines
    picture_bytes: int = 0
    picture_data: bytes = b""  # coded, while the disk does not take it: packets in memory are soon forgotten
    clip_due_s: float | None = None
    is_planned: bool = False  # its clip


@dataclass
class Recorder:
    """Keeps one source's events. Call it from one thread at a time.

    Args:
        source: The source's name.
        store: Where to.
        queue: Whose threads write.
        rules: For hooks and clips.
        decide: Says what is to be done with an event, see `szem.tasks.surveillance.rules.RuleEngine`.
        buffer: What clips are cut from; None: no clips.
        maker: Makes clips and pictures of it.
        moment: From the source's time to seconds since 1970.
        is_live: A video waits for its clips.
        blur: Makes a picture without faces; None: pictures are kept as they are.
        latest: The last picture, for where the buffer has none.
        wake: Called when there are new messages.
        counted: Called with an event's kind once it is kept.
    """

    source: str
    store: EventStore
    queue: WriteQueue
    rules: Rules
    decide: Decision
    buffer: PacketBuffer | None
    maker: ClipMaker
    moment: Callable[[float], float]
    is_live: bool
    blur: FrameBlur | None = None
    latest: Callable[[], Picture8 | None] = lambda: None
    wake: Callable[[], None] = lambda: None
    counted: Callable[[str], None] = lambda _: None
    size: tuple[int, int] | None = None  # of the source's pictures
    count: int = 0  # events dealt with
    _open: dict[tuple[object, ...], _Entry] = field(default_factory=dict)
    _clips: list[_Entry] = field(default_factory=list)

    def take(self, events: Iterable[Event], now_s: float) -> None:
        """Deal with events that were just reported.

        Args:
            events: New ones, and ones that go on or have ended.
            now_s: In the source's time.
        """
        for event in events:
            entry = self._open.get(_key(event))
            if entry is None:
                self._begin(event)
            else:
                self._go_on(entry, event, now_s)
        self._cut_due(now_s)

    def end(self, now_s: float) -> None:
        """The source has ended: so have its events, and no clip gets longer."""
        for entry in self._open.values():
            self._close(entry, entry.stored)
        self._open.clear()
        self._cut_due(float("inf"), now_s)

    # Events -----------------------------------------------------------------------------------------------------

    def _begin(self, event: Event) -> None:
        started = self.moment(event.start_s)
        orders = self.decide(event, camera=self.source, at=datetime.fromtimestamp(started))
        if not orders:
            return
        actions = [action for order in orders for action in order.do]
        rule = ", ".join(dict.fromkeys(order.rule for order in orders))
        stored = stored_from(event, source=self.source, now=started, now_s=event.start_s)
        width, height = self.size or (None, None)
        stored = replace(stored, rule=rule, width_px=width, height_px=height)
        if "log" in actions:
            _log.warning(
                "%s: %s%s (%.2f)", self.source, event.kind, f" at {event.place}" if event.place else "", event.score
            )
        entry = _Entry(stored, notifiers_of(actions, self.rules), "save" in actions, event.start_s)
        self.count += 1
        self.counted(event.kind)
        self.queue.write(lambda: self._write_new(entry))
        if event.is_open:
            self._open[_key(event)] = entry
        if entry.is_saved and self.buffer is not None:
            self._plan_clip(entry)

    def _go_on(self, entry: _Entry, event: Event, now_s: float) -> None:
        stored = entry.stored
        ended = stored.started + (event.end_s - event.start_s)
        changed = replace(stored, ended=ended, **changing_values(event))
        entry.stored = changed
        if not event.is_open:
            self._open.pop(_key(event))
            self._close(entry, changed)
        elif now_s - entry.written_s >= _REFRESH_S or changed.channels != stored.channels:
            entry.written_s = now_s
            self._write_change(entry, changed)
        if entry.is_planned:
            self._plan_clip(entry)

    def _close(self, entry: _Entry, stored: StoredEvent) -> None:
        entry.stored = replace(stored, is_open=False)
        self._write_change(entry, entry.stored, report=True)

    # Rows, on the queue's thread ----------------------------------------------------------------------------------

    def _write_new(self, entry: _Entry) -> None:
        if entry.is_saved and not entry.picture:
            self._write_picture(entry)
        stored = replace(entry.stored, picture=entry.picture, media_bytes=entry.picture_bytes)
        if entry.is_saved:
            self.store.add(stored, messages=self._messages(entry, stored))
        else:
            self.store.post(self._messages(entry, stored))
        if entry.notifiers:
            self.wake()

    def _write_picture(self, entry: _Entry) -> None:
        """Write the event's picture.

        Raises:
            StoreError: the disk is full; to be tried again.
        """
        name = self.store.name_media(entry.stored, ".jpg")
        try:
            if not entry.picture_data:
                picture = self._picture(entry.stored)
                if picture is None:
                    return
                blurred = picture if self.blur is None else self.blur(picture)
                entry.picture_data = encode_picture(blurred, suffix=".jpg", quality=88)
            with self.store.writing(name) as path:
                path.write_bytes(entry.picture_data)
        except SzemError as error:
            if is_disk_full(error) and not self.queue.is_stopping:
                raise
            _log.warning("%s: no picture: %s", self.source, error)  # the event is kept all the same
        else:
            entry.picture, entry.picture_bytes = name, len(entry.picture_data)
        entry.picture_data = b""

    def _write_change(self, entry: _Entry, stored: StoredEvent, *, report: bool = False) -> None:
        def write() -> None:
            messages = self._messages(entry, stored) if report else []
            if entry.is_saved:
                self.store.change(
                    stored.id,
                    messages=messages,
                    end_s=stored.end_s,
                    ended=stored.ended,
                    best_s=stored.best_s,
                    score=stored.score,
                    channels=stored.channels,
                    contributions=stored.contributions,
                    label=stored.label,
                    box_xyxy=stored.box_xyxy,
                    also=stored.also,
                    note=stored.note,
                    is_open=stored.is_open,
                )
            elif messages:
                self.store.post(messages)
            if messages:
                self.wake()

        self.queue.write(write)

    def _messages(self, entry: _Entry, stored: StoredEvent) -> list[dict[str, object]]:
        body = stored.to_dict() | {"camera": stored.source, "sent": round(time.time(), 3)}
        if entry.picture:
            body["picture"] = entry.picture
        for name in ("number", "mark"):
            body.pop(name, None)
        text = json.dumps(body, ensure_ascii=False)
        return [message_row(notifier, topic=self._topic(notifier, stored), body=text) for notifier in entry.notifiers]

    def _topic(self, notifier: str, stored: StoredEvent) -> str:
        kind, _, name = notifier.partition(":")
        if kind != "mqtt":
            return ""
        parts = {"camera": slug(stored.source), "kind": slug(stored.kind), "rule": slug(stored.rule)}
        return self.rules.mqtt[name].topic.format(**parts)

    def _picture(self, stored: StoredEvent) -> Picture8 | None:
        at_s = stored.start_s if stored.best_s is None else stored.best_s
        stretch = None if self.buffer is None else self.buffer.cut(at_s, at_s + _PICTURE_S)
        found = None
        if stretch is not None:
            try:
                found = self.maker.find_picture(stretch, at_s)
            except SzemError as error:
                _log.warning("%s: the picture of the event could not be decoded: %s", self.source, error)
        return self.latest() if found is None else found

    # Clips ------------------------------------------------------------------------------------------------------

    def _plan_clip(self, entry: _Entry) -> None:
        clips = self.rules.clips
        longest_s = entry.stored.start_s - clips.before_s + clips.longest_s
        if not entry.is_planned:
            entry.is_planned = True
            self._clips.append(entry)
        is_open = entry.stored.is_open
        entry.clip_due_s = longest_s if is_open else min(entry.stored.end_s + clips.after_s, longest_s)

    def _cut_due(self, now_s: float, until_s: float = float("inf")) -> None:
        for entry in [entry for entry in self._clips if entry.clip_due_s is not None and entry.clip_due_s <= now_s]:
            self._clips.remove(entry)
            self._cut(entry, until_s)

    def _cut(self, entry: _Entry, until_s: float) -> None:
        assert self.buffer is not None
        clips = self.rules.clips
        end_s = min(entry.clip_due_s or 0.0, until_s)
        stretch = self.buffer.cut(entry.stored.start_s - clips.before_s, end_s)
        if stretch is None or stretch.end_s < entry.stored.start_s - clips.before_s:
            return

        def make() -> None:
            if not has_disk_space(self.store):
                raise StoreError("the disk is nearly full") from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            name = self.store.name_media(entry.stored, ".mp4")
            with self.store.writing(name) as path:
                start_s = self.maker.write_clip(stretch, path)
            size = self.store.media_path(name).stat().st_size
            self.queue.write(
                lambda: self.store.change(
                    entry.stored.id, clip=name, clip_start_s=start_s, media_bytes=entry.picture_bytes + size
                )
            )

        self.queue.make_clip(make, wait=not self.is_live)


def notifiers_of(actions: Iterable[str], rules: Rules) -> tuple[str, ...]:
    """The hooks that actions name, each once: "webhook:office"; a bare "webhook" or "mqtt" means all of its kind."""
    found: dict[str, None] = {}
    for action in actions:
        kind, _, name = action.partition(":")
        if kind in ("webhook", "mqtt"):
            known = rules.webhooks if kind == "webhook" else rules.mqtt
            for each in [name] if name else list(known):
                found[f"{kind}:{each}"] = None
    return tuple(found)


def has_disk_space(store: EventStore, *, min_bytes: int = 50_000_000) -> bool:
    """Whether there is room for a clip; the rest of the disk belongs to the database."""
    import shutil

    try:
        return shutil.disk_usage(store.media).free >= min_bytes
    except OSError:
        return True


def _key(event: Event) -> tuple[object, ...]:
    """By what an event is known again when it goes on."""
    if event.number:
        return event.kind, event.number
    return event.kind, event.place, event.track, round(event.start_s, 2)
