"""The orders in which photos are shown. All are total: no two photos compare equal."""

from datetime import UTC, datetime

from momentarium_cli.backend.organize.base import Photo

UNDATED = datetime.max.replace(tzinfo=UTC)


def instant(photo: Photo) -> datetime:
    """When a photo was taken, in UTC; wall time is taken for UTC where no more is known, undated photos are last."""
    time = photo.taken_sort or photo.taken_at or UNDATED
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def by_time(photo: Photo) -> tuple[datetime, str, int]:
    return instant(photo), photo.filename, photo.id


def by_folder(photo: Photo) -> tuple[str, str, int]:
    return photo.source_folder or "", photo.filename, photo.id
