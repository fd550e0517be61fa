"""Which of an event's photos a model is shown, and the contact sheet of them."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from momentarium_cli.backend.organize.base import Photo
from momentarium_cli.photos.decode import DecodeFailed, Decoder
from momentarium_cli.photos.sheet import contact_sheet

MAX_CELLS = 16  # models lose the cell in larger grids
ALIKE = 6  # of 64 bits; photos whose difference hashes differ in no more show the same

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
    """At most so many photos that have a thumbnail, spread evenly over those that do not repeat the one before.

    The photos are in the order of time.
    """
    different: list[Photo] = []
    for photo in photos:
        if photo.thumb_key and not (different and _alike(different[-1], photo)):
            different.append(photo)
    if len(different) <= limit:
        return different
    step = (len(different) - 1) / (limit - 1)
    return [different[round(number * step)] for number in range(limit)]


def _alike(one: Photo, other: Photo) -> bool:
    if one.phash is None or other.phash is None:
        return False
    return ((one.phash ^ other.phash) & (1 << 64) - 1).bit_count() <= ALIKE


def _sheet(pictures: Sequence[tuple[int, bytes]], first: int) -> NumberedSheet | None:
    """Runs in a child process."""
    made = contact_sheet([data for _, data in pictures], first)
    return NumberedSheet(made.data, tuple(pictures[index][0] for index in made.shown)) if made else None
