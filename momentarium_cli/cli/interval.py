"""When it is time for another line where nobody watches: mail and logs stay short, however long the work takes."""

import time
from collections.abc import Callable

FIRST_SECONDS = 10.0
LAST_SECONDS = 300.0


class Interval:
    """After 10 s, 20 s, 40 s and so on, then every 5 minutes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds = FIRST_SECONDS
        self._next = clock() + FIRST_SECONDS

    def is_over(self) -> bool:
        """Whether a line is due; the next one is due an interval later."""
        now = self._clock()
        if now < self._next:
            return False
        self._seconds = min(self._seconds * 2, LAST_SECONDS)
        self._next = now + self._seconds
        return True


def stamp() -> str:
    """The local time, as a line begins with it."""
    return time.strftime("%Y-%m-%d %H:%M:%S")
