"""runtime/store.py: models are found by name, by folder, by task; what is broken is reported."""

from collections.abc import Callable
from pathlib import Path

import pytest

from szem.errors import CardError, StoreError, UnknownNameError
from szem.runtime.cards import is_installed
from szem.runtime.store import (
    choose_model,
    find_model,
    list_models,
    make_data_folder,
    shipped_folder,
    survey_models,
    user_folder,
)

MakeModel = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "models"


def test_the_users_folder_follows_the_variable_or_the_platform(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert user_folder() == home
    monkeypatch.delenv("SZEM_HOME")
    assert user_folder().parts[-2:] == ("szem", "models")


def test_a_models_name_finds_it(home: Path, make_model: MakeModel) -> None:
    make_model("mine", parent=home)
    model = find_model("mine", task="classify")
    assert (model.name, model.folder, model.is_shipped) == ("mine", home / "mine", False)
    assert model.labels == ("dark", "bright", "red")
    assert model.label_ids == ("", "", "")
    assert model.file() == home / "mine" / "model.onnx"
    assert model in list_models(task="classify")


def test_a_folder_is_a_name_too(home: Path, make_model: MakeModel) -> None:
    folder = make_model("elsewhere")
    assert find_model(folder).folder == folder.resolve()
    with pytest.raises(CardError, match="no card"):
        find_model(folder.parent)


def test_unknown_names_list_the_known(home: Path, make_model: MakeModel) -> None:
    make_model("mine", parent=home)
    with pytest.raises(UnknownNameError, match="mine"):
        find_model("yours")


@pytest.mark.parametrize("name", ["", ".", "..", "a\0b"])
def test_odd_names_name_no_model(home: Path, name: str) -> None:
    with pytest.raises((UnknownNameError, CardError)):
        find_model(name)


def test_a_model_of_another_task_is_refused(home: Path, make_model: MakeModel) -> None:
    make_model("mine", parent=home)
    with pytest.raises(UnknownNameError, match="for classify, not for detect"):
        find_model("mine", task="detect")


def test_broken_cards_do_not_hide_the_others(home: Path, make_model: MakeModel) -> None:
    make_model("good", parent=home)
    (make_model("bad", parent=home) / "card.json").write_text("{")
    make_model("moved", parent=home).rename(home / "renamed")
    survey = survey_models()
    assert "good" in [m.name for m in survey.models]
    assert [folder.name for folder, _ in survey.broken] == ["bad", "renamed"]
    with pytest.raises(CardError, match="not a model card"):
        find_model("bad")
    with pytest.raises(CardError, match="must be called as its card says"):
        find_model("renamed")


def test_a_task_without_models_says_how_to_add_one(home: Path) -> None:
    with pytest.raises(UnknownNameError, match="szem models add"):
        choose_model("divine", preferred="oracle")


def test_where_the_preferred_model_is_missing_the_first_of_the_task_is_taken(
    home: Path, make_model: MakeModel
) -> None:
    make_model("seer", parent=home, task="divine")
    assert choose_model("divine", preferred="oracle").name == "seer"


@pytest.mark.parametrize(
    "folder", sorted(p.parent for p in shipped_folder().glob("*/card.json")), ids=lambda p: p.name
)
def test_every_shipped_model_is_whole_and_honest(folder: Path) -> None:
    model = find_model(folder.name)
    assert model.is_shipped
    if not is_installed(model.card):
        pytest.skip(f"its files come with an extra: pip install 'szem[{folder.name}]'")
    assert model.file().stat().st_size == model.card.size_bytes
    assert model.card.scores, "a shipped model states its scores"
    assert model.card.attributions
    assert len(set(model.labels)) == len(model.labels)


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a uid without a passwd entry in a service without HOME."""
    for name in ("SZEM_HOME", "HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)


@pytest.mark.usefixtures("homeless")
def test_without_a_home_the_shipped_models_are_found() -> None:
    assert choose_model("classify", preferred="efficientnet-lite0").is_shipped
    assert survey_models().models
    assert not user_folder().exists()
    with pytest.raises(OSError, match="Not a directory"):
        user_folder().mkdir(parents=True)


@pytest.mark.usefixtures("homeless")
def test_without_a_home_what_must_be_written_asks_for_a_folder() -> None:
    with pytest.raises(StoreError, match=r"no home folder.*set SZEM_HOME to a folder.*or give --store DIR") as caught:
        make_data_folder("guard", instead="--store DIR")
    assert "\n" not in str(caught.value)


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "file"))
    with pytest.raises(StoreError, match=r"models: cannot be written \(.*file is not a folder\); set SZEM_HOME"):
        make_data_folder("models")
