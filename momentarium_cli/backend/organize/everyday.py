"""What is no event, by periods: its month, or its year where that month has only a few such photos, here and there."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from momentarium_cli.backend.organize.base import ExistingAlbum, Photo
from momentarium_cli.backend.organize.clocks import LIMIT, corrected
from momentarium_cli.backend.organize.events import ALWAYS, ENOUGH
from momentarium_cli.backend.organize.order import instant
from momentarium_cli.models import AlbumKind

Period = tuple[int, ...]  # a year and a month, or a year
MOST = 12 * (ENOUGH - 1)  # photos that the album of a year has: with more of them a month has its own


def by_period(photos: Sequence[Photo], kept: Iterable[Photo]) -> dict[Period, list[Photo]]:
    """Photos by the period whose album they go to; `kept` are of no event either, and stay where they are."""
    periods = _periods([*photos, *kept])
    found: dict[Period, list[Photo]] = defaultdict(list)
    for photo in photos:
        found[periods[_month(photo)]].append(photo)
    return dict(sorted(found.items()))


def heirs(
    photos: Sequence[Photo], albums: Sequence[ExistingAlbum], fixed: Mapping[int, Sequence[Photo]]
) -> dict[Period, ExistingAlbum]:
    """For each period the album that keeps most photos of it, else the one that held most of those given."""
    held = {photo.id: album.id for album in albums for photo in album.photos}
    kept = {photo.id: photo for album in albums for photo in fixed[album.id] if photo.taken_at}
    periods = _periods([*photos, *kept.values()])
    stay = Counter((periods[_month(photo)], held[photo.id]) for photo in kept.values())
    come = Counter((periods[_month(photo)], held[photo.id]) for photo in photos if photo.id in held)
    free, found = {album.id: album for album in albums}, dict[Period, ExistingAlbum]()
    for period, key in sorted({*stay, *come}, key=lambda pair: (-stay[pair], -come[pair], pair)):
        if key in free and period not in found:
            found[period] = free.pop(key)
    return found


def undecided(given: Iterable[Photo], existing: Iterable[ExistingAlbum]) -> list[Photo]:
    """The few other photos, of no event, of months in which photos are given: how many these leave of a month says
    whether it has an album."""
    dated = {photo.id: photo.taken_at for photo in given if photo.taken_at}
    months = {(at.year, at.month) for time in dated.values() for at in (time - LIMIT, time, time + LIMIT)}
    others: dict[Period, list[Photo]] = defaultdict(list)
    for album in existing:
        if album.kind is AlbumKind.EVERYDAY and not album.edited:
            for photo in album.photos:
                if photo.taken_at and photo.id not in dated:
                    month = _month(corrected(photo, photo.clock_shift))
                    if month in months:
                        others[month].append(photo)
    return [photo for found in others.values() if len(found) < ENOUGH for photo in found]


def _periods(photos: Iterable[Photo]) -> dict[Period, Period]:
    """What each month goes to."""
    months: dict[Period, list[Photo]] = defaultdict(list)
    for photo in photos:
        months[_month(photo)].append(photo)
    return {month: month if _has_album(found) else month[:1] for month, found in months.items()}


def _has_album(photos: Sequence[Photo]) -> bool:
    """Whether a month's photos are enough for an album, or several of one time."""
    times = [instant(photo) for photo in photos]
    return len(photos) >= ENOUGH or (len(photos) > 1 and max(times) - min(times) < ALWAYS)


def _month(photo: Photo) -> Period:
    if photo.taken_at is None:
        raise ValueError(f"photo {photo.id} has no capture time")
    return photo.taken_at.year, photo.taken_at.month
