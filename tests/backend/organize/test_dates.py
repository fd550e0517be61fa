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


@pytest.mark.parametrize(
    ("language", "one_day", "some_days", "two_months", "two_years", "the_month"),
    [
        (
            "de",
            "12. Mai 2024",
            "12.–15. Mai 2024",
            "28. April – 3. Mai 2024",
            "30. Dezember 2023 – 2. Januar 2024",
            "Mai 2024",
        ),
        (
            "fr",
            "12 mai 2024",
            "12–15 mai 2024",
            "28 avril – 3 mai 2024",
            "30 décembre 2023 – 2 janvier 2024",
            "mai 2024",
        ),
        (
            "es",
            "12 de mayo de 2024",
            "12–15 de mayo de 2024",
            "28 de abril – 3 de mayo de 2024",
            "30 de diciembre de 2023 – 2 de enero de 2024",
            "mayo de 2024",
        ),
        (
            "pt",
            "12 de maio de 2024",
            "12–15 de maio de 2024",
            "28 de abril – 3 de maio de 2024",
            "30 de dezembro de 2023 – 2 de janeiro de 2024",
            "maio de 2024",
        ),
        (
            "it",
            "12 maggio 2024",
            "12–15 maggio 2024",
            "28 aprile – 3 maggio 2024",
            "30 dicembre 2023 – 2 gennaio 2024",
            "maggio 2024",
        ),
        (
            "ja",
            "2024年5月12日",
            "2024年5月12日～15日",
            "2024年4月28日～5月3日",
            "2023年12月30日～2024年1月2日",
            "2024年5月",
        ),
        (
            "zh",
            "2024年5月12日",
            "2024年5月12日至15日",
            "2024年4月28日至5月3日",
            "2023年12月30日至2024年1月2日",
            "2024年5月",
        ),
    ],
)
def test_says_days_in_the_language(
    language: str, one_day: str, some_days: str, two_months: str, two_years: str, the_month: str
) -> None:
    may = date(2024, 5, 12)
    assert days(may, may, language) == one_day
    assert days(may, date(2024, 5, 15), language) == some_days
    assert days(date(2024, 4, 28), date(2024, 5, 3), language) == two_months
    assert days(date(2023, 12, 30), date(2024, 1, 2), language) == two_years
    assert month(may, language) == the_month
