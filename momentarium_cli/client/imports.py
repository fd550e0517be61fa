"""One import: survey, batches, upload, jobs, albums; told as events, ended by a summary that adds up."""

import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as StopEvent
from uuid import UUID

from uuid6 import uuid7

from momentarium_cli.client import batches, events, poll
from momentarium_cli.client.api import Api
from momentarium_cli.client.budget import Budget, Limit
from momentarium_cli.client.events import Event, Summary
from momentarium_cli.client.journal import Journal
from momentarium_cli.client.nearest import Nearest
from momentarium_cli.client.process import Processor
from momentarium_cli.client.records import BatchState, File
from momentarium_cli.client.send import Staging
from momentarium_cli.client.settling import Settling
from momentarium_cli.client.survey import Survey
from momentarium_cli.client.upload import Load, Uploader
from momentarium_cli.errors import InsufficientStorage, Stopped
from momentarium_cli.models import AlbumSummary, JobState, JobStatus, Me
from momentarium_cli.photos.decode import Decoder

log = logging.getLogger(__name__)

_PREVIEW_BYTES = 256 << 10  # what a preview takes, about
_PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Options:
    """How an import is run."""

    dry_run: bool = False
    wait: bool = True
    timeout: float | None = None  # seconds to wait for the jobs


@dataclass(slots=True)
class _Tally:
    """Counts of files; each file of the paths is in exactly one of them."""

    found: dict[Path, str] = field(default_factory=dict)  # what has become of each so far
    others: Counter[str] = field(default_factory=Counter)  # the files that were never Found
    bytes_uploaded: int = 0

    def count(self, event: Event) -> None:
        match event:
            case events.Found():
                self.found[event.path] = _PENDING
            case events.Unchanged():
                self._settle(event.path, "unchanged")
            case events.Uploaded():
                self._settle(event.path, "uploaded")
                self.bytes_uploaded += event.size_bytes
            case events.Duplicate():
                self._settle(event.path, "duplicates")
            case events.Skipped():
                self._settle(event.path, "skipped")
            case events.Failed():
                self._settle(event.path, "failed")

    def is_pending(self, path: Path) -> bool:
        return self.found.get(path) == _PENDING

    def counts(self) -> Counter[str]:
        return self.others + Counter(self.found.values())

    def _settle(self, path: Path, end: str) -> None:
        if path in self.found:
            self.found[path] = end
        else:
            self.others[end] += 1


class Import:
    """Iterate over `events` to run it; the last event is the Summary, unless an error ends it.

    Of a store that has several regions, `region` is the one to use; without it the nearest is found.
    """

    def __init__(
        self,
        api: Api,
        me: Me,
        journal: Journal,
        paths: Sequence[Path],
        *,
        options: Options,
        staging: Staging | None = None,
        region: str | None = None,
        stop: StopEvent | None = None,
        budget: Budget | None = None,
        settling: Settling | None = None,
    ) -> None:
        self._api, self._me, self._journal = api, me, journal
        self._paths, self._options, self._staging = paths, options, staging
        self._stop = stop or StopEvent()
        self._budget, self._settling = budget or Budget(self._stop), settling
        self._nearest = Nearest(api.transport, me.regions, region)
        self._tally = _Tally()
        self._started = time.monotonic()
        self._jobs: dict[str, JobStatus | None] = {}
        self._unfinished = journal.unfinished()
        # An import that was interrupted goes on under its own id; one whose photos are all accepted is complete.
        interrupted = [batch for batch in self._unfinished if batch.state is not BatchState.ACCEPTED]
        self.id = interrupted[-1].import_id if interrupted else UUID(str(uuid7()))
        self._processor = Processor(api, journal)

    def events(self) -> Iterator[Event]:
        for event in self._events():
            self._tally.count(event)
            if isinstance(event, events.Sent):
                self._budget.sent(event.bytes)
            yield event
        yield self.summary()

    def summary(self) -> Summary:
        """The counts so far; also after an error or a signal."""
        counts = self._tally.counts()
        return Summary(
            import_id=str(self.id),
            found=counts.total(),
            uploaded=counts["uploaded"],
            duplicates=counts["duplicates"],
            unchanged=counts["unchanged"],
            skipped=counts["skipped"],
            failed=counts["failed"],
            pending=counts[_PENDING],
            bytes_uploaded=self._tally.bytes_uploaded,
            elapsed_seconds=time.monotonic() - self._started,
            jobs=tuple(job for job in self._jobs.values() if job is not None),
            albums=self._albums(),
        )

    def _events(self) -> Iterator[Event]:
        yield events.Started(str(self.id), self._api.transport.server.url, self._me.storage)
        with Decoder() as decoder:
            yield from Survey(self._paths, self._journal, decoder, self._budget, settling=self._settling).events()
            waiting = self._journal.waiting()
            planned = list(batches.cut(waiting, [file.taken_sort or 0.0 for file in waiting]))
            yield events.Planned(len(waiting), sum(file.stat.size for file in waiting), len(planned))
            if self._options.dry_run or self._stop.is_set():
                return
            if self._budget.is_set():
                yield from self._cut_short()
            else:
                self._check_space(waiting)
                yield from self._go_on(decoder)
                yield from self._upload(decoder, self._new_loads(planned))
                if self._budget.reached and self._tally.counts()[_PENDING]:
                    yield from self._cut_short()
        if self._options.wait and not self._budget.deadline.is_set():
            yield from self._follow()
        else:
            yield from self._look()

    # --- upload ------------------------------------------------------------------------------------------------

    def _check_space(self, waiting: Sequence[File]) -> None:
        """Before the first byte, for a library that has no photo yet; later the server knows what is new."""
        free = self._me.storage_free_bytes
        needed = sum(_PREVIEW_BYTES + (0 if self._reflinked(file) else file.stat.size) for file in waiting)
        if free is not None and self._me.photos == 0 and needed > free:
            left = f"{free / 1e6:,.0f} MB left to fill"
            raise InsufficientStorage(
                f"{self._me.storage} has {left}, and about {needed / 1e6:,.0f} MB are to come.",
                hint="Free some space there, or set data_dir or storage.url to a larger disk.",
            )

    def _reflinked(self, file: File) -> bool:
        return self._staging is not None and self._staging.takes(file.path, file.stat.dev)

    def _go_on(self, decoder: Decoder) -> Iterator[Event]:
        """Batches that an earlier run left behind."""
        loads = []
        for batch in self._unfinished:
            if batch.state is BatchState.ACCEPTED and batch.job_id:
                self._jobs[batch.job_id] = None
                continue
            self._journal.release_missing(batch.id)
            files = self._journal.members(batch.id, stored=False)
            if batch.state is BatchState.CLOSED and files:
                loads.append(Load(batch.id, files))
            else:
                yield from self._process(batch.id)
        yield from self._upload(decoder, iter(loads))

    def _cut_short(self) -> Iterator[Event]:
        """The budget is reached: what is stored is organized, and what is not leaves its batch for the next run."""
        if self._stop.is_set() or self._budget.reached is None:
            return
        for batch in self._journal.unfinished():
            if batch.state is BatchState.CLOSED:
                self._journal.release_pending(batch.id)
                yield from self._process(batch.id)
        yield events.BudgetReached(self._budget.reached.value)

    def _upload(self, decoder: Decoder, loads: Iterator[Load]) -> Iterator[Event]:
        uploader = Uploader(
            self._api,
            self._journal,
            decoder,
            import_id=self.id,
            staging=self._staging,
            stored=self._process,
            stop=self._budget,
            region=lambda: self._nearest.region,
        )
        yield from uploader.events(loads)

    def _new_loads(self, planned: Sequence[Sequence[File]]) -> Iterator[Load]:
        for files in planned:
            batch_id = UUID(str(uuid7()))
            self._journal.close_batch(batch_id, self.id, [file.id for file in files])
            yield Load(batch_id, files)

    def _process(self, batch_id: UUID) -> Iterator[Event]:
        import_id = next((batch.import_id for batch in self._unfinished if batch.id == batch_id), self.id)
        for file in self._journal.members(batch_id, stored=True):
            if self._tally.is_pending(file.path):  # an earlier run has stored it
                yield events.Unchanged(file.path)
        for event in self._processor.process(batch_id, import_id):
            if isinstance(event, events.JobStarted):
                self._jobs[event.job_id] = None
            yield event

    # --- jobs --------------------------------------------------------------------------------------------------

    def _follow(self) -> Iterator[Event]:
        try:
            for event in poll.follow(self._api, list(self._jobs), self._budget.deadline, timeout=self._options.timeout):
                self._note(event.job)
                yield event
        except Stopped:
            if self._stop.is_set():
                raise
            yield events.BudgetReached(Limit.DURATION.value)

    def _look(self) -> Iterator[Event]:
        """How the jobs are doing, without waiting for them."""
        for job_id in self._jobs:
            status, _ = self._api.job(job_id)
            self._note(status)
            yield events.JobProgress(status)

    def _note(self, status: JobStatus) -> None:
        """A job that failed is told again by every run, until it is retried or was cancelled on purpose."""
        self._jobs[str(status.id)] = status
        if status.status is JobState.COMPLETED or status.error_code == "cancelled":
            self._journal.done_job(str(status.id))

    def _albums(self) -> tuple[AlbumSummary, ...]:
        """The albums of all jobs; one that several jobs filled counts the photos of all of them."""
        merged: dict[int, AlbumSummary] = {}
        for job in self._jobs.values():
            for album in job.albums if job else ():
                before = merged.get(album.id)
                photos = album.photos + (before.photos if before else 0)
                merged[album.id] = album.model_copy(update={"photos": photos})
        return tuple(sorted(merged.values(), key=lambda album: (album.starts_at is None, album.starts_at, album.id)))
