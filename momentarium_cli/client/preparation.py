"""The first stage of the second pass: files are read once, for their checksums and previews, by children or threads."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol

from momentarium_cli.client.events import Event
from momentarium_cli.client.journal import Journal
from momentarium_cli.client.outcomes import Outcomes
from momentarium_cli.client.records import is_same_file
from momentarium_cli.client.retries import TRIES
from momentarium_cli.client.work import Work
from momentarium_cli.photos.checksum import Cut
from momentarium_cli.photos.decode import DecodeFailed
from momentarium_cli.photos.metadata import Described
from momentarium_cli.photos.prepared import ChangedWhileRead, Prepared

log = logging.getLogger(__name__)


class Preparer(Protocol):
    """What makes checksums, and previews or none: a Decoder or a Hasher."""

    ahead: int  # how many tasks keep it busy

    def prepare(self, path: Path, cut: Cut = ...) -> Future[Prepared]: ...


class Describe(Protocol):
    """What reads metadata of files, each given with its mtime: a Decoder's."""

    def __call__(self, files: Sequence[tuple[Path, int]]) -> Future[list[Described | Exception]]: ...


class Preparation:
    """Of one thread. `done` is called with each future that has ended, by any thread, to be settled here."""

    def __init__(
        self,
        preparer: Preparer,
        describe: Describe,
        cut: Cut,
        journal: Journal,
        outcomes: Outcomes,
        done: Callable[[Future[Any]], None],
    ) -> None:
        self._preparer, self._describe, self._cut = preparer, describe, cut
        self._journal, self._outcomes, self._done = journal, outcomes, done
        self._reading: dict[Future[Prepared], Work] = {}
        self._describing: dict[Future[list[Described | Exception]], Work] = {}

    @property
    def under_way(self) -> list[Future[Any]]:
        return [*self._reading, *self._describing]

    @property
    def is_busy(self) -> bool:
        return len(self._reading) >= self._preparer.ahead

    def begin(self, work: Work) -> None:
        self._began(self._preparer.prepare(work.file.path, self._cut), self._reading, work)

    def _began(self, future: Future[Any], under_way: dict[Future[Any], Work], work: Work) -> None:
        under_way[future] = work
        future.add_done_callback(self._done)

    def settle(self, future: Future[Any]) -> Iterator[Event]:
        if future in self._reading:
            yield from self._was_read(self._reading.pop(future), future)
        else:
            yield from self._was_described(self._describing.pop(future), future)

    def changed(self, work: Work, reason: str) -> Iterator[Event]:
        """A file that changes is read anew a few times; what goes on changing is for the next run."""
        work.attempts.tries += 1
        twins = self._outcomes.freed(work)
        if work.attempts.tries < TRIES:
            self._outcomes.forget(work)
            self.begin(work)
        else:
            yield from self._outcomes.failed(work, reason)
        for twin in twins:
            yield from self._outcomes.sort(twin)

    def _was_read(self, work: Work, future: Future[Prepared]) -> Iterator[Event]:
        try:
            prepared = future.result()
        except ChangedWhileRead as error:
            yield from self.changed(work, str(error))
        except (OSError, ValueError, DecodeFailed) as error:
            yield from self._outcomes.failed(work, getattr(error, "strerror", None) or str(error))
        else:
            self._outcomes.prepared(work, prepared)
            if is_same_file(work.file.stat, prepared.stat):
                yield from self._outcomes.sort(work)
            else:
                asked = self._describe([(work.file.path, prepared.stat.mtime_ns)])
                self._began(asked, self._describing, work)

    def _was_described(self, work: Work, future: Future[list[Described | Exception]]) -> Iterator[Event]:
        """A file that changed since the first pass: its metadata may have, too."""
        [described] = future.result()
        if isinstance(described, Described):
            self._journal.described(work.file.id, described)
        else:
            log.info("%s: its metadata cannot be read anew: %s", work.file.path, described)
        yield from self._outcomes.sort(work)
