from datetime import date, datetime

import pytest

from momentarium_cli.backend.organize.dates import days, is_weekend, month


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        ("2024-05-12", "2024-05-12", "12 May 2024"),
        ("2024-05-12", "2024-05-15", "12–15 May 2024"),
        ("2024-04-28", "2024-05-03", "28 April – 3 May 2024"),
        ("2023-12-30", "2024-01-02", "30 December 2023 – 2 January 2024"),
        ("1826-06-04", "1826-06-05", "4–5 June 1826"),
        ("2023-05-04", "2024-05-04", "4 May 2023 – 4 May 2024"),
    ],
)
def test_says_days_as_shortly_as_they_allow(first: str, last: str, text: str) -> None:
    assert days(date.fromisoformat(first), date.fromisoformat(last)) == text


def test_names_a_month() -> None:
    assert month(date(2022, 3, 31)) == "March 2022"


@pytest.mark.parametrize(
    ("times", "is_one"),
    [
        (["2023-06-09T18:00", "2023-06-11T20:00"], True),  # Friday evening to Sunday
        (["2023-06-10T09:00", "2023-06-11T20:00"], True),
        (["2023-06-09T12:00", "2023-06-11T20:00"], False),  # from Friday noon
        (["2023-06-10T09:00", "2023-06-10T20:00"], False),  # one day is a day
        (["2023-06-11T09:00", "2023-06-12T09:00"], False),  # into Monday
        (["2023-06-10T09:00", "2023-06-17T20:00"], False),  # two Saturdays
        (["2023-06-09T18:00", "2023-06-09T23:00"], False),
    ],
)
def test_a_weekend_is_two_days_of_one(times: list[str], is_one: bool) -> None:
    assert is_weekend([datetime.fromisoformat(time) for time in times]) is is_one
