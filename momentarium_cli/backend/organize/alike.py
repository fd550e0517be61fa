"""Photos that show the same: of a burst, and of near duplicates, one stands for all.

Copies, other sizes and edited versions of a photo differ in at most ALIKE bits of their difference hashes; of 4,000
pairs of unlike photos none did. Frames of a burst, between which the camera moves a little, differ in more, so for
these it counts that one camera took them within seconds. Whoever has the extra `vision` finds those, too, between which
it was moved, turned or zoomed a lot: ORGANIZING.md beside the benchmarks has the figures.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from momentarium_cli.backend.organize.base import Photo
from momentarium_cli.backend.organize.order import instant

ALIKE = 6  # of 64 bits; photos whose hashes differ in no more show the same
BURST = timedelta(seconds=10)  # between two frames of a burst, at most,
BURST_ALIKE = 14  # and the bits in which their hashes differ
LOOK_ALIKE = 40  # of 256 bits of `vision`: the same scene, as ALIKE,
BURST_LOOK_ALIKE = 72  # and as BURST_ALIKE
UNKNOWN = 0.5  # what stands for a quality that nobody measured
_BITS = (1 << 64) - 1
_AT_ONCE = 1_000_000  # pairs compared at a time: bounds the memory


def bursts(photos: Sequence[Photo]) -> list[range]:
    """Cut photos in the order of time into bursts and single photos."""
    cuts = [index for index, (before, after) in enumerate(pairwise(photos), 1) if not _is_burst(before, after)]
    return [range(start, stop) for start, stop in pairwise([0, *cuts, len(photos)])] if photos else []


def distinct(photos: Sequence[Photo]) -> list[list[Photo]]:
    """Photos in the order of time, by what they show; those of which nothing is known are each for themselves.

    Each looks like the first one of its group, or is of one burst with another of it.
    """
    looks = _Looks(photos)
    repeated = looks.repeated()
    groups: list[list[Photo]] = []
    firsts: list[int] = []
    numbers: list[int] = []
    latest: dict[str | None, int] = {}
    for index, photo in enumerate(photos):
        before = latest.get(photo.camera)
        if before is not None and _is_burst(photos[before], photo):
            number = numbers[before]
        else:
            number = looks.alike(index, firsts) if repeated[index] else len(groups)
        if number == len(groups):
            groups.append([])
            firsts.append(index)
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
    if instant(after) - instant(before) > BURST:
        return False
    if ((before.phash ^ after.phash) & _BITS).bit_count() <= BURST_ALIKE:
        return True
    return (
        before.look is not None
        and after.look is not None
        and (before.look ^ after.look).bit_count() <= BURST_LOOK_ALIKE
    )


class _Looks:
    """The hashes of photos, and the bits of `vision`, where they are known."""

    def __init__(self, photos: Sequence[Photo]) -> None:
        hashes = [None if photo.phash is None else [photo.phash & _BITS] for photo in photos]
        seen = [
            None if photo.look is None else [photo.look >> 64 * word & _BITS for word in range(4)] for photo in photos
        ]
        self._kinds = [
            (
                np.array([row is not None for row in rows]),
                np.array([row or [0] * words for row in rows], np.uint64),
                most,
            )
            for rows, words, most in ((hashes, 1, ALIKE), (seen, 4, LOOK_ALIKE))
            if any(rows)
        ]
        self._count = len(photos)

    def repeated(self) -> NDArray[np.bool_]:
        """Of each photo, whether it looks like an earlier one."""
        found = np.zeros(self._count, bool)
        rows = max(1, _AT_ONCE // max(1, self._count))
        for start in range(0, self._count if self._kinds else 0, rows):
            later = range(start, min(start + rows, self._count))
            found[start : later.stop] = np.tril(self._same(later, range(later.stop)), start - 1).any(axis=1)
        return found

    def alike(self, index: int, others: Sequence[int]) -> int:
        """The place, among the others, of the first that it looks like; their number if there is none."""
        same = self._same([index], others)[0]
        return int(same.argmax()) if same.any() else len(others)

    def _same(self, some: Sequence[int], others: Sequence[int]) -> NDArray[np.bool_]:
        """[some, others]"""
        same = np.zeros((len(some), len(others)), bool)
        for known, bits, most in self._kinds:
            unlike = np.bitwise_count(bits[some][:, None] ^ bits[others][None]).sum(axis=2, dtype=np.int16)
            same |= (unlike <= most) & known[some][:, None] & known[others][None]
        return same
