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


def bursts(photos: Sequence[Photo]) -> list[range]:
    """Cut photos in the order of time into bursts and single photos."""
    cuts = [index for index, (before, after) in enumerate(pairwise(photos), 1) if not _is_burst(before, after)]
    return [range(start, stop) for start, stop in pairwise([0, *cuts, len(photos)])] if photos else []


def distinct(photos: Sequence[Photo]) -> list[list[Photo]]:
    """Photos in the order of time, by what they show; those of which nothing is known are each for themselves."""
    if all(photo.phash is None for photo in photos):
        return [[photo] for photo in photos]
    groups: list[list[Photo]] = []
    looks = np.zeros(len(photos), np.uint64)
    known: list[int] = []  # the groups that `looks` are of
    latest: dict[str | None, tuple[Photo, int]] = {}
    for photo in photos:
        before, number = latest.get(photo.camera, (photo, -1))
        if number < 0 or not _is_burst(before, photo):
            number = _alike(photo, looks[: len(known)], known)
        if number < 0:
            number = len(groups)
            groups.append([])
            if photo.phash is not None:
                looks[len(known)] = photo.phash & _BITS
                known.append(number)
        groups[number].append(photo)
        latest[photo.camera] = photo, number
    return groups


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


def _alike(photo: Photo, looks: "np.ndarray[tuple[int], np.dtype[np.uint64]]", known: Sequence[int]) -> int:
    """The first group that shows the same, or -1."""
    if photo.phash is None or not known:
        return -1
    near = np.flatnonzero(np.bitwise_count(looks ^ np.uint64(photo.phash & _BITS)) <= ALIKE)
    return known[near[0]] if len(near) else -1
