"""What the lip reader refuses: films and sounds that hold no sentence it knows, of kinds its check was not fitted on.

    python benchmarks/lipread_check.py --data shared/data

Speech of a synthesiser in several voices (espeak-ng) and of people reading (Debian pocketsphinx-testdata), where they
are installed; words from the lips of speakers that the check has not seen; photographs of faces that sway over
speech. Beside them the sentences of GRID's split val, which it should read, also with sound that is late, early or in
noise, and lips of one of them with the sound of another. Printed: how many of each are read.
"""

import argparse
import csv
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np

from machine import describe_machine
from szem.data.spoken import SpokenVideo, read_spoken
from szem.media.pictures import read_picture
from szem.media.sound import read_sound
from szem.media.video import read_video
from szem.tasks.lipreading.evaluate import EvaluatedVideo, count_errors, noisy, voices_of
from szem.tasks.lipreading.lipread import LipReader, LipreadInput, open_lip_reader
from szem.tasks.lipreading.networks import FRAME_SAMPLES, RATE_HZ, SOUND_HZ

SENTENCES = (
    "hello, how are you today",
    "the quick brown fox jumps over the lazy dog",
    "open the door, please, I am late again",
    "two and two is four, and red is not blue",
    "what time does the train to Budapest leave",
    "set the table for nine people now",
)
VOICES = ("en-gb", "en-us", "en-gb+f3", "en-us+m5", "de", "hu")
READ_ALOUD = Path("/usr/share/pocketsphinx/test/data")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--takes", type=int, default=60)
    given = parser.parse_args()
    print(describe_machine())
    reader = open_lip_reader(threads=1)
    videos = read_spoken(given.data / "grid", split="val").videos
    taken = [reader.take_in(video.path) for video in videos]
    for use in ("lips", "sound", "both"):
        show(reader, f"GRID val, {use} (to be read)", [(seen, use) for seen in taken])
    show_pairs(reader, videos, taken, voices_of(given.data / "grid", "val"))
    with tempfile.TemporaryDirectory() as folder:
        spoken = list(synthesised(Path(folder)))
        show(reader, "synthesised speech, sound", [(only_sound(sound), "sound") for sound in spoken])
        show(reader, "people reading, sound", [(only_sound(sound), "sound") for sound in read_aloud()])
        takes = list(unseen_lips(reader, given.data / "lipwords", given.takes))
        show(reader, "words of unseen speakers, lips", [(seen, "lips") for seen in takes])
        swaying = [reader.take_in(video) for video in swaying_faces(given.data / "faces", spoken, Path(folder))]
        for use in ("lips", "both"):
            show(reader, f"swaying photographs, {use}", [(seen, use) for seen in swaying])


def show(reader: LipReader, name: str, rows: list[tuple[LipreadInput, str]]) -> None:
    """One line: how many are read."""
    said = [reader.read(seen, use=use).transcript for seen, use in rows]
    read = [one for one in said if one.is_read]
    reasons: dict[str, int] = {}
    for one in said:
        if not one.is_read:
            key = one.reason.partition(":")[0][:48]
            reasons[key] = reasons.get(key, 0) + 1
    confidences = sum(one.confidence >= 0.5 for one in read)
    spelled = "; ".join(f"{count} {reason}" for reason, count in sorted(reasons.items(), key=lambda item: -item[1]))
    print(
        f"{name:42} {len(read):3} of {len(said):3} read, {confidences} surely   {spelled}",
        flush=True,
    )


def show_pairs(
    reader: LipReader, videos: Sequence[SpokenVideo], taken: Sequence[LipreadInput], voices: Sequence[np.ndarray]
) -> None:
    """A line for each way that lips and sound go together: how many are read, with how many words wrong."""
    ways: dict[str, list[tuple[LipreadInput, tuple[str, ...]]]] = {}
    for late_s in (0.0, 0.08, 0.12, 0.2, 0.4, 1.5, -0.2, -0.4):
        name = "on time" if not late_s else f"sound {abs(late_s):g} s {'late' if late_s > 0 else 'early'}"
        ways[name] = [(moved(seen, late_s), video.words) for video, seen in zip(videos, taken, strict=True)]
    for kind in ("white", "babble"):
        ways[f"{kind} noise, 0 dB"] = [
            (noisy(EvaluatedVideo(video, seen, number), kind, 0.0, voices), video.words)
            for number, (video, seen) in enumerate(zip(videos, taken, strict=True))
        ]
    ways["lips and sound of two sentences"] = [
        (replace(seen, sound=taken[(number + step) % len(taken)].sound), ())
        for step in (1, 7, 31)
        for number, (video, seen) in enumerate(zip(videos, taken, strict=True))
        if video.words != videos[(number + step) % len(taken)].words
    ]
    for name, rows in ways.items():
        said = [reader.read(seen).transcript for seen, _ in rows]
        read = [(one, words) for one, (_, words) in zip(said, rows, strict=True) if one.is_read]
        wrong, count = count_errors([words for _, words in read if words], [one.text.split() for one, w in read if w])
        spelled = f"{wrong} of {count} words wrong, " if count else ""
        different = sum(one.reason.startswith("lips and sound say") for one in said)
        notes = Counter(re.sub(r" about [\d.]+ s|[;:].*", "", note) for one in said for note in one.notes)
        reported_beside = "; ".join(f"{count} {note}" for note, count in notes.items())
        print(
            f"{name:34} {len(read):3} of {len(rows):3} read, {spelled}{different} different   {reported_beside}",
            flush=True,
        )


def moved(seen: LipreadInput, late_s: float) -> LipreadInput:
    """The sound so much later, as long as before; a sound that is more than a second late ends after the pictures."""
    if seen.sound is None or not late_s:
        return seen
    blank = np.zeros(round(abs(late_s) * SOUND_HZ), np.float32)
    if late_s < 0:
        return replace(seen, sound=np.append(seen.sound[len(blank) :], blank))
    late = np.append(blank, seen.sound)
    return replace(seen, sound=late if late_s > 1 else late[: len(seen.sound)])


def only_sound(sound: np.ndarray) -> LipreadInput:
    """A film of which there is only the sound."""
    return LipreadInput(None, None, sound, max(1, len(sound) // FRAME_SAMPLES))


def synthesised(folder: Path) -> Iterator[np.ndarray]:
    """Each sentence in each voice."""
    if shutil.which("espeak-ng") is None:
        print("espeak-ng is not installed: no synthesised speech")
        return
    for number, text in enumerate(SENTENCES):
        for voice in VOICES:
            file = folder / f"{number}-{voice}.wav"
            subprocess.run(["espeak-ng", "-v", voice, "-w", str(file), text], check=True)
            yield read_sound(file)


def read_aloud() -> Iterator[np.ndarray]:
    """Recordings of people; those of more than half a minute are cut."""
    if not READ_ALOUD.is_dir():
        print("pocketsphinx-testdata is not installed: no people reading")
        return
    for file in sorted(READ_ALOUD.rglob("*.wav")):
        yield read_sound(file)[: 16000 * 20]
    for file in sorted(READ_ALOUD.rglob("*.raw")):
        yield (np.fromfile(file, "<i2").astype(np.float32) / 32768)[: 16000 * 20]


def unseen_lips(reader: LipReader, folder: Path, count: int) -> Iterator[LipreadInput]:
    """Mouth crops of speakers beyond the first four, on which the check was fitted."""
    with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    speakers = sorted({row["speaker"] for row in rows})[4:]
    rows = [row for row in rows if row["speaker"] in speakers]
    for row in rows[:: max(1, len(rows) // count)][:count]:
        frames = [frame.picture.mean(-1) for frame in read_video(folder / row["video"])]
        crops = np.stack([cv2.resize(f, (80, 48), interpolation=cv2.INTER_AREA) for f in frames])
        crops = np.rint(crops[np.arange(0, len(crops), 15 / RATE_HZ).astype(int)]).astype(np.uint8)
        yield LipreadInput(None, reader.networks.watch(crops), None, len(crops))


def swaying_faces(folder: Path, spoken: list[np.ndarray], out: Path) -> Iterator[Path]:
    """Photographs that are moved and turned a little, over speech."""
    pictures = (
        sorted((folder / "images").iterdir()) if (folder / "images").is_dir() else sorted(folder.rglob("*.webp"))
    )
    for number, (file, sound) in enumerate(
        zip(pictures[::300], spoken or [np.zeros(48000, np.float32)] * 12, strict=False)
    ):
        picture = cv2.resize(read_picture(file), (256, 256), interpolation=cv2.INTER_CUBIC)
        video = out / f"sway{number}.mp4"
        with av.open(str(video), "w") as container:
            coded = container.add_stream("libx264", rate=RATE_HZ)
            coded.width, coded.height, coded.pix_fmt = 256, 256, "yuv420p"
            track = container.add_stream("aac", rate=16000, layout="mono")
            for k in range(max(50, len(sound) // FRAME_SAMPLES)):
                matrix = cv2.getRotationMatrix2D((128, 128), 6 * np.sin(k / 5), 1 + 0.05 * np.sin(k / 3))
                moved = cv2.warpAffine(picture, matrix, (256, 256), borderMode=cv2.BORDER_REPLICATE)
                container.mux(coded.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")))
            container.mux(coded.encode())
            frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            frame.sample_rate = 16000
            container.mux(track.encode(frame))
            container.mux(track.encode())
        yield video


if __name__ == "__main__":
    main()
