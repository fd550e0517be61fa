"""Which photo stands for an album."""

from collections.abc import Sequence

from momentarium_cli.backend.organize.alike import best, distinct, quality
from momentarium_cli.backend.organize.base import Photo
from momentarium_cli.backend.organize.order import by_folder

WIDEST = 2.0  # width to height; beyond it is a panorama, of which a cover shows a strip
ASIDE = 0.4  # of its quality a photo loses at the ends of an album, whose subject is more often in the middle


def cover(photos: Sequence[Photo]) -> Photo:
    """Of photos in their order a sharp and well exposed one in landscape format, rather from the middle.

    Where no photo is known to be in landscape format, any; of a burst only its best frame.
    """
    shown = [best(group) for group in distinct(photos)]
    middle = (len(shown) - 1) / 2
    wide = [index for index, photo in enumerate(shown) if _is_landscape(photo)]

    def worth(index: int) -> tuple[float, int]:
        aside = abs(index - middle) / max(middle, 1)
        return quality(shown[index]) * (1 - ASIDE * aside), -index

    return shown[max(wide or range(len(shown)), key=worth)]


def cover_of_any(photos: Sequence[Photo]) -> Photo:
    """The cover of photos that have no order in time; that of two sets is that of both covers."""
    return min(photos, key=lambda photo: (-quality(photo), by_folder(photo)))


def _is_landscape(photo: Photo) -> bool:
    return bool(photo.width and photo.height and photo.height < photo.width <= WIDEST * photo.height)
