"""The jobs of an import: how they are doing, and what albums they made."""

import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from threading import Event as StopEvent
from uuid import UUID

from momentarium_cli.client import events, losses, poll
from momentarium_cli.client.api import Api
from momentarium_cli.client.background import in_thread
from momentarium_cli.client.events import Event
from momentarium_cli.client.journal import Journal
from momentarium_cli.errors import NotFound, Temporary
from momentarium_cli.models import AlbumSummary, JobState, JobStatus

_BUSY_SECONDS = 10.0  # before a server that has no answer for us is asked again


class Jobs:
    """In the order in which they began, which is that in which they end."""

    def __init__(self, api: Api, journal: Journal, stop: StopEvent) -> None:
        self._api, self._journal, self._stop = api, journal, stop
        self._jobs: dict[str, JobStatus | None] = {}
        self._imports: dict[str, UUID] = {}  # by job: under which its photos came
        self._asked: Future[tuple[JobStatus, float]] | None = None
        self._ask_at = 0.0  # of time.monotonic()

    def began(self, job_id: str, import_id: UUID) -> None:
        self._jobs[job_id], self._imports[job_id] = None, import_id

    @property
    def known(self) -> tuple[JobStatus, ...]:
        return tuple(job for job in self._jobs.values() if job is not None)

    @property
    def albums(self) -> tuple[AlbumSummary, ...]:
        """The albums of all jobs; one that several jobs filled counts the photos of all of them."""
        merged: dict[int, AlbumSummary] = {}
        for job in self.known:
            for album in job.albums:
                before = merged.get(album.id)
                photos = album.photos + (before.photos if before else 0)
                merged[album.id] = album.model_copy(update={"photos": photos})
        return tuple(sorted(merged.values(), key=lambda album: (album.starts_at is None, album.starts_at, album.id)))

    def glance(self) -> Iterator[Event]:
        """While photos are being uploaded: how the first job that has not ended is doing. It asks at the server's pace,
        and does not wait for the answer."""
        if self._asked is not None:
            if self._asked.done():
                yield from self._unless_lost(self._answered(self._asked))
                self._asked = None
        elif self._going_on and time.monotonic() >= self._ask_at:
            job_id = self._going_on[0]
            self._asked = in_thread(lambda: self._api.job(job_id, patience=0), "glance")

    def _answered(self, asked: Future[tuple[JobStatus, float]]) -> Iterator[Event]:
        wait = _BUSY_SECONDS
        with suppress(Temporary):  # uploading is what tells that the server is away
            status, wait = asked.result()
            yield from self._changed(status)
        self._ask_at = time.monotonic() + wait

    def _changed(self, status: JobStatus) -> Iterator[Event]:
        if status == self._jobs[str(status.id)]:
            return
        self._note(status)
        yield events.JobProgress(status)
        if status.status is JobState.COMPLETED and status.albums:
            yield events.Albums(str(status.id), tuple(status.albums))

    def follow(self, timeout: float | None) -> Iterator[Event]:
        """Until all have ended."""
        while self._going_on:
            yield from self._unless_lost(self._followed(timeout))

    def _followed(self, timeout: float | None) -> Iterator[Event]:
        for event in poll.follow(self._api, self._going_on, self._stop, timeout=timeout):
            self._note(event.job)
            yield event

    def _unless_lost(self, told: Iterator[Event]) -> Iterator[Event]:
        """What is told of the first job that goes on, and of others after it; where the server has lost it, that."""
        try:
            yield from told
        except NotFound:
            yield from self._lost(self._going_on[0])

    def _lost(self, job_id: str) -> Iterator[Event]:
        del self._jobs[job_id]
        yield from losses.of_unknown_job(self._journal, job_id)

    def look(self) -> Iterator[Event]:
        """How those that have not ended are doing, without waiting for them; there may be hundreds."""
        going_on = self._going_on
        imports = dict.fromkeys(self._imports[job_id] for job_id in going_on)
        found = {str(job.id): job for import_id in imports for job in self._api.jobs(import_id)}
        for job_id in going_on:
            try:
                status = found.get(job_id) or self._api.job(job_id)[0]
            except NotFound:
                yield from self._lost(job_id)
                continue
            self._note(status)
            yield events.JobProgress(status)

    @property
    def _going_on(self) -> list[str]:
        return [job_id for job_id, job in self._jobs.items() if job is None or not job.status.ended]

    def _note(self, status: JobStatus) -> None:
        """A job that failed is told again by every run, until it is retried or was cancelled on purpose."""
        self._jobs[str(status.id)] = status
        losses.of_job(self._journal, status)
        if status.status is JobState.COMPLETED or status.error_code == "cancelled":
            self._journal.done_job(str(status.id))
