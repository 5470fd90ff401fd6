"""`szem lipread`: what is said in videos, read from lips, sound or both."""

import io
import re
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from szem.cli.options import DryRun, Json, Model, On, Quiet, RayWorkers, Shards, spell

if TYPE_CHECKING:
    from szem.cli.outputs import Destination, Targets
    from szem.results.transcript import Transcript
    from szem.tasks.lipreading.lipread import LipreadInput

__all__ = ["app"]

app = typer.Typer(add_completion=False)
_BEAMS = 8

_Paths = Annotated[list[str], typer.Argument(help="Videos of one sentence each, or folders of them; - for the pipe.")]
_Srt = Annotated[str, typer.Option("--srt", help="Write subtitles: a .srt or .vtt for one video, or a folder.")]
_Out = Annotated[str, spell("--out", "Write the video with face, lips and words drawn: a .mp4 for one, or a folder.")]


@app.command()
def lipread(
    context: typer.Context,
    paths: _Paths,
    use: str = typer.Option("both", help="lips, sound or both."),
    srt: _Srt = "",
    noise: str = typer.Option("", metavar="DB", help="Mix noise in first: 0dB is as loud as the sound; pink:5dB."),
    face: str = typer.Option("largest", help="largest, or which one from the left: 1, 2 …"),
    words: bool = typer.Option(False, "--words", help="Also each word's time and confidence; subtitles by word."),
    as_json: Json = False,
    single: str = typer.Option(
        "", metavar="KIND", help="Read one word said alone, from any speaker's lips: word, phrase or any (see below)."
    ),
    beam: int = typer.Option(_BEAMS, min=1, max=64, help="Beam width; 1: the likeliest sign of each moment."),
    check: bool = typer.Option(True, help="Answer 'no reading' where the video is not what the reader knows."),
    model: Model = "",
    out: _Out = "",
    on: On = "",
    shards: Shards = "jsonl",
    dry_run: DryRun = False,
    workers: RayWorkers = 0,
    quiet: Quiet = False,
) -> None:
    """Read what is said in videos.

    The reader knows the sentences of the GRID corpus, as in "place blue at f nine now". Other speech gets no reading
    but a reason. With --single, another network names which of MIRACL-VC1's ten words and ten phrases was said
    ("begin", "stop navigation", "thank you" …): one a video.
    """
    if on or dry_run:
        from szem.cli.on_ray import run_on_ray

        run_on_ray(context, "lipread", paths, "use beam=beams check face model", shards=shards, workers=workers)
    from szem.cli.outputs import Destination, Targets, print_json, printable
    from szem.cli.walk import STDIN, Failure, find_files, report_failures
    from szem.errors import RangeError, SzemError, UnknownNameError
    from szem.files import is_disk_full, write_text
    from szem.media.video import VIDEO_SUFFIXES
    from szem.media.video_writer import WRITTEN_VIDEO_SUFFIXES
    from szem.results.transcript import CHANNELS
    from szem.tasks.lipreading.lipread import open_lip_reader
    from szem.tasks.lipreading.single_words import KINDS

    kind, level = noise_of(noise)
    if face != "largest" and not (face.isdecimal() and int(face)):
        raise RangeError(f"--face is largest, or 1, 2 … counted from the left; got {face!r}")
    if use not in CHANNELS:
        raise UnknownNameError(f"--use is one of {', '.join(CHANNELS)}, got {use!r}")
    if single and single not in KINDS:
        raise UnknownNameError(f"--single is one of {', '.join(KINDS)}, got {single!r}")
    # --single runs another network, which knows none of these; heeding them silently in part would mislead.
    given = {
        "--use sound": use == "sound",
        "--srt": bool(srt),
        "--out": bool(out),
        "--noise": level is not None,
        "--words": words,
        "--beam": beam != _BEAMS,
        "--no-check": not check,
        "--model": bool(model),
    }
    if single and any(given.values()):
        useless = ", ".join(name for name, is_given in given.items() if is_given)
        raise RangeError(f"--single reads one word from the lips alone, without {useless}; leave one of them out")
    if use == "lips" and level is not None:
        raise RangeError("--noise is mixed into the sound, and --use lips does not listen; leave one of them out")
    if use == "sound" and face != "largest":
        raise RangeError("--face chooses whose lips are read, and --use sound reads none; leave one of them out")
    which: str | int = face if face == "largest" else int(face)
    items, failures = find_files(paths, suffixes=VIDEO_SUFFIXES)
    subtitled = Destination(srt, suffixes=(".srt", ".vtt"), inputs=len(items), option="--srt") if srt else None
    drawn = Destination(out, suffixes=WRITTEN_VIDEO_SUFFIXES, inputs=len(items)) if out else None
    targets = Targets(item.name for item in items)
    reader = open_lip_reader(model or None)
    for item in items:
        try:
            subtitles = _take(subtitled, f"{item.stem}.srt", targets)
            drawing = _take(drawn, f"{item.stem}.mp4", targets)
            video = sys.stdin.buffer.read() if item.name == STDIN else item.name
            if single:
                _print_single(reader.take_in(video, use="lips", face=which), printable(item.name), single, as_json)
                continue
            seen = reader.take_in(video, use=use, face=which)
            said = reader.read(seen, use=use, beams=beam, noise_db=level, noise=kind, check=check).transcript
            if subtitles is not None:
                is_vtt = subtitles.suffix.lower() == ".vtt"
                write_text(subtitles, said.to_vtt(by_word=words) if is_vtt else said.to_srt(by_word=words))
            if drawing is not None:
                _draw_video(io.BytesIO(video) if isinstance(video, bytes) else video, drawing, seen, said)
        except SzemError as error:
            if is_disk_full(error):
                raise
            failures.append(Failure(item.name, str(error)))
            continue
        if as_json:
            print_json({"file": item.name, **said.to_dict()})
        else:
            _print(printable(item.name), said, words=words, notes=not quiet)
    if status := report_failures(failures, total=len(items)):
        raise typer.Exit(status)


def _print(name: str, said: "Transcript", *, words: bool, notes: bool) -> None:
    confidences = f"  (confidence {said.confidence:.0%}, {said.used})" if said.is_read else ""
    print(f"{name}: {said}{confidences}", flush=True)
    for note in said.notes if notes else ():
        print(f"  {note}")
    for word in said if words else ():
        print(f"  {word.start_s:6.2f} – {word.end_s:5.2f} s  {word.confidence:4.0%}  {word.text}")


def _print_single(seen: "LipreadInput", name: str, kind: str, as_json: bool) -> None:
    """The likeliest words of a video in which one is said, or why there are none."""
    from szem.cli.outputs import print_json
    from szem.tasks.lipreading.single_words import read_lip_word

    reason = seen.why_not_lips
    found = None if reason or seen.track is None else read_lip_word(seen.track, kind=kind)
    if as_json:
        row = {"reason": reason} if found is None else found.to_dict()
        print_json({"file": name, **row})
    elif found is None:
        print(f"{name}: no reading: {reason}", flush=True)
    else:
        print(f"{name}: {', '.join(f'{label.name} {label.score:.0%}' for label in found)}", flush=True)


def _take(to: "Destination | None", name: str, targets: "Targets") -> Path | None:
    """The file to write for one video; raises `OverwriteError` where it would replace a source."""
    return None if to is None else targets.take(to.file(name), typed=to.is_file)


def _draw_video(name: str | IO[bytes], out: Path, seen: "LipreadInput", said: "Transcript") -> None:
    """The video with face, lips and the word that is being said, and its sound."""
    import numpy as np

    from szem.media.drawing import draw_label
    from szem.media.frames import Frame
    from szem.media.pipeline import Stage
    from szem.media.video_pipeline import RenderedFrame, VideoPipeline, open_video_source

    track = seen.track

    def draw(frame: Frame) -> RenderedFrame:
        picture = frame.picture
        if track is not None and picture.shape[:2] == (track.height, track.width):
            picture = track.draw(picture, int(np.abs(track.times_s - frame.time_s).argmin()))
        now = [word.text for word in said if word.start_s <= frame.time_s < word.end_s]
        return RenderedFrame(frame, draw_label(picture, now[0] if now else ("" if said.is_read else str(said))))

    with VideoPipeline(open_video_source(name, sound=True), [Stage(draw)], out) as pipeline:
        for _ in pipeline:
            pass


def noise_of(text: str) -> tuple[str, float | None]:
    """Kind and level of noise as typed.

    Raises:
        RangeError: not of the form KIND:LEVELdB.

    >>> noise_of("0dB"), noise_of("pink:-5"), noise_of("")
    (('white', 0.0), ('pink', -5.0), ('white', None))
    """
    from szem.errors import RangeError

    if not text:
        return "white", None
    found = re.fullmatch(r"(?:([a-z]+):)?([+-]?\d+(?:\.\d+)?)\s*(?:dB)?", text.strip(), re.IGNORECASE)
    if found is None:
        raise RangeError(f"--noise is a level as in 0dB, perhaps with a kind as in pink:5dB; got {text!r}")
    return (found[1] or "white").lower(), float(found[2])
