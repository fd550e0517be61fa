"""Which new photos go together, and which existing album they continue."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from momentarium_cli.backend.organize.base import ExistingAlbum, Photo
from momentarium_cli.backend.organize.events import is_event, split
from momentarium_cli.backend.organize.folders import given_name
from momentarium_cli.backend.organize.order import by_folder, by_time, instant
from momentarium_cli.backend.organize.screenshots import is_screenshot
from momentarium_cli.models import AlbumKind

Month = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Group:
    """New photos, in the order in which they are shown, for a new album or for the one they continue."""

    kind: AlbumKind
    photos: Sequence[Photo]
    album: ExistingAlbum | None

    @property
    def whole(self) -> list[Photo]:
        """Every photo that the album will have, in its order."""
        order = by_folder if self.kind is AlbumKind.UNDATED else by_time
        return sorted([*(self.album.photos if self.album else ()), *self.photos], key=order)


def group(photos: Sequence[Photo], existing: Sequence[ExistingAlbum]) -> list[Group]:
    """Put every photo into exactly one group; at most one group continues an album. Events come first, by time."""
    captured = {photo.id for photo in photos if is_screenshot(photo)}
    screens = sorted((photo for photo in photos if photo.id in captured), key=by_time)
    rest = [photo for photo in photos if photo.id not in captured]
    undated = sorted((photo for photo in rest if photo.taken_at is None), key=by_folder)
    events, few = _events([photo for photo in rest if photo.taken_at is not None], existing)
    return [
        *events,
        *_everyday(few, existing),
        *_one(AlbumKind.UNDATED, undated, existing),
        *_one(AlbumKind.SCREENSHOTS, screens, existing),
    ]


def _events(photos: Sequence[Photo], existing: Sequence[ExistingAlbum]) -> tuple[list[Group], list[Photo]]:
    """The events that new and existing photos make together, and the new photos that are of none."""
    homes = {photo.id: album for album in existing if album.kind is AlbumKind.EVENT for photo in album.photos}
    opened: list[Group] = []
    joined: dict[int, list[Photo]] = defaultdict(list)
    few: list[Photo] = []
    for segment in _segments(photos, existing):
        new = [photo for photo, is_new in segment if is_new]
        old = [(photo, homes[photo.id]) for photo, is_new in segment if not is_new and photo.id in homes]
        if old:
            joined[_continued(new, old).id].extend(new)
        elif _deserves_album([photo for photo, _ in segment]):
            opened.append(Group(AlbumKind.EVENT, new, None))
        else:
            few.extend(new)
    grown = [Group(AlbumKind.EVENT, joined[album.id], album) for album in existing if album.id in joined]
    return sorted([*opened, *grown], key=lambda found: by_time(found.photos[0])), few


def _segments(photos: Sequence[Photo], existing: Sequence[ExistingAlbum]) -> Iterator[list[tuple[Photo, bool]]]:
    """The segments with new photos; each photo with whether it is new. Dated existing photos take part."""
    kinds = (AlbumKind.EVENT, AlbumKind.EVERYDAY)
    old = (photo for album in existing if album.kind in kinds for photo in album.photos if photo.taken_at is not None)
    mixed = [*((photo, True) for photo in photos), *((photo, False) for photo in old)]
    mixed.sort(key=lambda entry: by_time(entry[0]))
    for indices in split([instant(photo) for photo, _ in mixed]):
        segment = mixed[indices.start : indices.stop]
        if any(is_new for _, is_new in segment):
            yield segment


def _deserves_album(photos: Sequence[Photo]) -> bool:
    names = {given_name(photo.source_folder) for photo in photos}
    return is_event([instant(photo) for photo in photos], named=len(names) == 1 and None not in names)


def _continued(new: Sequence[Photo], old: Sequence[tuple[Photo, ExistingAlbum]]) -> ExistingAlbum:
    """The album with the most photos in the segment; of several the one nearest in time, then the oldest."""
    counts = Counter(album.id for _, album in old)
    most = max(counts.values())
    candidates = {album.id: album for _, album in old if counts[album.id] == most}
    if len(candidates) == 1:
        return next(iter(candidates.values()))
    distances = {key: _distance(new, [photo for photo, album in old if album.id == key]) for key in candidates}
    return candidates[min(candidates, key=lambda key: (distances[key], key))]


def _distance(some: Sequence[Photo], others: Sequence[Photo]) -> timedelta:
    return min(abs(instant(one) - instant(other)) for one in some for other in others)


def _everyday(photos: Iterable[Photo], existing: Sequence[ExistingAlbum]) -> list[Group]:
    """One group a local month."""
    albums = {_month_of(album): album for album in _largest_last(AlbumKind.EVERYDAY, existing)}
    months: dict[Month, list[Photo]] = defaultdict(list)
    for photo in photos:
        months[_month(photo)].append(photo)
    return [
        Group(AlbumKind.EVERYDAY, sorted(found, key=by_time), albums.get(month))
        for month, found in sorted(months.items())
    ]


def _one(kind: AlbumKind, photos: Sequence[Photo], existing: Sequence[ExistingAlbum]) -> list[Group]:
    """The one group of a kind that has no time."""
    albums = _largest_last(kind, existing)
    return [Group(kind, photos, albums[-1] if albums else None)] if photos else []


def _largest_last(kind: AlbumKind, existing: Sequence[ExistingAlbum]) -> list[ExistingAlbum]:
    return sorted((album for album in existing if album.kind is kind), key=lambda album: (len(album.photos), -album.id))


def _month_of(album: ExistingAlbum) -> Month | None:
    """The month of most of its photos."""
    months = Counter(_month(photo) for photo in album.photos if photo.taken_at is not None)
    return max(months, key=lambda month: (months[month], month)) if months else None


def _month(photo: Photo) -> Month:
    if photo.taken_at is None:
        raise ValueError(f"photo {photo.id} has no capture time")
    return photo.taken_at.year, photo.taken_at.month
