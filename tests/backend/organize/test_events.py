import time
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from momentarium_cli.backend.organize.events import (
    ALWAYS,
    FEW,
    RULE,
    chapters,
    is_event,
    is_trip,
    journey,
    split,
    stretches,
)

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


def test_four_days_always_cut_and_two_never_cut_a_small_run() -> None:
    assert sizes(*[23] * 30, 96, *[23] * 8) == [31, 9]
    assert sizes(1, 47.9, 1) == [4]


def test_a_pause_ends_an_afternoon_and_not_a_journey() -> None:
    assert sizes(1, 60, 1) == [2, 2]
    assert sizes(*[23] * 4, 60, 1) == [7]  # three quarters of four days are more than 60 hours
    assert sizes(*[23] * 3, 60, 1) == [4, 2]
    assert sizes(1, 60, *[23] * 4) == [7]


def test_pauses_are_bridged_from_the_shortest_so_that_a_journey_grows() -> None:
    assert sizes(*[23] * 3, 50, *[23] * 2, 90, 1) == [9]
    assert sizes(*[23] * 3, 90, 1) == [4, 2]


def test_what_a_person_put_together_is_parted_by_four_days_alone() -> None:
    assert len(split(times(1, 60, 1), together={2})) == 1
    assert len(split(times(1, 96, 1), together={2})) == 2
    assert len(split(times(*[1] * 29, 30, *[1] * 20), together={30})) == 1


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
def test_large_runs_are_cut_as_the_recursive_rule_cuts_them(gaps: list[float]) -> None:
    whole = times(*[gap % 48 for gap in gaps])
    assert split(whole) == recursive(whole, range(len(whole)))


def recursive(whole: list[datetime], run: range) -> list[range]:
    """The same rule, written as it is said."""
    gaps = {index: whole[index] - whole[index - 1] for index in run[1:]}
    for index in sorted(gaps, key=lambda index: (-gaps[index], index)):
        enough = min(index - run.start, run.stop - index) >= FEW
        if len(run) > RULE.large and gaps[index] >= RULE.day and enough:
            return [*recursive(whole, range(run.start, index)), *recursive(whole, range(index, run.stop))]
    return [run]


@settings(derandomize=True, deadline=None)
@given(st.lists(st.sampled_from([1.0, 13.0, 30.0, 50.0, 70.0, 94.0, 96.0, 200.0]), max_size=120))
def test_a_stretch_is_cut_the_same_whatever_lies_around_it(gaps: list[float]) -> None:
    whole = times(*gaps)
    alone = [
        range(stretch.start + event.start, stretch.start + event.stop)
        for stretch in stretches(whole)
        for event in split(whole[stretch.start : stretch.stop])
    ]
    assert alone == split(whole)
    assert all(whole[run.start] - whole[run.start - 1] >= ALWAYS for run in stretches(whole)[1:])


def test_a_long_album_has_chapters_of_a_day_and_a_short_one_has_one() -> None:
    day = [1] * 7
    assert [len(chapter) for chapter in chapters(times(*day, 13, *day, 11, *day))] == [8, 16]
    assert [len(chapter) for chapter in chapters(times(1, 13, 1, 13, 1))] == [6]
    assert chapters([]) == []


def test_what_goes_on_for_a_season_is_no_trip() -> None:
    assert is_trip(times(*[24] * 60))
    assert not is_trip(times(*[24] * 61))


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


def test_a_few_photos_of_a_journey_go_with_the_nearer_of_its_events() -> None:
    whole = times(1, 1, 60, 70, 1, 1, 80, 1)
    assert [len(event) for event in split(whole)] == [3, 1, 3, 2]
    assert [len(event) for event in journey(whole, split(whole))] == [4, 5]
    assert journey(times(1), [range(2)]) == [range(2)]
