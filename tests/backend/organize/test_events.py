import time
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from momentarium_cli.backend.organize.events import ALWAYS, DAY, FEW, LARGE, is_event, split

START = datetime(2024, 5, 1)


def times(*gaps: float) -> list[datetime]:
    """Times with gaps of so many hours between them."""
    made = [START]
    for gap in gaps:
        made.append(made[-1] + timedelta(hours=gap))
    return made


def sizes(*gaps: float) -> list[int]:
    return [len(found) for found in split(times(*gaps))]


def test_nothing_has_no_events_and_one_photo_has_one() -> None:
    assert split([]) == []
    assert split([START]) == [range(1)]


def test_four_days_always_cut_and_less_does_not_cut_a_small_run() -> None:
    assert sizes(1, 96, 1) == [2, 2]
    assert sizes(1, 95.9, 1) == [4]


def test_a_large_run_is_cut_at_its_largest_gap_of_a_day_or_more() -> None:
    assert sizes(*[1] * 19, 25, *[1] * 9, 30, *[1] * 20) == [30, 21]
    assert sizes(*[1] * 29, 23.9, *[1] * 20) == [51]
    assert sizes(*[1] * 19, 30, *[1] * 19) == [40]


def test_parts_that_are_still_large_are_cut_again() -> None:
    assert sizes(*[1] * 24, 25, *[1] * 24, 30, *[1] * 24) == [25, 25, 25]


def test_a_cut_in_a_large_run_leaves_no_crumbs() -> None:
    assert sizes(*[1] * 39, 30, 1) == [42]
    assert sizes(*[1] * 39, 30, 1, 1) == [40, 3]


def test_of_equal_gaps_the_earlier_is_cut() -> None:
    assert sizes(*[1] * 9, 25, *[1] * 29, 25, *[1] * 9) == [10, 40]


def test_photos_of_one_moment_are_one_event() -> None:
    assert sizes(*[0] * 99) == [100]


@settings(derandomize=True, deadline=None)
@given(st.lists(st.floats(0, 200), max_size=150))
def test_the_rule_is_the_recursive_one(gaps: list[float]) -> None:
    whole = times(*gaps)
    assert split(whole) == recursive(whole, range(len(whole)))


def recursive(whole: list[datetime], run: range) -> list[range]:
    """The same rule, written as it is said."""
    gaps = {index: whole[index] - whole[index - 1] for index in run[1:]}
    for index in sorted(gaps, key=lambda index: (-gaps[index], index)):
        enough = min(index - run.start, run.stop - index) >= FEW
        if gaps[index] >= ALWAYS or (len(run) > LARGE and gaps[index] >= DAY and enough):
            return [*recursive(whole, range(run.start, index)), *recursive(whole, range(index, run.stop))]
    return [run]


def test_a_century_of_photos_is_split_in_a_moment() -> None:
    whole = times(*[(index * 37) % 90 for index in range(100_000)])
    started = time.process_time()
    assert sum(len(found) for found in split(whole)) == len(whole)
    assert time.process_time() - started < 3


def test_five_photos_are_an_event_and_three_of_one_day_and_three_of_a_named_folder() -> None:
    assert is_event(times(40, 40, 40, 40), named=False)
    assert is_event(times(12, 12), named=False)
    assert is_event(times(40, 40), named=True)
    assert not is_event(times(40, 40, 40), named=False)
    assert not is_event(times(1), named=True)
