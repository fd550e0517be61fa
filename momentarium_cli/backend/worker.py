"""Runs the jobs that the queue delivers: proves what is unproven, looks at every preview, then makes the albums.

What a stage did is kept on the photos' rows, so an attempt goes on where the last one was interrupted.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread
from uuid import UUID

from momentarium_cli.backend.albums import Albums
from momentarium_cli.backend.db.jobs import Job
from momentarium_cli.backend.housekeeping import Housekeeping
from momentarium_cli.backend.jobs import MAX_ATTEMPTS, Jobs, gave_up
from momentarium_cli.backend.lease import JobLost, Lease, SliceOver
from momentarium_cli.backend.previews import Previews
from momentarium_cli.backend.queues.base import Queue
from momentarium_cli.backend.verifying import Verifying
from momentarium_cli.errors import (
    DatabaseUnavailable,
    InsufficientStorage,
    MomentariumError,
    NotAsDescribed,
    StorageUnavailable,
    Temporary,
)
from momentarium_cli.logs import job_id as logged_job_id

log = logging.getLogger(__name__)

_SWEEP_SECONDS = 10.0
_HOUSEKEEPING_SECONDS = 600.0  # a photo whose deletion was cut short cannot be uploaded again until it is finished
_HOUSEKEEPING_FIRST_SECONDS = 15.0  # a server that a client started for itself may end half a minute after
_OUT_OF_REACH = (DatabaseUnavailable, StorageUnavailable, InsufficientStorage)
_RETRY_SECONDS = (2, 10, 60, 300)  # after the first, second, … attempt


class Worker:
    def __init__(
        self,
        jobs: Jobs,
        queue: Queue,
        verifying: Verifying,
        previews: Previews,
        albums: Albums,
        housekeeping: Housekeeping,
    ) -> None:
        self._jobs = jobs
        self._queue = queue
        self._verifying = verifying
        self._previews = previews
        self._albums = albums
        self._housekeeping = housekeeping

    def work(self, stop: Event) -> None:
        """Run jobs until `stop` is set. A job that is interrupted by it is claimed again later, by anyone."""
        sweeps = (
            _repeated("sweep", self._jobs.sweep, 0, _SWEEP_SECONDS, stop),
            _repeated(
                "housekeeping", lambda: self._keep_house(stop), _HOUSEKEEPING_FIRST_SECONDS, _HOUSEKEEPING_SECONDS, stop
            ),
        )
        self._queue.work(lambda job_id: self.run(job_id, stop), stop)
        for thread in sweeps:
            thread.join()

    def run(self, job_id: UUID, stop: Event) -> None:
        """Run the next job of the user whose job this is, if nobody else does."""
        try:
            self.run_slice(job_id, stop)
        except Temporary as error:
            log.warning("job %s: %s; it is delivered again", job_id, error)

    def run_slice(self, job_id: UUID, stop: Event, *, until: float | None = None) -> bool:
        """Run the next job of the user whose job this is; at `until`, in monotonic seconds, it is delivered again.

        Returns whether there was anything to run. Temporary: the database or the store is out of reach; the job is
        delivered again.
        """
        job = self._jobs.claim(job_id)
        if job is None:
            return False
        token = logged_job_id.set(str(job.id))
        try:
            self._attempt(job, stop, until)
        finally:
            logged_job_id.reset(token)
        return True

    def _attempt(self, job: Job, stop: Event, until: float | None) -> None:
        if job.attempt > MAX_ATTEMPTS:
            self._give_up(job, job.error_message or "its worker died each time")
            return
        log.info("attempt %d of job %s, %d photos", job.attempt, job.id, len(job.image_keys))
        lease = Lease(self._jobs, job, stop, until)
        try:
            with lease.kept():
                self._verifying.prove(job, lease)
                self._previews.examine(job, lease)
                self._albums.organize(job, lease)
        except SliceOver:
            self._end_slice(job, lease)
        except JobLost:
            # Where we are told to stop, nobody need wait for the lease to lapse; where it is lost, this does nothing.
            self._jobs.release(job)
        except NotAsDescribed as error:  # the job has ended with it already
            log.warning("job %s failed: %s", job.id, error)
        except MomentariumError as error:
            log.warning("job %s is put off: %s", job.id, error)
            self._put_off(job, error)
            if isinstance(error, _OUT_OF_REACH):
                raise
        except Exception as error:
            log.exception("job %s failed", job.id)
            self._put_off(job, MomentariumError(f"{type(error).__name__}: {error}"))
        else:
            log.info("job %s completed", job.id)

    def _end_slice(self, job: Job, lease: Lease) -> None:
        if lease.got_further:
            log.info("job %s goes on in another slice", job.id)
            self._jobs.release(job)
        else:
            self._put_off(job, Temporary("It did not get any further within the time of a slice."))

    def _put_off(self, job: Job, error: MomentariumError) -> None:
        if job.attempt >= MAX_ATTEMPTS:
            self._give_up(job, error.message)
        else:
            self._jobs.postpone(job, timedelta(seconds=_RETRY_SECONDS[job.attempt - 1]), error)

    def _give_up(self, job: Job, reason: str) -> None:
        self._jobs.fail(job, "gave_up", gave_up(reason))

    def _keep_house(self, stop: Event) -> None:
        deleted = sum(1 for _ in self._housekeeping.sweep(stop=stop))
        if deleted:
            log.info("deleted %d uploads that never became photos, or that were being deleted", deleted)


def _repeated(name: str, task: Callable[[], object], first: float, every: float, stop: Event) -> Thread:
    """A thread that does this again and again until `stop` is set; times are seconds."""

    def repeat() -> None:
        wait = first
        while not stop.wait(wait):
            wait = every
            try:
                task()
            except MomentariumError as error:
                log.warning("%s: %s", name, error)
            except Exception:  # it is the only recovery, so it goes on whatever happens
                log.exception(name)

    thread = Thread(target=repeat, name=name, daemon=True)
    thread.start()
    return thread
