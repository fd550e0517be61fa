"""Which photos belong together in time.

The rule is a top-down split that knows the size of what it splits: a run of photos is cut at its largest gap if
nobody would bridge that gap, or if the run is too large for one album and the gap is at least a day. Of the rules
measured on albums that people made it came closest to them; `tests/backend/organize/test_albums.py` measures it.
"""

from bisect import bisect, insort
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

ALWAYS = timedelta(hours=96)  # a gap that ends every event
LARGE = 40  # photos; an event with more than these is cut at smaller gaps too,
DAY = timedelta(hours=24)  # down to this one,
FEW = 3  # but never so that fewer photos than these are left over
ENOUGH = 5  # photos that are an event however they are spread


def split(times: Sequence[datetime]) -> list[range]:
    """Cut ascending times into events; the ranges of indices are ascending and cover all of them.

    Taking the gaps from the largest down is the same as cutting each run at its largest gap, then its parts: when
    a gap is looked at, every larger one in its run has been. O(n log n), but for the insertions into a short list.
    """
    bounds = [0, len(times)] if times else [0]
    for gap, index in _gaps(times):
        right = bisect(bounds, index)
        if gap >= ALWAYS or _too_large(bounds[right - 1], index, bounds[right]):
            insort(bounds, index)
    return [range(start, stop) for start, stop in pairwise(bounds)]


def is_event(times: Sequence[datetime], named: bool) -> bool:
    """Whether ascending times, already cut off from all others, deserve an album of their own.

    A few photos do if they are of one day, or if a person put them into a folder with a name (`named`).
    """
    if len(times) < FEW:
        return False
    return len(times) >= ENOUGH or named or times[-1] - times[0] <= DAY


def _gaps(times: Sequence[datetime]) -> list[tuple[timedelta, int]]:
    """The gaps of a day or more and the index after each, largest first, the earlier of equal ones first."""
    gaps = [(times[index] - times[index - 1], index) for index in range(1, len(times))]
    return sorted((gap for gap in gaps if gap[0] >= DAY), key=lambda gap: (-gap[0], gap[1]))


def _too_large(start: int, cut: int, stop: int) -> bool:
    return stop - start > LARGE and min(cut - start, stop - cut) >= FEW
