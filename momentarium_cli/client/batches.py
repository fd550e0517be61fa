"""Cut photos, in the order they are uploaded in, into batches at natural gaps."""

from collections.abc import Iterable, Iterator, Sequence

from momentarium_cli.models import MAX_BATCH


def first(times: Sequence[float], limit: int = MAX_BATCH) -> int:
    """How many photos make the first batch. `times` are seconds, in order, of one photo more than `limit` if there are.

    A batch ends at the largest gap of its second half, so that an event is seldom torn and no batch is small.
    """
    if len(times) <= limit:
        return len(times)
    return max(range(limit // 2 + 1, limit + 1), key=lambda i: (abs(times[i] - times[i - 1]), i))


def sizes(times: Iterable[float], limit: int = MAX_BATCH) -> Iterator[int]:
    """How many photos are in each batch; no more than `limit` + 1 times are held at once."""
    held: list[float] = []
    for time in times:
        held.append(time)
        if len(held) > limit:
            yield (size := first(held, limit))
            del held[:size]
    if held:
        yield len(held)
