"""One import: survey, batches, upload, jobs, albums; told as events, ended by a summary that adds up."""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from threading import Event as StopEvent
from uuid import UUID

from uuid6 import uuid7

from momentarium_cli.client import events, losses
from momentarium_cli.client.api import Api
from momentarium_cli.client.bandwidth import UNLIMITED, Bandwidth, Timetable
from momentarium_cli.client.budget import Budget, Limit
from momentarium_cli.client.concurrency import Level
from momentarium_cli.client.events import Event, Summary
from momentarium_cli.client.jobs import Jobs
from momentarium_cli.client.journal import Journal
from momentarium_cli.client.nearest import Nearest
from momentarium_cli.client.order import Order
from momentarium_cli.client.plan import OnDevice, Plan
from momentarium_cli.client.process import Processor, waited
from momentarium_cli.client.records import BatchState, Counted
from momentarium_cli.client.rehearsal import Rehearsal
from momentarium_cli.client.send import Staging
from momentarium_cli.client.settling import Settling
from momentarium_cli.client.survey import Survey
from momentarium_cli.client.upload import Uploader
from momentarium_cli.client.work import Load
from momentarium_cli.errors import InsufficientStorage, Stopped
from momentarium_cli.models import Me
from momentarium_cli.photos.choice import EVERYTHING, Choice
from momentarium_cli.photos.decode import Decoder
from momentarium_cli.photos.hasher import Hasher

_PREVIEW_BYTES = 256 << 10  # what a preview takes, about
_BEGUN_ANEW = (
    "it was damaged and is begun anew from what the server knows; photos are read once more, and none is sent twice"
)


@dataclass(frozen=True, slots=True)
class Options:
    """How an import is run."""

    dry_run: bool = False
    wait: bool = True
    timeout: float | None = None  # seconds to wait for the jobs
    order: Order = Order.OLDEST
    choice: Choice = EVERYTHING
    retry_failed: bool = False  # only what failed in earlier runs
    previews: bool = True  # made here; else the server makes them of the originals
    bandwidth: Timetable = UNLIMITED
    concurrency: int | None = None  # files sent at once; None: as many as turn out to be best

    @property
    def is_selective(self) -> bool:
        """Whether there may be photos that the run is not to take: that it finds none is then no failure."""
        return self.retry_failed or not self.choice.is_everything


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
        self._options, self._staging = options, staging
        self._stop = stop or StopEvent()
        self._budget = budget or Budget(self._stop)
        self._decoder = Decoder()
        self._survey = Survey(
            paths,
            journal,
            self._decoder,
            self._budget,
            choice=options.choice,
            retry_failed=options.retry_failed,
            settling=settling,
        )
        self._plan = Plan(journal, options.order)
        self._nearest = Nearest(api.transport, me.regions, region)
        self._processor = Processor(api, journal)
        self._jobs = Jobs(api, journal, self._budget.deadline)
        self._started = time.monotonic()
        self._bytes_uploaded = 0
        self._is_cut_short = False
        self._unfinished = journal.unfinished()
        # An import that was interrupted goes on under its own id; one whose photos are all accepted is complete.
        interrupted = [batch for batch in self._unfinished if batch.state is not BatchState.ACCEPTED]
        self.id = interrupted[-1].import_id if interrupted else UUID(str(uuid7()))
        self._bandwidth = Bandwidth(options.bandwidth, self._budget.deadline)

    @property
    def options(self) -> Options:
        return self._options

    def events(self) -> Iterator[Event]:
        for event in self._events():
            if isinstance(event, events.Sent):
                self._budget.sent(event.sent_bytes)
            yield event
        yield self.summary()

    def summary(self) -> Summary:
        """The counts so far; also after an error or a signal."""
        counts = self._journal.counts() + self._survey.counts
        return Summary(
            import_id=str(self.id),
            found=counts.total(),
            **{counted.value: counts[counted] for counted in Counted},
            bytes_uploaded=self._bytes_uploaded,
            elapsed_seconds=time.monotonic() - self._started,
            jobs=self._jobs.known,
            albums=self._jobs.albums,
        )

    def _events(self) -> Iterator[Event]:
        yield events.Started(str(self.id), self._api.transport.server.url, self._me.storage)
        if self._journal.db.is_new_for_damaged:
            yield events.Warned(self._journal.path, _BEGUN_ANEW)
        yield from self._unless_over(self._find_losses())
        with self._decoder:
            yield from self._survey.events()
            yield events.Planned(*self._plan.total(), self._plan.batches())
            if self._options.dry_run:
                yield from Rehearsal(self._journal, self._plan, self._stop, organizer=self._me.organizer).events()
            if self._options.dry_run or self._stop.is_set():
                return
            is_surveyed = not self._budget.is_set()
            if is_surveyed:
                self._check_space()
                yield from self._unless_over(chain(self._go_on(), self._upload()))
            if self._budget.reached and not self._stop.is_set():
                yield from self._cut_short(is_surveyed)
        if self._options.wait and not self._stop.is_set():
            yield from self._follow()
        else:
            yield from self._unless_over(self._jobs.look())

    def _find_losses(self) -> Iterator[Event]:
        yield from losses.of_restored_server(self._api, self._journal)
        self._unfinished = self._journal.unfinished()

    def _follow(self) -> Iterator[Event]:
        ended = yield from self._unless_over(self._jobs.follow(self._options.timeout))
        if not ended:
            yield from self._unless_over(self._jobs.look())
            if not self._is_cut_short:
                yield events.BudgetReached(Limit.DURATION.value)

    def _unless_over(self, told: Iterator[Event]) -> Generator[Event, None, bool]:
        """Whether it came to its end: once the time is over, nothing is waited for."""
        try:
            yield from told
        except Stopped:
            if self._stop.is_set():
                raise
            return False
        return True

    # --- upload ------------------------------------------------------------------------------------------------

    def _check_space(self) -> None:
        """Before the first byte, for a library that has no photo yet; later the server knows what is new."""
        free = self._me.storage_free_bytes
        if free is None or self._me.photos:
            return
        needed = sum(part.files * _PREVIEW_BYTES + self._copied_bytes(part) for part in self._plan.by_device())
        if needed > free:
            left = f"{free / 1e6:,.0f} MB left to fill"
            raise InsufficientStorage(
                f"{self._me.storage} has {left}, and about {needed / 1e6:,.0f} MB are to come.",
                hint="Free some space there, or set data_dir or storage.url to a larger disk.",
            )

    def _copied_bytes(self, part: OnDevice) -> int:
        is_reflinked = self._staging is not None and self._staging.takes(part.example, part.device)
        return 0 if is_reflinked else part.bytes

    def _go_on(self) -> Iterator[Event]:
        """Batches that an earlier run left behind, and that have no photos to send."""
        for batch in self._unfinished:
            if batch.state is BatchState.ACCEPTED and batch.job_id:
                self._jobs.began(batch.job_id, batch.import_id)
                continue
            self._journal.release_missing(batch.id)
            if batch.state is not BatchState.CLOSED or not self._plan.left_of(batch.id):
                yield from waited(self._process(batch.id))

    def _cut_short(self, is_whole: bool) -> Iterator[Event]:
        """The budget is reached: what is stored is organized, and what is not leaves its batch for the next run. Where
        the last photo used it up, nothing is left, and a run that looked at everything is whole."""
        for batch in self._journal.unfinished():
            if batch.state is BatchState.CLOSED:
                self._journal.release_pending(batch.id)
            if batch.state is not BatchState.ACCEPTED and not (
                yield from self._unless_over(waited(self._process(batch.id)))
            ):
                is_whole = False
                break
        self._is_cut_short = not is_whole or self._journal.counts()[Counted.PENDING] > 0
        if self._is_cut_short and self._budget.reached:
            yield events.BudgetReached(self._budget.reached.value)

    def _upload(self) -> Iterator[Event]:
        began, files = time.monotonic(), 0
        with nullcontext(self._decoder) if self._options.previews else Hasher() as preparer:
            uploader = Uploader(
                self._api,
                self._journal,
                preparer,
                self._decoder.describe,
                import_id=self.id,
                staging=self._staging,
                stored=self._process,
                stop=self._budget,
                break_off=self._budget.deadline,
                region=lambda: self._nearest.region,
                level=Level(self._options.concurrency),
                bandwidth=self._bandwidth,
                meanwhile=self._jobs.glance if self._options.wait else lambda: iter(()),
            )
            for event in uploader.events(self._loads()):
                if isinstance(event, events.Uploaded):
                    files += 1
                    self._bytes_uploaded += event.size_bytes
                yield event
        if files:
            self._journal.note_speed(files, self._bytes_uploaded, time.monotonic() - began)

    def _loads(self) -> Iterator[Load]:
        """Batch after batch, each taken from the journal when its turn comes."""
        for batch in self._unfinished:
            if batch.state is BatchState.CLOSED and (left := self._plan.left_of(batch.id)):
                yield Load(batch.id, self._journal.files(left))
        while new := self._plan.next_batch():
            batch_id = UUID(str(uuid7()))
            self._journal.close_batch(batch_id, self.id, new)
            yield Load(batch_id, self._journal.files(new))

    def _process(self, batch_id: UUID) -> Iterator[Event | None]:
        import_id = next((batch.import_id for batch in self._unfinished if batch.id == batch_id), self.id)
        for event in self._processor.process(batch_id, import_id):
            if isinstance(event, events.JobStarted):
                self._jobs.began(event.job_id, import_id)
            yield event
