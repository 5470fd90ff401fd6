"""What the rules say of listening becomes listeners; faults are reported."""

import pytest
from pydantic import ValidationError

from szem.errors import RulesError, UnsupportedError
from szem.guard import listener_pool as hearing
from szem.guard.listener_pool import known_sounds, make_listening
from szem.tasks.surveillance.rules import Rules


def test_the_rules_choose_what_is_listened_for() -> None:
    names = known_sounds()
    assert "siren" in names
    listen = make_listening(Rules(listen={"classes": ["siren"], "threshold": 0.7, "report_after_s": 3}))
    assert listen is not None
    listener = listen()
    assert listener is not listen()  # each source has its own
    siren = names.index("siren")
    assert listener.thresholds[siren] == pytest.approx(0.7)
    assert min(listener.thresholds[:siren].tolist() + listener.thresholds[siren + 1 :].tolist()) > 1
    assert listener.settings.events.report_after_s == 3


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"treshold": 0.5}, "no setting called treshold"),
        ({"threshold": "loud"}, "threshold must be a number"),
        ({"classes": "siren"}, "classes must be names"),
        ({"classes": ["sirens of the sea"]}, "the model knows no 'sirens of the sea'"),
    ],
)
def test_settings_that_do_not_fit_are_reported(given: dict[str, object], match: str) -> None:
    with pytest.raises(RulesError, match=rf"\[listen\]: .*{match}"):
        make_listening(Rules(listen=given))


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"threshold": True}, "threshold must be a number"),
        ({"threshold": 7}, r"threshold must lie in 0\.\.1"),
        ({"report_after_s": float("nan")}, r"report_after_s must lie in 0\.\.3600"),
        ({"hop_s": float("inf")}, r"hop_s must lie in 0\.01\.\.10"),
        ({"classes": ["siren", 3]}, "classes must be a list of names"),
    ],
)
def test_rules_refuse_values_that_no_listener_takes(given: dict[str, object], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        Rules(listen=given)


def test_without_a_model_nothing_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "list_models", lambda **_: [])
    assert known_sounds() == ()
    assert make_listening(Rules()) is None
    with pytest.raises(UnsupportedError, match="no model for listen"):
        make_listening(Rules(), model="mine")
