"""Which of the photos that are there a run takes: by capture date, by name and folder, by size, by type.

What is chosen away is in no count; it is uploaded by a later run that chooses it.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

from momentarium_cli.errors import UsageError
from momentarium_cli.photos import formats
from momentarium_cli.photos.leftout import SkipReason
from momentarium_cli.photos.patterns import Rules

_DAY = re.compile(r"(\d{4})(?:-(\d\d?)(?:-(\d\d?))?)?")
_AGO = re.compile(r"(\d{1,5})([dwmy])")
_DAYS = {"d": 1, "w": 7}
_TYPES = {
    **{format_.name: frozenset((format_.name,)) for format_ in formats.FORMATS},
    "raw": frozenset(format_.name for format_ in formats.FORMATS if format_.raw),
    "jpg": frozenset(("jpeg",)),
    "tif": frozenset(("tiff",)),
    "heic": frozenset(("heic", "heif")),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """`since` and `until` are local days, both taken; `min_size` is in bytes; `types` are names of formats, none: all.

    `include` and `exclude` are gitignore patterns, of paths below the folder that is uploaded; letters' case does not
    matter. `exclude` has the last word.
    """

    since: date | None = None
    until: date | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    min_size: int = 0
    types: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """UsageError: a pattern means nothing."""
        self.rules  # noqa: B018 -- it raises

    @property
    def rules(self) -> Rules:
        """For the folder that is uploaded."""
        return Rules.of(self.include, self.exclude)

    @property
    def is_everything(self) -> bool:
        return self == EVERYTHING

    def against_file(self, size: int, format_name: str) -> SkipReason | None:
        """Why a photo is not taken; `format_name` is what its suffix promises."""
        if size < self.min_size:
            return SkipReason.TOO_SMALL
        return SkipReason.OTHER_TYPE if self.types and format_name not in self.types else None

    def against_day(self, taken_on: date | None) -> SkipReason | None:
        """Why a photo that was taken on this day is not taken."""
        if self.since is None and self.until is None:
            return None
        if taken_on is None:
            return SkipReason.UNDATED
        within = (self.since or date.min) <= taken_on <= (self.until or date.max)
        return None if within else SkipReason.OTHER_DAY


EVERYTHING = Choice()


def types(text: str) -> frozenset[str]:
    """The formats that a list such as "jpeg,heic,raw" names."""
    names = [name.strip().lower().removeprefix(".") for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in _TYPES]
    if unknown or not names:
        raise UsageError(f"{text!r} names no types of photos.", hint=f"There are {', '.join(sorted(_TYPES))}.")
    return frozenset().union(*(_TYPES[name] for name in names))


def first_day(text: str, today: date) -> date:
    """The first day of 2024, 2024-06 or 2024-06-15; or 7d, 2w, 6m or 1y before `today`."""
    return _ago(text, today) or _days(text)[0]


def last_day(text: str, today: date) -> date:
    """The last day of the same."""
    return _ago(text, today) or _days(text)[1]


def _ago(text: str, today: date) -> date | None:
    match = _AGO.fullmatch(text.strip().lower())
    if match is None:
        return None
    number, unit = int(match[1]), match[2]
    try:
        if unit in _DAYS:
            return today - timedelta(days=number * _DAYS[unit])
        months = today.year * 12 + today.month - 1 - number * (12 if unit == "y" else 1)
        year, month = divmod(months, 12)
        return date(year, month + 1, min(today.day, monthrange(year, month + 1)[1]))
    except (ValueError, OverflowError) as error:
        raise _no_date(text) from error


def _days(text: str) -> tuple[date, date]:
    match = _DAY.fullmatch(text.strip())
    if match is None:
        raise _no_date(text)
    year, month, day = (int(part) if part else None for part in match.groups())
    assert year is not None  # noqa: S101 -- the expression has it
    try:
        last_month = month or 12
        last_day = day or monthrange(year, last_month)[1]
        return date(year, month or 1, day or 1), date(year, last_month, last_day)
    except ValueError as error:
        raise _no_date(text) from error


def _no_date(text: str) -> UsageError:
    return UsageError(f"{text!r} is no date.", hint="Write a day, month or year as 2024-06-15, 2024-06 or 2024, or 7d.")
