"""An import as it goes on: bars for a person, plain lines for cron and pipes, JSON lines for programs."""

import time
from abc import ABC, abstractmethod
from collections import Counter
from contextlib import AbstractContextManager
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn

from momentarium_cli.cli.output import albums_table, console, count, duration, job_line, plain, print_json, say, size
from momentarium_cli.cli.signals import Signals
from momentarium_cli.client import events
from momentarium_cli.client.events import Event, Summary
from momentarium_cli.client.imports import Import, Options
from momentarium_cli.errors import JobFailed, MomentariumError, NothingUsable, Stopped
from momentarium_cli.models import JobState

FAILURES = 3
_LISTED = 20
_LINE_SECONDS = 10.0


def renderer(*, json: bool, interactive: bool, list_skipped: bool, options: Options) -> "Renderer":
    if json:
        return JsonLines(options)
    cls = Bars if interactive else Lines
    return cls(options, list_skipped=list_skipped)


class Renderer(AbstractContextManager["Renderer"], ABC):
    """Shows the events of an import, then how it ended."""

    def __init__(self, options: Options) -> None:
        self._options = options

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
                    self.show(event)
        except Stopped:
            pass
        except MomentariumError as raised:
            error = raised
        self.end(summary or import_.summary())
        return self._exit_code(summary or import_.summary(), error, signals)

    def _exit_code(self, summary: Summary, error: MomentariumError | None, signals: Signals) -> int:
        if error is not None:
            raise error
        if signals.stop.is_set():
            say(_what_is_safe(summary))
            return signals.exit_code
        if summary.found == summary.skipped and not self._options.is_selective:
            raise NothingUsable("No photo was found.", hint="Name folders that hold photos; --list-skipped tells more.")
        if summary.failed:
            return FAILURES
        if any(job.status is JobState.FAILED for job in summary.jobs):
            return JobFailed.exit_code
        return 0

    @abstractmethod
    def show(self, event: Event) -> None:
        """Something happened."""

    @abstractmethod
    def end(self, summary: Summary) -> None:
        """It is over."""


class JsonLines(Renderer):
    def show(self, event: Event) -> None:
        if not isinstance(event, events.Sent):
            print_json(event.as_json())

    def end(self, summary: Summary) -> None:
        print_json(summary.as_json())


class _ForPeople(Renderer):
    """Keeps what is told at the end."""

    def __init__(self, options: Options, *, list_skipped: bool) -> None:
        super().__init__(options)
        self._list_skipped = list_skipped
        self._reasons: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._storage = ""
        self._planned: events.Planned | None = None
        self._estimated: events.Estimated | None = None
        self._failures: list[events.Failed] = []

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
            case events.Albums():
                shown = ", ".join(f"{plain(album.title)} ({album.photos:,})" for album in event.albums)
                self._tell(f"Ready to look at: {shown}")
            case events.Estimated():
                self._estimated = event

    def _tell(self, line: str, *, listed: bool = True) -> None:
        if listed:
            say(line)

    def end(self, summary: Summary) -> None:
        if not summary.found and not self._options.is_selective:
            return  # an error is to come, and says it all
        if self._options.dry_run:
            self._end_of_dry_run(summary)
            return
        if summary.albums:
            console().print(albums_table(summary.albums))
        for job in summary.jobs:
            if job.status is not JobState.COMPLETED:
                say(job_line(job))
        self._counts(summary)

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
            say(f"  … and {len(self._failures) - _LISTED:,} more; --json lists all.")
        if self._storage:
            say(f"The originals are in {self._storage}.")
        if summary.jobs:
            say(f"This was import {summary.import_id}.")

    def _end_of_dry_run(self, summary: Summary) -> None:
        batches = self._planned.batches if self._planned else 0
        to_come = self._estimated or events.Estimated(0, 0, None, 0)
        where = f"in {batches} batch{'' if batches == 1 else 'es'}, about {count(to_come.albums, 'album')}"
        say(f"Would upload {count(to_come.files, 'photo')} ({size(to_come.bytes)}) {where}; nothing was done.")
        if to_come.seconds is not None and to_come.files:
            say(f"At the speed of earlier uploads that takes about {duration(to_come.seconds)}.")
        known = f"{_number(summary.duplicates, 'duplicates')}, {summary.unchanged:,} unchanged"
        say(f"{known}, {summary.skipped:,} skipped, {summary.failed:,} unreadable.")
        self._reasons_for_less()

    def _reasons_for_less(self) -> None:
        for reason, number in self._reasons.most_common():
            say(f"  skipped: {number:,} × {reason}")
        for reason, number in self._left_out.most_common():
            say(f"  left out: {number:,} × {reason}")


class Lines(_ForPeople):
    """Plain lines; while photos are being sent, one now and then."""

    def __init__(self, options: Options, *, list_skipped: bool) -> None:
        super().__init__(options, list_skipped=list_skipped)
        self._uploaded = self._bytes = 0
        self._last = self._began = time.monotonic()

    def show(self, event: Event) -> None:
        super().show(event)
        match event:
            case events.Planned() if event.files:
                say(f"{count(event.files, 'photo')} to upload ({size(event.bytes)}).")
                self._began = time.monotonic()
            case events.Uploaded():
                self._uploaded += 1
                self._bytes += event.size_bytes
                self._now_and_then()
            case events.JobStarted():
                say(f"Organizing {count(event.photos, 'photo')}: job {event.job_id}.")

    def _now_and_then(self) -> None:
        now = time.monotonic()
        if now - self._last < _LINE_SECONDS or self._planned is None:
            return
        self._last = now
        speed = self._bytes / (now - self._began)
        left = max(0, self._planned.bytes - self._bytes) / speed if speed else 0
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        say(
            f"{stamp} {self._uploaded:,} of {self._planned.files:,} sent, {size(self._bytes)}, {size(speed)}/s,"
            f" {duration(left)} left"
        )


class Bars(_ForPeople):
    """One display: found, sent, speed, time left, then organizing."""

    def __init__(self, options: Options, *, list_skipped: bool) -> None:
        super().__init__(options, list_skipped=list_skipped)
        self._progress = new_progress()
        self._scan = self._progress.add_task("Looking for photos", total=None, detail="", speed="")
        self._send = self._progress.add_task("Uploading", total=None, visible=False, detail="", speed="")
        self._organize = self._progress.add_task("Organizing", total=None, visible=False, detail="", speed="")
        self._found = self._uploaded = self._moved = 0
        self._began = time.monotonic()
        self._job_totals: dict[str, tuple[int, int]] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def end(self, summary: Summary) -> None:
        self._progress.stop()
        super().end(summary)

    def show(self, event: Event) -> None:
        super().show(event)
        match event:
            case events.Found() | events.Unchanged() | events.Skipped() if self._planned is None:
                self._found += 1
                self._progress.update(self._scan, detail=f"{self._found:,} found")
            case events.Planned():
                self._scanned(event)
            case events.Sent():
                self._moved += event.bytes
                self._progress.update(self._send, completed=self._moved, speed=self._speed())
            case events.Uploaded() | events.Duplicate():
                self._uploaded += 1
                self._progress.update(self._send, detail=self._of(self._uploaded))
            case events.JobStarted():
                self._organizing(event.job_id, 0, event.photos)
            case events.JobProgress():
                self._organizing(str(event.job.id), _done(event), event.job.total)

    def _scanned(self, event: events.Planned) -> None:
        self._began = time.monotonic()
        self._progress.update(self._scan, total=1, completed=1, detail=f"{self._found:,} found")
        if event.files and not self._options.dry_run:
            self._progress.update(self._send, total=event.bytes, visible=True, detail=self._of(0))

    def _speed(self) -> str:
        """The average since the first byte: files arrive in bursts, and what a burst promises no network keeps."""
        if self._planned is None or self._moved <= 0:
            return ""
        speed = self._moved / max(time.monotonic() - self._began, 0.1)
        left = self._planned.bytes - self._moved
        return f"{size(speed)}/s" + (f", {duration(left / speed)} left" if left > 0 else "")

    def _of(self, number: int) -> str:
        return f"{number:,} of {self._planned.files:,}" if self._planned else ""

    def _organizing(self, job_id: str, done: int, total: int) -> None:
        self._job_totals[job_id] = (done, total)
        done, total = (sum(column) for column in zip(*self._job_totals.values(), strict=True))
        detail = f"{done:,} of {total:,}"
        self._progress.update(self._organize, visible=True, completed=done, total=total, detail=detail)

    def _tell(self, line: str, *, listed: bool = True) -> None:
        if listed:
            self._progress.console.print(line, markup=False)


def _done(event: events.JobProgress) -> int:
    return event.job.total if event.job.status.ended else event.job.done


def new_progress() -> Progress:
    return Progress(
        TextColumn("{task.description:<18}"),
        BarColumn(),
        TextColumn("{task.fields[detail]}"),
        TextColumn("{task.fields[speed]}"),
        console=console(err=True),
    )


def _path(event: events.Skipped | events.LeftOut | events.Failed | events.Warned) -> str:
    return plain(events.printable(event.path))


def _number(number: int, name: str) -> str:
    return f"{number:,} {name.removesuffix('s') if number == 1 else name}"


def _what_is_safe(summary: Summary) -> str:
    done = summary.uploaded + summary.duplicates + summary.unchanged
    if not summary.pending:
        return f"Stopped. {count(done, 'photo')} safe, 0 to go; their albums are being made in the background."
    return f"Stopped. {count(done, 'photo')} safe, {summary.pending:,} to go: run the same command again to go on."
