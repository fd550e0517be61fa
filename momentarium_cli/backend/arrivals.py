"""Whether photos are arriving, so that the worker's decoding leaves the processor to them."""

import time
from threading import Event

_QUIET_SECONDS = 1.0
_AT_MOST_SECONDS = 10.0  # first albums must not wait for the last photo
_PATIENCE = 5  # times as long as the worker worked before: it gets its share while much arrives


class Arrivals:
    """Marked by the API whenever a photo arrives; asked by the worker before it decodes."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def mark(self) -> None:
        self._last = time.monotonic()

    def wait_for_quiet(self, stop: Event, *, worked: float) -> None:
        """Return once nothing has arrived for a second, or when `stop` is set; at the latest after ten seconds, or five
        times those that the last piece of work took."""
        deadline = time.monotonic() + min(_AT_MOST_SECONDS, _PATIENCE * worked)
        while (left := min(self._last + _QUIET_SECONDS, deadline) - time.monotonic()) > 0:
            if stop.wait(min(0.2, left)):
                return
