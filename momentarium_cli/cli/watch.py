"""Goes on uploading: a round for what is there, then one whenever photos have come and are whole."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from momentarium_cli.cli.interval import stamp
from momentarium_cli.cli.output import say
from momentarium_cli.client.changes import Changes
from momentarium_cli.client.settling import Settling
from momentarium_cli.errors import JobFailed, LockHeld, MomentariumError, NothingUsable, NotMomentarium, Temporary

_LOOK_SECONDS = 0.5
_RESCAN_SECONDS = 900.0  # what comes to a network folder from another machine is told by nobody
_UNTOLD_RESCAN_SECONDS = 60.0  # where changes are not told at all
_FIRST_RETRY_SECONDS = 5.0
_PAUSE = 10  # times as long as looking at everything took: that is done no more than a tenth of the time
_LONGEST_PAUSE_SECONDS = 300.0
_SURVIVED = (Temporary, JobFailed, NothingUsable)

Round = Callable[[Sequence[Path], Settling], object]


class Watch:
    """`upload` makes a round of the folders that are there; `over` says when there is to be no more."""

    def __init__(self, paths: Sequence[Path], upload: Round, over: Callable[[], bool]) -> None:
        self._paths, self._upload, self._over = paths, upload, over
        self._settling = Settling()
        self._failures, self._went_well = 0, False
        self._missing: frozenset[Path] = frozenset()

    def run(self, changes: Changes) -> None:
        while not self._over():
            changes.happened.clear()
            self._round()
            self._wait(changes)

    def _round(self) -> None:
        present = [path for path in self._paths if path.exists()]
        self._tell_missing(frozenset(self._paths) - frozenset(present))
        if not present:
            return
        self._settling.begin()
        try:
            self._upload(present, self._settling)
        except LockHeld:  # its holder tells what it does; what came meanwhile is still to be uploaded
            self._failures += 1
        except MomentariumError as error:
            if not self._survives(error):
                raise
            self._failures += 1
            say(f"{stamp()} {error}")
        else:
            self._failures, self._went_well = 0, True

    def _survives(self, error: MomentariumError) -> bool:
        """Whether it passes, as where something answers in the place of a server that was there before."""
        return isinstance(error, _SURVIVED) or (self._went_well and isinstance(error, NotMomentarium))

    def _tell_missing(self, missing: frozenset[Path]) -> None:
        for path in sorted(missing - self._missing):
            say(f"{stamp()} {path} is not there; it is waited for.")
        for path in sorted(self._missing - missing):
            say(f"{stamp()} {path} is there again.")
        self._missing = missing

    def _wait(self, changes: Changes) -> None:
        """Until there may be something to do: what has just changed is given the time to settle."""
        now = time.monotonic()
        earliest = now + self._pause()
        at = now + (_UNTOLD_RESCAN_SECONDS if changes.trouble else _RESCAN_SECONDS)
        if self._failures:
            at = earliest
        elif self._settling.unsettled:
            at = now + self._settling.seconds
        while not self._over() and now < max(at, earliest):
            if changes.happened.is_set():
                changes.happened.clear()
                at = min(at, now + self._settling.seconds)
            time.sleep(_LOOK_SECONDS)
            now = time.monotonic()

    def _pause(self) -> float:
        failed = _FIRST_RETRY_SECONDS * 2 ** min(self._failures - 1, 10) if self._failures else 0.0
        return min(max(self._settling.took * _PAUSE, failed), _LONGEST_PAUSE_SECONDS)
