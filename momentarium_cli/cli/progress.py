"""An import as it goes on: bars for a person, plain lines for cron and pipes, JSON lines for programs."""

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, Self

from momentarium_cli.cli.interval import Interval, stamp
from momentarium_cli.cli.output import (
    albums_table,
    console,
    count,
    duration,
    job_line,
    organizer_lines,
    plain,
    print_json,
    say,
    size,
)
from momentarium_cli.cli.signals import Signals
from momentarium_cli.client import events
from momentarium_cli.client.budget import Limit
from momentarium_cli.client.events import Event, Summary
from momentarium_cli.client.imports import Import, Options
from momentarium_cli.errors import JobFailed, MomentariumError, NothingUsable, Stopped
from momentarium_cli.models import AlbumSummary, JobState

FAILURES = 3
BUDGET = 7
_LISTED = 20


class Listener(Protocol):
    """Is told what an import tells, beside whoever shows it."""

    def show(self, event: Event) -> None: ...

    def end(self, summary: Summary) -> None: ...


class News:
    """What the rounds of a watch tell: in later ones nothing of what is as it was, and no failure twice."""

    def __init__(self) -> None:
        self.first = True
        self._failures: set[tuple[Path, str]] = set()

    def is_new(self, event: Event) -> bool:
        match event:
            case events.Failed():
                known = (event.path, event.error) in self._failures
                self._failures.add((event.path, event.error))
                return not known
            case events.Uploaded() | events.Duplicate() | events.Warned() | events.BudgetReached():
                return True
        return self.first


class Renderer(AbstractContextManager["Renderer"], ABC):
    """Shows the events of an import, then how it ended; of a round of a watch only the `news`."""

    def __init__(self, options: Options, listeners: Sequence[Listener] = (), news: News | None = None) -> None:
        self._options = options
        self._listeners = listeners
        self._news = news
        self._budget: Limit | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to put away."""

    def run(self, import_: Import, signals: Signals) -> int:
        """Run the import and return the exit code."""
        summary: Summary | None = None
        error: MomentariumError | None = None
        try:
            for event in import_.events():
                if isinstance(event, Summary):
                    summary = event
                else:
                    self._happened(event)
        except Stopped:
            pass
        except MomentariumError as raised:
            error = raised
        summary = summary or import_.summary()
        for listener in self._listeners:
            listener.end(summary)
        self.end(summary)
        return self._exit_code(summary, error, signals)

    def _happened(self, event: Event) -> None:
        if isinstance(event, events.BudgetReached):
            self._budget = Limit(event.budget)
        if self._news is not None and not self._news.is_new(event):
            return
        for listener in self._listeners:
            listener.show(event)
        self.show(event)

    def _exit_code(self, summary: Summary, error: MomentariumError | None, signals: Signals) -> int:
        if error is not None:
            raise error
        if signals.stop.is_set():
            say(_what_is_safe(summary))
            return signals.exit_code
        if summary.found == summary.skipped and self._budget is None and not self._options.is_selective:
            return self._nothing()
        if summary.failed:
            return FAILURES
        if any(job.status is JobState.FAILED for job in summary.jobs):
            return JobFailed.exit_code
        return 0 if self._budget is None else BUDGET

    def _nothing(self) -> int:
        """What comes of folders without a photo."""
        raise NothingUsable("No photo was found.", hint="Name folders that hold photos; --list-skipped tells more.")

    @abstractmethod
    def show(self, event: Event) -> None:
        """Something happened."""

    @abstractmethod
    def end(self, summary: Summary) -> None:
        """It is over."""


class JsonLines(Renderer):
    """The summary is the last line, also where imports for others came in between; there is none of a round in which
    nothing was told."""

    _summary: Summary | None = None
    _told = False

    def show(self, event: Event) -> None:
        if not isinstance(event, events.Sent):
            self._told = True
            print_json(event.as_json())

    def end(self, summary: Summary) -> None:
        self._summary = summary if self._told or self._news is None else None

    def __exit__(self, *_: object) -> None:
        if self._summary is not None:
            print_json(self._summary.as_json())


class JsonErrand(Renderer):
    """An import for another run is one line: who asked for it, and what became of it."""

    def __init__(self, options: Options, listeners: Sequence[Listener], errand: str) -> None:
        super().__init__(options, listeners)
        self._errand = errand

    def show(self, event: Event) -> None:
        """Its events are of no concern to who reads those of this run."""

    def end(self, summary: Summary) -> None:
        print_json(events.DoneForAnother(self._errand, summary).as_json())


class ForPeople(Renderer):
    """Keeps what is told at the end."""

    def __init__(
        self,
        options: Options,
        listeners: Sequence[Listener] = (),
        news: News | None = None,
        *,
        list_skipped: bool = False,
    ) -> None:
        super().__init__(options, listeners, news)
        self._list_skipped = list_skipped
        self._reasons: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._storage = ""
        self._planned: events.Planned | None = None
        self._estimated: events.Estimated | None = None
        self._failures: list[events.Failed] = []
        self._ready: set[int] = set()

    def show(self, event: Event) -> None:
        match event:
            case events.Started():
                self._storage = event.storage
            case events.Skipped():
                self._reasons[event.text] += 1
                self._tell(f"skipped {_path(event)}: {event.text}", listed=self._list_skipped)
            case events.LeftOut():
                self._left_out[event.text] += 1
                self._tell(f"left out {_path(event)}: {event.text}", listed=self._list_skipped)
            case events.Failed():
                self._failures.append(event)
            case events.Warned():
                self._tell(f"{_path(event)}: {plain(event.text)}")
            case events.Planned():
                self._planned = event
            case events.Estimated():
                self._estimated = event
            case events.Albums():
                self._show_albums(event.albums)

    def _show_albums(self, albums: Sequence[AlbumSummary]) -> None:
        """The first ones, while others are still being uploaded; all of them come at the end."""
        for album in albums:
            if album.id not in self._ready:
                self._ready.add(album.id)
                self._tell(f"Ready: {plain(album.title)}, {count(album.photos, 'photo')}")

    def _tell(self, line: str, *, listed: bool = True) -> None:
        if listed:
            say(line)

    def end(self, summary: Summary) -> None:
        if not summary.found and self._budget is None and not self._options.is_selective:
            return  # an error is to come, and says it all
        if self._options.dry_run:
            self._end_of_dry_run(summary)
            return
        self._albums_and_jobs(summary)
        self._counts(summary)
        if self._storage:
            say(f"The originals are in {self._storage}.")
        if summary.jobs:
            say(f"This was import {summary.import_id}.")

    def _albums_and_jobs(self, summary: Summary) -> None:
        if summary.albums:
            console().print(albums_table(summary.albums))
        for job in summary.jobs:
            if job.status is not JobState.COMPLETED:
                say(job_line(job))
        for line in organizer_lines(summary.jobs):
            say(line)

    def _counts(self, summary: Summary) -> None:
        sent = f"{count(summary.uploaded, 'photo')} uploaded ({size(summary.bytes_uploaded)})"
        parts = [sent if summary.uploaded else "nothing new"]
        optional = ("duplicates", "unchanged", "skipped", "failed", "pending")
        parts += [_number(getattr(summary, name), name) for name in optional if getattr(summary, name)]
        say(f"{count(summary.found, 'file')} found: {', '.join(parts)}, in {duration(summary.elapsed_seconds)}.")
        self._reasons_for_less()
        for failure in self._failures[:_LISTED]:
            say(f"  failed: {_path(failure)}: {plain(failure.error)}")
        if len(self._failures) > _LISTED:
            say(f"  … and {len(self._failures) - _LISTED:,} more; --report lists all.")
        if self._budget is not None:
            say(_what_is_left(self._budget, summary))

    def _end_of_dry_run(self, summary: Summary) -> None:
        batches = self._planned.batches if self._planned else 0
        to_come = self._estimated or events.Estimated(0, 0, None, 0, None)
        where = f"in {batches} batch{'' if batches == 1 else 'es'}, about {count(to_come.albums, 'album')}"
        say(f"Would upload {count(to_come.files, 'photo')} ({size(to_come.bytes)}) {where}; nothing was done.")
        if to_come.seconds is not None and to_come.files:
            say(f"At the speed of earlier uploads that takes about {duration(to_come.seconds)}.")
        if to_come.dollars is not None and to_come.files:
            say(f"Asking Gemini about them costs at most about ${max(0.01, to_come.dollars):.2f}.")
        known = f"{_number(summary.duplicates, 'duplicates')}, {summary.unchanged:,} unchanged"
        say(f"{known}, {summary.skipped:,} skipped, {summary.failed:,} unreadable.")
        self._reasons_for_less()

    def _reasons_for_less(self) -> None:
        for reason, number in self._reasons.most_common():
            say(f"  skipped: {number:,} × {reason}")
        for reason, number in self._left_out.most_common():
            say(f"  left out: {number:,} × {reason}")


class Lines(ForPeople):
    """Plain lines; while it takes long, one now and then, with the time."""

    def __init__(
        self,
        options: Options,
        listeners: Sequence[Listener] = (),
        news: News | None = None,
        *,
        list_skipped: bool = False,
    ) -> None:
        super().__init__(options, listeners, news, list_skipped=list_skipped)
        self._looked_at = self._uploaded = self._bytes = 0
        self._began = time.monotonic()
        self._interval = Interval()

    def show(self, event: Event) -> None:
        super().show(event)
        match event:
            case events.Planned() if event.files:
                say(f"{count(event.files, 'photo')} to upload ({size(event.bytes)}).")
                self._began = time.monotonic()
            case events.Uploaded():
                self._uploaded += 1
                self._bytes += event.size_bytes
            case events.JobStarted():
                say(f"Organizing {count(event.photos, 'photo')}: job {event.job_id}.")
            case events.Found() | events.Unchanged() | events.Skipped():
                self._looked_at += 1
        if self._interval.is_over():
            say(f"{stamp()} {self._how_far(event)}")

    def _how_far(self, event: Event) -> str:
        if self._planned is None:
            return f"{count(self._looked_at, 'file')} found so far"
        if isinstance(event, events.JobProgress):
            return job_line(event.job)
        speed = self._bytes / max(time.monotonic() - self._began, 0.1)
        left = max(0, self._planned.bytes - self._bytes) / speed if speed else 0
        return (
            f"{self._uploaded:,} of {self._planned.files:,} sent, {size(self._bytes)}, {size(speed)}/s,"
            f" {duration(left)} left"
        )


class Quiet(ForPeople):
    """Nothing where nothing is new and nothing failed; else what came of it, once it is over."""

    def _show_albums(self, albums: Sequence[AlbumSummary]) -> None:
        """They come at the end."""

    def end(self, summary: Summary) -> None:
        if not self._is_news(summary):
            return
        if self._news is not None:
            say(stamp())
        self._albums_and_jobs(summary)
        self._counts(summary)

    def _is_news(self, summary: Summary) -> bool:
        failed = self._failures or any(job.status is JobState.FAILED for job in summary.jobs)
        return bool(summary.uploaded or summary.pending or failed)

    def _nothing(self) -> int:
        return 0


def _path(event: events.Skipped | events.LeftOut | events.Failed | events.Warned) -> str:
    return plain(events.printable(event.path))


def _number(number: int, name: str) -> str:
    return f"{number:,} {name.removesuffix('s') if number == 1 else name}"


def _what_is_safe(summary: Summary) -> str:
    done = summary.uploaded + summary.duplicates + summary.unchanged
    if not summary.pending:
        return f"Stopped. {count(done, 'photo')} safe, 0 to go; their albums are being made in the background."
    return f"Stopped. {count(done, 'photo')} safe, {summary.pending:,} to go: run the same command again to go on."


def _what_is_left(budget: Limit, summary: Summary) -> str:
    option = f"--{budget.value.replace('_', '-')}"
    if summary.pending:
        return f"{option} is reached, {summary.pending:,} to go: run the same command again to go on."
    return f"{option} is reached; run the same command again to go on."
