"""Cameras that were left at another date, found by another camera that took photos at the same moments.

A camera whose battery was out begins at 1 January of some year; others are a year or some months off, because a digit
was wrong or day and month were swapped. Their photos lie where nobody else took any. If one shift brings nearly all
moments of such a run beside those of a camera that knows where it is, and any other shift far fewer, that is the date.
In years of photos some shift always fits a little: strangers' best shift beat their second best by at most 1.2 times in
thousands of tries, while that of cameras that were on one journey beats it by 1.5 times and more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from momentarium_cli.backend.organize.clocks import BESIDE, MATCHED, MINUTE, PHOTOS
from momentarium_cli.backend.organize.events import ALWAYS

MOMENTS = 40  # of a run, each of BIN minutes: fewer prove nothing
BIN = 5  # minutes
TIMES = 1.5  # so many times as many moments fit at the right shift as at any other
AROUND = 4  # bins; shifts nearer than this to the right one are no others
YEAR = timedelta(days=400)  # how far a date may be off that was set by hand,
RESET = timedelta(days=31)  # while a clock that began anew, at 1 January, not longer ago than this, may be off by any

Minutes = NDArray[np.int64]  # since 1970 of local wall time, ascending, each once
EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class WrongDate:
    """To the times that this camera gave, from `since` to `until`, `shift` must be added; `matched` of its moments then
    have one of the other camera beside them."""

    camera: str
    since: datetime
    until: datetime
    shift: timedelta
    matched: float


def wrong_dates(cameras: Mapping[str, Minutes], known: Minutes) -> list[WrongDate]:
    """Of a whole library: the cameras that never know where they are, and the times of all that do."""
    found = [_wrong_date(camera, run, known) for camera, run in lonely_runs(cameras, known)]
    return sorted((one for one in found if one), key=lambda one: (one.camera, one.since))


def lonely_runs(cameras: Mapping[str, Minutes], known: Minutes) -> list[tuple[str, Minutes]]:
    """The runs of cameras, between gaps of ALWAYS, beside which nobody took a photo that knows where it is."""
    gap = ALWAYS // MINUTE
    return [
        (camera, run)
        for camera, taken in cameras.items()
        for run in np.split(taken, np.flatnonzero(np.diff(taken) >= gap) + 1)
        if len(run) >= PHOTOS and not _between(known, run[0] - gap, run[-1] + gap)
    ]


def _wrong_date(camera: str, run: Minutes, known: Minutes) -> WrongDate | None:
    moments = np.unique(run // BIN)
    others = _near(known, run)
    if len(moments) < MOMENTS or not len(others):
        return None
    fitting, first = _fitting(moments, others)
    best = int(fitting.argmax())
    rival = max(fitting[: max(0, best - AROUND)].max(initial=0), fitting[best + AROUND + 1 :].max(initial=0))
    if fitting[best] < MATCHED * len(moments) or fitting[best] < TIMES * rival:
        return None
    shift = _to_the_minute(run, others, (first + best) * BIN)
    return WrongDate(
        camera, _time(run[0]), _time(run[-1]), int(shift) * MINUTE, round(float(fitting[best] / len(moments)), 2)
    )


def _near(known: Minutes, run: Minutes) -> Minutes:
    """The moments that the run may be of."""
    begins = _time(run[0])
    if begins - begins.replace(month=1, day=1, hour=0, minute=0) <= RESET:
        return known
    reach = YEAR // MINUTE
    return known[np.searchsorted(known, run[0] - reach) : np.searchsorted(known, run[-1] + reach)]


def _fitting(moments: Minutes, others: Minutes) -> tuple[Minutes, int]:
    """For each shift, in bins, how many moments have one of the others beside them; and the first of these shifts."""
    there = np.unique(np.concatenate([(others - BESIDE - 1) // BIN, (others + BESIDE + 1) // BIN]))
    length = int(there[-1] - there[0] + moments[-1] - moments[0]) + 1
    size = 1 << length.bit_length()
    spectra = [_spectrum(bins - bins[0], size) for bins in (there, moments)]
    fitting = np.rint(np.fft.irfft(spectra[0] * spectra[1].conj(), size)).astype(np.int64)
    before = int(moments[-1] - moments[0])  # shifts at which the run begins before all others wrap around
    return np.concatenate([fitting[size - before :], fitting[: int(there[-1] - there[0]) + 1]]), int(
        there[0] - moments[0]
    ) - before


def _spectrum(bins: Minutes, size: int) -> NDArray[np.complex128]:
    taken = np.zeros(size)
    taken[bins] = 1
    return np.fft.rfft(taken)


def _to_the_minute(run: Minutes, others: Minutes, near: int) -> int:
    """The middle one of the shifts around this one that bring most photos beside others."""
    shifts = np.arange(near - 2 * BIN, near + 2 * BIN + 1)
    taken = np.unique(np.concatenate([others + minute for minute in range(-BESIDE, BESIDE + 1)]))
    counts = np.array([np.isin(run + shift, taken, assume_unique=True).sum() for shift in shifts])
    most = shifts[counts == counts.max()]
    return int(most[len(most) // 2])


def _between(known: Minutes, since: int, until: int) -> bool:
    return bool(np.searchsorted(known, since, "right") < np.searchsorted(known, until, "left"))


def _time(minutes: int) -> datetime:
    return EPOCH + int(minutes) * MINUTE
