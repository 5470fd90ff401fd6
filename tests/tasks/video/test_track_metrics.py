"""MOTA, IDF1 and HOTA: worked out by hand, and their bounds."""

import numpy as np
import pytest

from szem.errors import ShapeError
from szem.tasks.video.track_metrics import FrameIds, score_tracks


def frame(**boxes: float) -> FrameIds:
    """Squares of side 10 at these places; `a1=5` is object 1 at x = 5."""
    return FrameIds(
        np.array([int(name[1:]) for name in boxes], np.int64),
        np.array([[x, 0, x + 10, 10] for x in boxes.values()]).reshape(-1, 4),
    )


def test_what_is_right_scores_one() -> None:
    video = [frame(a1=0, a2=50), frame(a1=1, a2=49), frame(a2=48)]
    renamed = [frame(a7=0, a9=50), frame(a7=1, a9=49), frame(a9=48)]
    scores = score_tracks([video], [renamed])
    assert (scores.mota, scores.idf1, scores.hota, scores.switches) == (1, 1, 1, 0)
    assert (scores.boxes, scores.objects) == (5, 2)


def test_two_that_swap_ids_halfway() -> None:
    """Both objects for four frames; after two the ids are exchanged."""
    truth = [frame(a1=0, a2=50)] * 4
    found = [frame(a1=0, a2=50)] * 2 + [frame(a2=0, a1=50)] * 2
    scores = score_tracks([truth], [found])
    assert scores.switches == 2
    assert scores.mota == 1 - 2 / 8
    assert scores.idf1 == 0.5  # the best pairing of whole tracks is right half of the time
    # every match: 2 boxes together of 4 + 4 - 2: association 1/3, detection 1
    assert scores.assa == pytest.approx(1 / 3)
    assert scores.deta == 1
    assert scores.hota == pytest.approx(np.sqrt(1 / 3))


def test_a_miss_and_a_false_box() -> None:
    truth = [frame(a1=0), frame(a1=0), frame(a1=0), frame(a1=0)]
    found = [frame(a1=0), frame(), frame(a1=0, a2=80), frame(a1=0)]
    scores = score_tracks([truth], [found])
    assert (scores.missed, scores.false, scores.switches) == (1, 1, 0)
    assert scores.mota == 1 - 2 / 4
    assert scores.idf1 == 2 * 3 / (2 * 3 + 1 + 1)
    assert scores.deta == pytest.approx(3 / 5)
    assert scores.assa == pytest.approx(3 / 4)  # 3 boxes together, of 4 + 3 - 3


def test_boxes_that_lie_badly_count_less() -> None:
    truth = [frame(a1=0)] * 2
    off = [frame(a1=2.5)] * 2  # overlap 7.5 / 12.5 = 0.6: right at 12 of the 19 overlaps
    scores = score_tracks([truth], [off])
    assert scores.mota == 1
    assert scores.hota == pytest.approx(12 / 19)
    assert score_tracks([truth], [[frame(a1=4)] * 2]).mota == -1  # overlap 0.43: missed, and false


def test_nothing_found_and_nothing_there() -> None:
    truth, nothing = [frame(a1=0)] * 3, [frame()] * 3
    assert score_tracks([truth], [nothing]).hota == 0
    assert score_tracks([truth], [nothing]).mota == 0
    assert score_tracks([nothing], [truth]).idf1 == 0
    assert score_tracks([nothing], [nothing]).hota == 0


def test_videos_are_counted_together_and_ids_apart() -> None:
    one = [frame(a1=0)] * 2
    both = score_tracks([one, one], [one, [frame(a1=0), frame(a5=0)]])
    assert (both.objects, both.boxes, both.switches, both.mota) == (2, 4, 1, 0.75)


@pytest.mark.parametrize("seed", range(5))
def test_scores_have_bounds(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def video() -> list[FrameIds]:
        frames = []
        for _ in range(12):
            corners = rng.uniform(0, 40, (int(rng.integers(0, 5)), 2))
            frames.append(FrameIds(rng.permutation(6)[: len(corners)], np.hstack([corners, corners + 20])))
        return frames

    scores = score_tracks([video()], [video()])
    for value in (scores.idf1, scores.hota, scores.deta, scores.assa):
        assert 0 <= value <= 1
    assert scores.mota <= 1


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeError, match="as many frames"):
        score_tracks([[frame(a1=0)]], [[]])
    with pytest.raises(ShapeError, match="an id of its own"):
        FrameIds(np.array([1, 1]), np.zeros((2, 4)))
