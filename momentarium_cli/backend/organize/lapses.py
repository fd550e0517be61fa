"""Time-lapses: hundreds of frames that one camera took by a timer.

No hand keeps the beat of a timer: over any WINDOW frames the times lie on one straight line, to the second that a
camera writes. An album holds a few dozen photos that somebody chose to take, so a time-lapse has an album of its own.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from momentarium_cli.backend.organize.base import Photo
from momentarium_cli.backend.organize.order import instant

FRAMES = 100  # at least: fewer flood no album
WINDOW = 40  # frames that must keep one beat
FASTEST, SLOWEST = 0.9, 900.0  # seconds from frame to frame; what is faster is a burst
LATE = 0.05  # of that time, and ROUNDED: how far a frame may be off the beat
ROUNDED = 1.2  # seconds: what rounding to whole ones and a slow shutter make
MISSED = 5  # frames that may be missing in between

Seconds = NDArray[np.float64]


def lapses(photos: Sequence[Photo]) -> list[list[int]]:
    """The indices of the frames of each time-lapse; photos are in the order of time."""
    cameras: dict[str | None, list[int]] = defaultdict(list)
    for index, photo in enumerate(photos):
        cameras[photo.camera].append(index)
    found = []
    for indices in cameras.values():
        if len(indices) >= FRAMES:
            times = np.array([instant(photos[index]).timestamp() for index in indices])
            found += [[indices[place] for place in run] for run in _runs(times)]
    return sorted(found)


def _runs(times: Seconds) -> list[range]:
    """The ranges of frames in which every window keeps the beat, across a few that are missing."""
    steady = _steady(times)
    edges = np.flatnonzero(np.diff([False, *steady, False]))
    runs = [range(start, stop + WINDOW - 1) for start, stop in edges.reshape(-1, 2).tolist()]
    joined: list[range] = []
    for run in runs:
        if joined and _goes_on(times, joined[-1], run):
            joined[-1] = range(joined[-1].start, run.stop)
        else:
            joined.append(range(max(run.start, joined[-1].stop if joined else 0), run.stop))
    return [run for run in joined if len(run) >= FRAMES]


def _steady(times: Seconds) -> NDArray[np.bool_]:
    """Of each window, by its first frame, whether it keeps a beat."""
    beat = (times[WINDOW - 1 :] - times[: 1 - WINDOW]) / (WINDOW - 1)
    steady = (beat >= FASTEST) & (beat <= SLOWEST)
    for frame in range(1, WINDOW - 1):
        late = times[frame : len(times) - WINDOW + 1 + frame] - times[: 1 - WINDOW] - frame * beat
        steady &= np.abs(late) <= ROUNDED + LATE * beat
    return steady


def _goes_on(times: Seconds, before: range, after: range) -> bool:
    """Whether a run is of the beat of the one before it, some frames later."""
    beats = [(times[run.stop - 1] - times[run.start]) / (len(run) - 1) for run in (before, after)]
    pause = times[after.start] - times[before.stop - 1]
    return bool(abs(beats[0] - beats[1]) <= LATE * beats[0] and pause <= (MISSED + 1) * beats[0])
