from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from croniter import croniter

from momentarium_cli.deploy.times import Times
from momentarium_cli.errors import UsageError

HOUR = 3600
DAY = 86400
EVERY = [60, 300, 900, 1800, 3600, 7200, 6 * 3600, 12 * 3600, DAY, 7 * DAY]


@pytest.mark.parametrize("seconds", EVERY)
@pytest.mark.parametrize("offset", [0, 1, 59, 77, 4_000_000_123])
def test_cron_runs_it_that_often(seconds: int, offset: int) -> None:
    runs = croniter(Times.every(seconds, offset).cron, datetime(2024, 5, 1))
    times = [runs.get_next(datetime) for _ in range(30)]
    assert {later - earlier for earlier, later in pairwise(times)} == {timedelta(seconds=seconds)}


@pytest.mark.parametrize("seconds", EVERY)
def test_launchd_has_the_same_times(seconds: int) -> None:
    times = Times.every(seconds, 4711)
    cron = croniter(times.cron, datetime(2024, 5, 1))
    intervals = times.intervals
    for _ in range(50):
        at: datetime = cron.get_next(datetime)
        now = {"Minute": at.minute, "Hour": at.hour, "Weekday": at.isoweekday() % 7}
        assert any(interval.items() <= now.items() for interval in intervals)
    runs_an_hour_or_day = (HOUR if seconds < HOUR else DAY) // seconds
    assert len(intervals) == (1 if seconds in (60, HOUR) else max(1, runs_an_hour_or_day))


@pytest.mark.parametrize(
    ("seconds", "calendar"),
    [
        (60, "*-*-* *:*:00"),
        (900, "*-*-* *:2,17,32,47:00"),
        (3600, "*-*-* *:17:00"),
        (6 * 3600, "*-*-* 0,6,12,18:17:00"),
        (DAY, "*-*-* 1:17:00"),
        (7 * DAY, "Sun *-*-* 1:17:00"),
    ],
)
def test_systemd_has_a_calendar(seconds: int, calendar: str) -> None:
    assert Times.every(seconds, 17).calendar == calendar


@pytest.mark.parametrize("seconds", [1, 59, 90, 420, 5400, 5 * 3600, 2 * DAY])
def test_what_does_not_divide_hours_and_days_is_refused(seconds: int) -> None:
    with pytest.raises(UsageError, match=r"There are 1, 2, 3.* hours"):
        Times.every(seconds, 0)
