"""What a run may use up: time, and bytes on the wire."""

import time
from collections.abc import Callable
from enum import StrEnum
from threading import Event

_LOOK_SECONDS = 0.1


class Limit(StrEnum):
    DURATION = "max_duration"
    TRANSFER = "max_transfer"


class Deadline(Event):
    """Set once `stop` is, or `max_seconds` after it was made."""

    def __init__(self, stop: Event, max_seconds: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._stop, self._clock = stop, clock
        self._ends_at = None if max_seconds is None else clock() + max_seconds

    @property
    def over(self) -> bool:
        return self._ends_at is not None and self._clock() >= self._ends_at

    def is_set(self) -> bool:
        return self._stop.is_set() or self.over

    def wait(self, timeout: float | None = None) -> bool:
        until = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            left = _LOOK_SECONDS if until is None else min(_LOOK_SECONDS, until - time.monotonic())
            if left <= 0:
                return False
            self._stop.wait(left)
        return True


class Budget(Deadline):
    """Set once nothing more is to be sent: at its `deadline`, or after `max_bytes`. Several imports may share one."""

    def __init__(
        self,
        stop: Event,
        *,
        max_seconds: float | None = None,
        max_bytes: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(stop, max_seconds, clock)
        self.deadline = Deadline(stop, max_seconds, clock)
        self._bytes_left = max_bytes

    def sent(self, number: int) -> None:
        """Bytes that were sent; what has to go again counts again."""
        if self._bytes_left is not None:
            self._bytes_left -= number

    @property
    def reached(self) -> Limit | None:
        if self.over:
            return Limit.DURATION
        return Limit.TRANSFER if self._bytes_left is not None and self._bytes_left <= 0 else None

    def is_set(self) -> bool:
        return self._stop.is_set() or self.reached is not None
