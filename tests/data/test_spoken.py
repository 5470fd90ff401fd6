"""data/spoken.py and its letters and sounds: indices by hand, broken lines reported."""

from pathlib import Path

import pytest

from szem.data.letters import LETTERS, decode_letters, encode_letters
from szem.data.lexicon import SOUNDS, sounds_of
from szem.data.spoken import TimedWord, read_spoken
from szem.data.words import END, FIRST_WORD
from szem.errors import FileMissingError, FormatError, UnknownNameError

INDEX = """video,split,frames,words,alignment_frames
a.mp4,train,75,bin blue,sil:0-10 bin:10-16 sp:16-18 blue:18-18 sil:18-75
b.mp4,val,75,set red,
c.mp4,train,75,lay white,sil:0-10 lay:10-20 green:20-30
d.mp4,train,75,,sil:0-10
e.mp4,train,75,lay,lay:x-20
"""


def test_index_gives_words_times_and_what_is_broken(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text(INDEX)
    found = read_spoken(tmp_path)
    assert [video.name for video in found.videos] == ["a.mp4", "b.mp4"]
    assert found.videos[0].times == (TimedWord("bin", 10, 16), TimedWord("blue", 18, 19))  # at least one frame
    assert found.videos[1].times == ()
    assert [broken.name for broken in found.broken] == ["c.mp4", "index.csv, line 5", "e.mp4"]
    assert [video.name for video in read_spoken(tmp_path, split="val").videos] == ["b.mp4"]


def test_index_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError, match=r"index\.csv"):
        read_spoken(tmp_path)
    (tmp_path / "index.csv").write_text("video,text\n")
    with pytest.raises(FormatError, match="words missing"):
        read_spoken(tmp_path)
    (tmp_path / "index.csv").write_text(INDEX)
    with pytest.raises(UnknownNameError, match="test"):
        read_spoken(tmp_path, split="test")


def test_letters_come_back_and_end_at_the_end_mark() -> None:
    numbers = encode_letters(["place", "now"])
    assert min(numbers) >= FIRST_WORD
    assert decode_letters([*numbers, END, *numbers]) == "place now"
    assert len(set(LETTERS)) == len(LETTERS) == 32


def test_letters_of_one_vowel_share_it() -> None:
    # "b", "d" and "e" look different only before their vowel
    assert {sounds_of(letter)[-1] for letter in "bcdegptv"} == {"iy"}
    assert sounds_of("e") == ("iy",)
    assert set(sounds_of("seven")) <= set(SOUNDS)
