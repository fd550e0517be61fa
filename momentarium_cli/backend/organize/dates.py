"""Dates as a person writes them, in English; `strftime` would follow the server's locale."""

from collections.abc import Collection
from datetime import date, datetime, timedelta

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
EVENING = 17  # o'clock; a weekend begins on Friday evening
FRIDAY = 4  # date.weekday


def month(day: date) -> str:
    """ "May 2024" """
    return f"{MONTHS[day.month - 1]} {day.year}"


def days(first: date, last: date) -> str:
    """ "12 May 2024", "12–15 May 2024", "28 April – 3 May 2024", "30 December 2023 – 2 January 2024" """
    end = f"{last.day} {month(last)}"
    if first == last:
        return end
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{end}"
    start = f"{first.day} {MONTHS[first.month - 1]}"
    return f"{start} – {end}" if first.year == last.year else f"{start} {first.year} – {end}"


def is_weekend(times: Collection[datetime]) -> bool:
    """Whether local times are of one weekend and of more than one of its days."""
    friday = min(times).date()
    friday -= timedelta(days=(friday.weekday() - FRIDAY) % 7)
    inside = all(_in_weekend(time, friday) for time in times)
    return inside and min(times).date() != max(times).date()


def _in_weekend(time: datetime, friday: date) -> bool:
    day = (time.date() - friday).days
    return day in (1, 2) or (day == 0 and time.hour >= EVENING)
