"""The threads that send, as many at once as the level says."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import Condition, Event, Thread
from types import TracebackType
from typing import Self

from momentarium_cli.client.concurrency import Level
from momentarium_cli.errors import Stopped

_Item = tuple[Future[None], Callable[[], None]]


class Senders:
    """Use it in a with-block, which ends when all have: what has begun is finished, what has not is cancelled.

    A thread that has sent one file takes the next without waking another, and there are no more threads than were
    needed at once.
    """

    def __init__(self, level: Level, stop: Event) -> None:
        self._level, self._stop = level, stop
        self._changed = Condition()
        self._waiting: deque[_Item] = deque()
        self._threads: list[Thread] = []
        self._active = self._idle = 0
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._changed:
            self._closed = True
            for future, _ in self._waiting:
                future.cancel()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def submit(self, send: Callable[[], None]) -> Future[None]:
        """Fails with what `send` raises, or with Stopped where the run stops before its turn comes."""
        future: Future[None] = Future()
        with self._changed:
            self._waiting.append((future, send))
            self._call_another()
        return future

    def _call_another(self) -> None:
        if not self._waiting or self._active >= self._level.limit:
            return
        if self._idle:
            self._changed.notify()
        elif len(self._threads) < self._level.limit:
            thread = Thread(target=self._run, name=f"send-{len(self._threads)}")
            self._threads.append(thread)
            thread.start()

    def _run(self) -> None:
        while (item := self._next()) is not None:
            error = self._sent(*item)
            with self._changed:
                self._active -= 1
                self._level.count(error, full=bool(self._waiting))

    def _next(self) -> _Item | None:
        """None: there will be no more."""
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._closed or (self._waiting and self._active < self._level.limit))
            self._idle -= 1
            if self._closed:
                return None
            self._active += 1
            item = self._waiting.popleft()
            self._call_another()
            return item

    def _sent(self, future: Future[None], send: Callable[[], None]) -> BaseException | None:
        if not future.set_running_or_notify_cancel():
            return None
        try:
            if self._stop.is_set():
                raise Stopped("Stopped before the file was sent.")
            send()
        except BaseException as error:  # noqa: BLE001 -- it is raised where the future is asked
            future.set_exception(error)
            return error
        future.set_result(None)
        return None
