"""Photos that show the same: of a burst, and of near duplicates, one stands for all.

Copies, other sizes and edited versions of a photo differ in at most ALIKE bits of their difference hashes; of 4,000
pairs of unlike photos none did. Frames of a burst, between which the camera moves a little, differ in more, so for
these it counts that one camera took them within seconds.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import numpy as np

from momentarium_cli.backend.organize.base import Photo
from momentarium_cli.backend.organize.order import instant

ALIKE = 6  # of 64 bits; photos whose hashes differ in no more show the same
BURST = timedelta(seconds=10)  # between two frames of a burst, at most,
BURST_ALIKE = 14  # and the bits in which their hashes differ
UNKNOWN = 0.5  # what stands for a quality that nobody measured
_BITS = (1 << 64) - 1
_AT_ONCE = 1_000_000  # pairs compared at a time: bounds the memory


def bursts(photos: Sequence[Photo]) -> list[range]:
    """Cut photos in the order of time into bursts and single photos."""
    cuts = [index for index, (before, after) in enumerate(pairwise(photos), 1) if not _is_burst(before, after)]
    return [range(start, stop) for start, stop in pairwise([0, *cuts, len(photos)])] if photos else []


def distinct(photos: Sequence[Photo]) -> list[list[Photo]]:
    """Photos in the order of time, by what they show; those of which nothing is known are each for themselves."""
    earlier = _look_alikes(photos)
    groups: list[list[Photo]] = []
    numbers: list[int] = []
    latest: dict[str | None, int] = {}
    for index, photo in enumerate(photos):
        before = latest.get(photo.camera)
        if before is not None and _is_burst(photos[before], photo):
            number = numbers[before]
        else:
            same = (numbers[other] for other in earlier.get(index, ()) if groups[numbers[other]][0] is photos[other])
            number = next(same, len(groups))
        if number == len(groups):
            groups.append([])
        groups[number].append(photo)
        numbers.append(number)
        latest[photo.camera] = index
    return groups


def show_as_much(photos: Sequence[Photo], count: int) -> bool:
    """Whether photos in the order of time show at least so many different things."""
    few = photos[: 2 * count]  # of many photos these suffice nearly always
    return len(photos) >= count and (len(distinct(few)) >= count or len(distinct(photos)) >= count)


def best(photos: Sequence[Photo]) -> Photo:
    """The sharpest and best exposed; the first of equal ones."""
    return max(photos, key=quality)


def quality(photo: Photo) -> float:
    return UNKNOWN if photo.quality is None else photo.quality


def best_first(photos: Sequence[Photo]) -> list[Photo]:
    """Photos in the order of time, but the best frame of each burst before the others."""
    shown: list[Photo] = []
    for burst in bursts(photos):
        frames = photos[burst.start : burst.stop]
        first = best(frames)
        shown += [first, *(frame for frame in frames if frame is not first)]
    return shown


def _is_burst(before: Photo, after: Photo) -> bool:
    if before.phash is None or after.phash is None or before.camera != after.camera:
        return False
    return (
        instant(after) - instant(before) <= BURST and ((before.phash ^ after.phash) & _BITS).bit_count() <= BURST_ALIKE
    )


def _look_alikes(photos: Sequence[Photo]) -> dict[int, list[int]]:
    """The indices of the earlier photos that look like each of those that have some, in order."""
    known = [index for index, photo in enumerate(photos) if photo.phash is not None]
    looks = np.array([(photos[index].phash or 0) & _BITS for index in known], np.uint64)
    found: dict[int, list[int]] = {}
    rows = max(1, _AT_ONCE // max(1, len(looks)))
    for start in range(0, len(looks), rows):
        unlike = np.bitwise_count(looks[start : start + rows, None] ^ looks[None, : start + rows])
        for later, earlier in np.argwhere(np.tril(unlike <= ALIKE, start - 1)).tolist():
            found.setdefault(known[start + later], []).append(known[earlier])
    return found
