"""The rules file over HTTP: what may be seen of it, and what may be changed.

The operator alone says where events go and where pictures come from: notifiers, addresses of cameras, names of
environment variables, retention and clips stand in the file and are changed on the machine itself. Over HTTP rules,
zones, lines and thresholds change, and name what the operator has defined.

Secrets never leave. A text that goes out has a mask in their place; a text that comes back gets them again. What
decides is the comparison at the end: the operator's part must be exactly what it was.

This file does not know HTTP, nor where the rules file lies.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit, urlunsplit

from szem.errors import DeniedError, RulesError
from szem.tasks.surveillance.rules_toml import load_toml

__all__ = ["RulesText", "mask_address"]

_OWN_TABLES = ("webhooks", "mqtt", "keep", "clips")
_OPEN_KEYS = frozenset({"host", "topic", "user", "secret_env", "password_env"})  # of notifiers: seen, never changed
_USERINFO = re.compile(r"(://)[^/\s@\"']+@")
_LONG_PART = re.compile(r"[A-Za-z0-9_=-]{16,}\Z")  # of a path: likely a token
_LITERAL = re.compile(
    r"""(?P<comment>\#[^\n]*)"""
    r'''|(?P<basic3>"""(?:[^"\\]|\\.|"(?!""))*"{3,5})'''
    r"""|(?P<literal3>'''(?:[^']|'(?!''))*'{3,5})"""
    r"""|(?P<basic>"(?:[^"\\\n]|\\.)*")"""
    r"""|(?P<literal>'[^'\n]*')""",
    re.DOTALL,
)


def mask_address(address: str, *, mask: str = "***", with_path: bool = True) -> str:
    """An address without what could be a secret: user, password, query, and long parts of its path.

    Args:
        address: Of a camera or a receiver; anything that is no URL stays as it is.
        mask: What stands in place of a secret.
        with_path: Whether the path is shown at all; for webhooks it often is the secret.

    >>> mask_address("rtsp://admin:secret@10.0.0.7/h264?token=1"), mask_address("films/yard.mp4")
    ('rtsp://***@10.0.0.7/h264?***', 'films/yard.mp4')
    """
    try:
        parts = urlsplit(address)
        host = parts.netloc.rpartition("@")
    except ValueError:
        return mask if "://" in address else address
    if "://" not in address or not parts.netloc:
        return address
    if with_path:
        path = "/".join(mask if _LONG_PART.match(part) else part for part in parts.path.split("/"))
    else:
        path = f"/{mask}" if parts.path.strip("/") else parts.path
    query, fragment = (mask if part else "" for part in (parts.query, parts.fragment))
    netloc = f"{mask}@{host[2]}" if host[1] else parts.netloc
    return urlunsplit(SplitResult(parts.scheme, netloc, path, query, fragment))


@dataclass
class RulesText:
    """A rules file and the masks of its secrets.

    Args:
        text: TOML, as it is on the disk.
        name: Where it lies, for messages.
    """

    text: str
    name: str = "the rules file"
    raw: dict[str, Any] | None = field(init=False)  # None: it is not TOML
    masks: dict[str, str] = field(init=False, default_factory=dict)  # secret -> what is shown
    _parts: set[str] = field(init=False, default_factory=set)  # of addresses: passwords, tokens

    def __post_init__(self) -> None:
        try:
            self.raw = load_toml(self.text)
        except RulesError:
            self.raw = None
            return
        taken = set(_texts_in(self.raw))
        for secret, with_path in _secrets_in(self.raw):
            shown = _shown(secret, with_path, "***")
            if secret in self.masks or shown == secret:
                continue
            number = 1
            while shown in taken:  # two secrets never share a mask, nor does a mask stand for a text of the file
                number += 1
                shown = _shown(secret, with_path, f"***{number}***")
            self.masks[secret] = shown
            self._parts |= _secret_parts(secret)
            taken.add(shown)

    def masked(self) -> str:
        """The text as it may be shown; nothing of one that is not TOML, for its secrets cannot be told apart."""
        if self.raw is None:
            return ""
        return _replaced(self.text, self.masks, comments=self.hidden)

    def hidden(self, text: str) -> str:
        """Any text, such as a message about the file, without the file's secrets."""
        for secret in sorted(self.masks, key=len, reverse=True):
            if len(secret) > 3:  # a shorter one would hide half the alphabet, and protects nothing
                text = text.replace(secret, self.masks[secret])
        for part in sorted(self._parts, key=len, reverse=True):
            text = text.replace(part, "***")
        return _USERINFO.sub(r"\1***@", text)

    def merged(self, sent: str) -> str:
        """The file as it is to be saved: the rules that were sent, with the secrets that only the file knows.

        Raises:
            RulesError: the text that was sent, or the file itself, is not TOML.
            DeniedError: something changes that the operator alone may change.
        """
        if self.raw is None:
            raise RulesError(f"{self.name} is not TOML, so that nothing can be kept of it; mend it on the machine")
        sent_raw = load_toml(sent)
        text = _replaced(sent, {shown: secret for secret, shown in self.masks.items()})
        raw = load_toml(text)
        wrong = _differences(_own_part(self.raw), _own_part(raw))
        if wrong:
            raise DeniedError(
                f"{wrong[0]}: notifiers, addresses of cameras, [keep] and [clips] are the operator's; "
                f"change them in {self.name} on the machine itself"
            )
        if _other_part(raw) != _other_part(sent_raw):
            raise DeniedError(f"a mask stands where {self.name} has no secret; write something else there")
        return text


def _cameras(raw: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = raw.get("cameras")
    return {k: v for k, v in found.items() if isinstance(v, dict)} if isinstance(found, dict) else {}


def _own_part(raw: dict[str, Any]) -> dict[str, Any]:
    """What the operator alone may change, by its keys as they are written."""
    own = {name: raw[name] for name in _OWN_TABLES if raw.get(name) not in (None, {})}
    return own | {f"cameras.{name}.source": one["source"] for name, one in _cameras(raw).items() if "source" in one}


def _other_part(raw: dict[str, Any]) -> dict[str, Any]:
    """The rest, which may change."""
    rest = {key: value for key, value in raw.items() if key not in (*_OWN_TABLES, "cameras")}
    rest["cameras"] = {n: {k: v for k, v in one.items() if k != "source"} for n, one in _cameras(raw).items()}
    return rest


def _differences(before: Any, after: Any, place: str = "") -> list[str]:
    """The keys at which two values differ; `1` and `1.0` differ, and so do `1` and `true`."""
    if isinstance(before, dict | None) and isinstance(after, dict | None) and (before or after):
        before, after = before or {}, after or {}
        keys = [*before, *(key for key in after if key not in before)]
        found = []
        for key in keys:
            found += _differences(before.get(key), after.get(key), f"{place}.{key}".lstrip("."))
        return found
    return [] if type(before) is type(after) and before == after else [place]


def _secrets_in(raw: dict[str, Any]) -> Iterator[tuple[str, bool | None]]:
    """Each secret, and how it is masked: an address with or without its path, None for anything else."""
    for value in _texts_at(raw.get("webhooks"), ("webhooks",)):
        place, text = value
        if place[-1] == "url":
            yield text, False
        elif place[-1] not in _OPEN_KEYS or "headers" in place[2:-1]:
            yield text, None
    for place, text in _texts_at(raw.get("mqtt"), ("mqtt",)):
        if place[-1] not in _OPEN_KEYS:
            yield text, None
        elif "://" in text:
            yield text, True
    for text in _texts_in({key: value for key, value in raw.items() if key not in ("webhooks", "mqtt")}):
        if "://" in text:
            yield text, True


def _secret_parts(secret: str) -> set[str]:
    """What of an address must not stand anywhere else either, such as in a comment or a message."""
    try:
        parts = urlsplit(secret)
        found = {parts.password or "", *(value for _, value in parse_qsl(parts.query)), *parts.path.split("/")}
    except ValueError:
        return set()
    return {part for part in found if len(part) > 7 or (len(part) > 3 and part == parts.password)}


def _shown(secret: str, with_path: bool | None, mask: str) -> str:
    if not secret:
        return secret
    return mask if with_path is None else mask_address(secret, mask=mask, with_path=with_path)


def _texts_at(value: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _texts_at(one, (*place, key))
    elif isinstance(value, list):
        for one in value:
            yield from _texts_at(one, place)


def _texts_in(value: Any) -> Iterator[str]:
    return (text for _, text in _texts_at(value, ("",)))


def _replaced(text: str, table: dict[str, str], *, comments: Any = None) -> str:
    """A TOML text with some of its strings replaced, everything else as it was.

    Args:
        text: TOML.
        table: What a string says -> what it is to say.
        comments: Rewrites a comment.
    """

    def replace(match: re.Match[str]) -> str:
        literal = match[0]
        if match["comment"] is not None:
            return literal if comments is None else str(comments(literal))
        try:
            value = tomllib.loads(f"x = {literal}")["x"]
        except ValueError:
            return literal
        return _quoted(table[value]) if value in table else literal

    return _LITERAL.sub(replace, text)


def _quoted(text: str) -> str:
    """A TOML string of one line."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
