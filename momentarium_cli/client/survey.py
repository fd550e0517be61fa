"""The first pass: walk the folders, and read the metadata of what is new or has changed into the journal."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Event as StopEvent

from momentarium_cli.client import events
from momentarium_cli.client.events import Event, printable
from momentarium_cli.client.journal import Journal
from momentarium_cli.client.records import FileState
from momentarium_cli.client.settling import Settling
from momentarium_cli.photos.decode import Decoder
from momentarium_cli.photos.formats import UnsupportedPhoto
from momentarium_cli.photos.leftout import SkipReason
from momentarium_cli.photos.metadata import Described
from momentarium_cli.photos.scan import Found, Pruned, Skipped, Unreadable, scan

_CHUNK = 64  # files a task: the way to a child and back costs more than reading one file
_CHUNKS_AT_ONCE = 4
_DEALT_WITH = (FileState.ACCEPTED, FileState.DUPLICATE)


@dataclass(frozen=True, slots=True)
class _New:
    """A file to be described, under its id in the journal."""

    id: int
    path: Path
    mtime_ns: int


class Survey:
    """Walks `paths`; what is to be uploaded is then in the journal."""

    def __init__(
        self,
        paths: Sequence[Path],
        journal: Journal,
        decoder: Decoder,
        stop: StopEvent,
        *,
        settling: Settling | None = None,
    ) -> None:
        self._paths = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 -- without following links
        self._journal = journal
        self._decoder = decoder
        self._stop = stop
        self._settling = settling
        self._chunk: list[_New] = []
        self._described: list[tuple[list[_New], Future[list[Described | Exception]]]] = []

    def events(self) -> Iterator[Event]:
        """Found, Unchanged, Skipped, LeftOut, Failed and Warned; every file is one of Found, Unchanged, Skipped or
        Failed, and one that was Found may turn out Skipped or Failed when it is read."""
        for entry in scan(self._paths):
            if self._stop.is_set():
                break
            match entry:
                case Found() if self._settling is not None and not self._settling.has_settled(entry.path, entry.stat):
                    yield events.LeftOut(entry.path, "being_written", "still being written")
                case Found():
                    yield from self._found(entry)
                case Skipped():
                    yield events.Skipped(entry.path, entry.reason.value, entry.reason.text)
                case Pruned():
                    yield events.LeftOut(entry.path, entry.reason.value, entry.reason.text)
                case Unreadable():
                    yield events.Failed(entry.path, entry.error)
        self._submit()
        yield from self._harvest(leave=0)
        self._journal.commit()

    def _found(self, entry: Found) -> Iterator[Event]:
        known = self._journal.unchanged(entry.path, entry.stat)
        if known is not None and known.state in _DEALT_WITH:
            yield events.Unchanged(entry.path)
        elif known is not None and known.state is FileState.SKIPPED:
            yield events.Skipped(entry.path, SkipReason.UNSUPPORTED.value, known.error or SkipReason.UNSUPPORTED.text)
        else:
            yield events.Found(entry.path, entry.stat.size)
            if known is None or known.metadata is None:
                yield from self._describe(entry)

    def _describe(self, entry: Found) -> Iterator[Event]:
        name = printable(Path(entry.path.name))
        file_id = self._journal.found(entry.path, entry.stat, name, self._folder(entry.path))
        self._chunk.append(_New(file_id, entry.path, entry.stat.mtime_ns))
        if len(self._chunk) >= _CHUNK:
            self._submit()
            yield from self._harvest(leave=_CHUNKS_AT_ONCE)

    def _folder(self, path: Path) -> str | None:
        """The folder, from the one that was named on: what is above it is nobody's business."""
        for root in self._paths:
            if path.is_relative_to(root) and path != root:
                return printable(path.parent.relative_to(root.parent))
        return printable(Path(path.parent.name)) or None

    def _submit(self) -> None:
        if self._chunk:
            future = self._decoder.describe([(new.path, new.mtime_ns) for new in self._chunk])
            self._described.append((self._chunk, future))
            self._chunk = []

    def _harvest(self, *, leave: int) -> Iterator[Event]:
        while len(self._described) > leave:
            chunk, future = self._described.pop(0)
            for new, described in zip(chunk, future.result(), strict=True):
                yield from self._keep(new, described)
            self._journal.commit()

    def _keep(self, new: _New, described: Described | Exception) -> Iterator[Event]:
        match described:
            case Described():
                self._journal.described(new.id, described.format.content_type, described.metadata)
                for warning in described.warnings:
                    yield events.Warned(new.path, warning)
            case UnsupportedPhoto():
                self._journal.skipped(new.id, str(described))
                yield events.Skipped(new.path, SkipReason.UNSUPPORTED.value, str(described))
            case OSError():
                reason = described.strerror or str(described)
                self._journal.failed(new.id, reason)
                yield events.Failed(new.path, reason)
            case _:
                raise described
