"""Which photos belong together in time: trips, the albums in them, and the chapters of an album.

A journey rests where an afternoon is over. So the albums are grown from the bottom: runs of photos without a pause
of two days, then neighbours whose pause is short beside the longer of them. What is too large for one album is cut
from the top again, at its largest gap of a day or more. Of the rules measured on albums that people made these come
closest to them: `tests/benchmarks/organize_quality.py` measures, ORGANIZING.md beside it says what else was tried.

Nothing reaches across a gap of ALWAYS: the photos between two such gaps make the same albums whatever lies beyond.
"""

from bisect import bisect, insort
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

ALWAYS = timedelta(hours=96)  # a gap that ends every trip
DAY = timedelta(hours=24)
ENOUGH = 5  # photos that are an event however they are spread
FEW = 3  # photos: the fewest that are an event, or that a cut of a large one leaves over
CHAPTER = 10  # photos; an album with more than these has chapters,
NIGHT = timedelta(hours=12)  # between which there is a gap of at least this
PARTY = 12  # photos of one session at home: fewer are everyday life
SEASON = timedelta(days=60)  # what goes on for longer is nobody's trip


@dataclass(frozen=True, slots=True)
class Rule:
    """The constants that were chosen by measuring."""

    pause: timedelta = timedelta(hours=48)  # a gap that may end an event: a day without a photo does not
    rest: float = 0.75  # of the longer of two runs: how long a pause may be that they bridge
    large: int = 40  # photos; an event with more than these is cut at smaller gaps too,
    day: timedelta = DAY  # down to this one


RULE = Rule()


def stretches(times: Sequence[datetime]) -> list[range]:
    """Cut ascending times where nothing goes on; the ranges of indices are ascending and cover all of them."""
    return _runs(times, ALWAYS)


def split(times: Sequence[datetime], rule: Rule = RULE, together: Collection[int] = ()) -> list[range]:
    """Cut ascending times into events; the ranges of indices are ascending and cover all of them.

    `together`: indices of photos that a person put where the one before is; only ALWAYS parts these.
    """
    runs = _bridged(times, _runs(times, rule.pause), rule.rest, together)
    return [event for run in runs for event in _sized(times, run, rule.large, rule.day, FEW, together)]


def journey(times: Sequence[datetime], events: Sequence[range]) -> list[range]:
    """The events of one journey, where a few photos between them are of the nearer one."""
    found = list(events)
    while len(found) > 1 and min(map(len, found)) < FEW:
        crumb = next(index for index, event in enumerate(found) if len(event) < FEW)
        gaps = {index: times[found[index + 1].start] - times[found[index].stop - 1] for index in range(len(found) - 1)}
        first = min((index for index in (crumb - 1, crumb) if index in gaps), key=lambda index: gaps[index])
        found[first : first + 2] = [range(found[first].start, found[first + 1].stop)]
    return found


def sessions(times: Sequence[datetime]) -> list[range]:
    """Cut ascending times at every night."""
    return _runs(times, NIGHT)


def chapters(times: Sequence[datetime]) -> list[range]:
    """Cut the ascending times of one album at its nights if it has more than a few photos."""
    return _sized(times, range(len(times)), CHAPTER, NIGHT, 1) if times else []


def is_trip(times: Sequence[datetime]) -> bool:
    """Whether several events of one stretch are a trip together."""
    return max(times) - min(times) <= SEASON


def is_event(times: Sequence[datetime], named: bool, different: Callable[[int], bool] | None = None) -> bool:
    """Whether ascending times, already cut off from all others, deserve an album of their own; `different` says whether
    the photos show at least so many different things, without it each shows its own.

    A few photos do if they are of one day, or if a person put them into a folder with a name (`named`).
    """
    if named:
        return len(times) >= FEW
    fewest = FEW if times[-1] - times[0] <= DAY else ENOUGH
    return different(fewest) if different else len(times) >= fewest


def _runs(times: Sequence[datetime], gap: timedelta) -> list[range]:
    """Cut at every gap of at least this length."""
    cuts = [index for index, (before, after) in enumerate(pairwise(times), 1) if after - before >= gap]
    return [range(start, stop) for start, stop in pairwise([0, *cuts, len(times)])] if times else []


def _bridged(times: Sequence[datetime], runs: Sequence[range], rest: float, together: Collection[int]) -> list[range]:
    """Join neighbours whose pause is short beside the longer of them, the shortest pause first."""
    stops = {run.start: run.stop for run in runs}
    starts = {run.stop: run.start for run in runs}
    pauses = sorted((times[run.start] - times[run.start - 1], run.start) for run in runs[1:])
    for pause, cut in pauses:
        first, last = starts[cut], stops[cut]
        longer = max(times[cut - 1] - times[first], times[last - 1] - times[cut])
        if pause < ALWAYS and (cut in together or pause < rest * longer):
            stops[first], starts[last] = last, first
            del stops[cut], starts[cut]
    return [range(start, stop) for start, stop in sorted(stops.items())]


def _sized(
    times: Sequence[datetime], run: range, large: int, gap: timedelta, few: int, together: Collection[int] = ()
) -> list[range]:
    """Cut a run at its largest gap, then its parts, while they have more than `large` photos and such a gap.

    Taking the gaps from the largest down is the same: when a gap is looked at, every larger one in its part has been.
    """
    if len(run) <= large:
        return [run]
    bounds = [run.start, run.stop]
    gaps = [(times[index] - times[index - 1], index) for index in run[1:] if index not in together]
    for _, index in sorted((found for found in gaps if found[0] >= gap), key=lambda found: (-found[0], found[1])):
        right = bisect(bounds, index)
        start, stop = bounds[right - 1], bounds[right]
        if stop - start > large and min(index - start, stop - index) >= few:
            insort(bounds, index)
    return [range(start, stop) for start, stop in pairwise(bounds)]
