from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from momentarium_cli.client.batches import first, sizes

gaps = st.lists(st.integers(0, 1000), max_size=80)
limits = st.integers(1, 12)
steady = settings(derandomize=True, deadline=None)


def times(gaps: list[int]) -> list[float]:
    total, made = 0.0, []
    for gap in gaps:
        total += gap
        made.append(total)
    return made


@steady
@given(gaps, limits)
def test_every_photo_is_in_exactly_one_batch(gaps: list[int], limit: int) -> None:
    batches = list(sizes(times(gaps), limit))
    assert sum(batches) == len(gaps)
    assert all(1 <= size <= limit for size in batches)


@steady
@given(gaps, limits)
def test_only_the_last_batch_may_be_smaller_than_half(gaps: list[int], limit: int) -> None:
    assert all(size > limit // 2 for size in list(sizes(times(gaps), limit))[:-1])


@steady
@given(gaps, limits)
def test_a_batch_ends_at_the_largest_gap_of_its_second_half(gaps: list[int], limit: int) -> None:
    start = 0
    for size in list(sizes(times(gaps), limit))[:-1]:
        end = start + size
        assert gaps[end] == max(gaps[start + limit // 2 + 1 : start + limit + 1])
        start = end


@steady
@given(gaps, limits)
def test_the_newest_first_are_cut_at_gaps_too(gaps: list[int], limit: int) -> None:
    taken = times(gaps)[::-1]
    for size in list(sizes(taken, limit))[:-1]:
        breaks = [before - after for before, after in pairwise(taken)]
        assert breaks[size - 1] == max(breaks[limit // 2 : limit])
        taken = taken[size:]


@steady
@given(gaps, limits)
def test_the_first_batch_is_the_same_whatever_follows(gaps: list[int], limit: int) -> None:
    taken = times(gaps)
    assert [first(taken[: limit + 1], limit)] == (list(sizes(taken, limit))[:1] or [0])


def test_an_event_that_fits_is_not_torn() -> None:
    assert list(sizes([0.0, 1, 2, 3, 4, 5, 100, 101, 102, 103], 8)) == [6, 4]


def test_nothing_is_no_batch_and_a_full_one_is_one() -> None:
    assert list(sizes([])) == []
    assert list(sizes([0.0] * 1000)) == [1000]
