"""Which of an event's photos a model is shown, and the contact sheet of them."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from math import ceil

from momentarium_cli.backend.organize.alike import best, distinct, quality
from momentarium_cli.backend.organize.base import Photo
from momentarium_cli.photos.decode import DecodeFailed, Decoder
from momentarium_cli.photos.sheet import contact_sheet

MAX_CELLS = 16  # models lose the cell in larger grids

Read = Callable[[Photo], bytes | None]


@dataclass(frozen=True, slots=True)
class NumberedSheet:
    """A JPEG without metadata, and the photo in each cell, in the order of their numbers."""

    data: bytes
    photo_ids: tuple[int, ...]


class Sheets:
    """`read` gives a photo's thumbnail, or None where there is none."""

    def __init__(self, decoder: Decoder, read: Read) -> None:
        self._decoder = decoder
        self._read = read

    def of(self, photos: Sequence[Photo]) -> list[NumberedSheet]:
        """As many as these photos need, in their order, numbered from 1 through all of them; [] where none can be
        shown."""
        made: list[NumberedSheet] = []
        for start in range(0, len(photos), MAX_CELLS):
            first = 1 + sum(len(sheet.photo_ids) for sheet in made)
            if sheet := self._sheet(photos[start : start + MAX_CELLS], first):
                made.append(sheet)
        return made

    def _sheet(self, photos: Sequence[Photo], first: int) -> NumberedSheet | None:
        pictures = [(photo.id, data) for photo in photos if (data := self._read(photo))]
        future: Future[NumberedSheet | None] = self._decoder.submit(_sheet, pictures, first)
        try:
            return future.result()
        except DecodeFailed:
            return None


def representatives(photos: Sequence[Photo], limit: int = MAX_CELLS) -> list[Photo]:
    """At most so many photos that have a thumbnail, spread evenly over what they show: of near duplicates the best one,
    and of many the best around each place in the order.

    The photos are in the order of time.
    """
    different = [best(group) for group in distinct([photo for photo in photos if photo.thumb_key])]
    if len(different) <= limit:
        return different
    step = (len(different) - 1) / (limit - 1)
    return [max(_around(different, number * step, step), key=quality) for number in range(limit)]


def _around(photos: Sequence[Photo], place: float, step: float) -> list[Photo]:
    """Those nearer to a place in the order than to the next one, the nearest first."""
    first, last = ceil(place - step / 2), ceil(place + step / 2) - 1
    indices = range(max(first, 0), min(last, len(photos) - 1) + 1)
    return [photos[index] for index in sorted(indices, key=lambda index: (abs(index - place), index))]


def _sheet(pictures: Sequence[tuple[int, bytes]], first: int) -> NumberedSheet | None:
    """Runs in a child process."""
    made = contact_sheet([data for _, data in pictures], first)
    return NumberedSheet(made.data, tuple(pictures[index][0] for index in made.shown)) if made else None
