"""Sound on the wire: what is heard in a file, from when to when, with curves for those who draw. Knows no HTTP."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from szem.errors import RangeError, TooLargeError
from szem.media.sound import SoundReader
from szem.runtime.sessions import Session
from szem.serve.engine import Engine
from szem.serve.messages import Image
from szem.tasks.audio.listen import Listener, ListenSettings

if TYPE_CHECKING:
    from szem.results.events import Event
    from szem.tasks.audio.windows import AudioWindow

__all__ = ["ListenRequest", "listen_to_sound"]

_MOST_S = 3600.0
_MOST_CLASSES = 1_000
_CURVES = 6  # kinds whose curves are given


@dataclass(frozen=True, kw_only=True)
class ListenRequest:
    """A sound or film, and which events are wanted.

    `model`: one of those for listen, the shipped one when left out. `threshold`: the lowest score, −1 for what the
    model's card says of each kind. `classes`: only these, with commas between. `curves`: also level and scores,
    window by window.
    """

    sound: Image | None = None
    model: str = ""
    threshold: float = -1.0
    classes: str = ""
    curves: bool = False


async def listen_to_sound(engine: Engine, data: bytes, request: ListenRequest) -> dict[str, Any]:
    """Answer `POST /v1/szem/listen`.

    Raises:
        MediaError: the sound cannot be read, or is longer than an hour.
        RangeError: the threshold is not in 0..1.
        UnknownNameError: no such model or kind.
        UnsupportedError: no model is installed.
    """
    names = tuple(name for name in request.classes.split(",") if name.strip())
    if len(names) > _MOST_CLASSES:
        raise RangeError(f"classes: at most {_MOST_CLASSES} names, got {len(names)}")
    threshold = None if request.threshold == -1 else request.threshold
    session = await engine.session("listen", request.model)
    settings = ListenSettings(threshold=threshold, classes=names)
    return await engine.run(_answer, session, data, settings, request.curves)


def _answer(session: Session, data: bytes, settings: ListenSettings, curves: bool) -> dict[str, Any]:
    listener = Listener(session, settings)
    windows: list[AudioWindow] = []
    if curves:
        listener.on_window = windows.append
    found: dict[int, Event] = {}
    with SoundReader(data, rate_hz=listener.rate_hz, block_s=10.0) as reader:
        for block in reader:
            if listener.time_s > _MOST_S:
                raise TooLargeError(
                    f"sound: more than {_MOST_S:g} s; cut it, or use szem listen on the machine itself"
                )
            found |= {event.number: event for event in listener.feed(block.samples)}
    found |= {event.number: event for event in listener.finish()}
    events = sorted(found.values(), key=lambda event: (event.start_s, event.number))
    answer: dict[str, Any] = {
        "model": listener.card.name,
        "duration_s": round(listener.time_s, 3),
        "events": [event.to_dict() for event in events],
        "loudest_db": round(listener.loudest_db, 1),
    }
    if curves and windows:
        best = sorted(range(len(listener.names)), key=lambda k: -max(float(w.scores[k]) for w in windows))[:_CURVES]
        answer["curves"] = {
            "time_s": [round(window.time_s, 3) for window in windows],
            "level_db": [round(window.level_db, 1) for window in windows],
            "scores": {listener.names[k]: [round(float(w.scores[k]), 3) for w in windows] for k in best},
        }
    return answer
