"""Dates in the names of files and folders, as cameras, phones, messengers and people write them."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

FIRST_YEAR = 1970  # numbers that look like older dates are seldom dates

_DAY = r"(?P<year>(?:19|20)\d\d)(?P<sep>[-_. ]?)(?P<month>\d\d)(?P=sep)(?P<day>\d\d)"
_CLOCK = (
    r"(?P<hour>\d\d|\d(?=[.:]))(?P<sep2>[-_.:h ]?)(?P<minute>\d\d)(?P=sep2)(?P<second>\d\d)(?P<half>\s?[AaPp][Mm]\b)?"
)
_START = r"(?:^|(?<=[^0-9A-Za-z])|(?<=[A-Za-z]))(?<![0-9])"
_MOMENT = re.compile(_START + _DAY + r"(?:[-_. T]{1,3}|[ _]at[ _]|[ _]um[ _]|)" + _CLOCK + r"(?!\d{4})")
_ONE_DAY = re.compile(r"(?:^|[^0-9A-Za-z]|(?:^|[^0-9A-Za-z])[A-Za-z]{2,12})" + _DAY + r"(?![0-9A-Za-z])")
_MILLISECONDS = re.compile(r"^(?:[A-Za-z]+[-_ ]?)*(?P<ms>1\d{12})(?![0-9A-Za-z])")
_UTC_NAME = re.compile(r"^PXL_\d{8}_\d{6}")  # Pixel phones name files by UTC
_MONTH_FOLDER = re.compile(r"^(?P<year>(?:19|20)\d\d)[-_. ]?(?P<month>\d\d)(?![0-9])")
_YEAR_FOLDER = re.compile(r"^(?:19|20)\d\d$")
_NUMBER_FOLDER = re.compile(r"^(\d\d)(?![0-9])")


class Named(NamedTuple):
    """A date found in a name; `utc` where it counts from UTC and is not local wall time."""

    at: datetime
    utc: bool = False


def in_file_name(stem: str) -> Named | None:
    """The moment in a file's name without its suffix; a day without a time is its noon."""
    if found := _MILLISECONDS.match(stem):
        return _from_milliseconds(int(found["ms"]))
    for found in _MOMENT.finditer(stem):
        if moment := _moment(found):
            return Named(moment, utc=_UTC_NAME.match(stem) is not None)
    return next((Named(day) for found in _ONE_DAY.finditer(stem) if (day := _noon(found))), None)


def in_folders(names: Sequence[str]) -> datetime | None:
    """The noon of the day that the folders' names tell, outermost first; of several the nearest folder wins.

    A month counts as its first day. A year alone tells nothing.
    """
    for depth in range(len(names), 0, -1):
        if found := _in_folder(names[depth - 1]) or _split_over_folders(names[:depth]):
            return found
    return None


def _in_folder(name: str) -> datetime | None:
    for found in _ONE_DAY.finditer(name):
        if day := _noon(found):
            return day
    month = _MONTH_FOLDER.match(name)
    return _at(int(month["year"]), int(month["month"]), 1) if month else None


def _split_over_folders(names: Sequence[str]) -> datetime | None:
    """2024/05 and 2024/05/12, also where words follow the number."""
    numbers = [_NUMBER_FOLDER.match(name) for name in names[-2:]]
    if len(names) > 2 and all(numbers) and _YEAR_FOLDER.match(names[-3]):
        month, day = (int(number[1]) for number in numbers if number)
        return _at(int(names[-3]), month, day)
    if len(names) > 1 and numbers[-1] and _YEAR_FOLDER.match(names[-2]):
        return _at(int(names[-2]), int(numbers[-1][1]), 1)
    return None


def _moment(found: re.Match[str]) -> datetime | None:
    hour = int(found["hour"])
    if found["half"]:
        hour = hour % 12 + (12 if found["half"].strip().lower() == "pm" else 0)
    return _at(
        int(found["year"]), int(found["month"]), int(found["day"]), hour, int(found["minute"]), int(found["second"])
    )


def _noon(found: re.Match[str]) -> datetime | None:
    return _at(int(found["year"]), int(found["month"]), int(found["day"]))


def _at(year: int, month: int, day: int, *clock: int) -> datetime | None:
    """The moment, if there is such a day and time and it is not in the future; without a clock it is noon."""
    try:
        moment = datetime.combine(date(year, month, day), _time(*clock))
    except ValueError:
        return None
    return moment if moment.year >= FIRST_YEAR and moment < _tomorrow() else None


def _time(hour: int = 12, minute: int = 0, second: int = 0) -> time:
    return time(hour, minute, second)


def _from_milliseconds(milliseconds: int) -> Named | None:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC).replace(tzinfo=None, microsecond=0)
    return Named(moment, utc=True) if moment < _tomorrow() else None


def _tomorrow() -> datetime:
    """No name tells a date in the future; a day's grace covers every zone."""
    return datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)
