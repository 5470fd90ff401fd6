"""lipread.py on real sentences never trained on, changed as videos come in life: right, or a clear reason."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import szem
from szem.data.spoken import SpokenVideo, read_spoken
from szem.errors import FormatError, MediaError, RangeError, UnknownNameError
from szem.results.transcript import Transcript
from szem.tasks.lipreading.lipread import LipReader, in_noise, lipread, motion_of, open_lip_reader

from .talking import SOUND_HZ, pictures_of, put_beside, sound_of, turn, write_video

pytestmark = [pytest.mark.data, pytest.mark.slow]


@dataclass(frozen=True, eq=False)
class Talk:
    """A sentence held out from training, and what is read from it as it is."""

    video: SpokenVideo
    pictures: np.ndarray
    sound: np.ndarray
    said: dict[str, Transcript]


@pytest.fixture(scope="module")
def reader() -> LipReader:
    return open_lip_reader(threads=1)


@pytest.fixture(scope="module")
def talk(data_dir: Path, reader: LipReader) -> Talk:
    """The first of the sentences that are read right from lips and sound alike, so that changes show."""
    for video in read_spoken(data_dir / "grid", split="val").videos[:8]:
        seen = reader.take_in(video.path)
        said = {use: reader.read(seen, use=use).transcript for use in ("lips", "sound", "both")}
        if all(tuple(one.text.split()) == video.words for one in said.values()):
            return Talk(video, pictures_of(video.path), sound_of(video.path), said)
    raise AssertionError("none of eight sentences is read right")


def same_times(one: Transcript, other: Transcript, *, shift_s: float = 0.0, within_s: float = 0.13) -> bool:
    pairs = zip(one.words, other.words, strict=True)
    return all(abs(a.start_s + shift_s - b.start_s) <= within_s for a, b in pairs)


def test_a_sentence_has_its_words_times_and_confidence(talk: Talk) -> None:
    for use, said in talk.said.items():
        assert said.used == use
        assert 0 < said.confidence <= 1
        assert np.mean([word.confidence for word in said.words]) > 0.7
        assert not said.notes
        off = [abs(w.start_s * 25 - t.first) for w, t in zip(said.words, talk.video.times, strict=True)]
        assert np.mean(off) < 4


def test_the_public_verb_takes_paths_and_bytes(talk: Talk) -> None:
    assert szem.lipread(talk.video.path, use="lips").text == talk.said["lips"].text
    assert lipread(talk.video.path.read_bytes(), use="lips").text == talk.said["lips"].text


def test_greedy_and_beams_read_a_clear_sentence_alike(talk: Talk, reader: LipReader) -> None:
    seen = reader.take_in(talk.video.path)
    found = {beams: reader.read(seen, beams=beams).transcript.text for beams in (1, 2, 8)}
    assert set(found.values()) == {talk.said["both"].text}


def test_without_a_sound_track_the_lips_are_read(talk: Talk, tmp_path: Path, reader: LipReader) -> None:
    video = write_video(tmp_path / "mute.mp4", talk.pictures)
    said = reader.read(reader.take_in(video)).transcript
    assert said.used == "lips"
    assert said.notes == ("read from the lips alone: the video has no sound",)
    assert said.text == talk.said["lips"].text
    only = reader.read(reader.take_in(video, use="sound"), use="sound").transcript
    assert str(only) == "no reading: the video has no sound"


def test_a_late_sound_track_keeps_its_place_in_time(talk: Talk, tmp_path: Path, reader: LipReader) -> None:
    late_s = 0.4
    video = write_video(
        tmp_path / "late.mp4", talk.pictures, talk.sound[round(late_s * SOUND_HZ) :], sound_begins_s=late_s
    )
    said = reader.read(reader.take_in(video, use="sound"), use="sound").transcript
    assert said.text == talk.said["sound"].text
    assert same_times(talk.said["sound"], said)


@pytest.mark.parametrize("late_s", [0.2, 0.4, 0.8, -0.2, -0.4])
def test_sound_beside_its_lips_is_moved_and_said_to_be(
    talk: Talk, tmp_path: Path, reader: LipReader, late_s: float
) -> None:
    blank = np.zeros(round(abs(late_s) * SOUND_HZ), np.float32)
    sound = np.append(blank, talk.sound) if late_s > 0 else np.append(talk.sound[len(blank) :], blank)
    video = write_video(tmp_path / "late.mp4", talk.pictures, sound)
    said = reader.read(reader.take_in(video)).transcript
    assert said.text == talk.said["both"].text
    assert same_times(talk.said["both"], said)  # those of the lips
    when = "late" if late_s > 0 else "early"
    assert said.notes == (f"the sound is about {abs(late_s):.1f} s {when}; it is read as if it were on time",)


def test_a_sound_that_ends_long_after_the_pictures_is_found(talk: Talk, tmp_path: Path, reader: LipReader) -> None:
    video = write_video(tmp_path / "late.mp4", talk.pictures, np.append(np.zeros(24_000, np.float32), talk.sound))
    said = reader.read(reader.take_in(video)).transcript
    assert said.text == talk.said["both"].text
    assert said.notes == ("the sound is about 1.5 s late; it is read as if it were on time",)


def test_lips_and_sound_of_two_sentences_are_not_mixed(
    talk: Talk, data_dir: Path, tmp_path: Path, reader: LipReader
) -> None:
    refused = 0
    for other in read_spoken(data_dir / "grid", split="val").videos[20:24]:
        video = write_video(tmp_path / "mixed.mp4", talk.pictures, sound_of(other.path))
        found = reader.read(reader.take_in(video))
        by_sound = reader.read(found.seen, use="sound").transcript
        assert not found.transcript.is_read
        assert found.transcript.guess == ""
        if by_sound.is_read:
            refused += 1
            assert found.transcript.reason.startswith("lips and sound say different things: lips '")
            assert f"'{talk.said['lips'].text}'" in found.transcript.reason
            assert f"sound '{by_sound.text}'" in found.transcript.reason
    assert refused


def test_a_channel_that_cannot_be_read_takes_nothing_from_the_other(
    talk: Talk, tmp_path: Path, reader: LipReader
) -> None:
    rng = np.random.default_rng(0)
    sound = rng.permutation(talk.sound[: len(talk.sound) // 3200 * 3200].reshape(-1, 3200)).ravel()
    said = reader.read(reader.take_in(write_video(tmp_path / "torn.mp4", talk.pictures, sound))).transcript
    assert said.text == talk.said["lips"].text
    assert said.notes == ("read from the lips alone: the sound could not be read with them",)


@pytest.mark.parametrize(
    ("rate_hz", "most_wrong"),
    [
        (50.0, 0),  # each picture twice
        (30.0, 1),  # some pictures twice
    ],
)
def test_other_rates_are_read_at_25(
    talk: Talk, tmp_path: Path, reader: LipReader, rate_hz: float, most_wrong: int
) -> None:
    count = round(len(talk.pictures) * rate_hz / 25)
    video = write_video(
        tmp_path / "rate.mp4", talk.pictures[(np.arange(count) * 25 / rate_hz).astype(int)], rate_hz=rate_hz
    )
    said = reader.read(reader.take_in(video, use="lips"), use="lips", check=False).transcript
    wrong = sum(a != b for a, b in zip(said.text.split(), talk.said["lips"].text.split(), strict=True))
    assert wrong <= most_wrong
    assert same_times(talk.said["lips"], said, within_s=0.2)


@pytest.mark.parametrize("degrees", [90, 270])
def test_phone_videos_are_read_as_they_are_shown(talk: Talk, tmp_path: Path, reader: LipReader, degrees: int) -> None:
    video = write_video(tmp_path / "phone.mp4", np.rot90(talk.pictures, degrees // 90, axes=(1, 2)))
    turn(video, degrees)
    assert pictures_of(video).shape[1:3] == talk.pictures.shape[1:3]
    said = reader.read(reader.take_in(video, use="lips"), use="lips", check=False).transcript
    assert said.text == talk.said["lips"].text


def test_of_several_faces_the_largest_or_the_chosen_one_is_read(
    talk: Talk, tmp_path: Path, reader: LipReader
) -> None:
    import cv2

    still = np.repeat(talk.pictures[:1], len(talk.pictures), axis=0)
    smaller = np.stack([cv2.resize(p, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA) for p in still])
    both = put_beside(smaller, talk.pictures)
    whole, short = write_video(tmp_path / "two.mp4", both), write_video(tmp_path / "short.mp4", both[:25])
    for face, reads in (("largest", True), (2, True), (1, False), (3, False)):
        video = whole if reads else short  # a reason needs no whole sentence
        said = reader.read(reader.take_in(video, use="lips", face=face), use="lips").transcript
        assert said.is_read is reads, (face, said)
        if reads:
            assert said.text == talk.said["lips"].text
        else:
            assert said.reason == {
                1: "the face does not move",
                3: "only 2 faces are seen, number 3 was asked for",
            }.get(face)
    with_sound = write_video(tmp_path / "one.mp4", talk.pictures[:25], talk.sound[:SOUND_HZ])
    said = reader.read(reader.take_in(with_sound, face=2)).transcript
    assert str(said) == "no reading: only 1 face is seen, number 2 was asked for"


def test_a_face_that_leaves_is_read_while_it_is_there(talk: Talk, tmp_path: Path, reader: LipReader) -> None:
    empty = np.full((25, *talk.pictures.shape[1:]), 90, np.uint8)
    video = write_video(tmp_path / "leaves.mp4", np.concatenate([empty, talk.pictures, empty]))
    said = reader.read(reader.take_in(video, use="lips"), use="lips", check=False).transcript
    assert said.text == talk.said["lips"].text
    assert same_times(talk.said["lips"], said, shift_s=1.0)


def grey(count: int = 30) -> np.ndarray:
    return np.random.default_rng(0).integers(90, 110, (count, 96, 128, 3)).astype(np.uint8)


REASONS = [
    # what is done to the video, what is said
    ("still", "the face does not move"),
    ("empty", "no face is seen"),
    ("small", "the mouth is too small"),
    ("slow", "12 frames a second, lips need 20"),
    ("torn", "of the frames only"),
    ("short", "the face is seen for 0."),
    ("long", "the video is 30.2 s long, at most 30 s are read"),
]


@pytest.mark.parametrize(("change", "reason"), REASONS)
def test_what_cannot_be_read_gets_its_reason(
    talk: Talk, tmp_path: Path, reader: LipReader, change: str, reason: str
) -> None:
    import cv2

    pictures, rate_hz = talk.pictures, 25.0
    if change == "still":
        pictures = np.repeat(pictures[:1], 60, axis=0)
    elif change == "empty":
        pictures = grey()
    elif change == "small":
        pictures = np.stack([cv2.resize(p, (40, 50), interpolation=cv2.INTER_AREA) for p in pictures])
        pictures = put_beside(pictures, grey(len(pictures)))
    elif change == "slow":
        pictures, rate_hz = pictures[::2], 12.0
    elif change == "torn":
        pictures = pictures.copy()
        pictures[20:60] = 90
    elif change == "short":
        pictures = pictures[:8]
    else:
        pictures, rate_hz = np.concatenate([grey(25)] * 31)[:755], 25.0
    video = write_video(tmp_path / "film.mp4", pictures, rate_hz=rate_hz)
    said = reader.read(reader.take_in(video, use="lips"), use="lips").transcript
    assert not said.is_read
    assert reason in said.reason
    assert said.confidence == 0


def test_sound_without_a_face_is_read_and_said_so(talk: Talk, tmp_path: Path, reader: LipReader) -> None:
    video = write_video(tmp_path / "faceless.mp4", grey(75), talk.sound)
    said = reader.read(reader.take_in(video)).transcript
    assert said.used == "sound"
    assert said.notes == ("read from the sound alone: no face is seen",)
    assert said.text == talk.said["sound"].text


def test_silence_and_nothing_at_all_have_reasons(tmp_path: Path, reader: LipReader) -> None:
    video = write_video(tmp_path / "silent.mp4", grey(), np.zeros(20_000, np.float32))
    said = reader.read(reader.take_in(video)).transcript
    assert said.reason == "no face is seen, and the sound is silent"


def test_speech_it_does_not_know_is_not_read(talk: Talk, tmp_path: Path, reader: LipReader) -> None:
    video = write_video(tmp_path / "back.mp4", talk.pictures[::-1], talk.sound[::-1])
    for use in ("lips", "sound", "both"):
        found = reader.read(reader.take_in(video, use=use), use=use)
        assert not found.transcript.is_read, (use, found.known)
        assert found.transcript.reason.startswith(("not a sentence", "no word"))
    assert reader.read(reader.take_in(video), check=False).transcript.is_read


def test_noise_takes_the_sound_away_and_leaves_the_lips(talk: Talk, reader: LipReader) -> None:
    seen = reader.take_in(talk.video.path)
    loud = {use: reader.read(seen, use=use, noise_db=-25.0).transcript for use in ("lips", "sound", "both")}
    assert loud["lips"].text == talk.said["lips"].text
    assert loud["sound"].text != talk.said["sound"].text
    assert seen.sound is not None
    assert np.array_equal(in_noise(seen.sound, 3.0, "pink"), in_noise(seen.sound, 3.0, "pink"))


def test_wrong_options_and_files_are_errors(talk: Talk, tmp_path: Path, reader: LipReader) -> None:
    path = talk.video.path
    with pytest.raises(UnknownNameError, match="lips, sound, both"):
        reader.take_in(path, use="eyes")
    seen = reader.take_in(path, use="sound")
    with pytest.raises(UnknownNameError, match="white, pink"):
        reader.read(seen, use="sound", noise_db=0.0, noise="green")
    with pytest.raises(RangeError, match="-60 to 100"):
        reader.read(seen, use="sound", noise_db=float("nan"))
    with pytest.raises(RangeError, match="beams"):
        reader.read(seen, use="sound", beams=0)
    for name, data in (("cut.mp4", path.read_bytes()[:9000]), ("none.mp4", b""), ("text.mp4", b"nothing" * 99)):
        (tmp_path / name).write_bytes(data)
        with pytest.raises((MediaError, FormatError)):
            lipread(tmp_path / name)


def test_motion_is_that_of_the_frames_that_move_most() -> None:
    crops = np.zeros((21, 4, 4), np.uint8)
    crops[10:12] = 40  # up in one step, down in another: two of twenty
    assert motion_of(crops) == pytest.approx(40)
    assert motion_of(crops[:1]) == 0
