"""The second pass: prepare, sign and send the photos of one batch after another, each stage bounded.

Children hash files and make previews, this thread asks for signed URLs in slices and keeps the journal, threads send.
So every file's bytes are read once for checksum and preview, and once more to be sent.
"""

import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from threading import Event as StopEvent
from typing import Any
from uuid import UUID

from momentarium_cli.client import events
from momentarium_cli.client.api import Api
from momentarium_cli.client.events import Event
from momentarium_cli.client.journal import Journal
from momentarium_cli.client.records import File
from momentarium_cli.client.retries import TRIES, Attempts, Retries
from momentarium_cli.client.send import Sender, Staging
from momentarium_cli.client.store_errors import is_lasting
from momentarium_cli.errors import (
    InsufficientStorage,
    MomentariumError,
    ServerUnreachable,
    StorageUnavailable,
    Throttled,
)
from momentarium_cli.models import MAX_PARTS, PreviewFile, UploadFile, UploadSlot, UploadStatus
from momentarium_cli.photos.checksum import WHOLE_UP_TO_1_GIB, Cut
from momentarium_cli.photos.decode import DecodeFailed, Decoder
from momentarium_cli.photos.prepared import ChangedWhileRead, Prepared

log = logging.getLogger(__name__)

SENDERS = 8
_SLICE = 2 * SENDERS  # files a request for URLs at most: few enough to be sent before they expire
_SIGN_FROM = 12  # and at least, while more are being prepared: a request costs more than a URL
_AHEAD = 96  # prepared photos that wait with their previews in memory
_LOOK_SECONDS = 0.1


@dataclass(slots=True, eq=False)
class _Work:
    """A file on its way, and how it fared so far."""

    file: File
    batch: "_Progress"
    prepared: Prepared | None = None
    attempts: Attempts = field(default_factory=Attempts)
    least_missing: int = MAX_PARTS  # of a file that goes up in parts: how many of them were still to be sent
    signed_at: float = 0.0  # of time.monotonic()
    not_before: float = 0.0  # likewise: a failed try is not repeated at once

    def got_on(self, missing: int) -> None:
        """A part was stored. What failed before it is forgotten, unless there were as few missing once before."""
        if missing < self.least_missing:
            self.least_missing = missing
            self.attempts = Attempts()


@dataclass(slots=True)
class _Progress:
    """A batch, and how many of its files are not settled yet."""

    id: UUID
    left: int


@dataclass(frozen=True, slots=True)
class Load:
    """A batch to upload: the files of it that are not stored yet; there is at least one."""

    id: UUID
    files: Sequence[File]


class Uploader:
    """Uploads batches; `stored` is called with each batch's id once all of its files are settled, and `region` for the
    nearest region of the store when the first are signed; `cut` says which files go up in parts."""

    def __init__(
        self,
        api: Api,
        journal: Journal,
        decoder: Decoder,
        *,
        import_id: UUID,
        staging: Staging | None,
        stored: Callable[[UUID], Iterator[Event]],
        stop: StopEvent,
        region: Callable[[], str | None] = lambda: None,
        cut: Cut = WHOLE_UP_TO_1_GIB,
    ) -> None:
        self._region, self._cut = region, cut
        self._api, self._journal, self._decoder = api, journal, decoder
        self._import_id, self._staging, self._stored, self._stop = import_id, staging, stored, stop
        self._sent_bytes: SimpleQueue[int] = SimpleQueue()
        self._sender = Sender(api.transport, self._sent_bytes.put, staging, stop)
        self._retries = Retries()
        self._preparing: dict[Future[Prepared], _Work] = {}
        self._ready: deque[_Work] = deque()
        self._sending: dict[Future[None], _Work] = {}
        self._twins: dict[str, list[_Work]] = {}  # by checksum: those that wait for the first of them

    def events(self, loads: Iterable[Load]) -> Iterator[Event]:
        """Uploaded, Duplicate, Unchanged, Failed, Warned and Sent, and what `stored` yields.

        Raises InsufficientStorage, and whatever the server or the store says that no later file would survive.
        """
        waiting = _works(loads)
        with ThreadPoolExecutor(SENDERS, thread_name_prefix="send") as threads:
            try:
                while self._fill(waiting) or self._preparing or self._ready or self._sending:
                    yield from self._sign_some(threads)
                    yield from self._settle_some()
                    yield from self._drain_sent()
                    if self._stop.is_set() and not self._sending:
                        return
            finally:
                for future in self._under_way():
                    future.cancel()

    def _fill(self, waiting: Iterator[_Work]) -> bool:
        """Hand files to the decoder as long as there is room; whether there may be more to come."""
        while not self._stop.is_set():
            in_memory = len(self._preparing) + len(self._ready) + len(self._sending)
            if len(self._preparing) >= self._decoder.workers * 3 or in_memory >= _AHEAD:
                return True
            work = next(waiting, None)
            if work is None:
                return False
            self._prepare(work)
        return False

    def _prepare(self, work: _Work) -> None:
        self._preparing[self._decoder.prepare(work.file.path, self._cut)] = work

    # --- signing -----------------------------------------------------------------------------------------------

    def _sign_some(self, threads: ThreadPoolExecutor) -> Iterator[Event]:
        hungry = len(self._sending) < SENDERS
        enough = len(self._ready) >= _SIGN_FROM or not self._preparing
        if not (self._ready and hungry and enough) or self._stop.is_set():
            return
        now = time.monotonic()
        slice_ = list(itertools.islice((work for work in self._ready if work.not_before <= now), _SLICE))
        if not slice_:
            return
        self._ready = deque(work for work in self._ready if work not in slice_)
        described = [self._described(work) for work in slice_]
        try:
            slots = self._api.generate_urls(described, self._import_id, self._region())
        except (StorageUnavailable, Throttled) as error:  # the server looks for what is stored already
            if is_lasting(error):
                raise
            for work in slice_:
                yield from self._again(work, error)
            return
        for work, slot in zip(slice_, slots, strict=True):
            if slot.status is UploadStatus.DUPLICATE:
                yield from self._duplicate(work, image_id=slot.image_id)
            else:
                work.signed_at = time.monotonic()
                self._sending[threads.submit(self._send, work, slot)] = work

    def _described(self, work: _Work) -> UploadFile:
        prepared = _of(work)
        reflinked = self._staging is not None and self._staging.takes(work.file.path, prepared.stat.dev)
        preview = None
        if prepared.preview and prepared.preview_sha256:
            preview = PreviewFile(size_bytes=len(prepared.preview), sha256=prepared.preview_sha256)
        return UploadFile(
            filename=work.file.filename,
            content_type=prepared.content_type,
            size_bytes=prepared.size,
            sha256=prepared.sha256,
            preview=preview,
            parts=None if reflinked else prepared.parts,
            reflinked=reflinked,
        )

    def _send(self, work: _Work, slot: UploadSlot) -> None:
        assert work.prepared is not None  # noqa: S101 -- only prepared work gets a slot
        missing = itertools.count(len(slot.parts or ()) - 1, -1)

        def part_stored() -> None:
            work.got_on(next(missing))
            self._retries.stored()

        self._sender.send(work.file.path, work.prepared, slot, part_stored)
        if slot.parts is not None:
            self._api.complete_upload(slot.storage_key)
        work.file = _with_key(work.file, slot.storage_key)

    # --- settling ----------------------------------------------------------------------------------------------

    def _settle_some(self) -> Iterator[Event]:
        under_way = self._under_way()
        if not under_way:
            self._stop.wait(_LOOK_SECONDS)  # all that is left waits for its next try
            return
        done, _ = wait(under_way, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            if future in self._preparing:
                yield from self._prepared(self._preparing.pop(future), future)
            else:
                yield from self._was_sent(self._sending.pop(future), future)

    def _under_way(self) -> "list[Future[Any]]":
        return [*self._preparing, *self._sending]

    def _prepared(self, work: _Work, future: "Future[Prepared]") -> Iterator[Event]:
        try:
            work.prepared = future.result()
        except ChangedWhileRead as error:
            yield from self._changed(work, str(error))
        except (OSError, ValueError, DecodeFailed) as error:
            yield from self._failed(work, getattr(error, "strerror", None) or str(error))
        else:
            yield from self._queue(work, work.prepared)

    def _queue(self, work: _Work, prepared: Prepared) -> Iterator[Event]:
        twin = self._journal.twin(prepared.sha256, work.file.id)
        if twin == work.file.path:
            self._journal.as_before(work.file.id, prepared.sha256)
            yield events.Unchanged(work.file.path)
            yield from self._settled(work)
        elif twin is not None:
            yield from self._duplicate(work, twin=twin)
        elif prepared.sha256 in self._twins:
            self._twins[prepared.sha256].append(work)
        else:
            self._twins[prepared.sha256] = []
            self._ready.append(work)

    def _was_sent(self, work: _Work, future: "Future[None]") -> Iterator[Event]:
        try:
            future.result()
        except ChangedWhileRead as error:
            yield from self._changed(work, str(error))
        except MomentariumError as error:
            if isinstance(error, InsufficientStorage) or is_lasting(error):
                raise
            if isinstance(error, ServerUnreachable):
                self._api.transport.server.revive()
            yield from self._again(work, error)
        except OSError as error:
            yield from self._failed(work, error.strerror or str(error))
        else:
            yield from self._was_stored(work)

    def _was_stored(self, work: _Work) -> Iterator[Event]:
        self._retries.stored()
        file, prepared = work.file, work.prepared
        assert prepared is not None and file.storage_key is not None  # noqa: S101 -- it was sent
        shown = (prepared.width, prepared.height) if prepared.width and prepared.height else None
        self._journal.stored(file.id, prepared.sha256, file.storage_key, prepared.decode_error, shown, prepared.stat)
        if prepared.decode_error:
            yield events.Warned(file.path, f"uploaded without a preview: {prepared.decode_error}")
        yield events.Uploaded(file.path, prepared.size, prepared.sha256)
        for twin in self._twins.pop(prepared.sha256, ()):
            yield from self._duplicate(twin, twin=file.path)
        yield from self._settled(work)

    def _again(self, work: _Work, error: MomentariumError) -> Iterator[Event]:
        """It is signed anew and sent again, for as long as there is hope."""
        log.info("%s: %s", work.file.path, error)
        if self._stop.is_set():
            return  # it is pending, for the next run
        delay = self._retries.delay(work.attempts, error, signed_at=work.signed_at)
        if delay is None:
            yield from self._failed(work, str(error))
        else:
            work.not_before = time.monotonic() + delay
            self._ready.append(work)

    def _changed(self, work: _Work, reason: str) -> Iterator[Event]:
        """A file that changes is read anew a few times; what goes on changing is for the next run."""
        work.attempts.tries += 1
        waiting = self._twins.pop(work.prepared.sha256, []) if work.prepared else []
        if work.attempts.tries < TRIES:
            work.prepared = None
            self._prepare(work)
        else:
            yield from self._failed(work, reason)
        for twin in waiting:
            yield from self._queue(twin, _of(twin))

    def _duplicate(self, work: _Work, *, image_id: int | None = None, twin: Path | None = None) -> Iterator[Event]:
        prepared = _of(work)
        self._journal.duplicate(work.file.id, prepared.sha256)
        yield events.Duplicate(work.file.path, image_id, twin)
        if image_id is not None:
            for other in self._twins.pop(prepared.sha256, ()):
                yield from self._duplicate(other, image_id=image_id)
        yield from self._settled(work)

    def _failed(self, work: _Work, reason: str) -> Iterator[Event]:
        self._journal.failed(work.file.id, reason)
        yield events.Failed(work.file.path, reason)
        for twin in self._twins.pop(work.prepared.sha256, []) if work.prepared else ():
            yield from self._queue(twin, _of(twin))
        yield from self._settled(work)

    def _settled(self, work: _Work) -> Iterator[Event]:
        work.batch.left -= 1
        if work.batch.left == 0:
            yield from self._stored(work.batch.id)

    def _drain_sent(self) -> Iterator[Event]:
        total = 0
        while not self._sent_bytes.empty():
            total += self._sent_bytes.get()
        if total:
            yield events.Sent(total)


def _works(loads: Iterable[Load]) -> Iterator[_Work]:
    for load in loads:
        batch = _Progress(load.id, len(load.files))
        for file in load.files:
            yield _Work(file, batch)


def _of(work: _Work) -> Prepared:
    assert work.prepared is not None  # noqa: S101 -- only prepared work has a checksum to wait for
    return work.prepared


def _with_key(file: File, storage_key: str) -> File:
    return replace(file, storage_key=storage_key)
