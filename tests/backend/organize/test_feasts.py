from datetime import datetime

import pytest

from momentarium_cli.backend.organize.feasts import feast

CHRISTMAS = [datetime(2024, 12, 25, hour) for hour in range(10, 16)]


@pytest.mark.parametrize(
    ("country", "language", "name"),
    [
        *(("DE", "en", "Christmas Day"), ("DE", "de", "Erster Weihnachtstag"), ("FR", "fr", "Noël")),
        *(("DE", "ja", None), ("JP", "ja", None), ("ZZ", "en", None)),
    ],
)
def test_a_holiday_is_of_the_country_and_named_in_the_language_or_not_at_all(
    country: str, language: str, name: str | None
) -> None:
    assert feast(CHRISTMAS, country, language) == name


def test_half_of_the_photos_make_it_the_holidays_album() -> None:
    eve = [datetime(2024, 12, 24, hour) for hour in range(10, 16)]
    assert feast([*eve[:5], *CHRISTMAS], "DE", "en") == "Christmas Day"
    assert feast([*eve, *CHRISTMAS[:5]], "DE", "en") is None


def test_a_journey_over_a_holiday_is_a_journey() -> None:
    assert feast([*CHRISTMAS, datetime(2024, 12, 29)], "DE", "en") is None
    assert feast([*CHRISTMAS, datetime(2024, 12, 28)], "DE", "en") == "Christmas Day"


def test_a_day_that_stands_in_for_a_holiday_is_none() -> None:
    assert feast([datetime(2022, 12, 26, 10)], "US", "en") is None
    assert feast([datetime(2022, 12, 25, 10)], "US", "en") == "Christmas Day"
