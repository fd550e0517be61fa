"""Whether photos are arriving, so that the worker's decoding leaves the processor to them."""

import time
from threading import Event

_QUIET_SECONDS = 1.0


class Arrivals:
    """Marked by the API whenever a photo arrives; asked by the worker before it decodes."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def mark(self) -> None:
        self._last = time.monotonic()

    def wait_for_quiet(self, stop: Event, *, at_most: float) -> None:
        """Return once nothing has arrived for a second, at the latest after so many, or when `stop` is set."""
        deadline = time.monotonic() + at_most
        while (now := time.monotonic()) < min(self._last + _QUIET_SECONDS, deadline):
            if stop.wait(min(0.2, self._last + _QUIET_SECONDS - now + 0.01)):
                return
