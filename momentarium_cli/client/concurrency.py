"""How many files are sent at once: a level that finds itself, as links and stores differ by a factor of a hundred.

It doubles at first, then rises rung by rung, as long as more at once brings more through in a second; of those that
bring about the same, the lowest is kept. Where the store asks to go slower, answers get lost, or much less comes
through than before, it falls by a factor. What comes through is noisy, so it is averaged for every rung, and looked at
again after a while.
"""

import logging
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from momentarium_cli.errors import Temporary, Throttled

log = logging.getLogger(__name__)

CEILING = 32
_START = 8
_RUNGS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_LEAP = 1.1  # what twice as many must bring at first, that it goes on so
_SAME = 1.05  # rates that are nearer to one another than this are the same
_COLLAPSE = 0.5  # below this share of what a rung brought before, twice in a row, everything has become slower
_WEIGHT = 0.25  # of the latest window in a rung's average
_LOOKS = 2  # windows on a rung before the next is tried
_STALE = (24, 48)  # windows after which the rung above the best, and that below, are looked at again
_REST = 4  # windows after a fall
_TROUBLE = 0.1  # share of files that fail: so many are too many at once
_WINDOW_SECONDS = (0.5, 15.0)


@dataclass(slots=True)
class _Rung:
    """What a level brought: bytes a second on average, of so many windows, the last of them at a time."""

    rate: float = 0.0
    windows: int = 0
    at: int = 0

    def add(self, rate: float, now: int) -> None:
        self.windows += 1
        self.rate += (rate - self.rate) * max(_WEIGHT, 1 / self.windows)
        self.at = now


class Climb:
    """Where the level goes from one window to the next; knows no threads and no clock."""

    def __init__(self, start: int = _START, ceiling: int = CEILING) -> None:
        self._levels = [*(level for level in _RUNGS if level < ceiling), ceiling]
        self._rungs = [_Rung() for _ in self._levels]
        self._at = max(0, bisect_right(self._levels, start) - 1)
        self._now = self._slow = 0
        self._stay = _LOOKS
        self._first: float | None = 0.0  # what the last rung brought, while it rises for the first time

    @property
    def limit(self) -> int:
        return self._levels[self._at]

    def window(self, rate: float) -> None:
        """So much came through a second while the level was used up."""
        self._now += 1
        rung = self._rungs[self._at]
        known = rung.rate if rung.windows > 2 else 0.0
        self._slow = self._slow + 1 if rate < known * _COLLAPSE else 0
        rung.add(rate, self._now)
        self._stay -= 1
        if self._first is not None and rate >= self._first * _LEAP and self._at + 1 < len(self._levels):
            self._at, self._first = min(self._at + 2, len(self._levels) - 1), rate
            return
        self._first = None
        if self._slow > 1:
            for each in self._rungs:
                each.rate *= rate / known
            self.fall(1)
        elif self._stay <= 0:
            self._at, self._stay = self._next(), _LOOKS

    def fall(self, rungs: int) -> None:
        """One is two thirds to three quarters, two are half."""
        self._first = None
        self._at, self._stay, self._slow = max(0, self._at - rungs), _REST, 0

    def _next(self) -> int:
        """The lowest of the best, or the one beside it if that was never tried, or not for long."""
        known = [rung for rung in self._rungs if rung.windows]
        most = max(rung.rate for rung in known)
        best = next(at for at, rung in enumerate(self._rungs) if rung.windows and rung.rate * _SAME >= most)
        for beside, stale in zip((best + 1, best - 1), _STALE, strict=True):
            if not 0 <= beside < len(self._rungs):
                continue
            rung = self._rungs[beside]
            if not rung.windows or self._now - rung.at > stale:
                return beside
        return best


class Level:
    """Says how many files are sent at once; `fixed` where a person does. Thread-safe."""

    def __init__(self, fixed: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._fixed, self._clock = fixed, clock
        self._climb = Climb()
        self._lock = Lock()
        self._window = _Window(clock())

    @property
    def limit(self) -> int:
        return self._fixed or self._climb.limit

    def moved(self, size: int) -> None:
        """Bytes that were sent; negative ones have to go again."""
        with self._lock:
            self._window.bytes += size

    def count(self, error: BaseException | None, *, full: bool) -> None:
        """A file was sent, or was not; `full` says whether another waits."""
        with self._lock:
            self._window.count(error, full=full)
            if self._fixed is None and self._window.is_over(now := self._clock(), self.limit):
                self._adjust(now)

    def _adjust(self, now: float) -> None:
        before, window = self.limit, self._window
        if window.failed >= max(2, window.files * _TROUBLE):
            self._climb.fall(2 if window.throttled else 1)
        elif window.full:
            self._climb.window(window.bytes / (now - window.began))
        self._window = _Window(now)
        if self.limit != before:
            log.info("sending %d files at once instead of %d", self.limit, before)


class _Window:
    """A while in which is counted what comes through."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.bytes = self.files = self.failed = 0
        self.full, self.throttled = True, False  # full: there was always a file that waited for its turn

    def count(self, error: BaseException | None, *, full: bool) -> None:
        self.files += 1
        self.full = self.full and full
        self.failed += isinstance(error, Temporary)
        self.throttled = self.throttled or isinstance(error, Throttled)

    def is_over(self, now: float, limit: int) -> bool:
        least, most = _WINDOW_SECONDS
        return now - self.began >= most or (now - self.began >= least and self.files >= 2 * limit)
