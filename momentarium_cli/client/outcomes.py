"""What becomes of the files of a run: it is written in the journal first, then told; and what follows for other files
of the same bytes, and for their batch."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from uuid import UUID

from momentarium_cli.client import events
from momentarium_cli.client.events import Event
from momentarium_cli.client.journal import Journal
from momentarium_cli.client.records import Stored
from momentarium_cli.client.work import Work
from momentarium_cli.photos.prepared import Prepared


class Outcomes:
    """Of one thread. `to_sign` is given what is to be uploaded; `batch_stored` is called with each batch's id once all
    of its files are settled; what it yields is passed on by `end_batches`, None meaning that it waits for something."""

    def __init__(
        self,
        journal: Journal,
        to_sign: Callable[[Work], None],
        batch_stored: Callable[[UUID], Iterator[Event | None]],
    ) -> None:
        self._journal, self._to_sign, self._batch_stored = journal, to_sign, batch_stored
        self._twins: dict[str, list[Work]] = {}  # by checksum: those that wait for the first of them
        self._ending: deque[Iterator[Event | None]] = deque()  # batches whose files are all settled
        self.preview_bytes = 0  # in memory

    # --- files that are prepared

    def prepared(self, work: Work, prepared: Prepared) -> None:
        work.prepared = prepared
        self.preview_bytes += work.preview_bytes

    def forget(self, work: Work) -> None:
        """What was prepared takes memory."""
        self.preview_bytes -= work.preview_bytes
        work.prepared = None

    def sort(self, work: Work) -> Iterator[Event]:
        """What is in the library, or waits for a twin that is uploaded, is not signed."""
        sha256 = work.ready.sha256
        twin = self._journal.twin(sha256, work.file.id)
        if twin == work.file.path:
            self._journal.as_before(work.file.id, sha256)
            yield events.Unchanged(work.file.path)
            self._settled(work)
        elif twin is not None:
            yield from self.duplicate(work, twin=twin)
        elif sha256 in self._twins:
            self._twins[sha256].append(work)
        else:
            self._twins[sha256] = []
            self._to_sign(work)

    def freed(self, work: Work) -> list[Work]:
        """Those that wait for this one no longer do: sort them anew once it has gone its own way."""
        return self._twins.pop(work.prepared.sha256, []) if work.prepared else []

    # --- how files end

    def stored(self, works: Sequence[Work]) -> Iterator[Event]:
        """Those that ended together are one commit."""
        self._journal.stored(map(_row, works))
        for work in works:
            file, prepared = work.file, work.ready
            if prepared.decode_error:
                yield events.Warned(file.path, f"uploaded without a preview: {prepared.decode_error}")
            yield events.Uploaded(file.path, prepared.size, prepared.sha256)
            for twin in self.freed(work):
                yield from self.duplicate(twin, twin=file.path)
            self._settled(work)

    def duplicate(self, work: Work, *, image_id: int | None = None, twin: Path | None = None) -> Iterator[Event]:
        """Its bytes are in the library: the server names the photo, or this machine another file."""
        self._journal.duplicate(work.file.id, work.ready.sha256)
        yield events.Duplicate(work.file.path, image_id, twin)
        if image_id is not None:
            for other in self.freed(work):
                yield from self.duplicate(other, image_id=image_id)
        self._settled(work)

    def failed(self, work: Work, reason: str) -> Iterator[Event]:
        self._journal.failed(work.file.id, reason)
        yield events.Failed(work.file.path, reason)
        for twin in self.freed(work):
            yield from self.sort(twin)
        self._settled(work)

    def _settled(self, work: Work) -> None:
        self.forget(work)
        work.batch.left -= 1
        if work.batch.left == 0:
            self._ending.append(self._batch_stored(work.batch.id))

    # --- batches

    @property
    def is_ending_batches(self) -> bool:
        return bool(self._ending)

    def end_batches(self) -> Iterator[Event]:
        """One after another, and without waiting for what they wait for."""
        while self._ending:
            for event in self._ending[0]:
                if event is None:
                    return
                yield event
            self._ending.popleft()


def _row(work: Work) -> Stored:
    file, prepared = work.file, work.ready
    assert file.storage_key is not None  # noqa: S101 -- it was sent
    shown = (prepared.width, prepared.height) if prepared.width and prepared.height else None
    return Stored(file.id, prepared.sha256, file.storage_key, prepared.decode_error, shown, prepared.stat)
