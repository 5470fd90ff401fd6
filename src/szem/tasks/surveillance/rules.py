"""Rules: which events count, where, when, and what is done then.

`szem.tasks.surveillance.rules_toml` reads them from TOML. This file does not know how events are
found, nor how anything is sent.
"""

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from szem.results.class_aliases import coco_name
from szem.results.events import Event
from szem.tasks.surveillance.settings import WatchSettings
from szem.tasks.video.zones import Line, Zone, Zones

__all__ = [
    "DAYS",
    "Camera",
    "ClipSettings",
    "Mqtt",
    "RetentionPeriods",
    "Rule",
    "RuleAction",
    "RuleEngine",
    "Rules",
    "Webhook",
]


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_GROUPS = {"weekdays": DAYS[:5], "weekend": DAYS[5:], "daily": DAYS}
_HOURS = re.compile(r"^([01]?\d|2[0-3]):([0-5]\d)\s*-\s*(24:00|(?:[01]?\d|2[0-3]):[0-5]\d)$")
_ADDRESS = re.compile(r"^https?://[^\s/]+\S*$")
_ACTION = re.compile(r"^(save|log|(?:webhook|mqtt)(?::.+)?)$")
_Name = Annotated[str, Field(min_length=1, max_length=80)]
_Fraction = Annotated[float, Field(ge=0, le=1)]
_YEAR_S = 31_536_000.0
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,8000}")
# Ranges of `[listen]`; which keys there are the listener says, which this floor may not import.
_LISTEN_RANGES = {
    "threshold": (0.0, 1.0),
    "hop_s": (0.01, 10.0),
    "keep": (0.0, 1.0),
    "gap_s": (0.0, 3600.0),
    "overlap_s": (0.0, 60.0),
    "report_after_s": (0.0, 3600.0),
    "silence_db": (-200.0, 0.0),
}


class _Strict(BaseModel):
    # inf and nan cannot be written as JSON: one of them in a saved file would make every later answer fail.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Webhook(_Strict):
    """Where an event is posted to, as JSON."""

    url: str
    headers: dict[str, str] = {}
    secret_env: str = ""  # environment variable that holds the key the message is signed with
    timeout_s: float = Field(default=10.0, gt=0, le=120)
    picture: bool = True  # send the picture too

    @field_validator("url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            fits = bool(_ADDRESS.match(url)) and bool(parts.hostname)
            _ = parts.port  # raises where it is not a number in 0..65535
        except ValueError:
            fits = False
        if not fits:
            raise ValueError(f'an address begins with http:// or https:// and names a host, got "{url}"')
        return url

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise ValueError(f"a header is one line of printable characters, got {name!r}: {value[:40]!r}")
        return headers


class Mqtt(_Strict):
    """Which broker an event is published at."""

    host: str = Field(min_length=1)
    port: int = Field(default=1883, ge=1, le=65535)
    topic: str = Field(default="szem/{camera}/{kind}", min_length=1)  # {camera}, {kind}, {rule} are filled in
    user: str = ""
    password_env: str = ""  # environment variable that holds it
    tls: bool = False
    qos: Literal[0, 1, 2] = 1
    retain: bool = False

    @field_validator("topic")
    @classmethod
    def _can_be_published_at(cls, topic: str) -> str:
        unknown = set(re.findall(r"{([^}]*)}", topic)) - {"camera", "kind", "rule"}
        if unknown or "#" in topic or "+" in topic:
            raise ValueError(f'a topic has no + or #, and only {{camera}}, {{kind}}, {{rule}} in it, got "{topic}"')
        return topic


class RetentionPeriods(_Strict):
    """For how long events are kept."""

    days: float = Field(default=30.0, gt=0, le=36_500)
    gigabytes: float = Field(default=10.0, gt=0, le=1_000_000)


class ClipSettings(_Strict):
    """What of the video is kept with an event."""

    before_s: float = Field(default=5.0, ge=0, le=60)
    after_s: float = Field(default=5.0, ge=0, le=120)
    longest_s: float = Field(default=60.0, gt=0, le=600)
    blur_faces: bool = False


class Camera(_Strict):
    """One source and what holds for it alone."""

    source: str = ""  # as `szem watch` takes it
    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()
    watch: dict[str, Any] = {}  # settings that differ from `[watch]`
    sound: bool = True

    @field_validator("watch")
    @classmethod
    def _are_settings(cls, values: dict[str, Any]) -> dict[str, Any]:
        WatchSettings.model_validate(values)
        return values

    @property
    def areas(self) -> Zones:
        """Its own zones and lines."""
        return Zones(zones=self.zones, lines=self.lines)


class Rule(_Strict):
    """One rule: an event that fits all that it says is dealt with as it says."""

    name: _Name
    events: Annotated[tuple[_Name, ...], Field(min_length=1)]  # kinds; "*" for all
    cameras: tuple[_Name, ...] = ()  # none: all
    zones: tuple[_Name, ...] = ()  # none: anywhere
    lines: tuple[_Name, ...] = ()
    direction: Literal["", "left", "right"] = ""  # for lines
    classes: tuple[_Name, ...] = ()  # of the thing; none: any
    hours: tuple[str, ...] = ()  # "22:00-06:00"; none: always
    days: tuple[str, ...] = ()  # on which `hours` begin; "mon" … "sun", "weekdays", "weekend"
    score: _Fraction = 0.5
    channels: tuple[Literal["sound", "video"], ...] = ()  # all of these must tell of it
    do: tuple[str, ...] = ("save",)  # "save", "log", "webhook:NAME", "mqtt:NAME"
    cooldown_s: float = Field(
        default=0.0, ge=0, le=_YEAR_S
    )  # quiet for so long after it, for the same kind, camera and place

    @field_validator("hours")
    @classmethod
    def _are_hours(cls, hours: tuple[str, ...]) -> tuple[str, ...]:
        for span in hours:
            if not _HOURS.match(span):
                raise ValueError(f'hours are "HH:MM-HH:MM", got "{span}"')
            if len(set(_minutes(span))) == 1:
                raise ValueError(f'"{span}" is no time at all; leave hours out for the whole day')
        return hours

    @field_validator("days")
    @classmethod
    def _are_days(cls, days: tuple[str, ...]) -> tuple[str, ...]:
        for day in days:
            if day not in DAYS and day not in _GROUPS:
                raise ValueError(f'days are {", ".join((*DAYS, *_GROUPS))}, got "{day}"')
        return days

    @field_validator("do")
    @classmethod
    def _are_actions(cls, actions: tuple[str, ...]) -> tuple[str, ...]:
        for action in actions:
            if not _ACTION.match(action):
                raise ValueError(f'what is done is "save", "log", "webhook:NAME" or "mqtt:NAME", got "{action}"')
        return actions

    def is_time(self, at: datetime) -> bool:
        """Whether it holds at a moment of local time; hours past midnight belong to the day on which they began.

        >>> night = Rule(name="night", events=("enters",), hours=("22:00-06:00",), days=("fri",))
        >>> night.is_time(datetime(2026, 11, 28, 3, 0)), night.is_time(datetime(2026, 11, 27, 3, 0))  # Sat, Fri
        (True, False)
        """
        days = {day for name in self.days for day in _GROUPS.get(name, (name,))} or set(DAYS)
        today, yesterday = DAYS[at.weekday()], DAYS[(at - timedelta(days=1)).weekday()]
        minute = at.hour * 60 + at.minute
        for span in self.hours or ("00:00-24:00",):
            start, end = _minutes(span)
            if start < end:
                if today in days and start <= minute < end:
                    return True
            elif (today in days and minute >= start) or (yesterday in days and minute < end):
                return True
        return False

    def fits(self, event: Event, *, camera: str = "", at: datetime) -> bool:
        """Whether an event is one of its own.

        Args:
            event: What happened.
            camera: Where, by the camera's name.
            at: When, in local time.
        """
        places = {*self.zones, *self.lines}
        return (
            ("*" in self.events or event.kind in self.events or event.also in self.events)
            and event.score >= self.score
            and (not self.cameras or camera in self.cameras)
            and (not places or event.place in places)
            and (not self.direction or event.direction in ("", self.direction))
            and (not self.classes or coco_name(event.label) in map(coco_name, self.classes))
            and set(self.channels) <= set(event.by)
            and self.is_time(at)
        )


_EVERYTHING = Rule(name="everything", events=("*",), score=0.0)


class Rules(_Strict):
    """All that a rules file says; without rules of its own everything is saved."""

    rules: tuple[Rule, ...] = (_EVERYTHING,)
    zones: tuple[Zone, ...] = ()  # for every camera
    lines: tuple[Line, ...] = ()
    cameras: dict[str, Camera] = {}
    watch: WatchSettings = WatchSettings()
    listen: dict[str, Any] = {}  # settings of the listener
    webhooks: dict[str, Webhook] = {}
    mqtt: dict[str, Mqtt] = {}
    keep: RetentionPeriods = RetentionPeriods()
    clips: ClipSettings = ClipSettings()

    @field_validator("listen")
    @classmethod
    def _are_in_range(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name, value in values.items():
            if isinstance(value, list | tuple):  # which settings take names, the listener says
                if not all(isinstance(part, str) for part in value):
                    raise ValueError(f"{name} must be a list of names, got {_shortened(value)}")
                continue
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                raise ValueError(f"{name} must be a number or a list of names, got {_shortened(value)}")
            low, high = _LISTEN_RANGES.get(name, (-1e9, 1e9))
            if not isinstance(value, str) and not low <= value <= high:
                raise ValueError(f"{name} must lie in {low:g}..{high:g}, got {_shortened(value)}")
        return values

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        for name in ("", *self.cameras):
            self.areas_for(name)
        return self

    def areas_for(self, camera: str = "") -> Zones:
        """Zones and lines of a camera: those for every camera, and its own."""
        everywhere = Zones(zones=self.zones, lines=self.lines)
        return everywhere.joined(self.cameras[camera].areas) if camera in self.cameras else everywhere

    def settings_for(self, camera: str = "") -> WatchSettings:
        """How a camera is watched."""
        own = self.cameras[camera].watch if camera in self.cameras else {}
        return self.watch.model_validate({**self.watch.model_dump(), **own}) if own else self.watch

    def decide(self, event: Event, *, camera: str = "", at: datetime) -> tuple[Rule, ...]:
        """The rules that an event fits; see `RuleEngine` for pauses between two alarms."""
        return tuple(rule for rule in self.rules if rule.fits(event, camera=camera, at=at))


class RuleAction(_Strict):
    """What is to be done for one event because of one rule."""

    rule: str
    do: tuple[str, ...]


class RuleEngine:
    """Judges events by rules and keeps quiet for as long as a rule's `cooldown_s` says.

    A clock that is set back ends all pauses; one that is set forward may end them early. Nothing is kept on disk.

    Args:
        rules: From `read_rules`.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._last: dict[tuple[str, str, str, str], datetime] = {}

    def __call__(self, event: Event, *, camera: str = "", at: datetime) -> tuple[RuleAction, ...]:
        """What is to be done. Call it once an event, when it is first reported, not again when it ends.

        Args:
            event: What happened.
            camera: Where.
            at: When, in local time.
        """
        orders = []
        for rule in self.rules.decide(event, camera=camera, at=at):
            key = (rule.name, camera, event.kind, event.place)
            last = self._last.get(key)
            if (
                rule.cooldown_s
                and last is not None
                and timedelta(0) <= at - last < timedelta(seconds=rule.cooldown_s)
            ):
                continue
            self._last[key] = at
            orders.append(RuleAction(rule=rule.name, do=rule.do))
        return tuple(orders)


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "…"


def _minutes(span: str) -> tuple[int, int]:
    start, end = (part.strip().split(":") for part in span.split("-"))
    return int(start[0]) * 60 + int(start[1]), int(end[0]) * 60 + int(end[1])
