from datetime import date, datetime, timedelta

from momentarium_cli.backend.organize.base import Home
from momentarium_cli.backend.organize.homes import at_home, changed, find_homes
from tests.backend.organize.photos import LISBON, MADRID, PORTO, SINTRA, photo

START = date(2024, 1, 1)
HERE = (38.71, -9.13)
HOME = Home(*HERE, date(2024, 1, 1), date(2024, 12, 31))


def stays(days: int, every: int = 7, first: date = START) -> set[date]:
    return {first + timedelta(days=every * number) for number in range(days)}


def test_twelve_days_of_photos_in_four_months_are_a_home() -> None:
    assert find_homes({HERE: stays(12)}) == [Home(*HERE, START, START + timedelta(days=77))]
    assert find_homes({HERE: stays(11)}) == []
    assert find_homes({HERE: stays(12, every=14)}) == []


def test_a_journey_of_days_in_many_places_is_no_home() -> None:
    assert find_homes({(40.0 + number, 5.0): stays(2, 1, START + timedelta(days=number)) for number in range(40)}) == []


def test_spots_of_one_neighbourhood_are_one_home() -> None:
    [home] = find_homes({HERE: stays(8), (38.72, -9.13): stays(6, first=START + timedelta(days=3))})
    assert (home.latitude, home.longitude) == HERE


def test_a_home_that_was_left_and_taken_again_is_two() -> None:
    again = START + timedelta(days=1000)
    assert [home.since for home in find_homes({HERE: stays(12) | stays(12, first=again)})] == [START, again]


def test_says_when_homes_are_others_than_before() -> None:
    longer = Home(*HERE, HOME.since, date(2025, 1, 31))
    assert changed([HOME], [HOME]) == []
    assert changed([HOME], [longer]) == [(date(2025, 1, 1), date(2025, 1, 31))]
    assert changed([], [HOME]) == [(HOME.since, HOME.until)]


def test_ten_kilometres_from_every_home_is_away() -> None:
    photos = [photo("2024-05-12T10:00", LISBON), photo("2024-05-13T10:00", SINTRA), photo("2024-05-14T10:00", PORTO)]
    assert at_home(photos, [HOME]) == [True, False, False]
    assert at_home(photos, [HOME, Home(41.15, -8.61, START, date(2024, 12, 31))]) == [True, False, True]


def test_nobody_is_away_while_no_home_is_known() -> None:
    photos = [photo("2025-05-12T10:00", LISBON), photo("2025-05-13T10:00", MADRID)]
    assert at_home(photos, [HOME]) == [None, None]
    assert at_home(photos, []) == [None, None]


def test_a_photo_without_position_is_where_the_nearest_one_of_its_day_is() -> None:
    at = datetime(2024, 5, 12, 10)
    photos = [
        photo(at, LISBON),
        photo(at + timedelta(hours=2)),
        photo(at + timedelta(hours=20)),
        photo(at + timedelta(hours=22), MADRID),
        photo(at + timedelta(hours=47)),
    ]
    assert at_home(photos, [HOME]) == [True, True, False, False, None]
