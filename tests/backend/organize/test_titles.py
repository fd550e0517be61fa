from datetime import datetime

import pytest

from momentarium_cli.backend.organize import titles
from momentarium_cli.backend.organize.languages import WORDS
from momentarium_cli.backend.organize.places import Place
from momentarium_cli.backend.organize.whereabouts import Whereabouts
from tests.backend.organize.photos import photo

SUNDAY = [datetime(2024, 5, 12, 10), datetime(2024, 5, 12, 18)]
TRIP = [datetime(2024, 5, 12, 10), datetime(2024, 5, 15, 18)]
WEEKEND = [datetime(2023, 6, 10, 10), datetime(2023, 6, 11, 18)]
LISBON = Place("Lisbon", "PT", "Portugal", 38.7, -9.1, 500_000)
SINTRA = Place("Sintra", "PT", "Portugal", 38.8, -9.4, 26_000)
MADRID = Place("Madrid", "ES", "Spain", 40.4, -3.7, 3_000_000)


@pytest.mark.parametrize(
    ("times", "place", "name", "title"),
    [
        (TRIP, "Lisbon", None, "Lisbon, 12–15 May 2024"),
        (TRIP, "Lisbon", "From Ben's camera", "Lisbon, 12–15 May 2024"),
        (SUNDAY, None, "Anna's wedding", "Anna's wedding, 12 May 2024"),
        (SUNDAY, None, "2024-05-12 Anna's wedding", "Anna's wedding, 12 May 2024"),
        (SUNDAY, None, None, "12 May 2024"),
        (TRIP, None, None, "12–15 May 2024"),
        (WEEKEND, "Porto", None, "Weekend in Porto, 10–11 June 2023"),
        (WEEKEND, None, None, "Weekend of 10–11 June 2023"),
        (WEEKEND, None, "Regatta", "Regatta, 10–11 June 2023"),
        ([datetime(2023, 7, 1), datetime(2023, 7, 2)], "Porto", None, "Weekend in Porto, 1–2 July 2023"),
        ([datetime(2023, 6, 30, 20), datetime(2023, 7, 1)], "Porto", None, "Weekend in Porto, 30 June – 1 July 2023"),
    ],
)
def test_an_event_is_called_by_place_or_folder_and_always_by_date(
    times: list[datetime], place: str | None, name: str | None, title: str
) -> None:
    assert titles.event_title(times, place, name) == title


def test_a_long_name_is_shortened_and_the_date_is_not() -> None:
    title = titles.event_title(SUNDAY, None, "Wedding " * 20)
    assert title.endswith("…, 12 May 2024")
    assert len(title) <= 80


def test_everyday_is_called_by_its_month() -> None:
    assert titles.everyday_title([datetime(2022, 3, 5)]) == "Everyday, March 2022"


def test_everyday_of_several_months_is_called_by_its_year() -> None:
    times = [datetime(2022, 3, 5), datetime(2022, 7, 5)]
    assert titles.everyday_title(times) == "Everyday, 2022"
    assert titles.everyday_title(times, WORDS["ja"]) == "日常、2022年"


def test_a_folder_names_an_event_if_most_of_its_photos_are_in_it() -> None:
    wedding = [photo(None, source_folder="Anna's wedding") for _ in range(6)]
    other = [photo(None, source_folder="DCIM/100CANON") for _ in range(5)]
    assert titles.folder_name(wedding + other[:4]) == "Anna's wedding"
    assert titles.folder_name(wedding + other) is None
    assert titles.folder_name(other) is None


@pytest.mark.parametrize(
    ("photos", "located", "places", "theme"),
    [
        (84, 84, {LISBON: 50, SINTRA: 30}, "84 photos over 4 days, mostly in Lisbon and Sintra, Portugal."),
        (84, 84, {LISBON: 84}, "84 photos over 4 days, all in Lisbon, Portugal."),
        (84, 20, {LISBON: 20}, "84 photos over 4 days; 20 with a position, mostly in Lisbon, Portugal."),
        (84, 84, {LISBON: 42, MADRID: 42}, "84 photos over 4 days, all in Lisbon, Portugal and Madrid, Spain."),
        (84, 84, {LISBON: 20}, "84 photos over 4 days, partly in Lisbon, Portugal."),
        (
            84,
            60,
            {LISBON: 20, MADRID: 5},
            "84 photos over 4 days; 60 with a position, partly in Lisbon, Portugal and Madrid, Spain.",
        ),
        (84, 0, {}, "84 photos over 4 days."),
        (1200, 0, {}, "1,200 photos over 4 days."),
    ],
)
def test_the_theme_says_no_more_than_is_known(photos: int, located: int, places: dict[Place, int], theme: str) -> None:
    assert titles.event_theme(TRIP, Whereabouts(photos, located, places)) == theme


def test_many_places_are_counted() -> None:
    places = {Place(f"Town {index}", "PT", "Portugal", 38.0, -9.0, 1000): 10 for index in range(7)}
    assert titles.event_theme(TRIP, Whereabouts(70, 70, places)) == "70 photos over 4 days, in 7 places in Portugal."


def test_themes_count_in_words() -> None:
    assert titles.event_theme(SUNDAY, Whereabouts(1, 1, {LISBON: 1})) == "1 photo from one day, in Lisbon, Portugal."
    assert titles.everyday_theme(TRIP) == "2 photos from 2 days, not part of a larger event."
    assert titles.undated_theme(1) == "1 photo that does not say when it was taken."
    assert titles.undated_theme(2) == "2 photos that do not say when they were taken."
    assert titles.screenshots_theme(2) == "2 pictures of screens."


def test_a_holiday_is_said_with_its_place() -> None:
    christmas = [datetime(2024, 12, 25, 10), datetime(2024, 12, 25, 18)]
    assert titles.event_title(christmas, "Porto", None, country_code="PT") == "Christmas Day in Porto, 25 December 2024"
    french = titles.event_title(christmas, "Lyon", None, WORDS["fr"], "FR")
    assert french == "Noël : Lyon, 25 décembre 2024"


@pytest.mark.parametrize(
    "name", ["Anna's 40th birthday", "Geburtstag Oma", "Mariage de Léa", "Cumpleaños de Ana", "太郎の誕生日", "Wedding"]
)
def test_a_folder_that_says_what_was_celebrated_says_more_than_the_place_or_the_holiday(name: str) -> None:
    christmas = [datetime(2024, 12, 25, 10), datetime(2024, 12, 25, 18)]
    assert titles.event_title(christmas, "Porto", name, country_code="PT") == f"{name}, 25 December 2024"


def test_a_folder_that_says_anything_else_does_not() -> None:
    assert titles.event_title(SUNDAY, "Porto", "Weddington", country_code="PT").startswith("Porto, ")
