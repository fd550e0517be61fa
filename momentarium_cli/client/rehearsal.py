"""A dry run's second pass: what the real one would send, how long that takes, and about how many albums it makes.

Duplicates are found as far as this machine can tell: a photo is read only where another one has its very size. What
other machines have uploaded to the same library is known once the real run asks the server.
"""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event as StopEvent

from momentarium_cli.client import events
from momentarium_cli.client.events import Event
from momentarium_cli.client.journal import Journal
from momentarium_cli.client.plan import Plan
from momentarium_cli.client.records import Counted, File
from momentarium_cli.models import GEMINI_DOLLARS_A_THOUSAND_PHOTOS
from momentarium_cli.photos.checksum import sha256_file

_READERS = 4
_PAGE = 200
_DAY = 86_400
_BREAK = 2 * _DAY  # seconds; a shorter one ends no event
_EVENT = 5  # photos
_EVENT_OF_A_DAY = 3


class Rehearsal:
    """Sends nothing; the server is not asked."""

    def __init__(self, journal: Journal, plan: Plan, stop: StopEvent, *, organizer: str) -> None:
        self._journal, self._plan, self._stop, self._organizer = journal, plan, stop, organizer

    def events(self) -> Iterator[Event]:
        """Duplicate and Unchanged, and at last Estimated."""
        yield from self._duplicates()
        files, size = self._plan.total()
        speed = self._journal.speed()
        made = albums(self._plan.capture_times()) + self._plan.has_undated()
        dollars = files / 1000 * GEMINI_DOLLARS_A_THOUSAND_PHOTOS if self._organizer == "gemini" else None
        yield events.Estimated(files, size, size / speed if speed else None, made, dollars)

    def _duplicates(self) -> Iterator[Event]:
        candidates = self._plan.of_equal_size()
        with ThreadPoolExecutor(_READERS, thread_name_prefix="hash") as readers:
            for start in range(0, len(candidates), _PAGE):
                if self._stop.is_set():
                    return
                page = self._journal.files(candidates[start : start + _PAGE])
                for file, sha256 in zip(page, readers.map(_checksum, (file.path for file in page)), strict=True):
                    if sha256 is not None:
                        yield from self._judged(file, sha256)

    def _judged(self, file: File, sha256: str) -> Iterator[Event]:
        twin = self._journal.twin(sha256, file.id) or self._plan.twin(sha256, file.id)
        if twin is None:
            self._plan.note_checksum(file.id, sha256, Counted.PENDING)
        elif twin == file.path:
            self._plan.note_checksum(file.id, sha256, Counted.UNCHANGED)
            yield events.Unchanged(file.path)
        else:
            self._plan.note_checksum(file.id, sha256, Counted.DUPLICATES)
            yield events.Duplicate(file.path, twin=twin)


def _checksum(path: Path) -> str | None:
    with suppress(OSError):  # what cannot be read fails in the real run
        return sha256_file(path)
    return None


def albums(times: Iterable[float]) -> int:
    """About how many albums photos make; `times` are seconds since 1970, ascending.

    An album for each event between two breaks, and one for each month of what is no event. The server knows more:
    places, folders, and the albums that are there.
    """
    made, months = 0, set[tuple[int, ...]]()
    for event in _events(times):
        if len(event) >= _EVENT or (len(event) >= _EVENT_OF_A_DAY and event[-1] - event[0] < _DAY):
            made += 1
        else:
            months.update(time.gmtime(taken)[:2] for taken in event)
    return made + len(months)


def _events(times: Iterable[float]) -> Iterator[list[float]]:
    event: list[float] = []
    for taken in times:
        if event and taken - event[-1] >= _BREAK:
            yield event
            event = []
        event.append(taken)
    if event:
        yield event
