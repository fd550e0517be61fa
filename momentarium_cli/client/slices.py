"""Which files are signed next, and how many at once: signed ones are good for minutes, and a request for their URLs
costs more than a URL."""

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable

from momentarium_cli.client.concurrency import Level
from momentarium_cli.client.work import Pace, Work

_SLICE = 256  # files a request for URLs at most
_SIGNED_SECONDS = 2.0  # for so long there are signed files, so that all are sent before they expire
_GATHER_SECONDS = 0.5  # what is prepared in this time is signed by one request
_AT_ONCE_BYTES = 8 << 20  # so little goes before it expires: it is signed before a pace is known


class Slices:
    """The files that wait to be signed; `len` tells how many. Of one thread."""

    def __init__(self, level: Level, clock: Callable[[], float] = time.monotonic) -> None:
        self._level, self._clock = level, clock
        self._pace = Pace(clock)
        self._ready: deque[Work] = deque()
        self._later: list[tuple[float, int, Work]] = []  # a heap of those whose next try is not yet due
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._ready) + len(self._later)

    def add(self, work: Work) -> None:
        self._ready.append(work)

    def again(self, work: Work, delay: float) -> None:
        """It is signed anew after so many seconds."""
        heapq.heappush(self._later, (self._clock() + delay, next(self._numbers), work))

    def stored(self) -> None:
        """A file went all the way."""
        self._pace.stored()

    def take(self, signed: int, *, more: bool) -> list[Work]:
        """The next slice; empty as long as it can wait. So many are `signed` and not stored yet, and `more` are being
        prepared."""
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            self._ready.append(heapq.heappop(self._later)[-1])
        room = max(0, min(_SLICE, max(self._wanted, self._light) - signed))
        least = min(room, max(1, int(self._pace.per_second * _GATHER_SECONDS)))
        if len(self._ready) < least and (more or signed >= least):
            return []
        return [self._ready.popleft() for _ in range(min(room, len(self._ready)))]

    @property
    def _light(self) -> int:
        """How many of the files that wait are few bytes together."""
        sizes = itertools.accumulate(work.ready.size for work in itertools.islice(self._ready, _SLICE))
        return sum(1 for _ in itertools.takewhile(_AT_ONCE_BYTES.__ge__, sizes))

    @property
    def _wanted(self) -> int:
        """How many signed files there are at best: enough to keep all senders busy while the next are signed."""
        limit = self._level.limit
        return limit + max(2, limit // 2) + int(self._pace.per_second * _SIGNED_SECONDS)
