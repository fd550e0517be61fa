"""A claimed job, kept while it is worked on."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from momentarium_cli.backend.db.jobs import Job
from momentarium_cli.backend.jobs import RENEW_SECONDS, Jobs
from momentarium_cli.errors import Temporary

log = logging.getLogger(__name__)


class JobLost(Exception):
    """The job is no longer this worker's to write to."""


class SliceOver(JobLost):
    """The time for this slice of the job is over; what was done is kept."""


class Lease:
    """A claimed job. It is renewed in the background; whoever works on it asks `check` now and then.

    `until`, in monotonic seconds: when this slice of it is over. `got_further`: whether this slice did anything that
    the next need not do again.
    """

    def __init__(self, jobs: Jobs, job: Job, stop: Event, until: float | None = None) -> None:
        self.job = job
        self.stop = stop
        self.got_further = False
        self._until = until
        self._at = ("", 0)
        self._jobs = jobs
        self._ended = Event()
        self._lost = Event()
        self._stage: str | None = None

    def check(self) -> None:
        """Raise JobLost if the job is no longer ours, if the worker is to stop, or if the slice is over."""
        self.check_held()
        if self._until is not None and time.monotonic() >= self._until:
            raise SliceOver

    def check_held(self) -> None:
        """The same in the middle of what cannot be divided: the end of the slice waits."""
        if self._lost.is_set() or self.stop.is_set():
            raise JobLost

    @property
    def seconds_left(self) -> float | None:
        """Of this slice; None where it has no end."""
        return None if self._until is None else self._until - time.monotonic()

    def end_slice(self) -> None:
        """Raise SliceOver, unless another slice would only begin where this one did."""
        if self.got_further:
            raise SliceOver

    def progress(self, stage: str, done: int, total: int) -> None:
        """Say how far the job is; checks, too."""
        self._advance(stage, done)
        self.check()
        self._tell(stage, done, total)

    def note(self, stage: str, done: int, total: int) -> None:
        """The same in the middle of what cannot be divided, of whatever things; people are told in photos."""
        self._advance(stage, done)
        self.check_held()
        photos = len(self.job.image_keys)
        self._tell(stage, photos * done // max(1, total), photos)

    def _advance(self, stage: str, done: int) -> None:
        self.got_further |= stage == self._at[0] and done > self._at[1]
        self._at = stage, done

    def _tell(self, stage: str, done: int, total: int) -> None:
        begins, self._stage = stage != self._stage, stage
        if not self._jobs.progress(self.job, stage, done, total, begins=begins):
            raise JobLost

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew the lease while the block runs."""
        thread = Thread(target=self._renew, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            try:
                if not self._jobs.renew(self.job):
                    self._lost.set()
                    return
            except Temporary as error:
                log.warning("the lease could not be renewed: %s", error)
