"""Ctrl-C and SIGTERM end a run cleanly; a second one ends it at once."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType


class Signals:
    """`stop` is set by the first signal; `exit_code` is then 128 + its number."""

    def __init__(self) -> None:
        self.stop = Event()
        self.number = 0

    @property
    def exit_code(self) -> int:
        return 128 + self.number

    @contextmanager
    def handled(self) -> Iterator[None]:
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, self._received) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)

    def _received(self, number: int, _: FrameType | None) -> None:
        if self.stop.is_set():
            os._exit(128 + number)
        self.number = number
        self.stop.set()
        # Not through a stream: the signal may have come while that very stream was being written to.
        os.write(2, b"Stopping: what is on its way is finished. Again to end at once.\n")
