"""listen.py: what is heard, when, once; odd sounds; streams; what the shipped model takes for an event."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import szem
from szem.data.sounds import in_split, read_labelled_sounds
from szem.errors import DTypeError, FormatError, RangeError, ShapeError, UnknownNameError
from szem.media.sound import read_sound, write_sound
from szem.results.events import Event
from szem.runtime.cards import SoundInput
from szem.tasks.audio.listen import Listener, ListenSettings
from szem.tasks.models import default_model, open_model

from ... import sounds

F = NDArray[np.float32]


@pytest.fixture(scope="module")
def loud(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp("models") / "loud"
    return sounds.write_listener(folder, sounds.waveform_graph(), ("loud", "very loud"))


@pytest.fixture(scope="module")
def pitch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp("models") / "pitch"
    rules = SoundInput(kind="sound", rate_hz=16000, samples=3440, bands=8)
    model = sounds.bands_graph()
    return sounds.write_listener(
        folder, model, ("low", "high"), input=rules, head="logits", outputs={"logits": "scores"}
    )


@pytest.fixture(scope="module")
def shipped() -> str:
    return default_model("listen").name


def joined(*parts: F) -> F:
    return np.concatenate(parts)


def fed(listener: Listener, sound: F, block: int) -> list[Event]:
    events = []
    for first in range(0, len(sound), block):
        events += listener.feed(sound[first : first + block])
    return events + listener.finish()


def listener(folder: Path, **options: object) -> Listener:
    return Listener(open_model(folder, task="listen"), ListenSettings(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("lasts_s", [0.1, 0.4, 1.0, 3.0])
def test_a_sound_is_one_event_at_its_time(loud: Path, lasts_s: float) -> None:
    found = szem.listen(joined(quiet := sounds.quiet(3), sounds.noise(lasts_s), quiet), rate_hz=16000, model=loud)
    (event,) = [e for e in found if e.kind == "loud"]
    assert event.start_s == pytest.approx(3.0, abs=0.35)
    assert event.end_s == pytest.approx(3.0 + lasts_s, abs=0.35)
    assert event.best_s is not None
    assert event.start_s <= event.best_s <= event.end_s
    assert event.channels["sound"] == event.score > 0.9
    assert not event.is_open


GAPS = [
    # silence between two sounds of half a second, how many events
    (0.2, 1),
    (0.5, 1),
    (2.0, 2),
    (5.0, 2),
]


@pytest.mark.parametrize(("gap_s", "events"), GAPS)
def test_overlapping_windows_report_each_event_once(loud: Path, gap_s: float, events: int) -> None:
    one = sounds.noise(0.5)
    sound = joined(sounds.quiet(2), one, sounds.quiet(gap_s), one, sounds.quiet(2))
    found = szem.listen(sound, rate_hz=16000, model=loud)
    assert [e.kind for e in found].count("loud") == events


def test_sound_at_the_very_ends_is_not_cut(loud: Path) -> None:
    found = szem.listen(joined(sounds.noise(1.0), sounds.quiet(3), sounds.noise(1.0)), rate_hz=16000, model=loud)
    first, last = (e for e in found if e.kind == "loud")
    assert (first.start_s, last.end_s) == (0.0, 5.0)


@pytest.mark.parametrize("block", [160, 1601, 16000, 100000])
@pytest.mark.parametrize("name", ["loud", "pitch"])
def test_blocks_of_any_length_give_the_same(request: pytest.FixtureRequest, name: str, block: int) -> None:
    folder = request.getfixturevalue(name)
    rumble = np.convolve(sounds.noise(2.0, seed=3), np.ones(40) / 10, "same").astype(np.float32)
    sound = joined(sounds.quiet(1), sounds.noise(0.7), sounds.quiet(3), rumble, sounds.quiet(2.123))
    whole = {e.number: e for e in fed(listener(folder), sound, len(sound))}
    parts = {e.number: e for e in fed(listener(folder), sound, block)}
    assert whole.keys() == parts.keys()
    assert len(whole) > 1
    for number, event in whole.items():
        assert parts[number].kind == event.kind
        assert parts[number].score == pytest.approx(event.score, abs=1e-4)
        assert parts[number].start_s == pytest.approx(event.start_s, abs=1e-6)
        assert parts[number].end_s == pytest.approx(event.end_s, abs=1e-6)


def test_what_goes_on_is_reported_before_it_ends_with_one_number(loud: Path) -> None:
    ears = listener(loud)
    reported = ears.feed(joined(sounds.quiet(1), sounds.noise(4)))
    assert [(e.kind, e.is_open) for e in reported] == [("loud", True), ("very loud", True)] or [
        e.is_open for e in reported
    ] == [True]
    assert ears.going_on[0].is_open
    later = ears.feed(sounds.quiet(4))
    assert {e.number for e in reported} <= {e.number for e in later}
    assert not any(e.is_open for e in later)
    assert not ears.going_on


def test_memory_does_not_grow_with_the_stream(loud: Path) -> None:
    ears = listener(loud)
    held = []
    for _ in range(30):
        ears.feed(sounds.quiet(20))
        held.append(len(ears._windows._held))
    assert max(held) < 2 * 8000
    assert ears.time_s == 600


ODD = [
    # samples, what is noted
    (np.zeros(0, np.float32), "silence"),
    (np.zeros(48000, np.float32), "silence"),
    (np.full(160, 0.01, np.float32), "nothing known"),  # 10 ms
    (np.full(48000, 1e-5, np.float32), "silence"),
]


@pytest.mark.parametrize(("sound", "note"), ODD)
def test_odd_sounds_are_heard_without_harm(loud: Path, pitch: Path, sound: F, note: str) -> None:
    found = szem.listen(sound, rate_hz=16000, model=loud)
    assert note in found.notes[0]
    assert not len(found)
    szem.listen(sound, rate_hz=16000, model=pitch)


WRONG = [
    # samples, error, what is said
    (np.full(100, np.nan, np.float32), RangeError, "nan_to_num"),
    (np.zeros((2, 100), np.float32), ShapeError, r"samples\.T"),
    (np.full(100, 9000.0), RangeError, "32768"),
    (np.zeros(100, bool), DTypeError, "int16 or float32"),
    (np.zeros((2, 3, 4)), ShapeError, "T, C"),
]


@pytest.mark.parametrize(("sound", "error", "says"), WRONG)
def test_what_is_not_sound_is_refused(loud: Path, sound: F, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        szem.listen(sound, rate_hz=16000, model=loud)


def test_samples_without_a_rate_are_refused(loud: Path) -> None:
    with pytest.raises(RangeError, match="rate_hz=44100"):
        szem.listen(np.zeros(100, np.float32), model=loud)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint8, np.float64])
def test_every_number_type_and_number_of_channels_is_heard_alike(loud: Path, dtype: type) -> None:
    sound = joined(sounds.quiet(2), sounds.noise(1.0), sounds.quiet(2))
    scale = {np.int16: 32767, np.int32: 2**31 - 1, np.uint8: 127, np.float64: 1}[dtype]
    given = (sound.astype(np.float64) * scale + (128 if dtype is np.uint8 else 0)).astype(dtype)
    opposed = 255 - given if dtype is np.uint8 else -given
    for samples in (given, given[:, None], np.stack([given, opposed], axis=1)):
        (event,) = [e for e in szem.listen(samples, rate_hz=16000, model=loud) if e.kind == "loud"]
        assert (event.start_s, event.end_s) == pytest.approx((2.0, 3.0), abs=0.35)


def test_a_listener_may_be_called_with_a_whole_sound(loud: Path, tmp_path: Path) -> None:
    sound = joined(sounds.quiet(2), sounds.noise(1.0), sounds.quiet(2))
    write_sound(tmp_path / "a.wav", sound)
    ears = szem.Listener(loud)
    wanted = szem.listen(sound, rate_hz=16000, model=loud)
    assert ears(sound, rate_hz=16000) == wanted
    assert ears(tmp_path / "a.wav").counts == wanted.counts
    assert ears.time_s == 0


@pytest.mark.parametrize("rate_hz", [8000, 11025, 44100, 48000])
def test_every_rate_gives_the_same_times(loud: Path, tmp_path: Path, rate_hz: int) -> None:
    parts = [sounds.noise(s, level=v, rate_hz=rate_hz) for s, v in ((2, 0.001), (1, 0.2), (2, 0.001))]
    sound = np.concatenate(parts)
    write_sound(tmp_path / "a.wav", sound, rate_hz=rate_hz)
    for found in (szem.listen(tmp_path / "a.wav", model=loud), szem.listen(sound, rate_hz=rate_hz, model=loud)):
        (event,) = [e for e in found if e.kind == "loud"]
        assert (event.start_s, event.end_s) == pytest.approx((2.0, 3.0), abs=0.35)
        assert found.duration_s == pytest.approx(5.0, abs=0.01)


def test_a_file_cut_short_gives_what_came_before(loud: Path, tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", joined(sounds.noise(1), sounds.quiet(9)))
    whole = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[: len(whole) // 2])
    found = szem.listen(tmp_path / "cut.wav", model=loud)
    assert "loud" in found.counts
    (tmp_path / "none.wav").write_bytes(b"RIFF")
    with pytest.raises(FormatError):
        szem.listen(tmp_path / "none.wav", model=loud)


def test_a_dead_and_an_overdriven_microphone_are_reported(loud: Path) -> None:
    ears = listener(loud)
    reported = ears.feed(np.zeros(16000 * 12, np.float32))
    assert [(e.kind, e.is_open) for e in reported] == [("microphone silent", True)]
    assert not ears.heard.hears
    reported = ears.feed(sounds.quiet(2))
    assert [(e.kind, e.is_open) for e in reported] == [("microphone silent", False)]
    assert ears.heard.hears
    driven = np.sign(sounds.noise(6, seed=4)).astype(np.float32)
    assert "microphone overdriven" in {e.kind for e in ears.feed(driven)}


def test_kinds_and_thresholds_can_be_chosen(loud: Path) -> None:
    sound = joined(sounds.quiet(2), sounds.noise(2, level=0.4), sounds.quiet(2))
    assert set(szem.listen(sound, rate_hz=16000, model=loud).counts) == {"loud", "very loud"}
    only = szem.listen(sound, rate_hz=16000, model=loud, settings=ListenSettings(classes=("very_loud",)))
    assert set(only.counts) == {"very loud"}
    with pytest.raises(UnknownNameError, match="it knows loud, very loud"):
        szem.listen(sound, rate_hz=16000, model=loud, settings=ListenSettings(classes=("thunder",)))
    with pytest.raises(RangeError, match="threshold must lie"):
        szem.listen(sound, rate_hz=16000, model=loud, settings=ListenSettings(threshold=1.5))


@pytest.mark.parametrize("hertz", [100, 440, 800, 1000, 1500, 3000])
def test_a_constant_tone_is_no_siren(shipped: str, hertz: float) -> None:
    for level in (0.02, 0.3, 0.9):
        found = szem.listen(sounds.tone(hertz, 5, level=level), rate_hz=16000, model=shipped)
        assert not {"siren", "car horn", "gun shot"} & set(found.counts), found.counts


def test_noise_clicks_and_sweeps_are_no_alarms(shipped: str) -> None:
    rng = np.random.default_rng(5)
    clicks = np.zeros(80000, np.float32)
    clicks[rng.integers(0, 80000, 6)] = 0.8
    times = np.arange(80000) / 16000
    sweep = (0.3 * np.sin(2 * np.pi * (200 * times + 300 * times**2))).astype(np.float32)
    for name, sound in {
        "noise": sounds.noise(5), "faint noise": sounds.noise(5, level=0.01), "clicks": clicks, "sweep": sweep,
    }.items():  # fmt: skip
        found = szem.listen(sound, rate_hz=16000, model=shipped, settings=ListenSettings(use="report"))
        assert not {"siren", "gun shot", "car horn"} & set(found.counts), (name, found.counts)


@pytest.mark.slow
@pytest.mark.data
def test_real_sirens_shots_and_dogs_are_heard(shipped: str, data_dir: Path) -> None:
    held = in_split(read_labelled_sounds(data_dir / "sounds").sounds, "test")
    for kind, minimum in (("siren", 0.4), ("gun shot", 0.5), ("dog bark", 0.5)):
        clips = [h for h in held if h.kind == kind][:12]
        heard = [kind in szem.listen(read_sound(clip.path), rate_hz=16000, model=shipped).counts for clip in clips]
        assert np.mean(heard) >= minimum, (kind, heard)
