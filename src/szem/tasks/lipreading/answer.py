"""`lipread` as a request: a video and options in, JSON values out.

The video is looked at once; it can be read at several levels of noise in one request.
"""

import base64
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.errors import RangeError
from szem.tasks.contracts import OpenModel
from szem.tasks.lipreading.lipread import LipreadDetails, LipReader, LipreadInput, lip_reader_of
from szem.tasks.lipreading.networks import RATE_HZ, LipNetworks, NetworkOutput
from szem.tasks.option import check_options, option

__all__ = ["LipreadRequest", "answer_lipread", "crops_to_dict", "face_of"]

_MAX_LEVELS = 12
_MAX_BEAMS = 32
_NOISE_DB = (-60.0, 100.0)
_PER_ROW = 15  # crops in a row of the strip
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class LipreadRequest:
    """How the sentence in a video is to be read.

    `use`: lips, sound or both. `noiseDb`: noise mixed into the sound, so many decibels softer than it; left out,
    none. `noise`: white or pink. `beams`: sentences followed at a time (8). `face`: largest, or 1, 2 … from the left.
    `check`: false reads also what the reader does not know. `levels`: a list of decibels; for each the answer has
    what would be read from lips, sound and both. `study`: also crops, times, probabilities and attention. `model`:
    one of those for lipread.
    """

    use: str = option("both", most=20)
    noise_db: float | None = option(None, minimum=_NOISE_DB[0], maximum=_NOISE_DB[1])
    noise: str = option("white", most=20)
    beams: int = option(8, minimum=1, maximum=_MAX_BEAMS)
    face: str = option("largest", most=20)
    check: bool = True
    levels: tuple[float, ...] | None = option(None, minimum=_NOISE_DB[0], maximum=_NOISE_DB[1], most=_MAX_LEVELS)
    study: bool = False
    model: str = option("", most=200)


def answer_lipread(video: bytes, request: LipreadRequest, open_model: OpenModel) -> dict[str, Any]:
    """The words as `Transcript.to_dict` gives them, with `levels` and what `study` adds if they were asked for.

    Raises:
        MediaError: the video cannot be read.
        RangeError, UnknownNameError: an option is wrong.
        UnsupportedError: no model is installed.
    """
    check_options(request)
    levels = request.levels or ()
    reader = lip_reader_of(open_model(request.model or None, task="lipread"))
    seen = reader.take_in(video, use="both" if levels else request.use, face=face_of(request.face))
    found = _read(reader, seen, request, use=request.use, noise_db=request.noise_db)
    answer = found.transcript.to_dict()
    if request.study:
        answer |= {"known": round(found.known, 4), "rate_hz": RATE_HZ, **study_to_dict(found, reader.networks)}
    if levels:
        lips = _reading(reader, seen, request, use="lips")  # noise does not reach them
        answer["levels"] = [_at_level(reader, seen, request, level, lips) for level in levels]
    return answer


def face_of(text: str) -> str | int:
    """Which face an option names: `largest`, or its number from the left.

    Raises:
        RangeError: it is neither.
    """
    if text != "largest" and not (text.isdecimal() and 1 <= int(text) <= 100):
        raise RangeError(f"face must be largest, or 1, 2 … counted from the left, got {text[:20]!r}")
    return text if text == "largest" else int(text)


def _read(
    reader: LipReader, seen: LipreadInput, request: LipreadRequest, *, use: str, noise_db: float | None
) -> LipreadDetails:
    return reader.read(
        seen, use=use, beams=request.beams, noise_db=noise_db, noise=request.noise, check=request.check
    )


def study_to_dict(found: LipreadDetails, networks: LipNetworks) -> dict[str, Any]:
    """What the networks saw and said: mouth and face of each frame, crops, probabilities, attention."""
    answer: dict[str, Any] = {"begin_s": round(found.seen.begin_s, 4), "frames": found.seen.frames}
    track = found.seen.track
    if track is not None:
        answer["track"] = track.to_dict()
        answer["crops"] = crops_to_dict(track.crops)
        answer["openness"] = [round(float(value), 4) for value in track.openness()]
    return {**answer, **_said_to_dict(found, networks)}


def _moments(read: NetworkOutput, words: tuple[str, ...]) -> list[dict[str, Any]]:
    """For each frame the probability of silence and the three most probable words."""
    rows = []
    for row in np.exp(read.probabilities):
        best = 1 + np.argsort(-row[1:], kind="stable")[:3]
        rows.append(
            {
                "silence": round(float(row[0]), 3),
                "words": [{"text": words[i - 1], "probability": round(float(row[i]), 3)} for i in best.tolist()],
            }
        )
    return rows


def _at_level(reader: LipReader, seen: LipreadInput, request: LipreadRequest, level: float, lips: Row) -> Row:
    row: Row = {"noise_db": level, "lips": lips}
    for use in ("sound", "both"):
        row[use] = _reading(reader, seen, request, use=use, noise_db=level)
    return row


def _reading(
    reader: LipReader, seen: LipreadInput, request: LipreadRequest, *, use: str, noise_db: float | None = None
) -> Row:
    found = _read(reader, seen, request, use=use, noise_db=noise_db)
    return {**found.transcript.to_dict(), **(_said_to_dict(found, reader.networks) if request.study else {})}


def _said_to_dict(found: LipreadDetails, networks: LipNetworks) -> Row:
    """Chances of each moment, and the letters with the moments they were seen or heard at."""
    if found.read is None:
        return {}
    return {
        "moments": _moments(found.read, networks.words),
        "spelled": {
            "letters": list(found.read.spelled.text),
            "attention": np.round(found.read.spelled.attention, 3).tolist(),
            "own": found.read.own.text,
        },
    }


def crops_to_dict(crops: NDArray[np.uint8]) -> dict[str, Any]:
    """Crops side by side, in rows, as a grey PNG in a data URL."""
    count, height, width = crops.shape
    rows = -(-count // _PER_ROW)
    canvas = np.zeros((rows * _PER_ROW, height, width), np.uint8)
    canvas[:count] = crops
    sheet = canvas.reshape(rows, _PER_ROW, height, width).swapaxes(1, 2).reshape(rows * height, _PER_ROW * width)
    done, data = cv2.imencode(".png", sheet)
    assert done
    url = "data:image/png;base64," + base64.b64encode(data.tobytes()).decode()
    return {"url": url, "count": count, "per_row": _PER_ROW, "width": width, "height": height}
