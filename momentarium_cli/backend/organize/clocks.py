"""Cameras whose clock was wrong, found by another camera that took photos at the same moments.

People who travel together take photos of the same sights within the same minutes. Where two cameras were on one
journey and one clock is wrong, a single shift brings nearly all its photos beside those of the other, and no other
shift does. The clock that is right is that of the camera which knows where it is: satellites and networks set it.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from momentarium_cli.backend.organize.base import Photo

LIMIT = timedelta(hours=26)  # a wrong zone, a wrong half of the day or a wrong day; more is not looked for
MINUTE = timedelta(minutes=1)
FARTHEST = LIMIT // MINUTE
BESIDE = 2  # minutes; photos of the same moment are at most so far apart
PHOTOS = 30  # of each camera: fewer prove nothing,
ENOUGH = 500  # and more prove no more
MATCHED = 0.6  # of a camera's photos have one of the other beside them at the right shift,
TIMES = 2.5  # so many times as many as unshifted, and as at any other shift
AROUND = 20  # minutes; shifts nearer than this to the right one are no others
KNOWS = 0.5  # of its photos have a position: this camera knows where it is

Minutes = NDArray[np.int64]


def wrong_clocks(photos: Sequence[Photo]) -> dict[str, timedelta]:
    """What must be added to the times of cameras, for the photos of one stretch; those not named are right."""
    cameras: dict[str, list[Photo]] = defaultdict(list)
    for photo in photos:
        if photo.camera and photo.taken_at:
            cameras[photo.camera].append(photo)
    large = {camera: found for camera, found in cameras.items() if len(found) >= PHOTOS}
    known = [found for found in large.values() if _located(found) >= KNOWS]
    if len(known) != 1:
        return {}
    right = _minutes(known[0])
    shifts = {camera: _shift(_minutes(found), right) for camera, found in large.items() if not _located(found)}
    return {camera: shift for camera, shift in shifts.items() if shift}


def corrected(photo: Photo, shift: timedelta) -> Photo:
    """The photo with the times of a right clock, and what was added to them."""
    if not shift and not photo.clock_shift:
        return photo
    taken_at = photo.taken_at + shift if photo.taken_at else None
    taken_sort = photo.taken_sort + shift if photo.taken_sort else None
    return replace(photo, taken_at=taken_at, taken_sort=taken_sort, clock_shift=shift)


def _located(photos: Sequence[Photo]) -> float:
    return sum(photo.latitude is not None for photo in photos) / len(photos)


def _minutes(photos: Sequence[Photo]) -> Minutes:
    since = datetime(1970, 1, 1)
    return np.sort(np.array([(photo.taken_at - since) // MINUTE for photo in photos if photo.taken_at], np.int64))


def _shift(wrong: Minutes, right: Minutes) -> timedelta | None:
    """The shift that nearly all agree on, to the minute; None where there is no such one, or none is needed."""
    some = wrong[np.linspace(0, len(wrong) - 1, min(len(wrong), ENOUGH), dtype=int)]
    matched = _matched(some, right)
    best = int(np.argmax(matched)) - FARTHEST
    shifts = np.arange(-FARTHEST, FARTHEST + 1)
    others = matched[np.abs(shifts - best) > AROUND]
    most, rivals = matched.max(), max(others.max(), matched[FARTHEST - 1 : FARTHEST + 2].max())
    if abs(best) <= AROUND or most < MATCHED * len(some) or most < TIMES * rivals:
        return None
    good = np.flatnonzero((matched == most) & (np.abs(shifts - best) <= BESIDE)) - FARTHEST
    return timedelta(minutes=int(good[len(good) // 2]))


def _matched(wrong: Minutes, right: Minutes) -> NDArray[np.int64]:
    """For each shift how many photos have one of the other camera beside them."""
    since = min(wrong[0], right[0]) - FARTHEST - BESIDE
    taken = np.zeros(max(wrong[-1], right[-1]) + FARTHEST + BESIDE + 1 - since, bool)
    for near in range(-BESIDE, BESIDE + 1):
        taken[right - since + near] = True
    return np.array([np.count_nonzero(taken[wrong - since + shift]) for shift in range(-FARTHEST, FARTHEST + 1)])
