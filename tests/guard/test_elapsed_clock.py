"""The guard's own clock: jumps of the wall clock, restarts, machines that begin at 1970."""

from szem.guard.elapsed_clock import ElapsedClock, passed_s


class Clocks:
    """A wall clock that can be set, and time that passes."""

    def __init__(self, wall: float) -> None:
        self.wall, self.passed = wall, 50.0

    def go(self, seconds: float) -> None:
        self.wall += seconds
        self.passed += seconds

    def start(self, anchor: tuple[float, float] | None) -> ElapsedClock:
        return ElapsedClock(anchor, wall=lambda: self.wall, passed=lambda: self.passed, settle_s=600)


def test_it_counts_what_passes_and_not_what_is_set() -> None:
    clocks = Clocks(1_700_000_000.0)
    clock = clocks.start(None)
    clocks.go(100)
    clocks.wall += 3_600  # forward
    clocks.go(10)
    clocks.wall -= 86_400  # and back
    clocks.go(10)
    assert clock.now_s() == 120


def test_a_clock_step_is_noticed_once() -> None:
    clocks = Clocks(1_700_000_000.0)
    clock = clocks.start(None)
    clocks.go(5)
    assert clock.step_s() == 0
    clocks.wall += 3_600
    assert clock.step_s() == 3_600
    assert clock.step_s() == 0


def test_the_time_off_is_counted_once_the_clock_has_settled() -> None:
    clocks = Clocks(1_700_000_000.0)
    first = clocks.start(None)
    clocks.go(1_000)
    anchor = first.anchor()
    clocks.go(5_000)  # off
    second = clocks.start(anchor)
    clocks.go(100)
    assert second.now_s() == 1_100
    assert second.anchor() == anchor  # a crash now loses nothing of what is still to be counted
    clocks.go(500)
    assert second.now_s() == 1_000 + 5_000 + 600
    clocks.go(10)
    assert second.now_s() == 6_610
    assert second.anchor() == (clocks.wall, 6_610)


def test_a_machine_that_begins_at_1970_forgets_nothing() -> None:
    """No battery: the clock begins at 0 and is set by the network a minute later."""
    clocks = Clocks(1_700_000_000.0)
    first = clocks.start(None)
    clocks.go(1_000)
    anchor = first.anchor()
    clocks.wall = 0.0
    second = clocks.start(anchor)
    clocks.go(60)
    assert second.now_s() == 1_060
    clocks.wall = 1_700_001_000.0 + 7_200 + 60  # it was off for two hours
    clocks.go(600)
    assert second.now_s() == 1_000 + 7_200 + 660


def test_a_clock_that_stays_wrong_in_the_past_never_goes_back() -> None:
    clocks = Clocks(1_700_000_000.0)
    first = clocks.start(None)
    clocks.go(1_000)
    anchor = first.anchor()
    clocks.wall = 0.0
    second = clocks.start(anchor)
    clocks.go(10_000)
    assert second.now_s() == 11_000


def test_the_real_clock_goes_on() -> None:
    first = passed_s()
    assert passed_s() >= first
