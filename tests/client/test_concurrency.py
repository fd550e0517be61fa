"""The level of concurrency: where it climbs on links of a known shape, and when it falls."""

import random
from collections.abc import Callable

import pytest

from momentarium_cli.client.concurrency import CEILING, Climb, Level
from momentarium_cli.errors import BadRequest, MomentariumError, StorageUnavailable, Throttled

SHAPES: dict[str, Callable[[int], float]] = {
    "four at once are enough": lambda level: min(level, 4) / 4,
    "sixteen are needed": lambda level: min(level, 16) / 16,
    "the more the better": lambda level: level / CEILING,
    "more than eight disturb one another": lambda level: level / 8 if level <= 8 else 1 - 0.02 * (level - 8),
    "a busy processor": lambda level: 1 - 0.6**level,
}


def climbed(shape: Callable[[int], float], windows: int, *, noise: float, seed: int) -> tuple[Climb, float]:
    """The climb, and its mean rate as a share of the best level's."""
    climb, source, through = Climb(), random.Random(seed), 0.0
    for _ in range(windows):
        through += shape(climb.limit)
        climb.window(shape(climb.limit) * max(0.0, source.gauss(1, noise)))
    return climb, through / windows / max(map(shape, range(1, CEILING + 1)))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("noise", [0.03, 0.15])
def test_it_comes_near_the_best_level_and_stays_there(shape: Callable[[int], float], noise: float) -> None:
    shares = [climbed(shape, 100, noise=noise, seed=seed)[1] for seed in range(20)]
    assert min(shares) > 0.85
    assert sum(shares) / len(shares) > 0.93


def test_of_levels_that_bring_the_same_the_lowest_is_kept() -> None:
    climb, _ = climbed(SHAPES["four at once are enough"], 100, noise=0.01, seed=1)
    assert climb.limit <= 6


def test_where_everything_becomes_slower_it_falls_and_then_finds_its_level_again() -> None:
    climb, _ = climbed(SHAPES["sixteen are needed"], 60, noise=0.02, seed=1)
    high = climb.limit
    climb.window(0.1)
    assert climb.limit >= 16, "one window may be an accident"
    climb.window(0.1)
    assert climb.limit < high
    through = []
    for _ in range(40):
        through.append(SHAPES["sixteen are needed"](climb.limit))
        climb.window(0.1 * through[-1])
    assert sum(through[20:]) / 20 > 0.9


def test_it_never_falls_below_one() -> None:
    climb = Climb()
    for _ in range(20):
        climb.fall(2)
    assert climb.limit == 1


class Clock:
    now = 0.0


class Files:
    """Files one after another through a level, each taking a moment of a clock that the test turns."""

    def __init__(self, fixed: int | None = None) -> None:
        self.clock = Clock()
        self.level = Level(fixed, lambda: self.clock.now)
        self.began = self.level.limit

    def go(self, number: int, error: MomentariumError | None = None, *, full: bool = True) -> None:
        for _ in range(number):
            self.clock.now += 0.1
            self.level.moved(1000)
            self.level.count(error, full=full)


@pytest.mark.parametrize(("error", "below"), [(Throttled("slower"), 5), (StorageUnavailable("away"), 7)])
def test_it_falls_where_the_store_asks_for_it_or_answers_get_lost(error: MomentariumError, below: int) -> None:
    files = Files()
    files.go(16, error)
    assert files.level.limit < below <= files.began
    files.go(300, error)
    assert files.level.limit == 1


def test_what_is_wrong_with_a_file_is_no_reason() -> None:
    files = Files()
    files.go(100, BadRequest("bad digest"), full=False)
    assert files.level.limit == files.began


def test_a_few_lost_answers_are_no_reason() -> None:
    files = Files()
    for _ in range(20):
        files.go(1, StorageUnavailable("reset"), full=False)
        files.go(30, full=False)
    assert files.level.limit == files.began


def test_where_no_file_waits_its_level_says_nothing() -> None:
    files = Files()
    files.go(1000, full=False)
    assert files.level.limit == files.began


def test_a_fixed_level_stays() -> None:
    files = Files(5)
    files.go(100, Throttled("slower"))
    assert files.level.limit == 5
