"""The port to the queue.

job         a row of processing_jobs; the row is the truth
deliver     see to it that some worker is told of a job, soon or `after` a while; a message may come twice or never
fence       the job's at the time: two messages with the same one are the same message, and one of them may be dropped
work        wait for messages and call `run` with the job's id for each, until told to stop; a queue that calls the
            webhook only waits
patience    how long a message may be under way before the sweep sends another
"""

from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Protocol
from uuid import UUID

from momentarium_cli.backend.db.pool import Connection


class Queue(Protocol):
    @property
    def patience(self) -> timedelta: ...

    def deliver(self, job_id: UUID, fence: int, conn: Connection, *, after: timedelta | None = None) -> None:
        """Tell a worker of a job, once the transaction of `conn` is committed."""

    def work(self, run: Callable[[UUID], None], stop: Event) -> None:
        """Run what is delivered until `stop` is set; outlives restarts of what it listens to."""

    def tidy(self, conn: Connection) -> None:
        """Clear away what dead workers left."""
