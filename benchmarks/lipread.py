"""Reading lips: from file to text beside real time, step by step, and pocketsphinx on the same sound.

    python benchmarks/lipread.py --data shared/data/grid [--videos 24] [--peer PYTHON]

Each film is opened, its mouth followed, its sound taken, and the sentence read from both; decoding is inside the
time. The peer listens only: it gets the films' clean sound as WAV files, and once its own English model, once the
grammar of the corpus's sentences, which szem's reader had to learn. Name the Python of an environment that has
pocketsphinx with --peer (pip install pocketsphinx brings its models); without it szem is measured alone.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

from machine import describe_machine
from szem.data.spoken import SpokenVideo, read_spoken
from szem.media.sound import read_sound, write_sound
from szem.tasks.lipreading.evaluate import count_errors
from szem.tasks.lipreading.lipread import LipReader, open_lip_reader
from szem.tasks.lipreading.networks import RATE_HZ

GOAL = 5.0  # times as fast as the film
GRAMMAR = """#JSGF V1.0;
grammar grid;
public <sentence> = (bin | lay | place | set) (blue | green | red | white) (at | by | in | with) <letter>
 (zero | one | two | three | four | five | six | seven | eight | nine) (again | now | please | soon);
<letter> = a | b. | c. | d. | e. | f. | g. | h. | i | j. | k. | l. | m. | n. | o. | p. | q. | r. | s. | t. | u. | v.
 | x. | y. | z.;
"""
PEER = """
import json, sys, time, wave
from pocketsphinx import Decoder
options = json.loads(sys.argv[1])
decoder = Decoder(lm=None, jsgf=options["grammar"]) if options["grammar"] else Decoder()
said, began = [], time.perf_counter()
for path in options["files"]:
    with wave.open(path) as file:
        data = file.readframes(file.getnframes())
    decoder.start_utt()
    decoder.process_raw(data, full_utt=True)
    decoder.end_utt()
    found = decoder.hyp()
    said.append(found.hypstr if found else "")
print(json.dumps({"said": said, "seconds": time.perf_counter() - began}))
"""


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--videos", type=int, default=24)
    parser.add_argument("--split", default="val")
    parser.add_argument("--peer", default="", help="Python of an environment with pocketsphinx.")
    given = parser.parse_args()
    videos = read_spoken(given.data, split=given.split).videos[: given.videos]
    print(describe_machine())
    reader = open_lip_reader()
    reader.read(reader.take_in(videos[0].path))  # opens what is opened at first use
    measure(reader, videos)
    if given.peer:
        compare(given.peer, videos)


def measure(reader: LipReader, videos: tuple[SpokenVideo, ...]) -> None:
    """szem: seconds of film a second, all steps together and each."""
    length_s = take_s = read_s = 0.0
    said = []
    for video in videos:
        began = time.perf_counter()
        seen = reader.take_in(video.path)
        middle = time.perf_counter()
        said.append(reader.read(seen).transcript.text.split())
        take_s, read_s = take_s + middle - began, read_s + time.perf_counter() - middle
        length_s += seen.frames / RATE_HZ
    wrong, words = count_errors([video.words for video in videos], said)
    speed = length_s / (take_s + read_s)
    print(f"{len(videos)} films, {length_s:.0f} s: {speed:.1f} times real time (goal {GOAL:g})")
    print(f"  decode, faces, mouth, watch  {take_s / length_s:.3f} s per second of film")
    print(f"  listen, join, search, spell  {read_s / length_s:.3f} s per second of film")
    print(f"  words wrong {wrong / words:.4f} ({words} words)")


def compare(python: str, videos: tuple[SpokenVideo, ...]) -> None:
    """pocketsphinx on the clean sound."""
    with tempfile.TemporaryDirectory() as folder:
        files, length_s = [], 0.0
        for number, video in enumerate(videos):
            sound = read_sound(video.path)
            files.append(str(Path(folder) / f"{number}.wav"))
            write_sound(files[-1], sound)
            length_s += len(sound) / 16000
        grammar = Path(folder) / "grid.gram"
        grammar.write_text(GRAMMAR, encoding="utf-8")
        for name, rules in (("its English model", ""), ("the corpus's grammar", str(grammar))):
            options = json.dumps({"files": files, "grammar": rules})
            done = subprocess.run([python, "-c", PEER, options], capture_output=True, text=True, check=True)
            answer = json.loads(done.stdout.strip().splitlines()[-1])
            said = [text.replace(".", "").split() for text in answer["said"]]
            wrong, words = count_errors([video.words for video in videos], said)
            speed = length_s / answer["seconds"]
            print(f"pocketsphinx, sound alone, {name}: words wrong {wrong / words:.4f}, {speed:.1f} times real time")


if __name__ == "__main__":
    main()
