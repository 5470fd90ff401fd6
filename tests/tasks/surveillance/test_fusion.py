"""fusion.py: the same happening in both channels is one event; each channel's part; one that is missing."""

from typing import Any

import numpy as np
import pytest

from szem.results.events import Event
from szem.tasks.surveillance.fusion import (
    AGREE,
    WEIGHTS,
    ChannelEvidence,
    Fuser,
    agreeing_kinds,
    family_of,
    measure_picture_quality,
    measure_sound_quality,
)
from szem.tasks.surveillance.rules import Rule


def heard(kind: str = "dog bark", start_s: float = 5.0, score: float = 0.8, **more: Any) -> Event:
    return Event(kind=kind, start_s=start_s, end_s=start_s + 1, score=score, channels={"sound": score}, **more)


def seen(label: str = "dog", start_s: float = 5.5, score: float = 0.8, kind: str = "enters", **more: Any) -> Event:
    return Event(
        kind=kind, label=label, start_s=start_s, end_s=start_s, score=score, channels={"video": score},
        box_xyxy=(1, 2, 3, 4), best_s=start_s, place="yard", **more,
    )  # fmt: skip


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_same_event_in_both_is_one_event(order: tuple[int, int]) -> None:
    fuser = Fuser()
    events = [heard(), seen()]
    reported = fuser.take([events[order[0]]], 6.0) + fuser.take([events[order[1]]], 6.5) + fuser.finish(7.0)
    (event,) = reported
    assert event.by == ("sound", "video")
    assert set(event.contributions) == {"sound", "video"}
    assert event.score > 0.85
    assert {event.kind, event.also} == {"dog bark", "enters"}
    assert (event.start_s, event.end_s) == (5.0, 6.0)
    assert (event.place, event.label, event.box_xyxy) == ("yard", "dog", (1, 2, 3, 4))
    assert "heard" in event.note
    assert "seen" in event.note


def test_the_score_is_the_sum_of_the_parts() -> None:
    (event,) = Fuser().take([heard(), seen()], 6.0)
    odds = WEIGHTS.bias + sum(event.contributions.values())
    assert event.score == pytest.approx(1 / (1 + np.exp(-odds)))


def test_two_doubtful_channels_are_surer_together() -> None:
    fuser = Fuser(minimum=0.0)
    (both,) = fuser.take([heard(score=0.6), seen(score=0.6)], 6.0)
    (alone,) = [*fuser.take([heard(score=0.6)], 6.0), *fuser.finish(6.0)]
    assert both.score > alone.score


APART = [
    # one, other: not the same happening
    (heard(), seen(start_s=15.0)),
    (heard(), seen(label="car")),
    (heard(kind="rain"), seen()),
    (heard(), heard(start_s=5.2)),
    (heard(), seen(kind="left behind")),
]


@pytest.mark.parametrize(("one", "other"), APART)
def test_what_does_not_belong_together_stays_apart(one: Event, other: Event) -> None:
    fuser = Fuser(minimum=0.0)
    reported = [*fuser.take([one, other], 16.0), *fuser.finish(16.0)]
    assert len(reported) == 2
    assert all(len(event.by) == 1 for event in reported)


def test_what_only_one_channel_can_report_passes_at_once_unchanged() -> None:
    fuser = Fuser()
    passing = [heard(kind="jackhammer"), seen(kind="left behind", label="suitcase"), heard(is_open=True)]
    assert fuser.take(passing, 5.0) == passing


def test_one_channel_alone_waits_and_then_carries_on() -> None:
    fuser = Fuser(wait_s=2.0)
    assert fuser.take([heard(score=0.95)], 6.0) == []
    assert fuser.take([], 7.5) == []
    (event,) = fuser.take([], 8.5)
    assert event.by == ("sound",)
    assert event.kind == "dog bark"


def test_what_goes_on_is_reported_at_once_and_again_when_its_partner_comes() -> None:
    fuser = Fuser()
    siren = heard(kind="siren", is_open=True, number=7)
    assert fuser.take([siren], 6.0) == [siren]
    (joined,) = fuser.take([seen(label="car", start_s=6.5)], 6.5)
    assert (joined.kind, joined.number, joined.start_s, joined.is_open) == ("siren", 7, 5.0, True)
    assert joined.by == ("sound", "video")
    (ended,) = fuser.take(
        [Event(kind="siren", start_s=5, end_s=20, score=0.9, channels={"sound": 0.9}, number=7)], 20
    )
    assert (ended.number, ended.end_s, ended.is_open, ended.also) == (7, 20, False, "enters")
    assert ended.by == ("sound", "video")
    assert fuser.finish(21.0) == []


def test_what_was_seen_first_joins_what_goes_on() -> None:
    fuser = Fuser()
    assert fuser.take([seen(label="car", start_s=4.5)], 5.0) == []
    (joined,) = fuser.take([heard(kind="siren", is_open=True, number=3)], 6.0)
    assert (joined.kind, joined.number, joined.by) == ("siren", 3, ("sound", "video"))


def test_a_confident_event_is_reported_though_nothing_bears_it_out() -> None:
    faint = heard(score=0.05)
    assert Fuser().take([faint], 6.0) + Fuser().finish(6.0) == []
    fuser = Fuser(is_confident=lambda event: True)
    assert [*fuser.take([faint], 6.0), *fuser.finish(6.0)] == [faint]


def test_a_channel_that_hears_badly_counts_less() -> None:
    clear, noisy = (WEIGHTS.probability({"sound": ChannelEvidence(probability=0.9, quality=q)}) for q in (1.0, 0.0))
    assert clear >= noisy


def test_a_joined_event_fits_rules_for_either_kind() -> None:
    from datetime import datetime

    (event,) = Fuser().take([heard(), seen()], 6.0)
    for kind in ("dog bark", "enters"):
        rule = Rule(name="r", events=(kind,), channels=("sound", "video"), zones=("yard",))
        assert rule.fits(event, at=datetime(2026, 11, 25))


def test_the_table_is_consistent() -> None:
    kinds = [kind for agreement in AGREE.values() for kind in agreement.sounds]
    assert len(kinds) == len(set(kinds))
    assert family_of(seen(label="person")) == "people"
    assert agreeing_kinds(["dog bark", "rain"]) == {"dog bark"}


def test_quality_falls_with_darkness_blur_and_noise() -> None:
    import cv2

    rng = np.random.default_rng(0)
    scene = cv2.resize(rng.integers(0, 255, (45, 80)).astype(np.uint8), (320, 180), interpolation=cv2.INTER_CUBIC)
    good = measure_picture_quality(np.asarray(scene, np.uint8))
    assert good > 0.8
    assert measure_picture_quality((scene * 0.1).astype(np.uint8)) < 0.6 * good
    assert measure_picture_quality(np.asarray(cv2.GaussianBlur(scene, (0, 0), 12), np.uint8)) < 0.7 * good
    assert measure_sound_quality([-60, -60, -20, -22]) > measure_sound_quality([-30, -30, -28, -29])
    assert 0 <= measure_sound_quality([]) <= 1
