"""`szem lipread`: what is said in films, read from lips, sound or both."""

import io
import json
import re
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from szem.cli.walk import Targets
    from szem.results.transcript import Transcript
    from szem.tasks.lipreading.lipread import LipreadInput

__all__ = ["app"]

app = typer.Typer(add_completion=False)
_BEAMS = 8

_Paths = Annotated[list[str], typer.Argument(help="Films of one sentence each, or folders of them; - for the pipe.")]
_Srt = Annotated[Path | None, typer.Option(help="Write subtitles: .srt or .vtt; of several films: a folder.")]
_Out = Annotated[Path | None, typer.Option(help="Write the film with face, lips and words drawn: .mp4; or a folder.")]


@app.command()
def lipread(
    paths: _Paths,
    use: str = typer.Option("both", help="lips, sound or both."),
    srt: _Srt = None,
    noise: str = typer.Option("", metavar="DB", help="Mix noise in first: 0dB is as loud as the sound; pink:5dB."),
    face: str = typer.Option("largest", help="largest, or which one from the left: 1, 2 …"),
    words: bool = typer.Option(False, "--words", help="Also each word's time and confidence; subtitles by word."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object a line for each film."),
    single: str = typer.Option(
        "", metavar="KIND", help="Read one word said alone, from any speaker's lips: word, phrase or any (see below)."
    ),
    beam: int = typer.Option(
        _BEAMS, min=1, max=64, help="Sentences followed at a time; 1: the likeliest of each moment."
    ),
    check: bool = typer.Option(True, help="Say 'no reading' where the film is not what the reader knows."),
    model: str = typer.Option("", "--model", "-m", help="A model's name or folder.  \\[default: the shipped one]"),
    out: _Out = None,
) -> None:
    """Read what is said in films.

    The reader knows the sentences of the GRID corpus, as in "place blue at f nine now". Other speech gets no reading
    but a reason. With --single, another network tells which of MIRACL-VC1's ten words and ten phrases was said
    ("begin", "stop navigation", "thank you" …): one a film.
    """
    from szem.cli.walk import STDIN, Failure, Targets, find_files, printable, report_failures
    from szem.errors import RangeError, SzemError, UnknownNameError
    from szem.media.video import VIDEO_SUFFIXES
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
    given = {
        "--use sound": use == "sound",
        "--srt": srt is not None,
        "--out": out is not None,
        "--noise": level is not None,
        "--words": words,
        "--beam": beam != _BEAMS,
        "--no-check": not check,
        "--model": bool(model),
    }
    if single and any(given.values()):
        useless = ", ".join(name for name, is_given in given.items() if is_given)
        raise RangeError(f"--single tells one word from the lips alone, without {useless}; leave one of them out")
    if use == "lips" and level is not None:
        raise RangeError("--noise is mixed into the sound, and --use lips does not listen; leave one of them out")
    if use == "sound" and face != "largest":
        raise RangeError("--face chooses whose lips are read, and --use sound reads none; leave one of them out")
    which: str | int = face if face == "largest" else int(face)
    items, failures = find_files(paths, suffixes=VIDEO_SUFFIXES)
    several = len(items) > 1
    _check_place("--srt", srt, suffixes=(".srt", ".vtt"), several=several)
    _check_place("--out", out, suffixes=(".mp4",), several=several)
    targets = Targets(item.name for item in items)
    reader = open_lip_reader(model or None)
    for item in items:
        try:
            subtitles = None if srt is None else _place(srt, f"{item.stem}.srt", targets, several=several)
            drawn = None if out is None else _place(out, f"{item.stem}.mp4", targets, several=several)
            film = sys.stdin.buffer.read() if item.name == STDIN else item.name
            if single:
                _print_single(reader.take_in(film, use="lips", face=which), printable(item.name), single, as_json)
                continue
            seen = reader.take_in(film, use=use, face=which)
            said = reader.read(seen, use=use, beams=beam, noise_db=level, noise=kind, check=check).transcript
            if subtitles is not None:
                subtitles.parent.mkdir(parents=True, exist_ok=True)
                is_vtt = subtitles.suffix.lower() == ".vtt"
                text = said.to_vtt(by_word=words) if is_vtt else said.to_srt(by_word=words)
                subtitles.write_text(text, encoding="utf-8")
            if drawn is not None:
                _draw_film(io.BytesIO(film) if isinstance(film, bytes) else film, drawn, seen, said)
        except SzemError as error:
            failures.append(Failure(item.name, str(error)))
            continue
        except OSError as error:
            what = f"{error.filename or out or srt or item.name}: cannot be written ({error.strerror or error})"
            failures.append(Failure(item.name, f"{what}; choose another place"))
            continue
        if as_json:
            print(json.dumps({"file": item.name, **said.to_dict()}), flush=True)
        else:
            _print(printable(item.name), said, words=words)
    if status := report_failures(failures, total=len(items)):
        raise typer.Exit(status)


def _print(name: str, said: "Transcript", *, words: bool) -> None:
    sure = f"  (confidence {said.confidence:.0%}, {said.used})" if said.is_read else ""
    print(f"{name}: {said}{sure}", flush=True)
    for note in said.notes:
        print(f"  {note}")
    for word in said if words else ():
        print(f"  {word.start_s:6.2f} – {word.end_s:5.2f} s  {word.confidence:4.0%}  {word.text}")


def _print_single(seen: "LipreadInput", name: str, kind: str, as_json: bool) -> None:
    """The likeliest words of a film in which one is said, or why there are none."""
    from szem.tasks.lipreading.single_words import read_lip_word

    reason = seen.why_not_lips
    found = None if reason or seen.track is None else read_lip_word(seen.track, kind=kind)
    if as_json:
        row = {"reason": reason} if found is None else found.to_dict()
        print(json.dumps({"file": name, **row}), flush=True)
    elif found is None:
        print(f"{name}: no reading: {reason}", flush=True)
    else:
        print(f"{name}: {', '.join(f'{label.name} {label.score:.0%}' for label in found)}", flush=True)


def _check_place(option: str, place: Path | None, *, suffixes: tuple[str, ...], several: bool) -> None:
    """Whether what is written can go there.

    Raises:
        RangeError: the name is of another kind of file, or one file is named for several films.
    """
    from szem.errors import RangeError

    if place is None or _is_folder(place):
        return
    if place.suffix.lower() not in suffixes:
        raise RangeError(f"{option} writes {' or '.join(suffixes)}, or into a folder; got {str(place)!r}")
    if several:
        raise RangeError(f"{option} of several films is a folder, got {str(place)!r}")


def _place(given: Path, name: str, targets: "Targets", *, several: bool) -> Path:
    """The file to write for one film; raises `OverwriteError` where it would replace a source."""
    is_folder = several or _is_folder(given)
    return targets.take(given / name if is_folder else given, typed=not is_folder)


def _is_folder(given: Path) -> bool:
    return given.suffix == "" or given.is_dir()


def _draw_film(name: str | IO[bytes], out: Path, seen: "LipreadInput", said: "Transcript") -> None:
    """The film with face, lips and the word that is being said, and its sound."""
    import numpy as np

    from szem.media.drawing import draw_label
    from szem.media.frames import Frame
    from szem.media.pipeline import Stage
    from szem.media.video_pipeline import RenderedFrame, VideoPipeline, open_film

    track = seen.track

    def draw(frame: Frame) -> RenderedFrame:
        picture = frame.picture
        if track is not None and picture.shape[:2] == (track.height, track.width):
            picture = track.draw(picture, int(np.abs(track.times_s - frame.time_s).argmin()))
        now = [word.text for word in said if word.start_s <= frame.time_s < word.end_s]
        return RenderedFrame(frame, draw_label(picture, now[0] if now else ("" if said.is_read else str(said))))

    with VideoPipeline(open_film(name, sound=True), [Stage(draw)], out) as maker:
        for _ in maker:
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
