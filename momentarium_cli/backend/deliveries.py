"""What a queue that calls us asks for: run a job for a while, hear of a message that did not arrive, keep house."""

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING
from uuid import UUID

from momentarium_cli.backend.housekeeping import Housekeeping
from momentarium_cli.backend.jobs import Jobs
from momentarium_cli.errors import NotFound

if TYPE_CHECKING:
    from momentarium_cli.backend.worker import Worker

log = logging.getLogger(__name__)

SLICE_SECONDS = 45.0  # inside the lease of 60 s, and inside what serverless platforms give a request
_DELETED_AT_ONCE = 1000
_THREADS = 64  # a delivery that waits for a thread would keep a duplicate from being answered


@dataclass(frozen=True, slots=True)
class Maintained:
    """How many jobs were woken, and how many uploads that never became photos were deleted."""

    woken: int
    deleted: int


class Deliveries:
    """`threads` are for whoever calls: a delivery takes up to a slice."""

    def __init__(self, jobs: Jobs, worker: "Callable[[], Worker]", housekeeping: Housekeeping) -> None:
        self.threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="delivery")
        self._jobs = jobs
        self._worker = worker
        self._housekeeping = housekeeping
        self._stop = Event()

    @contextmanager
    def open(self) -> Iterator["Deliveries"]:
        """At the end of the block, jobs that are running are let go of."""
        try:
            yield self
        finally:
            self._stop.set()
            self.threads.shutdown(cancel_futures=True)

    def run(self, job_id: UUID) -> None:
        """Run a slice of the next job of the user whose job this is; nothing if it is done, waiting, or another's.

        NotFound: there is no such job and never will be. Temporary: database or store is out of reach.
        """
        ran = self._worker().run_slice(job_id, self._stop, until=time.monotonic() + SLICE_SECONDS)
        if not ran and not self._jobs.known(job_id):
            raise NotFound("There is no such job.")

    def undelivered(self, job_id: UUID, fence: int, reason: str) -> None:
        """The queue gave up a message."""
        log.warning("a message about job %s was not delivered: %s", job_id, reason)
        self._jobs.undelivered(job_id, fence, reason)

    def maintain(self) -> Maintained:
        """Wake a worker for what is overdue, and delete what nobody needs."""
        woken = self._jobs.sweep()
        deleted = sum(1 for _ in self._housekeeping.sweep(limit=_DELETED_AT_ONCE, stop=self._stop))
        return Maintained(woken, deleted)
