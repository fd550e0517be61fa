"""Tells photos that are still being written from those that are whole."""

import errno
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from momentarium_cli.photos.scan import FileStat

SETTLE_SECONDS = 5.0
_OLD_SECONDS = 600.0  # what was not written to for so long is whole, even if a program keeps it open


@dataclass(frozen=True, slots=True)
class _Sight:
    stat: FileStat
    at: float  # of the clock


class Settling:
    """A file has settled when it was not written to for some seconds, and no program has it open for writing where
    that can be told. A time that lies ahead says nothing, as on a share whose clock is fast: such a file is looked at
    again.
    """

    def __init__(
        self,
        seconds: float = SETTLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.seconds = seconds
        self._clock, self._now = clock, now
        self._before: dict[Path, _Sight] = {}
        self._unsettled: dict[Path, _Sight] = {}
        self._first_at = self._last_at = 0.0

    def begin(self) -> None:
        """Another look at everything."""
        self._before, self._unsettled = self._unsettled, {}
        self._first_at = self._last_at = 0.0

    @property
    def unsettled(self) -> int:
        """How many files of this look are still being written."""
        return len(self._unsettled)

    @property
    def took(self) -> float:
        """Seconds from the first file of this look to the last."""
        return self._last_at - self._first_at

    def has_settled(self, path: Path, stat: FileStat) -> bool:
        self._last_at = self._clock()
        self._first_at = self._first_at or self._last_at
        age = self._now() - max(stat.mtime_ns, stat.ctime_ns) / 1e9
        if age >= _OLD_SECONDS:
            return True
        seen = self._before.get(path)
        if seen is None or seen.stat != stat:
            seen = _Sight(stat, self._last_at)
        if max(age, self._last_at - seen.at) >= self.seconds and not _is_written_to(path):
            return True
        self._unsettled[path] = seen
        return False


def _is_written_to(path: Path) -> bool:
    """Whether a program has it open for writing. Linux tells, by refusing a lease, for files on its own disks that are
    ours; see fcntl(2)."""
    try:
        import fcntl

        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (ImportError, OSError):
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except AttributeError:  # not Linux
        return False
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(descriptor)
    return False
