"""How many bytes a second are sent, all files together, and when: what `--bwlimit` says.

The syntax is rclone's: a rate such as 512k, 10M or 1.5G, of 1,024 bytes and its powers a second, a number alone
meaning KiB, B bytes, and "off" no limit; or a timetable such as "08:00,1M 22:00,off", where each rate holds from its
time on until the next, every day, or with a day before it ("Mon-08:00,1M Sat-00:00,off") from then on in the week.
"""

import re
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Lock

from momentarium_cli.errors import Stopped, UsageError

_UNITS = {"b": 1, "": 1 << 10, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_RATE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)([bkmgt]?)", re.IGNORECASE)
_TIME = re.compile(r"(?:([a-z]{3})[a-z]*-)?(\d{1,2}):(\d{2})", re.IGNORECASE)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 24 * 60  # minutes
_PIECE_SECONDS = 0.25  # what is sent in one go, so that all senders have their turn and no connection looks dead
_PIECE_BYTES = (1 << 10, 1 << 18)
_LOOK_SECONDS = 1.0  # a wait is reckoned anew so often: the timetable goes on meanwhile


@dataclass(frozen=True, slots=True)
class Timetable:
    """Bytes a second by minute of the week, of local wall time; None: no limit. Times ascend, the first of the week
    is preceded by the last."""

    starts: tuple[int, ...]
    rates: tuple[float | None, ...]

    @classmethod
    def read(cls, text: str) -> "Timetable":
        """UsageError where it is no rate and no timetable."""
        entries = text.split()
        if len(entries) == 1 and "," not in text:
            return cls((0,), (_rate(text.strip(), text),))
        found = {start: rate for entry in entries for start, rate in _entry(entry, text)}
        if not found:
            raise _wrong(text)
        starts = sorted(found)
        return cls(tuple(starts), tuple(found[start] for start in starts))

    def rate(self, now: time.struct_time) -> float | None:
        """At a local time. A clock that is put forward or back changes nothing: what it shows counts."""
        minute = now.tm_wday * _DAY + now.tm_hour * 60 + now.tm_min
        return self.rates[bisect_right(self.starts, minute) - 1]


UNLIMITED = Timetable((0,), (None,))


class Bandwidth:
    """Shared by all senders: each takes the bytes that it is about to send, and waits until they are due."""

    def __init__(
        self,
        timetable: Timetable,
        stop: Event,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], time.struct_time] = time.localtime,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._timetable, self._clock, self._wall = timetable, clock, wall
        self._is_limited = timetable.rates != UNLIMITED.rates
        self._wait = wait or stop.wait
        self._at = clock()
        self._due = 0.0  # bytes that were due until then
        self._taken = 0.0  # and those that were taken, on the same scale: what was not taken in its time is lost
        self._lock = Lock()

    @property
    def piece(self) -> int:
        """How many bytes to take at once at most."""
        least, most = _PIECE_BYTES
        rate = self._timetable.rate(self._wall()) if self._is_limited else None
        return most if rate is None else min(most, max(least, int(rate * _PIECE_SECONDS)))

    def take(self, size: int) -> None:
        """Returns once so many bytes may be sent. Raises Stopped where the run stops before."""
        if not self._is_limited:
            return
        with self._lock:
            self._advance()
            start = max(self._taken, self._due)
            self._taken = start + size
        while (seconds := self._until(start)) > 0:
            if self._wait(min(seconds, _LOOK_SECONDS)):
                raise Stopped("Stopped while a file was being sent.")

    def _until(self, start: float) -> float:
        with self._lock:
            rate = self._advance()
            return 0.0 if rate is None else (start - self._due) / rate

    def _advance(self) -> float | None:
        """The rate of this moment, once what has become due since is reckoned."""
        rate, now = self._timetable.rate(self._wall()), self._clock()
        self._due = self._taken if rate is None else self._due + rate * (now - self._at)
        self._at = now
        return rate


def _entry(entry: str, text: str) -> list[tuple[int, float | None]]:
    """What one entry of a timetable says: minutes of the week, and the rate from then on."""
    when, _, rate = entry.partition(",")
    found = _TIME.fullmatch(when)
    if found is None or not rate:
        raise _wrong(text)
    day, hours, minutes = found[1], int(found[2]), int(found[3])
    if hours > 23 or minutes > 59 or (day and day.lower() not in _DAYS):
        raise _wrong(text)
    days = [_DAYS.index(day.lower())] if day else range(7)
    return [(each * _DAY + hours * 60 + minutes, _rate(rate, text)) for each in days]


def _rate(rate: str, text: str) -> float | None:
    if rate.lower() == "off":
        return None
    found = _RATE.fullmatch(rate)
    if found is None:
        raise _wrong(text)
    return float(found[1]) * _UNITS[found[2].lower()] or None


def _wrong(text: str) -> UsageError:
    return UsageError(
        f"{text!r} is no limit of bandwidth.", hint='Say 10M for 10 MiB a second, off, or "08:00,1M 22:00,off".'
    )
