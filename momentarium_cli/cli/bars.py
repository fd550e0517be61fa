"""An import as a person at a terminal sees it."""

import time
from collections.abc import Sequence
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn

from momentarium_cli.cli.output import console, duration, size
from momentarium_cli.cli.people import ForPeople
from momentarium_cli.cli.progress import Listener, News
from momentarium_cli.client import events
from momentarium_cli.client.events import Event, Summary
from momentarium_cli.client.imports import Options


class Bars(ForPeople):
    """One display: found, sent, speed, time left, then organizing."""

    def __init__(
        self,
        options: Options,
        listeners: Sequence[Listener] = (),
        news: News | None = None,
        *,
        list_skipped: bool = False,
    ) -> None:
        super().__init__(options, listeners, news, list_skipped=list_skipped)
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
