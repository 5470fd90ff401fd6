"""`listen` as a request: options in, JSON values out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from szem.errors import RangeError
from szem.tasks.audio.listen import Listener, ListenSettings, listen_with
from szem.tasks.contracts import OpenModel
from szem.tasks.option import option

if TYPE_CHECKING:
    from szem.tasks.audio.windows import AudioWindow

__all__ = ["ListenRequest", "answer_listen"]

_MAX_S = 3600.0
_MAX_CLASSES = 1_000
_CURVES = 6  # classes whose curves are given


@dataclass(frozen=True, kw_only=True)
class ListenRequest:
    """Which events are wanted.

    `model`: one of those for listen, the shipped one when left out. `use`: record or report, which of the card's
    thresholds count. `threshold`: the lowest score instead. `classes`: only these, separated by commas. `curves`:
    also level and scores, window by window.
    """

    model: str = option("", most=200)
    use: str = option("record", most=20)
    threshold: float | None = option(None, minimum=0, maximum=1)
    classes: str = option("", most=20_000)
    curves: bool = False


def answer_listen(sound: bytes, request: ListenRequest, open_model: OpenModel) -> dict[str, Any]:
    """Events as `Events.to_dict` gives them, with `curves` if they were asked for.

    Args:
        sound: A file of sound, or a video with sound.
        request: The options.
        open_model: Opens the model.
    Raises:
        MediaError: the sound cannot be read, or is longer than an hour.
        RangeError: the threshold is not in 0..1.
        UnknownNameError: no such model or class.
        UnsupportedError: no model is installed.
    """
    names = tuple(name for name in request.classes.split(",") if name.strip())
    if len(names) > _MAX_CLASSES:
        raise RangeError(f"classes: at most {_MAX_CLASSES} names, got {len(names)}")
    settings = ListenSettings(use=request.use, threshold=request.threshold, classes=names)
    listener = Listener(open_model(request.model or None, task="listen"), settings)
    windows: list[AudioWindow] = []
    if request.curves:
        listener.on_window = windows.append
    answer = listen_with(listener, sound, max_s=_MAX_S).to_dict()
    if windows:
        best = sorted(range(len(listener.names)), key=lambda k: -max(float(w.scores[k]) for w in windows))[:_CURVES]
        answer["curves"] = {
            "loudest_db": round(listener.loudest_db, 1),
            "time_s": [round(window.time_s, 3) for window in windows],
            "level_db": [round(window.level_db, 1) for window in windows],
            "scores": {listener.names[k]: [round(float(w.scores[k]), 3) for w in windows] for k in best},
        }
    return answer
