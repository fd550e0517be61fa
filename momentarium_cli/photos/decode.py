"""Decodes photos in child processes with limits: a hostile or broken file costs its own task and nothing else.

The same pool serves the client (metadata, checksums, previews) and the worker (thumbnails, hashes).
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from momentarium_cli.photos import futures, limits, tasks
from momentarium_cli.photos.checksum import WHOLE_UP_TO_1_GIB, Cut
from momentarium_cli.photos.limits import Limits

if TYPE_CHECKING:
    from pebble import ProcessPool

    from momentarium_cli.photos.metadata import Described
    from momentarium_cli.photos.preview import Derived, Prepared, Preview

P = ParamSpec("P")
T = TypeVar("T")

MAX_TASKS = 200  # a child is replaced after so many, whatever it leaked
MAX_TRIES = 3  # for a task that was lost with the pool through no fault of its own
SLOWEST_DISK = 4 << 20  # bytes a second: a large file on a slow disk is given more time
DESCRIBED_BYTES = 1 << 20  # what reading the metadata of one file counts as
HASH_RATE = 100 << 20  # bytes a second of processor time
_ENDING_SECONDS = 15.0  # pebble's threads may wait for ever for a message that was cut off with its sender
_PRELOADED = [f"momentarium_cli.photos.{name}" for name in ("fork_server", "metadata", "preview", "tasks")]


class DecodeFailed(Exception):
    """A child did not finish a task; the message says why in plain words, without a subject."""


class DecoderUnavailable(DecodeFailed):
    """No child could be had, or it was ended from outside: that says nothing about the task."""


class Decoder:
    """A pool of child processes, one a core unless told otherwise. Close it, or use it as a context manager.

    Every method returns at once with a future; how many are under way is the caller's to bound. The limits are
    of one child: address space in bytes, seconds of processor time and of the clock for one task.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        memory_bytes: int = 1 << 30,
        cpu_seconds: float = 10,
        wall_seconds: float = 15,
        nice: int = 0,
    ) -> None:
        self.workers = workers or os.cpu_count() or 1
        self.ahead = 8 * self.workers  # tasks that keep the children busy while somebody is busy with what they made
        self._limits = Limits(memory_bytes, cpu_seconds, wall_seconds, nice)
        self._lock = threading.Lock()
        self._pool: ProcessPool | None = None
        self._retiring: list[threading.Thread] = []
        self._open: set[Future[Any]] = set()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the children; what is under way fails with DecodeFailed. May be called again."""
        with self._lock:
            self._closed = True
            self._retire()
        deadline = time.monotonic() + _ENDING_SECONDS
        for thread in self._retiring:
            thread.join(max(0.0, deadline - time.monotonic()))
        for future in list(self._open):
            futures.fail(future, DecoderUnavailable("the decoder was closed"))

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Runs an importable function in a child. The future fails with DecodeFailed, or with what it raised."""
        return self._submit(partial(function, *args, **kwargs), 0)

    def prepare(self, path: Path, cut: Cut = WHOLE_UP_TO_1_GIB) -> "Future[Prepared]":
        """Checksums and preview; a photo that breaks its decoder is hashed without being decoded."""
        size = _size(path)
        first = self._submit(partial(tasks.prepare, path, cut), size)
        return self._recovering(first, lambda reason: self._submit(partial(tasks.hash_only, path, cut, reason), size))

    def describe(self, files: Sequence[tuple[Path, int]]) -> "Future[list[Described | Exception]]":
        """Metadata of files given with their mtime in nanoseconds, in their order.

        A file that cannot be read gives its exception as a value. Where a child fails, the files are tried one
        by one, and the guilty one is described by its name and mtime.
        """
        chunk = list(files)
        first = self._submit(partial(tasks.describe, chunk), len(chunk) * DESCRIBED_BYTES)
        return self._recovering(first, lambda reason: self._one_by_one(chunk, reason))

    def derive(self, preview: bytes) -> "Future[Derived]":
        """Thumbnail and hashes of a preview; fails with CannotDecode or DecodeFailed."""
        return self._submit(partial(tasks.derive, preview), 0)

    def remake(self, path: Path, content_type: str) -> "Future[Preview]":
        """The preview of an original on this machine's disk; fails with CannotDecode, DecodeFailed or OSError."""
        return self._submit(partial(tasks.remake, path, content_type), _size(path))

    def _one_by_one(self, files: list[tuple[Path, int]], reason: str) -> "Future[list[Described | Exception]]":
        if len(files) == 1:
            alone: Future[list[Described | Exception]] = Future()
            alone.set_result([tasks.describe_by_name(*files[0], reason)])
            return alone
        return futures.gathered([self.describe([file]) for file in files])

    def _submit(self, work: Callable[[], T], size: int) -> Future[T]:
        future: Future[T] = Future()
        self._open.add(future)
        future.add_done_callback(self._open.discard)
        self._schedule(work, size, future, MAX_TRIES)
        return future

    def _schedule(self, work: Callable[[], T], size: int, future: Future[T], tries: int) -> None:
        """Runs `work` in the pool, and again in a new one where the pool itself was lost."""
        cpu = self._limits.cpu_seconds + size / HASH_RATE
        wall = self._limits.wall_seconds + size / SLOWEST_DISK

        def finished(inner: Future[T]) -> None:
            if tries > 1 and isinstance(futures.error(inner), BrokenProcessPool) and not self._closed:
                self._schedule(work, size, future, tries - 1)
            else:
                _settle(future, inner, self._limits)

        try:
            inner = self._running().schedule(limits.guarded, args=[work, cpu], timeout=wall)
        except (RuntimeError, OSError) as error:  # closed, or it broke this very moment, or no child could be started
            if tries > 1 and not self._closed:
                self._schedule(work, size, future, tries - 1)
            else:
                futures.fail(future, DecoderUnavailable(str(error)))
        else:
            inner.add_done_callback(finished)

    def _running(self) -> "ProcessPool":
        with self._lock:
            if self._closed:
                raise RuntimeError("the decoder was closed")
            if self._pool is not None and not self._pool.active:
                self._retire()
            if self._pool is None:
                self._pool = _new_pool(self.workers, self._limits)
            return self._pool

    def _retire(self) -> None:
        """Ends the pool in a thread of its own, for one of the pool's threads may be who asks."""
        if self._pool is not None:
            self._retiring.append(threading.Thread(target=_end, args=(self._pool,), daemon=True))
            self._retiring[-1].start()
            self._pool = None

    def _recovering(self, first: Future[T], again: Callable[[str], Future[T]]) -> Future[T]:
        """A future that is `first`, or what `again` makes of the reason where a child failed."""
        outer: Future[T] = Future()

        def finished(inner: Future[T]) -> None:
            error = futures.error(inner)
            failed = isinstance(error, DecodeFailed) and not self._closed
            (again(str(error)) if failed else inner).add_done_callback(partial(futures.copy, outer))

        first.add_done_callback(finished)
        return outer


def _new_pool(workers: int, bounds: Limits) -> "ProcessPool":
    from pebble import ProcessPool

    method = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"
    context = get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(_PRELOADED)  # children then start in milliseconds
    with limits.beyond_hangup():
        pool = ProcessPool(
            workers, max_tasks=MAX_TASKS, initializer=limits.enter_child, initargs=(bounds,), context=context
        )
        pool.active  # noqa: B018 - starts the children now
    return pool


def _end(pool: "ProcessPool") -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


def _settle(future: Future[T], inner: Future[T], bounds: Limits) -> None:
    error = futures.error(inner)
    if isinstance(error, BrokenProcessPool | CancelledError):
        futures.fail(future, DecoderUnavailable("the decoder was stopped"))
    elif error is not None and (reason := _reason(error, bounds)):
        futures.fail(future, DecodeFailed(reason))
    else:
        futures.copy(future, inner)


def _reason(error: BaseException, bounds: Limits) -> str | None:
    """Why a child failed, in plain words; None where the function itself raised the error."""
    from pebble import ProcessExpired

    if isinstance(error, TimeoutError) and error.args[:1] == ("Task timeout",):
        return f"it took longer than {bounds.wall_seconds:g} s"
    if isinstance(error, MemoryError):
        return f"it needed more than {bounds.memory_bytes / (1 << 30):g} GiB"
    if isinstance(error, ProcessExpired):
        if error.exitcode == -getattr(signal, "SIGXCPU", 0):
            return f"it took longer than {bounds.cpu_seconds:g} s of processor time"
        return "the decoder crashed"
    return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # the child meets the error and tells it
