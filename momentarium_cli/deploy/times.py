"""When something runs, as cron, systemd and launchd have it."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from momentarium_cli.errors import UsageError

_MINUTE, _HOUR, _DAY, _WEEK = 60, 3600, 86400, 604800
_MINUTES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)
_HOURS = (1, 2, 3, 4, 6, 8, 12)
_NIGHT = range(1, 6)


@dataclass(frozen=True, slots=True)
class Times:
    """Every minute, hour and day that is among these; None is any. Days are of the week, Sunday is 0."""

    minutes: tuple[int, ...] | None
    hours: tuple[int, ...] | None = None
    day: int | None = None

    @classmethod
    def every(cls, seconds: float, offset: int) -> "Times":
        """Times that are `seconds` apart on every day. `offset` is any number, and moves them, so that not all machines
        run at once; what runs once a day or a week does so at night. UsageError: days and hours do not divide so."""
        for unit, divisors in ((_MINUTE, _MINUTES), (_HOUR, _HOURS)):
            if seconds / unit in divisors:
                return cls._within(round(seconds / unit), offset, minutes=unit == _MINUTE)
        if seconds in (_DAY, _WEEK):
            night = _NIGHT[offset // 60 % len(_NIGHT)]
            return cls((offset % 60,), (night,), 0 if seconds == _WEEK else None)
        minutes, hours = (", ".join(map(str, each)) for each in (_MINUTES, _HOURS))
        hint = f"There are {minutes} minutes (15m), {hours} hours (2h), 1d and 1w."
        raise UsageError(f"A schedule cannot be every {seconds:g} s.", hint=hint)

    @classmethod
    def _within(cls, step: int, offset: int, *, minutes: bool) -> "Times":
        if minutes:
            return cls(tuple(range(offset % step, 60, step)) if step > 1 else None)
        return cls((offset % 60,), tuple(range(offset // 60 % step, 24, step)) if step > 1 else None)

    @property
    def cron(self) -> str:
        """The first five fields of a line."""
        day = "*" if self.day is None else str(self.day)
        return f"{_list(self.minutes)} {_list(self.hours)} * * {day}"

    @property
    def calendar(self) -> str:
        """For OnCalendar=, see systemd.time(7)."""
        day = "" if self.day is None else ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][self.day] + " "
        return f"{day}*-*-* {_list(self.hours)}:{_list(self.minutes)}:00"

    @property
    def intervals(self) -> list[Mapping[str, int]]:
        """For StartCalendarInterval, see launchd.plist(5)."""
        fields = (
            ("Minute", self.minutes),
            ("Hour", self.hours),
            ("Weekday", None if self.day is None else (self.day,)),
        )
        given = [[(name, value) for value in values] for name, values in fields if values is not None]
        return [dict(chosen) for chosen in product(*given)]


def _list(values: tuple[int, ...] | None) -> str:
    return "*" if values is None else ",".join(map(str, values))
