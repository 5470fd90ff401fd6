"""Read a sentence from a video: from the lips, from the sound, or from both; or say why it cannot be read.

The mouth is followed (`szem.tasks.faces.mouth_crops`), the sound is taken from the video's own beginning, both at 25
moments a second. Where the video is not what the reader knows, there is no reading but a reason. This file does not
know about folders or requests.
"""

import io
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from szem.errors import EmptyFileError, RangeError, TooLargeError, UnknownNameError
from szem.media.noise import add_noise, pink_noise, white_noise
from szem.media.sound import read_sound
from szem.media.video import VideoSource, inspect_video
from szem.results.mouth import MouthTrack
from szem.results.transcript import CHANNELS, Transcript, TranscriptWord
from szem.runtime.sessions import Session
from szem.tasks.faces.detect import FaceDetector, open_faces
from szem.tasks.faces.mouth_crops import track_mouth
from szem.tasks.lipreading.av_sync import find_delay, strain_of, strain_of_pair
from szem.tasks.lipreading.confidence import ConfidenceCurves, measure_video, measure_words
from szem.tasks.lipreading.networks import FRAME_SAMPLES, RATE_HZ, SOUND_HZ, LipNetworks, NetworkOutput
from szem.tasks.models import ModelLike, as_session

__all__ = [
    "LONGEST_S",
    "NOISES",
    "LipReader",
    "LipreadDetails",
    "LipreadInput",
    "lip_reader_of",
    "lipread",
    "mouth_of",
    "open_lip_reader",
]

LONGEST_S = 30.0
_SHORTEST_S = 0.5
_MIN_RATE_HZ = 20.0
_MIN_FRACTION = 0.9  # of the frames from the first to the last with the face, those that it must be seen in
_MIN_EYES_PX = 20.0  # distance of the eyes; the mouth is about as wide
_MIN_MOTION = 1.8  # grey levels from frame to frame, of the tenth that moves most; below, the face stands still
_MIN_LOUDNESS = 1e-3  # of the loudest tenth of a second, where 1 is the loudest there can be
_UNKNOWN = "not a sentence of the kind it knows, or too unclear"
_DIFFERENT = "lips and sound say different things"
_STRAIN = 28.0  # nats that lips and sound give way at most to say the same; see docs/lipread.md
_LIKELY = 0.5  # least chance of a sentence that only one of them says, where together they say nothing
_LATE = 2.0  # moments that the sound's words may come after those of the lips, or before
NOISES: dict[str, Callable[[int, np.random.Generator], NDArray[np.float32]]] = {
    "white": white_noise,
    "pink": pink_noise,
}
"""Kinds of noise that can be mixed in."""


@dataclass(frozen=True, eq=False)
class LipreadInput:
    """A video as it was taken in, before anything is read: it can be read several times."""

    track: MouthTrack | None  # None where no lips were asked for
    lips: NDArray[np.float32] | None  # (2, T, D) what the network saw; None where the lips cannot be read
    sound: NDArray[np.float32] | None  # (T,) 16,000 a second; None where there is none
    frames: int  # RATE_HZ a second
    begin_s: float = 0.0  # when the first one is, from the video's beginning
    why_not_lips: str = ""
    why_not_sound: str = ""


@dataclass(frozen=True, eq=False)
class LipreadDetails:
    """A transcript and what it came from, for those who want to see it."""

    transcript: Transcript
    read: NetworkOutput | None  # what the networks said; None where nothing reached them
    seen: LipreadInput
    known: float  # chance that this is speech the reader knows


Video = str | os.PathLike[str] | bytes
Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Assessment:
    """A reading, and how far it may be trusted."""

    read: NetworkOutput
    used: str
    known: float  # chance that this is speech the reader knows
    whole: float  # chance that all its words are right
    is_readable: bool


def lipread(
    video: Video,
    *,
    use: str = "both",
    model: ModelLike | None = None,
    beams: int = 8,
    face: str | int = "largest",
    noise_db: float | None = None,
    noise: str = "white",
    check: bool = True,
) -> Transcript:
    """Read what is said in a video.

    Args:
        video: A video of one sentence, at most `LONGEST_S` seconds: its path or its bytes.
        use: lips, sound or both.
        model: A model's name or folder, or one that is open; the shipped one if left out.
        beams: Sentences followed at a time; 1 takes the likeliest word of each moment.
        face: `largest`, or which one from the left, counted from 1; without that one nothing is read.
        noise_db: Mix noise into the sound, so many decibels softer than it; None for none.
        noise: A key of `NOISES`.
        check: Give no reading where the video is not what the reader knows; False reads whatever comes.
    Returns:
        The words with their times, or a reason why there are none.
    Raises:
        MediaError, FileMissingError: the video cannot be read.
        UnknownNameError: no such model, channel or noise.
        RangeError: a number is out of its range.
    """
    reader = open_lip_reader(model)
    return reader(video, use=use, beams=beams, face=face, noise_db=noise_db, noise=noise, check=check)


def open_lip_reader(model: ModelLike | None = None, *, threads: int | None = 1) -> "LipReader":
    """Open a lip reader by name, once per process.

    Args:
        model: A model's name or folder; the shipped one if left out.
        threads: Threads within one run; None for as many as there are cores. The networks are small: one is fastest.
    Raises:
        As `open_model` and `LipNetworks`.
    """
    return lip_reader_of(as_session(model, task="lipread", threads=threads))


@cache
def lip_reader_of(session: Session) -> "LipReader":
    """The lip reader of an open model, made once."""
    return LipReader(session)


class LipReader:
    """A lip reader ready to be called; keeps nothing between calls.

    Args:
        model: A model's name or folder, or an open session; the shipped model if left out.
    Raises:
        As `LipNetworks`.
    """

    def __init__(self, model: ModelLike | None = None) -> None:
        session = as_session(model, task="lipread", threads=1)
        self.networks = LipNetworks(session)
        self.trust = ConfidenceCurves(session.model.card.constants)
        self.name = session.model.name

    def __call__(
        self,
        video: Video,
        *,
        use: str = "both",
        beams: int = 8,
        face: str | int = "largest",
        noise_db: float | None = None,
        noise: str = "white",
        check: bool = True,
    ) -> Transcript:
        """Read what is said in a video; the arguments are those of `lipread`."""
        seen = self.take_in(video, use=use, face=face)
        return self.read(seen, use=use, beams=beams, noise_db=noise_db, noise=noise, check=check).transcript

    def take_in(self, video: Video, *, use: str = "both", face: str | int = "largest") -> LipreadInput:
        """Follow the mouth, take the sound, and look; the arguments are those of `lipread`.

        Raises:
            As `lipread`.
        """
        _check_channel(use)
        track, lips, why_not_lips = None, None, ""
        begin_s, frames = 0.0, 0
        if use != "sound":
            track, why_not_lips = mouth_of(video, face, open_faces(threads=self.networks.session.threads))
            if track is not None:
                begin_s, frames = float(track.times_s[0]), len(track)
            if track is not None and not why_not_lips:
                lips = self.networks.watch(track.crops)
            if track is None and isinstance(face, int):  # the sound may be anybody's
                return LipreadInput(None, None, None, 0, why_not_lips=why_not_lips)
        sound, why_not_sound = (None, "") if use == "lips" else _sound_of(video, begin_s)
        if sound is not None and lips is None:
            begin_s, frames = 0.0, max(1, round(len(sound) / FRAME_SAMPLES))
            if track is not None and track.times_s[0] > 0:
                sound, why_not_sound = _sound_of(video, 0.0)
        return LipreadInput(track, lips, sound, frames, begin_s, why_not_lips, why_not_sound)

    def read(
        self,
        seen: LipreadInput,
        *,
        use: str = "both",
        beams: int = 8,
        noise_db: float | None = None,
        noise: str = "white",
        check: bool = True,
    ) -> LipreadDetails:
        """Read a video that was taken in; the arguments are those of `lipread`.

        Raises:
            As `lipread`.
        """
        _check_channel(use)
        if not 1 <= beams <= 64:
            raise RangeError(f"beams must be 1 to 64, got {beams}")
        sound = seen.sound if noise_db is None or seen.sound is None else in_noise(seen.sound, noise_db, noise)
        lips = None if use == "sound" else seen.lips
        heard = None if use == "lips" or sound is None else self.networks.listen(sound, seen.frames)
        notes = []
        if use == "both" and lips is None and heard is not None:
            notes.append(f"read from the sound alone: {seen.why_not_lips}")
        if use == "both" and heard is None and lips is not None:
            notes.append(f"read from the lips alone: {seen.why_not_sound}")
        if lips is None and heard is None:
            reasons = {"lips": (seen.why_not_lips,), "sound": (seen.why_not_sound,)}.get(
                use, (seen.why_not_lips, seen.why_not_sound)
            )
            return LipreadDetails(self._nothing(use, ", and ".join(filter(None, reasons)), notes), None, seen, 0.0)
        if check and lips is not None and heard is not None and sound is not None:
            assessed, more, reason = self._together(lips, heard, sound, beams)
            notes += more
        else:
            assessed = self._assess(lips, heard, beams)
            reason = "" if not check or assessed.is_readable else _UNKNOWN
        read = assessed.read
        if not read.labels and reason in ("", _UNKNOWN):
            reason = "no word is said"
        if reason:
            nothing = self._nothing(assessed.used, reason, notes)
            guess = self._text(read) if reason == _UNKNOWN else ""  # of two sentences it would be a mixture
            return LipreadDetails(replace(nothing, guess=guess), read, seen, assessed.known)
        confidences = self.trust.probabilities("word", assessed.used, measure_words(read))
        words = tuple(
            TranscriptWord(
                self.networks.words[span.label - 1],
                seen.begin_s + span.first / RATE_HZ,
                seen.begin_s + span.last / RATE_HZ,
                float(probability),
            )
            for span, probability in zip(read.spans, confidences, strict=True)
        )
        transcript = Transcript(
            words, confidence=assessed.whole, used=assessed.used, model=self.name, notes=tuple(notes)
        )
        return LipreadDetails(transcript, read, seen, assessed.known)

    def _assess(self, lips: Vectors | None, heard: Vectors | None, beams: int) -> "_Assessment":
        """Read, and tell how far the reading may be trusted."""
        used = "both" if lips is not None and heard is not None else "sound" if lips is None else "lips"
        read = self.networks.read(lips, heard, beams=beams)
        video = measure_video(read)
        known, whole = (float(self.trust.probabilities(kind, used, video)[0]) for kind in ("known", "sentence"))
        return _Assessment(read, used, known, whole, bool(read.labels) and self.trust.is_readable(used, known, whole))

    def _together(
        self, lips: Vectors, heard: Vectors, sound: NDArray[np.float32], beams: int
    ) -> tuple["_Assessment", list[str], str]:
        """Read lips and sound together, after each alone: do they belong together, and is the sound on time?

        Returns:
            What is to be said, notes, and a reason where nothing is.
        """
        frames = heard.shape[1]
        joint, by_lips = self._assess(lips, heard, beams), self._assess(lips, None, beams)
        by_sound = self._assess(None, heard, beams)
        strain = strain_of_pair(by_lips.read, by_sound.read, joint.read)
        longer = -(-len(sound) // FRAME_SAMPLES)
        if by_lips.is_readable and longer > frames and (not by_sound.is_readable or strain > _STRAIN):
            # a sound that is late says its last words after the last picture
            longest = self._assess(None, self.networks.listen(sound, longer), beams)
            strain_then = strain_of_pair(by_lips.read, longest.read)
            if longest.is_readable and strain_then <= _STRAIN:
                by_sound, strain = longest, strain_then
        readable = [one for one in (by_lips, by_sound) if one.is_readable]
        if len(readable) == 2 and strain > _STRAIN:
            spelled = ", ".join(f"{one.used} '{self._text(one.read)}' ({one.whole:.0%})" for one in readable)
            return joint, [], f"{_DIFFERENT}: {spelled}"
        notes = []
        later = find_delay(by_lips.read.spans, by_sound.read.spans) if len(readable) == 2 else None
        if later is not None and abs(later) >= _LATE:
            when = "late" if later > 0 else "early"
            notes.append(f"the sound is about {abs(later) / RATE_HZ:.1f} s {when}; it is read as if it were on time")
            joint = self._assess(lips, self.networks.listen(_earlier(sound, round(later)), frames), beams)
        if joint.is_readable and all(strain_of(one.read, joint.read.labels) <= _STRAIN for one in readable):
            return joint, notes, ""
        surest = max(readable, key=lambda one: one.whole, default=None)
        if surest is None:
            return joint, notes, "" if joint.is_readable else _UNKNOWN
        if len(readable) == 1 and surest.whole < _LIKELY:  # what the other holds speaks against it
            return joint, notes, _UNKNOWN
        why = {"lips": "the sound could not be read with them", "sound": "the lips could not be read with it"}[
            surest.used
        ]
        if by_lips.is_readable and by_sound.is_readable and by_lips.read.labels != by_sound.read.labels:
            other = by_sound if surest is by_lips else by_lips
            why = f"from the {other.used} it would be '{self._text(other.read)}'"
        notes.append(f"read from the {surest.used} alone: {why}")
        return surest, notes, ""

    def _text(self, read: NetworkOutput) -> str:
        return " ".join(self.networks.words[label - 1] for label in read.labels)

    def _nothing(self, used: str, reason: str, notes: list[str]) -> Transcript:
        return Transcript((), confidence=0.0, used=used, model=self.name, reason=reason, notes=tuple(notes))


def in_noise(sound: NDArray[np.float32], noise_db: float, noise: str = "white") -> NDArray[np.float32]:
    """The sound in noise of a kind, the same noise each time.

    Raises:
        UnknownNameError: no such noise.
        RangeError: not from -60 to 100 decibels.
    """
    if noise not in NOISES:
        raise UnknownNameError(f"no noise called {noise!r}; there are {', '.join(NOISES)}")
    if not -60 <= noise_db <= 100:
        raise RangeError(f"noise must be -60 to 100 dB softer than the sound, got {noise_db}")
    return add_noise(sound, NOISES[noise](len(sound), np.random.default_rng(0)), snr_db=noise_db)


def _earlier(sound: NDArray[np.float32], moments: int) -> NDArray[np.float32]:
    """A sound so many moments earlier, or with so many of silence before it."""
    if moments >= 0:
        return sound[moments * FRAME_SAMPLES :]
    return np.concatenate((np.zeros(-moments * FRAME_SAMPLES, np.float32), sound))


def _check_channel(use: str) -> None:
    if use not in CHANNELS:
        raise UnknownNameError(f"no channel called {use!r}; there are {', '.join(CHANNELS)}")


def _opened(video: Video) -> VideoSource:
    return io.BytesIO(video) if isinstance(video, bytes) else video


def mouth_of(video: Video, face: str | int, finder: FaceDetector) -> tuple[MouthTrack | None, str]:
    """The mouth from the first to the last frame it is seen in, `RATE_HZ` a second; and why it cannot be read.

    Args:
        video: Its path or its bytes.
        face: `largest`, or which one from the left, counted from 1.
        finder: Finds the faces.
    Returns:
        The track, None where no face is seen; and a reason, empty where it can be read.
    Raises:
        MediaError: the video cannot be read.
    """
    about = inspect_video(_opened(video))
    if about.duration_s is not None and about.duration_s > LONGEST_S:
        length = f"the video is {_seconds(about.duration_s)} s long"
        return None, f"{length}, at most {LONGEST_S:.0f} s are read; cut it to a sentence"
    track = track_mouth(_opened(video), face=face if isinstance(face, str) else face - 1, finder=finder)
    seen = np.flatnonzero(track.valid)
    if not len(seen):
        most = int(track.faces.max(initial=0))
        asked = f"only {most} face{' is' if most == 1 else 's are'} seen, number {face} was asked for"
        return None, asked if most and isinstance(face, int) else "no face is seen"
    track = track.part(int(seen[0]), int(seen[-1]) + 1)
    rate = track.rate_hz
    length_s = float(track.times_s[-1] - track.times_s[0]) + 1 / (rate or RATE_HZ)
    reason = ""
    if length_s < _SHORTEST_S:
        reason = f"the face is seen for {length_s:.1f} s only"
    elif rate < _MIN_RATE_HZ:
        reason = f"{rate:.0f} frames a second, lips need {_MIN_RATE_HZ:.0f} or more"
    elif track.seen_fraction < _MIN_FRACTION:
        reason = f"the face is seen in {track.seen_fraction:.0%} of the frames only"
    elif float(np.median(track.eyes_px[track.valid])) < _MIN_EYES_PX:
        reason = (
            f"the mouth is too small: the eyes are {np.median(track.eyes_px[track.valid]):.0f} pixels apart, "
            f"{_MIN_EYES_PX:.0f} are needed"
        )
    if abs(rate - RATE_HZ) > 0.1 and len(track) > 1:
        track = track.at_rate(RATE_HZ)
    if not reason and motion_of(track.crops) < _MIN_MOTION:
        reason = "the face does not move"
    return track, reason


def _seconds(length_s: float) -> str:
    """With one decimal, rounded up, so that a video just too long does not look as long as it may be."""
    return f"{math.ceil(length_s * 10 - 1e-6) / 10:.1f}"


def motion_of(crops: NDArray[np.uint8]) -> float:
    """How much the mouth moves: grey levels of change from frame to frame, mean of the tenth that changes most."""
    if len(crops) < 2:
        return 0.0
    count, height, width = crops.shape
    coarse = crops.reshape(count, height // 4, 4, width // 4, 4).mean((2, 4))  # a camera's noise is not motion
    change = np.abs(np.diff(coarse, axis=0)).mean((1, 2))
    most = np.sort(change)[-max(1, len(change) // 10) :]
    return float(most.mean())


def _sound_of(video: Video, begin_s: float) -> tuple[NDArray[np.float32] | None, str]:
    try:
        sound = read_sound(video, rate_hz=SOUND_HZ, most_s=LONGEST_S + 1)
    except EmptyFileError:
        return None, "the video has no sound"
    except TooLargeError:
        return None, f"the sound is longer than {LONGEST_S:.0f} s; cut the video to a sentence"
    sound = sound[round(begin_s * SOUND_HZ) :]
    if len(sound) < _SHORTEST_S * SOUND_HZ:
        return None, f"only {len(sound) / SOUND_HZ:.1f} s of sound"
    tenth = SOUND_HZ // 10
    pieces = sound[: len(sound) // tenth * tenth].reshape(-1, tenth)
    if float(np.sqrt(np.square(pieces).mean(1)).max(initial=0.0)) < _MIN_LOUDNESS:
        return None, "the sound is silent"
    return sound, ""
