"""Cut photos, ordered by capture time, into batches at natural gaps."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from momentarium_cli.models import MAX_BATCH

T = TypeVar("T")


def cut(photos: Sequence[T], times: Sequence[float], limit: int = MAX_BATCH) -> Iterator[Sequence[T]]:
    """Batches of at most `limit` photos, in order; `times` are seconds, ascending, one a photo.

    A batch ends at the largest gap of its second half, so that an event is seldom torn and no batch is small.
    """
    start = 0
    while len(photos) - start > limit:
        earliest, latest = start + limit // 2 + 1, start + limit
        end = max(range(earliest, latest + 1), key=lambda i: (times[i] - times[i - 1], i))
        yield photos[start:end]
        start = end
    if start < len(photos):
        yield photos[start:]
