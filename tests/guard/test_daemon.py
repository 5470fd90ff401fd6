"""A whole guard on films: events, pictures, clips, sources that break."""

from pathlib import Path

import av
import pytest

from szem.guard.daemon import Guard
from szem.guard.sources import name_sources
from szem.guard.store import EventStore
from szem.guard.stored import Wanted
from szem.media.pictures import read_picture
from szem.tasks.rules import Clips, Rules

from .acts import Scripted, happening


def guard_films(
    store: EventStore, films: list[str], senses: dict[str, Scripted], rules: Rules | None = None
) -> Guard:
    rules = rules or Rules(clips=Clips(before_s=1.0, after_s=1.0))
    return Guard(
        store, rules, name_sources(films, rules), make_senses=lambda source: senses[source.name], began=1_000_000.0
    )


def test_an_event_of_a_film_gets_a_row_a_picture_and_a_clip(store: EventStore, film: Path) -> None:
    senses = Scripted([(3.0, happening(2.0, 3.0, best_s=2.5, box_xyxy=(1, 2, 30, 40)))])
    guard = guard_films(store, [str(film)], {"yard": senses})
    ended = guard.run()
    assert [(p.state, p.events, p.frames) for p in ended] == [("ended", 1, 80)]
    (event,), _ = store.page(Wanted(), size=10)
    assert (event.source, event.kind, event.started, event.ended) == ("yard", "enters", 1_000_002.0, 1_000_003.0)
    picture = read_picture(store.media_path(event.picture))
    assert picture.shape == (120, 160, 3)
    assert abs(picture.mean() - (20 + 200 * 25 / 80)) < 4  # the frame of 2.5 s, no other
    assert event.clip_start_s == pytest.approx(1.0)
    with av.open(str(store.media_path(event.clip))) as clip:
        assert [s.codec_context.name for s in clip.streams] == ["h264", "aac"]
        levels = [float(frame.to_ndarray(format="gray").mean()) for frame in clip.decode(video=0)]
    assert abs(levels[0] - (20 + 200 * 10 / 80)) < 4
    assert abs(levels[-1] - (20 + 200 * 40 / 80)) < 8
    assert event.media_bytes == sum(store.media_path(n).stat().st_size for n in (event.picture, event.clip))
    heard_s = sum(length for _, length in senses.heard) / 16000
    assert 7.5 < heard_s < 8.5
    assert 0.2 < senses.loudest < 0.4
