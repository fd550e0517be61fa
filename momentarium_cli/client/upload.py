"""The second pass: prepare, sign and send the photos of one batch after another, each stage bounded.

Children hash files and make previews, a thread asks for signed URLs in slices, others send; this one keeps the journal.
So every file's bytes are read once for checksum and preview, and once more to be sent.
"""

import itertools
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from queue import Empty, SimpleQueue
from threading import Event as StopEvent
from typing import Any
from uuid import UUID

from momentarium_cli.client import events
from momentarium_cli.client.api import Api
from momentarium_cli.client.bandwidth import Bandwidth
from momentarium_cli.client.concurrency import Level
from momentarium_cli.client.events import Event
from momentarium_cli.client.journal import Journal
from momentarium_cli.client.outcomes import Outcomes
from momentarium_cli.client.preparation import Describe, Preparation, Preparer
from momentarium_cli.client.retries import Retries
from momentarium_cli.client.send import Sender, Staging
from momentarium_cli.client.senders import Senders
from momentarium_cli.client.slices import Slices
from momentarium_cli.client.store_errors import is_lasting
from momentarium_cli.client.work import Load, Work, works
from momentarium_cli.errors import (
    InsufficientStorage,
    MomentariumError,
    ServerUnreachable,
    Stopped,
    StorageUnavailable,
    Throttled,
)
from momentarium_cli.models import UploadFile, UploadSlot, UploadStatus
from momentarium_cli.photos.checksum import WHOLE_UP_TO_1_GIB, Cut
from momentarium_cli.photos.prepared import ChangedWhileRead

log = logging.getLogger(__name__)

_AHEAD_FILES, _AHEAD_BYTES = 512, 32 << 20  # prepared photos that wait, and their previews in memory
_LOOK_SECONDS, _ENDING_SECONDS, _GATHERED_SECONDS = 0.1, 0.02, 0.02


class Uploader:
    """Uploads batches. `stored` is called with each batch's id once all of its files are settled; what it yields is
    passed on, None meaning that it waits for something. `region` is asked for the nearest region of the store when the
    first files are signed; `cut` says which files go up in parts. `meanwhile` is called now and then; what it yields is
    passed on. `describe` reads anew what has changed since the first pass. After `stop` nothing more begins, and
    `break_off` ends also the large files that are on their way."""

    def __init__(
        self,
        api: Api,
        journal: Journal,
        preparer: Preparer,
        describe: Describe,
        *,
        import_id: UUID,
        staging: Staging | None,
        stored: Callable[[UUID], Iterator[Event | None]],
        stop: StopEvent,
        break_off: StopEvent | None = None,
        region: Callable[[], str | None] = lambda: None,
        cut: Cut = WHOLE_UP_TO_1_GIB,
        level: Level | None = None,
        meanwhile: Callable[[], Iterator[Event]] = lambda: iter(()),
        bandwidth: Bandwidth | None = None,
    ) -> None:
        self._api, self._import_id, self._region = api, import_id, region
        self._staging, self._stop = staging, stop
        self._level = level or Level()
        self._meanwhile = meanwhile
        self._moved: SimpleQueue[tuple[int, int]] = SimpleQueue()
        self._sender = Sender(api.transport, self._move, staging, stop, break_off or stop, bandwidth)
        self._retries, self._slices = Retries(), Slices(self._level)
        self._outcomes = Outcomes(journal, self._slices.add, stored)
        self._done: SimpleQueue[Future[Any]] = SimpleQueue()
        self._preparation = Preparation(preparer, describe, cut, journal, self._outcomes, self._done.put)
        self._signing: dict[Future[list[UploadSlot]], list[Work]] = {}
        self._sending: dict[Future[None], Work] = {}
        self._sent: list[Work] = []  # of which the journal does not know yet

    def events(self, loads: Iterable[Load]) -> Iterator[Event]:
        """Uploaded, Duplicate, Unchanged, Failed, Warned and Sent, and what `stored` yields.

        Raises InsufficientStorage, and whatever the server or the store says that no later file would survive.
        """
        waiting = works(loads)
        with self._threads() as (signer, senders):
            while self._fill(waiting) or self._busy:
                self._sign(signer)
                yield from self._outcomes.end_batches()
                yield from self._settle(senders)
                yield from self._drain_moved()
                yield from self._meanwhile()
                if self._stop.is_set() and not self._sending:
                    return

    @contextmanager
    def _threads(self) -> Iterator[tuple[ThreadPoolExecutor, Senders]]:
        with (
            ThreadPoolExecutor(1, thread_name_prefix="sign") as signer,
            Senders(self._level, self._stop) as senders,
        ):
            try:
                yield signer, senders
            finally:
                under_way: list[Future[Any]] = [*self._preparation.under_way, *self._signing, *self._sending]
                for future in under_way:
                    future.cancel()

    @property
    def _busy(self) -> bool:
        files = self._preparation.under_way or self._slices or self._signing or self._sending
        return bool(files) or self._outcomes.is_ending_batches

    def _fill(self, waiting: Iterator[Work]) -> bool:
        """Have files prepared as long as there is room; whether there may be more to come."""
        while not self._stop.is_set():
            if self._preparation.is_busy or self._is_full:
                return True
            work = next(waiting, None)
            if work is None:
                return False
            self._preparation.begin(work)
        return False

    @property
    def _is_full(self) -> bool:
        signing = sum(map(len, self._signing.values()))
        files = len(self._preparation.under_way) + len(self._slices) + signing + len(self._sending)
        return files >= _AHEAD_FILES or self._outcomes.preview_bytes >= _AHEAD_BYTES

    def _began(self, future: Future[Any], under_way: dict[Future[Any], Any], work: Any) -> None:
        under_way[future] = work
        future.add_done_callback(self._done.put)

    # --- signing -----------------------------------------------------------------------------------------------

    def _sign(self, signer: ThreadPoolExecutor) -> None:
        """Have the next files signed, one slice at a time."""
        if self._signing or self._stop.is_set():
            return
        slice_ = self._slices.take(len(self._sending), more=bool(self._preparation.under_way))
        if slice_:
            self._began(signer.submit(self._slots, slice_), self._signing, slice_)

    def _slots(self, slice_: list[Work]) -> list[UploadSlot]:
        return self._api.generate_urls([self._asked(work) for work in slice_], self._import_id, self._region())

    def _asked(self, work: Work) -> UploadFile:
        return work.to_sign(
            reflinked=self._staging is not None and self._staging.takes(work.file.path, work.ready.stat.dev)
        )

    def _signed(self, slice_: list[Work], future: Future[list[UploadSlot]], senders: Senders) -> Iterator[Event]:
        try:
            slots = future.result()
        except (StorageUnavailable, Throttled) as error:  # the server looks for what is stored already
            if is_lasting(error):
                raise
            for work in slice_:
                yield from self._again(work, error)
            return
        except (Stopped, CancelledError):
            return  # they are pending, for the next run
        now = time.monotonic()
        for work, slot in zip(slice_, slots, strict=True):
            if slot.status is UploadStatus.DUPLICATE:
                yield from self._outcomes.duplicate(work, image_id=slot.image_id)
            else:
                work.signed_at = now
                self._began(senders.submit(partial(self._send, work, slot)), self._sending, work)

    def _send(self, work: Work, slot: UploadSlot) -> None:
        work.waited = time.monotonic() - work.signed_at
        missing = itertools.count(len(slot.parts or ()) - 1, -1)

        def part_stored() -> None:
            work.got_on(next(missing))
            self._retries.stored()

        self._sender.send(work.file.path, work.ready, slot, part_stored)
        if slot.parts is not None:
            self._api.complete_upload(slot.storage_key)
        work.file = replace(work.file, storage_key=slot.storage_key)

    def _move(self, done: int, sent: int) -> None:
        self._level.moved(sent)
        self._moved.put((done, sent))

    # --- settling ----------------------------------------------------------------------------------------------

    def _settle(self, senders: Senders) -> Iterator[Event]:
        """What has ended since. Waits a moment for the first; files that end soon after one another wake us once."""
        error: MomentariumError | None = None
        try:
            for future in self._ended():
                yield from self._settled_one(future, senders)
        except MomentariumError as raised:
            error = raised
        yield from self._were_sent()
        if error is not None:
            raise error

    def _ended(self) -> Iterator[Future[Any]]:
        time.sleep(_GATHERED_SECONDS)
        try:
            yield self._done.get(timeout=_ENDING_SECONDS if self._outcomes.is_ending_batches else _LOOK_SECONDS)
        except Empty:
            return
        for _ in range(self._done.qsize()):
            yield self._done.get()

    def _settled_one(self, future: Future[Any], senders: Senders) -> Iterator[Event]:
        if future in self._sending:
            yield from self._was_sent(self._sending.pop(future), future)
        elif future in self._signing:
            yield from self._signed(self._signing.pop(future), future, senders)
        else:
            yield from self._preparation.settle(future)

    def _was_sent(self, work: Work, future: Future[None]) -> Iterator[Event]:
        try:
            future.result()
        except ChangedWhileRead as error:
            yield from self._preparation.changed(work, str(error))
        except Stopped:
            return  # it is pending, for the next run
        except MomentariumError as error:
            if isinstance(error, InsufficientStorage) or is_lasting(error):
                raise
            if isinstance(error, ServerUnreachable):
                self._api.transport.server.revive()
            yield from self._again(work, error)
        except OSError as error:
            yield from self._outcomes.failed(work, error.strerror or str(error))
        else:
            self._sent.append(work)

    def _were_sent(self) -> Iterator[Event]:
        """Those that ended together are one commit."""
        sent, self._sent = self._sent, []
        if not sent:
            return
        for _ in sent:
            self._retries.stored()
            self._slices.stored()
        yield from self._outcomes.stored(sent)

    def _again(self, work: Work, error: MomentariumError) -> Iterator[Event]:
        """It is signed anew and sent again, for as long as there is hope."""
        log.info("%s: %s", work.file.path, error)
        if self._stop.is_set():
            return  # it is pending, for the next run
        delay = self._retries.delay(work.attempts, error, waited=work.waited)
        if self._retries.is_hopeless:
            raise error
        if delay is None:
            yield from self._outcomes.failed(work, str(error))
        else:
            self._slices.again(work, delay)

    def _drain_moved(self) -> Iterator[Event]:
        done = sent = 0
        while not self._moved.empty():
            more_done, more_sent = self._moved.get()
            done += more_done
            sent += max(0, more_sent)
        if done or sent:
            yield events.Sent(done, sent)
