from datetime import datetime, timedelta

import pytest

from momentarium_cli.photos import zones

NOON = datetime(2024, 5, 12, 12)


@pytest.mark.parametrize("minutes", [-720, -210, 0, 60, 345, 765, 840])
def test_a_gps_clock_tells_the_offset_to_the_quarter_hour(minutes: int) -> None:
    assert zones.from_gps_clock(NOON, NOON - timedelta(minutes=minutes, seconds=40)) == minutes


@pytest.mark.parametrize("minutes", [-735, 855, 15, 1440, 100, 67])
def test_offsets_that_do_not_exist_come_from_wrong_clocks(minutes: int) -> None:
    assert zones.from_gps_clock(NOON, NOON - timedelta(minutes=minutes)) is None


@pytest.mark.parametrize(
    ("place", "month", "minutes"),
    [((38.72, -9.14), 5, 60), ((38.72, -9.14), 1, 0), ((27.7, 85.3), 5, 345), ((-33.87, 151.2), 1, 660)],
)
def test_a_position_tells_the_offset_of_that_day(place: tuple[float, float], month: int, minutes: int) -> None:
    assert zones.at_position(*place, datetime(2024, month, 12, 12)) == minutes


@pytest.mark.parametrize(("place", "year"), [((57.05, -135.33), 1860), ((14.6, 120.98), 1840)])
def test_local_mean_times_on_the_other_side_of_the_date_line_are_no_offsets(
    place: tuple[float, float], year: int
) -> None:
    assert zones.at_position(*place, datetime(year, 5, 12, 12)) is None


def test_a_moment_in_utc_is_told_in_the_wall_time_of_a_position() -> None:
    assert zones.local_at_position(27.7, 85.3, NOON) == (NOON + timedelta(minutes=345), 345)


def test_a_moment_in_utc_is_told_in_the_wall_time_of_this_machine() -> None:
    wall, minutes = zones.local_here(NOON)
    assert minutes is not None
    assert wall - NOON == timedelta(minutes=minutes)
