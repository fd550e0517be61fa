"""When a file that could not be stored is tried again."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from momentarium_cli.client.store_errors import is_lasting
from momentarium_cli.errors import MomentariumError, Temporary

TRIES = 5
PATIENCE_SECONDS = 300.0
MAX_RETRY_AFTER_SECONDS = 30.0
_FIRST_DELAY_SECONDS = 0.2
_MAX_DELAY_SECONDS = 10.0
_MANY = 40  # files or tries in a row: more than are on their way at once
_EXPIRY_SECONDS = 60.0  # what is refused as expired sooner than this did not wait too long: clocks differ


@dataclass(slots=True)
class _Streak:
    """Failures in a row, and since when."""

    count: int = 0
    since: float = 0.0

    def add(self, now: float) -> None:
        self.since = self.since if self.count else now
        self.count += 1

    def is_over(self, now: float, least: int) -> bool:
        return self.count >= least and now - self.since >= PATIENCE_SECONDS


@dataclass(slots=True)
class Attempts:
    """Of one file: the tries that failed, and those in a row that say nothing against it."""

    tries: int = 0
    away: _Streak = field(default_factory=_Streak)


class Retries:
    """A file has five tries. What says nothing against it counts as none: a signature that waited too long for its
    turn, and for some minutes a store that is away or asks to go slower. A store that let nothing through for so long
    ends the run: it is not waited for again with every file.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._away = _Streak()

    def stored(self) -> None:
        """A file or a part got through."""
        self._away = _Streak()

    @property
    def is_hopeless(self) -> bool:
        """The store let nothing through for so long that no other file is worth a try."""
        return self._away.is_over(self._clock(), _MANY)

    def delay(self, attempts: Attempts, error: MomentariumError, *, waited: float) -> float | None:
        """Seconds until this file is tried again; None if it is given up. Its signature `waited` so many seconds until
        sending began."""
        if isinstance(error, Temporary) and not is_lasting(error):
            return self._while_away(attempts, error)
        attempts.away = _Streak()
        if error.error_code == "expired" and waited >= _EXPIRY_SECONDS:
            return 0.0
        attempts.tries += 1
        return _jitter(attempts.tries) if attempts.tries < TRIES else None

    def _while_away(self, attempts: Attempts, error: Temporary) -> float | None:
        now = self._clock()
        attempts.away.add(now)
        self._away.add(now)
        if attempts.away.is_over(now, TRIES) or self.is_hopeless:
            return None
        return max(_jitter(attempts.away.count), min(error.retry_after or 0.0, MAX_RETRY_AFTER_SECONDS))


def _jitter(number: int) -> float:
    """Full jitter: the delay before try `number` + 1 is anywhere below a ceiling that doubles."""
    return random.uniform(0, min(_FIRST_DELAY_SECONDS * 2 ** min(number, 10), _MAX_DELAY_SECONDS))  # noqa: S311 -- no secret
