"""An import told in words: at the end, now and then, or only if it matters."""

import time
from collections import Counter
from collections.abc import Sequence

from momentarium_cli.cli.interval import Interval, stamp
from momentarium_cli.cli.output import (
    albums_table,
    console,
    count,
    duration,
    job_line,
    job_lines,
    organizer_lines,
    plain,
    say,
    size,
)
from momentarium_cli.cli.progress import Listener, News, Renderer
from momentarium_cli.client import events
from momentarium_cli.client.budget import Limit
from momentarium_cli.client.events import Event, Summary
from momentarium_cli.client.imports import Options
from momentarium_cli.models import AlbumSummary, JobState

_LISTED = 20


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
        if not summary.found and not self._may_find_nothing:
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
        for line in job_lines(job for job in summary.jobs if job.status is not JobState.COMPLETED):
            say(line)
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


def _what_is_left(budget: Limit, summary: Summary) -> str:
    option = f"--{budget.value.replace('_', '-')}"
    if summary.pending:
        return f"{option} is reached, {summary.pending:,} to go: run the same command again to go on."
    return f"{option} is reached; run the same command again to go on."
