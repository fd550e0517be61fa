"""Where the owner of a library lived, and so which photos are from home, and which from a journey.

A home is a place of everyday life, work included: photos of at least DAYS days within WINDOW, all within NEAR_KM. One
place is a home for as long as that lasts, so a move ends one home and begins another.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise

import numpy as np

from momentarium_cli.backend.organize.base import Home, Photo
from momentarium_cli.backend.organize.order import instant
from momentarium_cli.backend.organize.places import kilometres, unit_vectors
from momentarium_cli.backend.organize.whereabouts import on_the_ground

DECIMALS = 2  # positions in degrees that agree to about 1 km are one spot
NEAR_KM = 1.5  # spots nearer than this are one home (Ente joins its bases so)
DAYS = 12  # of photos, within
WINDOW = timedelta(days=120)  # this: more than a long journey, and what Ente found in its users' libraries
AWAY_KM = 10.0  # farther than this from every home is away
BESIDE = timedelta(hours=24)  # a photo without a position is where another was, at most this long before or after


Spots = Mapping[tuple[float, float], Collection[date]]  # positions, rounded to DECIMALS, and the days of photos there


def spots(photos: Iterable[Photo]) -> Spots:
    days: dict[tuple[float, float], set[date]] = defaultdict(set)
    for photo in photos:
        if photo.taken_at and photo.latitude is not None and photo.longitude is not None:
            days[round(photo.latitude, DECIMALS), round(photo.longitude, DECIMALS)].add(photo.taken_at.date())
    return days


def find_homes(visited: Spots) -> list[Home]:
    """The homes that a whole library shows, in a fixed order. Spots of one day are no part of any."""
    often = sorted(visited, key=lambda position: (-len(visited[position]), position))
    often = [position for position in often if len(visited[position]) > 1]
    vectors = unit_vectors(np.array(often, np.float64).reshape(-1, 2))
    left = np.ones(len(often), bool)
    found: list[Home] = []
    for index, centre in enumerate(often):
        if left[index]:
            near = left & (kilometres(vectors[index], vectors) <= NEAR_KM)
            left &= ~near
            days = set[date]().union(*(visited[often[spot]] for spot in np.flatnonzero(near)))
            found += [Home(*centre, *period) for period in _periods(sorted(days))]
    return sorted(found)


def _periods(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    """When there were DAYS days within WINDOW, overlapping ones joined."""
    since = until = None
    for first, last in zip(days, days[DAYS - 1 :], strict=False):
        if last - first > WINDOW:
            continue
        if since is None or until is None or first > until:
            if since is not None and until is not None:
                yield since, until
            since = first
        until = last
    if since is not None and until is not None:
        yield since, until


def changed(before: Sequence[Home], after: Sequence[Home]) -> list[tuple[date, date]]:
    """The periods in which there are other homes now."""
    edges = sorted({edge for home in (*before, *after) for edge in (home.since, home.until + timedelta(days=1))})
    return [
        (since, until - timedelta(days=1))
        for since, until in pairwise(edges)
        if _on(since, before) != _on(since, after)
    ]


def _on(day: date, homes: Sequence[Home]) -> set[tuple[float, float]]:
    return {(home.latitude, home.longitude) for home in homes if home.since <= day <= home.until}


def at_home(photos: Sequence[Photo], homes: Sequence[Home]) -> list[bool | None]:
    """Of photos in the order of time: whether each is from home; None where it is not known, or nobody had one."""
    if not homes or not photos:
        return [None] * len(photos)
    grounded = {photo.id for photo in on_the_ground(photos)}
    known = [index for index, photo in enumerate(photos) if photo.id in grounded and photo.taken_at is not None]
    found: list[bool | None] = [None] * len(photos)
    for index, is_home in zip(known, _is_home([photos[index] for index in known], homes), strict=True):
        found[index] = is_home
    return _filled(found, [instant(photo) for photo in photos])


def _is_home(photos: Sequence[Photo], homes: Sequence[Home]) -> list[bool | None]:
    if not photos:
        return []
    days = np.array([photo.taken_at.date().toordinal() for photo in photos if photo.taken_at])
    here = unit_vectors(np.array([(photo.latitude, photo.longitude) for photo in photos], np.float64))
    lived, near = np.zeros(len(photos), bool), np.zeros(len(photos), bool)
    for home in homes:
        then = (home.since.toordinal() <= days) & (days <= home.until.toordinal())
        distance = kilometres(here, unit_vectors(np.array([(home.latitude, home.longitude)])))
        lived |= then
        near |= then & (distance <= AWAY_KM)
    return [bool(close) if known else None for known, close in zip(lived, near, strict=True)]


def _filled(found: Sequence[bool | None], times: Sequence[datetime]) -> list[bool | None]:
    """What is not known is as the nearest in time that is, the one before of equally near ones."""
    before, after = _last(found, times), _last(found[::-1], times[::-1])[::-1]
    return [
        min((one for one in pair if one), key=lambda one: abs(one[0] - time), default=(time, None))[1]
        for pair, time in zip(zip(before, after, strict=True), times, strict=True)
    ]


def _last(found: Sequence[bool | None], times: Sequence[datetime]) -> list[tuple[datetime, bool] | None]:
    """For each index the last known at or before it, if it is BESIDE."""
    last: tuple[datetime, bool] | None = None
    result: list[tuple[datetime, bool] | None] = []
    for value, time in zip(found, times, strict=True):
        if value is not None:
            last = (time, value)
        result.append(last if last and abs(time - last[0]) <= BESIDE else None)
    return result
