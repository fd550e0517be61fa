"""How far work on many objects is, with speed and time left: a bar for a person, lines for cron and pipes."""

import time
from contextlib import AbstractContextManager
from typing import Self

from momentarium_cli.cli.interval import Interval, stamp
from momentarium_cli.cli.output import duration, say, size


class Meter(AbstractContextManager["Meter"]):
    """Told what there is to do, then what is done of it. As itself it shows only what is said: for JSON."""

    def __init__(self) -> None:
        self._begin("", 0, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to put away."""

    def begin(self, what: str, items: int, total_bytes: int) -> None:
        """Something is to be done to so many objects of so many bytes; of those that are only counted there are 0."""
        self._begin(what, items, total_bytes)
        self.show()

    def _begin(self, what: str, items: int, total_bytes: int) -> None:
        self._what, self._items, self._bytes = what, items, total_bytes
        self._done = self._moved = 0
        self._began = time.monotonic()

    def add(self, items: int, moved: int = 0) -> None:
        """So many more objects are done, or bytes moved."""
        self._done += items
        self._moved += moved
        self.show()

    def show(self) -> None:
        """Something has changed."""

    def say(self, line: str) -> None:
        say(line)

    @property
    def _objects(self) -> str:
        return f"{self._done:,} of {self._items:,}"

    def _pace(self) -> list[str]:
        """The average since this began: objects arrive in bursts."""
        if self._moved <= 0:
            return []
        speed = self._moved / max(time.monotonic() - self._began, 0.1)
        left = max(0, self._bytes - self._moved)
        return [size(self._moved), f"{size(speed)}/s", f"{duration(left / speed)} left"]


class Lines(Meter):
    def __init__(self) -> None:
        super().__init__()
        self._interval = Interval()

    def show(self) -> None:
        if self._interval.is_over():
            say(f"{stamp()} {self._what}: {', '.join([self._objects, *self._pace()])}")


class Bar(Meter):
    def __init__(self) -> None:
        from momentarium_cli.cli.bars import new_progress

        self._progress = new_progress()
        self._task = self._progress.add_task("", total=None, detail="", speed="")
        super().__init__()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self) -> None:
        done, total = (self._moved, self._bytes) if self._bytes else (self._done, self._items)
        speed = ", ".join(self._pace()[1:])
        self._progress.update(
            self._task, description=self._what, completed=done, total=total, detail=self._objects, speed=speed
        )

    def say(self, line: str) -> None:
        self._progress.console.print(line, markup=False)
