"""Dates as a person writes them in their language; `strftime` would follow the server's locale."""

from collections.abc import Collection
from datetime import date, datetime, timedelta

from momentarium_cli.backend.organize.languages import ENGLISH

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
EVENING = 17  # o'clock; a weekend begins on Friday evening
FRIDAY = 4  # date.weekday
_UNTIL = {"ja": "～", "zh": "至"}  # where the year comes first, and the later date is the one that is shortened
_ORDINAL = {"de": "."}  # after a day without its month


def month(day: date, language: str = ENGLISH) -> str:
    """ "May 2024" """
    if language == ENGLISH:
        return f"{MONTHS[day.month - 1]} {day.year}"
    return _formatted("yMMMM", day, language)


def year(day: date, language: str = ENGLISH) -> str:
    """ "2024" """
    return str(day.year) if language == ENGLISH else _formatted("y", day, language)


def days(first: date, last: date, language: str = ENGLISH) -> str:
    """ "12 May 2024", "12–15 May 2024", "28 April – 3 May 2024", "30 December 2023 – 2 January 2024" """
    end = _day(last, language)
    if first == last:
        return end
    if language in _UNTIL:
        return f"{_day(first, language)}{_UNTIL[language]}{_without_what_is_same(last, first, language)}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}{_ORDINAL.get(language, '')}–{end}"
    return f"{_day(first, language) if first.year != last.year else _day_of_year(first, language)} – {end}"


def _day(day: date, language: str) -> str:
    if language == ENGLISH:
        return f"{day.day} {month(day)}"
    from babel.dates import format_date

    return str(format_date(day, "long", locale=language))


def _without_what_is_same(day: date, before: date, language: str) -> str:
    if day.year != before.year:
        return _day(day, language)
    return _formatted("d" if day.month == before.month else "MMMMd", day, language)


def _day_of_year(day: date, language: str) -> str:
    return f"{day.day} {MONTHS[day.month - 1]}" if language == ENGLISH else _formatted("MMMMd", day, language)


def _formatted(skeleton: str, day: date, language: str) -> str:
    from babel.dates import format_skeleton

    return str(format_skeleton(skeleton, day, locale=language))


def is_weekend(times: Collection[datetime]) -> bool:
    """Whether local times are of one weekend and of more than one of its days."""
    friday = min(times).date()
    friday -= timedelta(days=(friday.weekday() - FRIDAY) % 7)
    inside = all(_in_weekend(time, friday) for time in times)
    return inside and min(times).date() != max(times).date()


def _in_weekend(time: datetime, friday: date) -> bool:
    day = (time.date() - friday).days
    return day in (1, 2) or (day == 0 and time.hour >= EVENING)
