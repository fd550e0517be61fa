"""Copy what one store holds into another, while both are in use.

Nothing is kept but the target itself: what is there already is not copied again, so an interrupted copy goes on where
it stopped, and a later one brings what came meanwhile. Nothing is overwritten. The objects of a kind are all compared,
then copied; their keys are in memory, about 300 MB for a million.

Either store checks length and SHA-256 of what it is given, and has it safe on its disk when `write` returns. So the
objects of a target are right if their size is: only of those in S3 that came in parts does the store know no SHA-256,
and these became objects after they were proven. `verify` reads them all the same, whatever the store says.
"""

import hashlib
import itertools
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from io import SEEK_SET, BufferedReader, RawIOBase
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Semaphore
from typing import Any, BinaryIO, ParamSpec, TypeVar

from momentarium_cli.backend.inventory import KINDS  # originals first: they are what cannot be made again
from momentarium_cli.backend.storage.base import AT_ONCE, Storage, checksum_of
from momentarium_cli.errors import BadRequest, MomentariumError, NotAsDescribed, NotFound, Stopped, StorageUnavailable
from momentarium_cli.models import MAX_PUT_BYTES
from momentarium_cli.photos.formats import identify

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE_SECONDS = 300.0  # how long a store that is out of reach or busy is waited for
_TRIES = 8  # of an object for which the store has only errors while it takes or gives others
_ALONE_SECONDS = 1.0  # how long after its first failure others got through; sooner, they were on their way already
_FIRST_DELAY_SECONDS = 0.2
_MAX_DELAY_SECONDS = 10.0
_GRACE_SECONDS = 5.0  # for what is on its way when a signal comes
_TICK_SECONDS = 0.2
_BUSY = "storage_busy"  # the store's answer is about all of us, not about the object
_COMPARED_AT_ONCE = 1000
_BUFFER_BYTES = 1 << 20
_LARGE_AT_ONCE = 2  # of those that go to S3 in parts, which are in memory: up to 128 MB each

ROTTEN = "the bytes in the source are not those of its key"
DIFFERENT = "what the target holds under this key is not the same"


@dataclass(frozen=True, slots=True)
class Listed:
    """So many objects of a kind are in the source; they are now compared."""

    kind: str
    objects: int


@dataclass(frozen=True, slots=True)
class Compared:
    """So many more of them were looked up in the target."""

    objects: int


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to be copied of a kind, and what is to be read because it is there already."""

    kind: str
    objects: int
    bytes: int
    to_verify: int
    bytes_to_verify: int


@dataclass(frozen=True, slots=True)
class Moved:
    """Bytes that were read since the last time; negative where an object has to be read again."""

    bytes: int


@dataclass(frozen=True, slots=True)
class Copied:
    storage_key: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class There:
    """The target has it already."""

    storage_key: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Vanished:
    """It was deleted in the source before it was copied."""

    storage_key: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Failed:
    """It is not in the target, or not as it is in the source."""

    storage_key: str
    size_bytes: int
    error: str


Outcome = Copied | There | Vanished | Failed
Event = Listed | Compared | Planned | Moved | Outcome


@dataclass(slots=True)
class Tally:
    """How many objects; `found` is the sum of the other counts. `to_copy` is what was planned, of which `copied` is
    done."""

    found: int = 0
    copied: int = 0
    there: int = 0
    vanished: int = 0
    failed: int = 0
    to_copy: int = 0
    bytes_copied: int = 0
    bytes_to_copy: int = 0

    @property
    def pending(self) -> int:
        return self.found - self.copied - self.there - self.vanished - self.failed

    def add(self, event: Event) -> None:
        match event:
            case Listed():
                self.found += event.objects
            case Planned():
                self.to_copy += event.objects
                self.bytes_to_copy += event.bytes
            case Copied():
                self.copied += 1
                self.bytes_copied += event.size_bytes
            case There():
                self.there += 1
            case Vanished():
                self.vanished += 1
            case Failed():
                self.failed += 1


@dataclass(frozen=True, slots=True)
class _Task:
    """To copy an object, or to read the one that is there."""

    key: str
    size: int
    there: bool


class Copier:
    """Copies once. As many objects are on their way as a store has connections: what one of them takes is mostly the
    time to a far store and back, so that with fewer the thumbs would take longer than the originals.

    `patience`: how many seconds a store that is out of reach is waited for.
    """

    def __init__(
        self, source: Storage, target: Storage, *, stop: Flag, verify: bool = False, patience: float = PATIENCE_SECONDS
    ) -> None:
        self._source = source
        self._target = target
        self._stop = stop
        self._verify = verify
        self._patience = patience
        self.tally = Tally()
        self._failed, self._abandoned = Flag(), Flag()
        self._reached_at = time.monotonic()
        self._large = Semaphore(_LARGE_AT_ONCE)
        self._told: SimpleQueue[Event | None] = SimpleQueue()

    def events(self, *, dry_run: bool = False) -> Iterator[Event]:
        """Of each object of the source one Outcome, save those that a dry run leaves to be done.

        StorageUnavailable: one of the stores stayed out of reach, or refuses; Stopped: `stop` is set.
        """
        for kind in KINDS:
            for event in self._events(kind, dry_run=dry_run):
                self.tally.add(event)
                yield event

    def _events(self, kind: str, *, dry_run: bool) -> Iterator[Event]:
        tasks: list[_Task] = []
        yield from self._compare(kind, tasks)
        yield _planned(kind, tasks)
        if not dry_run:
            yield from self._carry_out(tasks)

    # --- what is to be done ------------------------------------------------------------------------------------

    def _compare(self, kind: str, tasks: list[_Task]) -> Iterator[Event]:
        """Adds to `tasks` what is to be done, and tells the rest."""
        keys = self._patiently(self._listed, f"{kind}/")
        yield Listed(kind, len(keys))
        with self._threads() as threads:
            for start in range(0, len(keys), _COMPARED_AT_ONCE):
                for found in threads.map(self._compared, keys[start : start + _COMPARED_AT_ONCE]):
                    if isinstance(found, _Task):
                        tasks.append(found)
                    else:
                        yield found
                    yield Compared(1)

    def _listed(self, prefix: str) -> list[str]:
        return list(self._source.list(prefix))

    def _compared(self, key: str) -> _Task | Outcome:
        return self._settled(key, 0, self._judged, key)

    def _judged(self, key: str) -> _Task | Outcome:
        # Not with `heads`: of a thousand requests to a busy store one fails, and the thousand had to be repeated.
        ours, theirs = self._source.head(key), self._target.head(key)
        if ours is None:
            return Vanished(key, 0)
        if theirs is None:
            return _Task(key, ours.size, there=False)
        if theirs.size != ours.size:
            return Failed(key, ours.size, f"the target holds {theirs.size:,} bytes under this key, not {ours.size:,}")
        if theirs.sha256 not in (None, checksum_of(key)):
            return Failed(key, ours.size, DIFFERENT)
        return _Task(key, ours.size, there=True) if self._verify else There(key, ours.size)

    # --- doing it ----------------------------------------------------------------------------------------------

    def _carry_out(self, tasks: list[_Task]) -> Iterator[Event]:
        remaining = iter(tasks)
        with self._threads() as threads:
            workers = [threads.submit(self._work, remaining) for _ in range(AT_ONCE)]
            yield from self._heard(len(workers))
        for worker in workers:
            worker.result()
        self._check_stop()

    @contextmanager
    def _threads(self) -> Iterator[ThreadPoolExecutor]:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="copy") as threads:
            try:
                yield threads
            except BaseException:  # also when nobody listens any more
                self._failed.set()
                self._abandoned.set()
                raise

    def _work(self, tasks: Iterator[_Task]) -> None:
        try:
            while not self._over and (task := next(tasks, None)):  # next() of an iterator is atomic
                self._told.put(self._outcome(task))
        except Stopped:
            return
        except BaseException:
            self._failed.set()
            raise
        finally:
            self._told.put(None)

    def _heard(self, workers: int) -> Iterator[Event]:
        """What they tell, until the last of them has ended. Once it is over they get a moment to end what they do."""
        ends_at = float("inf")
        while workers:
            if self._over:
                ends_at = min(ends_at, time.monotonic() + _GRACE_SECONDS)
            if time.monotonic() >= ends_at:
                self._abandoned.set()
            try:
                event = self._told.get(timeout=_TICK_SECONDS)
            except Empty:
                continue
            if event is None:
                workers -= 1
            else:
                yield event

    def _outcome(self, task: _Task) -> Outcome:
        return self._settled(task.key, task.size, self._verified if task.there else self._copied, task)

    def _settled(self, key: str, size: int, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | Failed:
        """What `call` finds of an object; Failed where only this one does not get through."""
        began = time.monotonic()
        try:
            found = self._patiently(call, *args, **kwargs)
        except StorageUnavailable as error:
            if error.retry_after is not None and self._got_through_since(began):
                return Failed(key, size, error.message)
            raise
        self._reached_at = time.monotonic()
        return found

    def _got_through_since(self, moment: float) -> bool:
        """Whether others did, so that what fails since that moment fails for itself."""
        return self._reached_at - moment > _ALONE_SECONDS

    def _copied(self, task: _Task) -> Outcome:
        try:
            with self._large if task.size > MAX_PUT_BYTES else nullcontext():
                return self._read(self._source, task, self._write)
        except BadRequest as error:
            found = self._read(self._source, task, partial(_checked, wrong=ROTTEN))
            if isinstance(found, There):
                raise StorageUnavailable("What arrived in the target is not what was sent.", retry_after=1) from error
            return found

    def _write(self, task: _Task, file: "BufferedReader[_Reading]") -> Outcome:
        self._target.write(task.key, file, size=task.size, content_type=_content_type(task.key, file))
        return Copied(task.key, task.size)

    def _verified(self, task: _Task) -> Outcome:
        return self._read(self._target, task, partial(_checked, wrong=DIFFERENT))

    def _read(
        self, store: Storage, task: _Task, use: "Callable[[_Task, BufferedReader[_Reading]], Outcome]"
    ) -> Outcome:
        """What `use` makes of an object of the store. What befalls this object alone is an outcome, all else raised."""
        try:
            opened = store.open(task.key)
        except NotFound:
            return Vanished(task.key, task.size)
        except StorageUnavailable as error:
            if isinstance(error.__cause__, OSError):
                return _unreadable(task, error.__cause__)
            raise
        reading = _Reading(opened, self._abandoned, self._told)
        with opened, BufferedReader(reading, _BUFFER_BYTES) as file:
            try:
                return use(task, file)
            except (OSError, MomentariumError) as error:
                reading.forget()
                return _of_this_one(task, reading.error or error)

    # --- waiting -----------------------------------------------------------------------------------------------

    def _patiently(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Again while a store is out of reach, with delays that grow, until our patience ends."""
        began, failing_since = time.monotonic(), None
        for number in itertools.count(1):
            self._check_stop()
            try:
                return call(*args, **kwargs)
            except StorageUnavailable as error:
                self._check_stop()
                failing_since = failing_since or time.monotonic()
                alone = number >= _TRIES and error.error_code != _BUSY and self._got_through_since(began)
                is_over = time.monotonic() - failing_since >= self._patience
                if error.retry_after is None or alone or is_over:
                    raise
            self._pause(random.uniform(0, min(_FIRST_DELAY_SECONDS * 2 ** min(number, 10), _MAX_DELAY_SECONDS)))  # noqa: S311 -- jitter, no secret
        raise AssertionError("it is tried until it returns or raises")

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._over and (left := until - time.monotonic()) > 0:
            self._stop.wait(min(left, _TICK_SECONDS))

    @property
    def _over(self) -> bool:
        return self._stop.is_set() or self._failed.is_set()

    def _check_stop(self) -> None:
        if self._over:
            raise Stopped("Stopped; run the same command again to go on.")


class _Reading(RawIOBase):
    """An object on its way. An error in reading it is kept: who sends it to S3 takes it for one of the target."""

    def __init__(self, file: BinaryIO, abandoned: Flag, told: "SimpleQueue[Event | None]") -> None:
        self._file, self._abandoned, self._told = file, abandoned, told
        self._position = 0
        self.error: Exception | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        self._moved_to(self._file.seek(offset, whence))
        return self._position

    def readinto(self, buffer: Any) -> int:
        try:
            if self._abandoned.is_set():
                raise Stopped("Stopped in the middle of an object.")
            data = self._file.read(len(buffer))
        except (OSError, MomentariumError) as error:
            self.error = error
            raise
        buffer[: len(data)] = data
        self._moved_to(self._position + len(data))
        return len(data)

    def forget(self) -> None:
        """It did not arrive."""
        self._moved_to(0)

    def _moved_to(self, position: int) -> None:
        if position != self._position:
            self._told.put(Moved(position - self._position))
            self._position = position


def _planned(kind: str, tasks: list[_Task]) -> Planned:
    there = [task.size for task in tasks if task.there]
    missing = [task.size for task in tasks if not task.there]
    return Planned(kind, len(missing), sum(missing), len(there), sum(there))


def _content_type(key: str, file: "BufferedReader[_Reading]") -> str:
    """Only told to who looks into the bucket by other means: our own addresses bind the photo's."""
    if not key.startswith("originals/"):
        return "image/jpeg"
    found = identify(file.peek(64), "")
    return found.content_type if found else "application/octet-stream"


def _checked(task: _Task, file: "BufferedReader[_Reading]", *, wrong: str) -> Outcome:
    if hashlib.file_digest(file, "sha256").hexdigest() != checksum_of(task.key):
        return Failed(task.key, task.size, wrong)
    return There(task.key, task.size)


def _of_this_one(task: _Task, error: Exception) -> Outcome:
    if isinstance(error, NotFound | NotAsDescribed):  # its upload in parts
        return Failed(task.key, task.size, error.message)
    if isinstance(error, OSError):
        return _unreadable(task, error)
    raise error


def _unreadable(task: _Task, error: OSError) -> Failed:
    return Failed(task.key, task.size, f"it cannot be read: {error.strerror or error}")
