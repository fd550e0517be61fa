"""The nearest of a store's regions."""

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from math import inf
from statistics import median

from momentarium_cli.client.transport import Transport
from momentarium_cli.errors import MomentariumError

log = logging.getLogger(__name__)

_REQUESTS = 3  # the first also connects: the median is of one that does not
_TIMEOUT_SECONDS = 3.0


class Nearest:
    """`region` is `preferred` if the store has it, else the one that answers first; None where there is no choice.

    `regions` has an address of each. It is measured when it is first asked for, and then stays.
    """

    def __init__(self, transport: Transport, regions: Mapping[str, str], preferred: str | None) -> None:
        self._transport, self._regions, self._preferred = transport, regions, preferred

    @cached_property
    def region(self) -> str | None:
        if len(self._regions) < 2:
            return None
        if self._preferred in self._regions:
            return self._preferred
        return self._measured()

    def _measured(self) -> str | None:
        with ThreadPoolExecutor(len(self._regions), thread_name_prefix="nearest") as threads:
            seconds = dict(zip(self._regions, threads.map(self._seconds_to, self._regions.values()), strict=True))
        log.info("seconds to the regions of the store: %s", seconds)
        best = min(seconds, key=seconds.__getitem__)
        return best if seconds[best] < inf else None

    def _seconds_to(self, url: str) -> float:
        """The median; endless for an address that leaves a request unanswered."""
        try:
            return median(self._transport.seconds_to(url, _TIMEOUT_SECONDS) for _ in range(_REQUESTS))
        except MomentariumError as error:
            log.info("%s", error)
            return inf
