from datetime import date

import pytest

from momentarium_cli.errors import UsageError
from momentarium_cli.photos.choice import EVERYTHING, Choice, first_day, last_day, types
from momentarium_cli.photos.leftout import SkipReason

TODAY = date(2024, 7, 31)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2024", date(2024, 1, 1), date(2024, 12, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2024-02-03", date(2024, 2, 3), date(2024, 2, 3)),
        ("7d", date(2024, 7, 24), date(2024, 7, 24)),
        ("2w", date(2024, 7, 17), date(2024, 7, 17)),
        ("1m", date(2024, 6, 30), date(2024, 6, 30)),
        ("1y", date(2023, 7, 31), date(2023, 7, 31)),
        ("7m", date(2023, 12, 31), date(2023, 12, 31)),
    ],
)
def test_days_months_years_and_times_ago_are_understood(text: str, first: date, last: date) -> None:
    assert (first_day(text, TODAY), last_day(text, TODAY)) == (first, last)


@pytest.mark.parametrize("text", ["", "yesterday", "24", "2024-13", "2024-02-30", "0000", "99999y", "-7d", "2024/06"])
def test_what_is_no_date_is_told_with_the_way_to_write_one(text: str) -> None:
    with pytest.raises(UsageError, match="Write a day, month or year as 2024-06-15"):
        first_day(text, TODAY)


def test_both_ends_are_taken() -> None:
    june = Choice(since=date(2024, 6, 1), until=date(2024, 6, 30))
    days = [date(2024, 5, 31), date(2024, 6, 1), date(2024, 6, 30), date(2024, 7, 1)]
    assert [june.against_day(day) for day in days] == [SkipReason.OTHER_DAY, None, None, SkipReason.OTHER_DAY]


def test_what_is_undated_is_of_no_time() -> None:
    assert Choice(until=TODAY).against_day(None) is SkipReason.UNDATED
    assert EVERYTHING.against_day(None) is None


def test_raw_is_all_raw_formats_and_heic_has_two_suffixes() -> None:
    assert types("jpg, HEIC") == {"jpeg", "heic", "heif"}
    assert {"nef", "cr3", "dng"} <= types("raw")
    assert Choice(types=types("raw")).against_file(1, "jpeg") is SkipReason.OTHER_TYPE
    assert Choice(types=types("raw")).against_file(1, "nef") is None


@pytest.mark.parametrize("text", ["", ",", "jpeg,docx"])
def test_unknown_types_are_told_with_those_there_are(text: str) -> None:
    with pytest.raises(UsageError, match="There are arw, avif"):
        types(text)


def test_small_files_are_left_out() -> None:
    choice = Choice(min_size=100)
    assert [choice.against_file(size, "jpeg") for size in (99, 100)] == [SkipReason.TOO_SMALL, None]


@pytest.mark.parametrize("pattern", ["!", "a\\", "[z-a].jpg"])
def test_a_pattern_that_means_nothing_is_told(pattern: str) -> None:
    with pytest.raises(UsageError, match=r"Patterns are written as in \.gitignore"):
        Choice(exclude=(pattern,))
