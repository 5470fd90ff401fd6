"""Mouth crops and sound of spoken videos, worked out once and kept, with a word for each frame.

Both take the shipped path: the task's own mouth track, the package's own sound reader. This file does not know what
is learned from them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.data.broken import Broken
from szem.data.spoken import SpokenVideo
from szem.errors import SzemError, TrainError
from szem.files import write_file
from szem.kept import is_whole, seal_folder
from szem.media.sound import read_sound
from szem.tasks.lipreading.networks import FRAME_SAMPLES

__all__ = ["LipClip", "LipClips", "keep_clips"]

_FILES = ("crops.npy", "sound.npy", "lengths.npy")


@dataclass(frozen=True, eq=False)
class LipClip:
    """A video as the network sees and hears it, and what is said."""

    crops: NDArray[np.uint8]  # (T, 48, 80)
    sound: NDArray[np.int16]  # (T * FRAME_SAMPLES,)
    labels: NDArray[np.int64]  # (T,), 0 silence, else 1 + the place of the word
    words: tuple[tuple[int, int, int], ...]  # label, first frame, frame after the last

    @property
    def heard(self) -> NDArray[np.float32]:
        """The sound as the package has it, in -1..1."""
        return self.sound.astype(np.float32) * np.float32(1 / 32768)


@dataclass(frozen=True, eq=False)
class LipClips:
    """The clips of a folder of videos."""

    clips: tuple[LipClip, ...]
    videos: tuple[SpokenVideo, ...]
    broken: tuple[Broken, ...]


def keep_clips(
    videos: Sequence[SpokenVideo],
    folder: Path,
    *,
    watch: Callable[[Path], NDArray[np.uint8]],
    about: str,
    vocabulary: Sequence[str],
) -> LipClips:
    """Open kept clips, or work them out and keep them.

    Args:
        videos: With the times of their words.
        folder: Where they are kept.
        watch: A video's mouth crops (T, 48, 80), 25 a second.
        about: What the crops depend on; clips kept under another text are worked out anew.
        vocabulary: The words in order.
    Raises:
        TrainError: not one video can be used.
    """
    place = {word: i + 1 for i, word in enumerate(vocabulary)}
    key: dict[str, object] = {"about": about, "videos": [video.name for video in videos]}
    if not is_whole(folder, _FILES, key):
        _work_out(videos, folder, watch, key)
    lengths = np.load(folder / _FILES[2])
    crops = np.load(folder / _FILES[0], mmap_mode="r")
    sound = np.load(folder / _FILES[1], mmap_mode="r")
    clips, kept, broken, begin = [], [], [], 0
    for video, length in zip(videos, lengths.tolist(), strict=True):
        part = slice(begin, begin + length)
        begin += length
        spans = [(place.get(t.text, 0), t.first, min(t.last, length)) for t in video.times]
        if length < 8 or not spans or any(label == 0 or last <= first for label, first, last in spans):
            broken.append(Broken(video.name, "no mouth track, no times of its words, or a word not to be learned"))
            continue
        labels = np.zeros(length, np.int64)
        for label, first, last in spans:
            labels[first:last] = label
        heard = sound[part.start * FRAME_SAMPLES : part.stop * FRAME_SAMPLES]
        clips.append(LipClip(np.asarray(crops[part]), np.asarray(heard), labels, tuple(spans)))
        kept.append(video)
    if not clips:
        raise TrainError(f"{folder}: not one video with times of its words can be used")
    return LipClips(tuple(clips), tuple(kept), tuple(broken))


def _work_out(
    videos: Sequence[SpokenVideo], folder: Path, watch: Callable[[Path], NDArray[np.uint8]], key: dict[str, object]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    seen, heard, lengths = [], [], []
    for video in videos:
        try:
            crops, sound = watch(video.path), read_sound(video.path)
        except SzemError:
            lengths.append(0)
            continue
        fitted = np.zeros(len(crops) * FRAME_SAMPLES, np.float32)
        fitted[: min(len(sound), len(fitted))] = sound[: len(fitted)]
        seen.append(crops)
        heard.append(np.rint(fitted.clip(-1, 1) * 32767).astype(np.int16))
        lengths.append(len(crops))
    if not seen:
        raise TrainError(f"{videos[0].path.parent}: not one video could be read")
    tables: tuple[np.ndarray[Any, Any], ...] = (
        np.concatenate(seen),
        np.concatenate(heard),
        np.asarray(lengths, np.int64),
    )
    for name, table in zip(_FILES, tables, strict=True):
        with write_file(folder / name) as part, part.open("wb") as opened:
            np.save(opened, np.asarray(table))
    seal_folder(folder, _FILES, key)
