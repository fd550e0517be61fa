"""Which photo stands for an album."""

from collections.abc import Sequence

from momentarium_cli.backend.organize.base import Photo

WIDEST = 2.0  # width to height; beyond it is a panorama, of which a cover shows a strip


def cover(photos: Sequence[Photo]) -> Photo:
    """The landscape photo nearest to the middle of an album, which is its subject more often than the way there.

    Where no photo is known to be in landscape format, the one in the middle.
    """
    middle = (len(photos) - 1) / 2
    wide = [index for index, photo in enumerate(photos) if _is_landscape(photo)]
    return photos[min(wide or range(len(photos)), key=lambda index: (abs(index - middle), index))]


def _is_landscape(photo: Photo) -> bool:
    return bool(photo.width and photo.height and photo.height < photo.width <= WIDEST * photo.height)
