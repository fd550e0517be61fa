"""How many files are sent at once: a level that finds itself, as links and stores differ by a factor of a hundred.

It rises by steps as long as more at once brings more through in a second, and goes back where it does not. Where the
store asks to go slower, answers get lost or much less comes through than before, it falls by a factor.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Event

from momentarium_cli.errors import MomentariumError, Stopped, Temporary, Throttled

CEILING = 32
_START = 8
_STEP = 2
_GAIN = 1.05  # what a step up must bring to be kept
_LOSS = 0.7  # below this share of what came through before, the level falls
_FALL, _FALL_THROTTLED = 0.7, 0.5
_REST = (4, 16)  # windows until the next step is tried, at first and at most
_WINDOW_SECONDS = (1.0, 15.0)
_LOOK_SECONDS = 0.2


class Climb:
    """Where the level goes from one window to the next; knows no threads and no clock."""

    def __init__(self, start: int = _START, ceiling: int = CEILING) -> None:
        self.limit, self._ceiling = min(start, ceiling), ceiling
        self._before: tuple[int, float] | None = None  # the level that a step was made from, and its rate
        self._rate: float | None = None  # at this level
        self._rest, self._rests = 0, _REST[0]

    def window(self, rate: float, *, full: bool) -> None:
        """So much came through a second, all of it on a level that was used up if it is `full`."""
        if not full:
            self._before = self._rate = None
        elif self._before is not None:
            self._judge(rate, *self._before)
        elif self._rate is not None and rate < self._rate * _LOSS:
            self.fall(_FALL)
        else:
            self._rate = rate if self._rate is None else (self._rate + rate) / 2
            self._rest -= 1
            if self._rest <= 0:
                self._step(self._rate)

    def fall(self, factor: float) -> None:
        self.limit = max(1, int(self.limit * factor))
        self._before = self._rate = None
        self._rest = self._rests

    def _judge(self, rate: float, level: int, before: float) -> None:
        """Whether the last step was worth it."""
        if rate >= before * _GAIN:
            self._rests = _REST[0]
            self._step(rate)
        else:
            self.limit, self._before, self._rate = level, None, max(rate, before)
            self._rest, self._rests = self._rests, min(2 * self._rests, _REST[1])

    def _step(self, rate: float) -> None:
        self._rate = rate
        if self.limit < self._ceiling:
            self._before = (self.limit, rate)
            self.limit = min(self._ceiling, self.limit + _STEP)
        else:
            self._before = None


class Level:
    """Lets so many files be sent at once; `fixed` where a person says how many. Thread-safe."""

    def __init__(self, fixed: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.threads = fixed or CEILING
        self._climb = Climb(fixed or _START, self.threads)
        self._fixed, self._clock = fixed is not None, clock
        self._changed = Condition()
        self._active = self._waiting = 0
        self._window = _Window(clock())

    @property
    def limit(self) -> int:
        return self._climb.limit

    @contextmanager
    def slot(self, stop: Event) -> Iterator[None]:
        """One of those that are sent at once. Raises Stopped where the run stops before its turn comes."""
        self._enter(stop)
        try:
            yield
        except MomentariumError as error:
            self._leave(error)
            raise
        except BaseException:
            self._leave(None)
            raise
        else:
            self._leave(None)

    def moved(self, size: int) -> None:
        """Bytes that were sent."""
        with self._changed:
            self._window.bytes += max(0, size)

    def _enter(self, stop: Event) -> None:
        with self._changed:
            self._waiting += 1
            try:
                while self._active >= self.limit and not stop.is_set():
                    self._changed.wait(_LOOK_SECONDS)
            finally:
                self._waiting -= 1
            if stop.is_set():
                raise Stopped("Stopped before the file was sent.")
            self._active += 1

    def _leave(self, error: MomentariumError | None) -> None:
        with self._changed:
            self._window.full = self._window.full and (self._waiting > 0 or self._active < self.limit)
            self._active -= 1
            self._window.files += 1
            if not self._fixed:
                self._adjust(error)
            self._changed.notify(max(1, self.limit - self._active))

    def _adjust(self, error: MomentariumError | None) -> None:
        now, window = self._clock(), self._window
        if isinstance(error, Temporary) and not window.fell:
            self._climb.fall(_FALL_THROTTLED if isinstance(error, Throttled) else _FALL)
            self._window = _Window(now, fell=True)
        elif window.is_over(now, self.limit):
            if not window.fell:
                self._climb.window(window.bytes / (now - window.began), full=window.full)
            self._window = _Window(now)


class _Window:
    """A while in which is counted what comes through; after a fall the first says nothing."""

    def __init__(self, began: float, *, fell: bool = False) -> None:
        self.began, self.fell = began, fell
        self.bytes = self.files = 0
        self.full = True

    def is_over(self, now: float, limit: int) -> bool:
        least, most = _WINDOW_SECONDS
        return now - self.began >= most or (now - self.began >= least and self.files >= 2 * limit)
