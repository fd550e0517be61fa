"""Photos made up for the tests of organizing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

from momentarium_cli.backend.organize.base import ExistingAlbum, Photo
from momentarium_cli.models import AlbumKind

LISBON = (38.7139, -9.1334)
SINTRA = (38.7976, -9.3904)
PORTO = (41.1496, -8.6110)
COIMBRA = (40.2056, -8.4196)
MADRID = (40.4168, -3.7038)
MID_ATLANTIC = (35.0, -40.0)

_ids = count(1)


def photo(at: str | datetime | None, where: tuple[float, float] | None = None, **more: object) -> Photo:
    """A photo taken at a local time, which is UTC unless `taken_sort` is given."""
    taken = datetime.fromisoformat(at) if isinstance(at, str) else at
    key = next(_ids)
    made = Photo(
        id=key,
        filename=f"IMG_{key:06}.JPG",
        taken_at=taken,
        taken_sort=taken.replace(tzinfo=UTC) if taken else None,
        latitude=where[0] if where else None,
        longitude=where[1] if where else None,
        camera="ILCE-7M2",
    )
    return replace(made, **more)  # type: ignore[arg-type]


def burst(
    at: str, size: int, where: tuple[float, float] | None = None, minutes: float = 5, **more: object
) -> list[Photo]:
    """Photos a few minutes apart."""
    first = datetime.fromisoformat(at)
    return [photo(first + timedelta(minutes=minutes * index), where, **more) for index in range(size)]


def album(key: int, photos: list[Photo], kind: AlbumKind = AlbumKind.EVENT, **more: object) -> ExistingAlbum:
    made = ExistingAlbum(id=key, kind=kind, title=f"Album {key}", edited=False, photos=tuple(photos))
    return replace(made, **more)  # type: ignore[arg-type]
