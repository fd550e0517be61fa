"""A report of a run: a line for each file, as CSV or JSON."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from momentarium_cli.cli.output import say
from momentarium_cli.client import events
from momentarium_cli.client.events import Event, Summary, printable
from momentarium_cli.errors import UsageError

COLUMNS = ("path", "outcome", "size_bytes", "sha256", "reason")
_JSON = (".json", ".jsonl", ".ndjson")


class Report:
    """Written line by line as files are settled, so that also a run that was killed leaves one that can be read; it
    replaces that of an earlier run once there is something to tell."""

    def __init__(self, path: Path) -> None:
        if path.suffix.lower() not in (".csv", *_JSON):
            raise UsageError(f"{path} is no name for a report.", hint="Let it end in .csv, or in .jsonl for JSON.")
        if not path.parent.is_dir():
            raise UsageError(f"There is no folder {path.parent} for the report.")
        self._path = path
        self._file: IO[str] | None = None
        self._write: Callable[[dict[str, Any]], object] = lambda _: None
        self._sizes: dict[Path, int] = {}  # of what is not settled yet
        self._broken = False

    def show(self, event: Event) -> None:
        match event:
            case events.Started() if self._file is None:
                self._guarded(self._open)
            case events.Found():
                self._sizes[event.path] = event.size_bytes
            case events.Unchanged():
                self._settled(event.path, "unchanged")
            case events.Uploaded():
                self._settled(event.path, "uploaded", event.sha256, size=event.size_bytes)
            case events.Duplicate():
                self._settled(event.path, "duplicate", reason=_same_as(event))
            case events.Skipped():
                self._settled(event.path, "skipped", reason=event.text)
            case events.Failed():
                self._settled(event.path, "failed", reason=event.error)

    def end(self, _: Summary) -> None:
        """The import is over: what is not settled is pending."""
        for path in list(self._sizes):
            self._settled(path, "pending")

    def close(self) -> None:
        if self._file is not None:
            self._guarded(self._file.close)

    def _settled(
        self, path: Path, outcome: str, sha256: str | None = None, reason: str | None = None, size: int | None = None
    ) -> None:
        known = self._sizes.pop(path, None)
        values = (printable(path), outcome, size if size is not None else known, sha256, reason)
        self._guarded(lambda: self._write(dict(zip(COLUMNS, values, strict=True))))

    def _open(self) -> None:
        self._file = self._path.open("w", encoding="utf-8", newline="", buffering=1)  # a line at a time
        if self._path.suffix.lower() in _JSON:
            file = self._file
            self._write = lambda row: file.write(json.dumps(row, ensure_ascii=False) + "\n")
            return
        table = csv.DictWriter(self._file, COLUMNS)
        table.writeheader()
        self._write = table.writerow

    def _guarded(self, work: Callable[[], object]) -> None:
        """A report that cannot be written, on a full disk, is no reason to upload nothing."""
        if self._broken:
            return
        try:
            work()
        except OSError as error:
            self._broken = True
            say(f"The report {self._path} cannot be written: {error.strerror or error}.")


def _same_as(event: events.Duplicate) -> str:
    if event.twin is not None:
        return f"the same bytes as {printable(event.twin)}"
    return f"the same bytes as photo {event.image_id}"
