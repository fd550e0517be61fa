"""Ctrl-C, SIGTERM and a terminal that is closed end a run cleanly; a second signal ends it at once."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType

_HANGUP = getattr(signal, "SIGHUP", None)  # Windows has none


class Signals:
    """`stop` is set by the first signal; `exit_code` is then 128 + its number."""

    def __init__(self) -> None:
        self.stop = Event()
        self.number = 0
        self._terminals: list[int] = []

    @property
    def exit_code(self) -> int:
        return 128 + self.number

    @contextmanager
    def handled(self) -> Iterator[None]:
        numbers = [signal.SIGINT, signal.SIGTERM]
        if _HANGUP is not None and signal.getsignal(_HANGUP) is not signal.SIG_IGN:  # nohup says to go on
            numbers.append(_HANGUP)
        self._terminals = [descriptor for descriptor in range(3) if os.isatty(descriptor)]
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
        if number == _HANGUP:
            self._leave_terminals()
        # Not through a stream: the signal may have come while that very stream was being written to.
        os.write(2, b"Stopping: what is on its way is finished. Again to end at once.\n")

    def _leave_terminals(self) -> None:
        """Those that were open are gone, and writing to them would fail."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in self._terminals:
            os.dup2(nowhere, descriptor)
