from hypothesis import given, settings
from hypothesis import strategies as st

from momentarium_cli.client.batches import cut

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
def test_every_photo_is_in_exactly_one_batch_in_order(gaps: list[int], limit: int) -> None:
    photos = list(range(len(gaps)))
    batches = list(cut(photos, times(gaps), limit))
    assert [photo for batch in batches for photo in batch] == photos
    assert all(1 <= len(batch) <= limit for batch in batches)


@steady
@given(gaps, limits)
def test_only_the_last_batch_may_be_smaller_than_half(gaps: list[int], limit: int) -> None:
    batches = list(cut(list(range(len(gaps))), times(gaps), limit))
    assert all(len(batch) > limit // 2 for batch in batches[:-1])


@steady
@given(gaps, limits)
def test_a_batch_ends_at_the_largest_gap_of_its_second_half(gaps: list[int], limit: int) -> None:
    start = 0
    for batch in list(cut(list(range(len(gaps))), times(gaps), limit))[:-1]:
        end = start + len(batch)
        assert gaps[end] == max(gaps[start + limit // 2 + 1 : start + limit + 1])
        start = end


def test_an_event_that_fits_is_not_torn() -> None:
    taken = [0.0, 1, 2, 3, 4, 5, 100, 101, 102, 103]
    assert [list(batch) for batch in cut("abcdefghij", taken, 8)] == [list("abcdef"), list("ghij")]


def test_nothing_is_no_batch_and_a_full_one_is_one() -> None:
    assert list(cut([], [])) == []
    assert [len(batch) for batch in cut(range(1000), [0.0] * 1000)] == [1000]
