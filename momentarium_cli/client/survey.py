"""The first pass: walk the folders, and read the metadata of what is new or has changed into the journal."""

import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Event as StopEvent

from momentarium_cli.client import events
from momentarium_cli.client.events import Event, printable
from momentarium_cli.client.journal import Journal
from momentarium_cli.client.records import Counted, FileState, Known, Seen
from momentarium_cli.client.settling import Settling
from momentarium_cli.client.sightings import Sightings
from momentarium_cli.photos.choice import EVERYTHING, Choice
from momentarium_cli.photos.decode import Decoder
from momentarium_cli.photos.formats import UnsupportedPhoto
from momentarium_cli.photos.leftout import SkipReason
from momentarium_cli.photos.metadata import Described
from momentarium_cli.photos.scan import Entry, FileStat, Found, NotChosen, Pruned, Skipped, Unreadable, scan, walk

_CHUNK = 64  # files a task: the way to a child and back costs more than reading one file
_CHUNKS_AT_ONCE = 4
_DEALT_WITH = (FileState.ACCEPTED, FileState.DUPLICATE)
_UNSEEN = FileStat(0, 0, 0, 0, 0)  # of what cannot be examined


class Survey:
    """Walks `paths`; what is to be uploaded is then in the journal. With `retry_failed` only what failed before, and
    of that, where paths are given, only what is below them. It is chosen as by a walk of the folder that is named, or
    that was named when it failed.

    `counts` are those of the files that the journal does not count for this run: they are as they were.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        journal: Journal,
        decoder: Decoder,
        stop: StopEvent,
        *,
        choice: Choice = EVERYTHING,
        retry_failed: bool = False,
        settling: Settling | None = None,
    ) -> None:
        self._paths = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 -- without following links
        self._roots = self._paths
        self._journal, self._sightings = journal, Sightings(journal)
        self._decoder, self._stop = decoder, stop
        self._choice, self._retry_failed, self._settling = choice, retry_failed, settling
        self._chunk: list[Seen] = []
        self._described: deque[tuple[list[Seen], Future[list[Described | Exception]]]] = deque()
        self._parent = ""
        self._folder: str | None = None
        self.counts: Counter[str] = Counter()

    def events(self) -> Iterator[Event]:
        """Found, Unchanged, Skipped, LeftOut, Failed and Warned; every file is one of Found, Unchanged, Skipped or
        Failed, unless it is left out."""
        for entry in self._entries():
            if self._stop.is_set():
                break
            match entry:
                case Found() if self._settling is not None and not self._settling.has_settled(entry.path, entry.stat):
                    yield events.LeftOut(entry.path, "being_written", "still being written")
                case Found():
                    yield from self._found(entry)
                case Skipped():
                    yield self._skipped(entry.path, entry.reason, entry.reason.text)
                case Pruned() | NotChosen():
                    yield _left_out(entry.path, entry.reason)
                case Unreadable():
                    yield self._unreadable(entry)
        self._submit()
        yield from self._harvest(leave=0)
        self._journal.commit()

    def _entries(self) -> Iterator[Entry]:
        return walk(self._failed_before(), self._choice) if self._retry_failed else scan(self._paths, self._choice)

    def _failed_before(self) -> Iterator[tuple[Path, Path]]:
        """Each with the folder that is named, or was."""
        for path, folder in self._sightings.failed_before():
            root = _root_of(path, self._paths) if self._paths else _named_then(path, folder)
            if root is not None:
                self._roots = [root]
                if os.path.isdir(path) or _is_gone(path):  # noqa: PTH112 -- pathlib's raises
                    self._sightings.forget(path)  # its photos are looked at, or it is told once more
                yield path, root

    # --- what is known -----------------------------------------------------------------------------------------

    def _found(self, entry: Found) -> Iterator[Event]:
        known = self._sightings.known(entry.path)
        if known is not None and known.is_still(entry.stat):
            yield from self._known(known, entry)
        elif known is None and (same := self._sightings.same_file(entry.stat)):
            yield self._elsewhere(same, entry)
        else:
            yield from self._describe(entry, known)

    def _known(self, known: Known, entry: Found) -> Iterator[Event]:
        if known.state is FileState.SKIPPED:
            yield self._skipped(entry.path, SkipReason.UNSUPPORTED, known.error or SkipReason.UNSUPPORTED.text)
        elif not known.described and known.state not in _DEALT_WITH:
            yield from self._describe(entry, known)
        elif reason := self._choice.against_day(known.taken_on):
            yield _left_out(entry.path, reason)
        elif known.state in _DEALT_WITH:
            yield self._unchanged(entry.path)
        elif known.state is FileState.STORED:
            self._sightings.seen_again(known.id, Counted.UNCHANGED)
            yield events.Unchanged(entry.path)
        else:
            self._sightings.seen_again(known.id, Counted.PENDING)
            yield events.Found(entry.path, entry.stat.size)

    def _elsewhere(self, same: Known, entry: Found) -> Event:
        """A file that is in the library under another path."""
        if _is_gone(same.path):
            self._sightings.moved(same.id, self._seen(entry.path, entry.stat))
        else:
            self._sightings.linked(same.id, self._seen(entry.path, entry.stat))
        if reason := self._choice.against_day(same.taken_on):
            return _left_out(entry.path, reason)
        return self._unchanged(entry.path)

    def _unchanged(self, path: Path) -> Event:
        self.counts[Counted.UNCHANGED] += 1
        return events.Unchanged(path)

    def _skipped(self, path: Path, reason: SkipReason, text: str) -> Event:
        self.counts[Counted.SKIPPED] += 1
        return events.Skipped(path, reason.value, text)

    def _unreadable(self, entry: Unreadable) -> Event:
        if self._retry_failed and _is_gone(entry.path):
            self.counts[Counted.FAILED] += 1
        else:
            seen = self._seen(entry.path, _UNSEEN, self._sightings.known(entry.path))
            self._sightings.unreadable(seen, entry.error)
        return events.Failed(entry.path, entry.error)

    # --- what is new -------------------------------------------------------------------------------------------

    def _describe(self, entry: Found, known: Known | None) -> Iterator[Event]:
        self._chunk.append(self._seen(entry.path, entry.stat, known))
        if len(self._chunk) >= _CHUNK:
            self._submit()
            yield from self._harvest(leave=_CHUNKS_AT_ONCE)

    def _seen(self, path: Path, stat: FileStat, known: Known | None = None) -> Seen:
        parent, name = os.path.split(path)
        if parent != self._parent:
            self._parent, self._folder = parent, self._folder_of(Path(parent))
        folder = known.folder if known and self._retry_failed else self._folder
        return Seen(path, stat, printable(name), folder, is_new=known is None)

    def _folder_of(self, parent: Path) -> str | None:
        """The folder, from the one that was named on: what is above it is nobody's business."""
        root = _root_of(parent, self._roots)
        return printable(parent.relative_to(root.parent) if root else parent.name) or None

    def _submit(self) -> None:
        if self._chunk:
            future = self._decoder.describe([(seen.path, seen.stat.mtime_ns) for seen in self._chunk])
            self._described.append((self._chunk, future))
            self._chunk = []

    def _harvest(self, *, leave: int) -> Iterator[Event]:
        while len(self._described) > leave:
            chunk, future = self._described.popleft()
            for seen, described in zip(chunk, future.result(), strict=True):
                yield from self._keep(seen, described)
            self._journal.commit()

    def _keep(self, seen: Seen, described: Described | Exception) -> Iterator[Event]:
        match described:
            case Described():
                yield from self._photo(seen, described)
            case UnsupportedPhoto():
                self._sightings.unsupported(seen, str(described))
                yield events.Skipped(seen.path, SkipReason.UNSUPPORTED.value, str(described))
            case OSError():
                reason = described.strerror or str(described)
                self._sightings.unreadable(seen, reason)
                yield events.Failed(seen.path, reason)
            case _:
                raise described

    def _photo(self, seen: Seen, described: Described) -> Iterator[Event]:
        reason = self._choice.against_day(described.taken_on)
        self._sightings.described(seen, described, wanted=reason is None)
        if reason:
            yield _left_out(seen.path, reason)
            return
        yield events.Found(seen.path, seen.stat.size)
        for warning in described.warnings:
            yield events.Warned(seen.path, warning)


def _left_out(path: Path, reason: SkipReason) -> Event:
    return events.LeftOut(path, reason.value, reason.text)


def _root_of(path: Path, roots: Sequence[Path]) -> Path | None:
    return next((root for root in roots if path.is_relative_to(root)), None)


def _named_then(path: Path, folder: str | None) -> Path:
    """The folder that was named when `path` was seen in `folder`, which is told from that one on."""
    return path.parents[len(Path(folder).parts) - 1] if folder else path.parent


def _is_gone(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
