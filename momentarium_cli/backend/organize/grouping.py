"""Which photos go together, and which existing album they continue.

What photos make together does not depend on the albums that are there already: a stretch is grouped as if all its
photos had come at once, then its groups are given the albums that held most of their photos. So any order of imports
ends in the same albums. Only what an owner touched is fixed: new photos beside its photos join it.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from itertools import groupby, pairwise
from operator import itemgetter

from momentarium_cli.backend.organize.alike import best_first, bursts, show_as_much
from momentarium_cli.backend.organize.base import TIMELESS, ExistingAlbum, Home, Photo
from momentarium_cli.backend.organize.clocks import corrected, wrong_clocks
from momentarium_cli.backend.organize.documents import kept_apart
from momentarium_cli.backend.organize.events import (
    PARTY,
    RULE,
    Rule,
    chapters,
    is_event,
    is_trip,
    journey,
    sessions,
    split,
    stretches,
)
from momentarium_cli.backend.organize.everyday import by_period, heirs
from momentarium_cli.backend.organize.folders import given_name
from momentarium_cli.backend.organize.homes import at_home
from momentarium_cli.backend.organize.lapses import lapses
from momentarium_cli.backend.organize.order import by_folder, by_time, instant
from momentarium_cli.models import AlbumKind, AlbumLevel

Entry = tuple[Photo, bool]  # a photo, and whether it is given

_APART = (AlbumKind.UNDATED, AlbumKind.SCREENSHOTS, AlbumKind.DOCUMENTS, AlbumKind.DOWNLOADS)


@dataclass(frozen=True, eq=False)
class Group:
    """Photos, in the order in which they are shown, for a new album or for the one they continue.

    `kept`: those that the album has and keeps, of albums without a time the cover alone. `trip` is equal for the groups
    of one trip, a number without meaning. `lapse`: it is a time-lapse.
    """

    kind: AlbumKind
    photos: Sequence[Photo]
    album: ExistingAlbum | None
    kept: Sequence[Photo] = ()
    trip: int | None = None
    lapse: bool = False

    @cached_property
    def whole(self) -> list[Photo]:
        """Every photo that the album will have, in the order of time."""
        order = by_folder if self.kind is AlbumKind.UNDATED else by_time
        return sorted([*self.kept, *self.photos], key=order)

    @cached_property
    def shown(self) -> list[Photo]:
        """The same in the order in which they are shown; none of albums without a time, which know only their own."""
        if self.kind in TIMELESS:
            return []
        return self.whole if self.lapse else best_first(self.whole)

    @property
    def size(self) -> int:
        return len(self.whole) + (self.album.more if self.album else 0)

    def chapters(self) -> list[Photo]:
        """The photos with which a chapter but the first begins."""
        if self.kind is not AlbumKind.EVENT or self.lapse:
            return []
        return [self.shown[chapter.start] for chapter in chapters([instant(photo) for photo in self.whole])[1:]]


def group(
    photos: Sequence[Photo],
    existing: Sequence[ExistingAlbum],
    homes: Sequence[Home] = (),
    rule: Rule = RULE,
    level: AlbumLevel = AlbumLevel.ALBUMS,
) -> list[Group]:
    """Put every photo into exactly one group; at most one group continues an album. Events come first, by time.

    Groups without photos are those of albums that lost some and keep others.
    """
    fixed = fixed_photos(photos, existing)
    sorts: dict[AlbumKind | None, list[Photo]] = defaultdict(list)
    for photo in photos:
        sorts[kept_apart(photo) or (None if photo.taken_at else AlbumKind.UNDATED)].append(photo)
    events, few = _events(sorts[None], existing, fixed, homes, rule, level)
    groups = [
        *events,
        *everyday_groups(few, existing, fixed),
        *(found for kind in _APART for found in _one(kind, sorts[kind], existing, fixed)),
    ]
    return [*groups, *diminished(groups, existing, fixed)]


def fixed_photos(photos: Sequence[Photo], existing: Sequence[ExistingAlbum]) -> dict[int, list[Photo]]:
    """Those of each album that are not given, by the album's id."""
    given = {photo.id for photo in photos}
    return {
        album.id: [corrected(photo, photo.clock_shift) for photo in album.photos if photo.id not in given]
        for album in existing
    }


def diminished(
    groups: Sequence[Group], existing: Sequence[ExistingAlbum], fixed: dict[int, list[Photo]]
) -> Iterator[Group]:
    """Of the albums that no group continues, those whose photos went in part."""
    continued = {found.album.id for found in groups if found.album}
    for album in existing:
        if album.id not in continued and 0 < len(fixed[album.id]) < len(album.photos):
            yield Group(album.kind, (), album, fixed[album.id])


@dataclass(slots=True)
class _Event:
    """Photos of one event, before it is known which album they continue."""

    photos: Sequence[Photo]
    joins: ExistingAlbum | None  # the album with fixed photos among them
    trip: int | None
    lapse: bool = False


def _events(
    photos: Sequence[Photo],
    existing: Sequence[ExistingAlbum],
    fixed: dict[int, list[Photo]],
    homes: Sequence[Home],
    rule: Rule,
    level: AlbumLevel,
) -> tuple[list[Group], list[Photo]]:
    """The events that given and fixed photos make together, and the given photos that are of none."""
    events: list[_Event] = []
    few: list[Photo] = []
    holders = {photo.id: album for album in existing if album.kind is AlbumKind.EVENT for photo in fixed[album.id]}
    placed = {photo.id for album in existing for photo in album.photos}
    for number, (run, home) in enumerate(_runs(_stretches(photos, existing), homes)):
        trip = None if home else number
        worthy = []
        for together, lapse in _parts(run, home, rule):
            joining = _joining(together, holders, placed, trip)
            events += joining
            taken = {*holders, *(photo.id for event in joining for photo in event.photos)}
            left = [entry for entry in together if entry[0].id not in taken]
            given = [photo for photo, is_given in left if is_given]
            if given and lapse:
                events.append(_Event(given, None, trip, lapse=True))
            elif given and _deserves_album([photo for photo, _ in left], home):
                worthy.append(given)
            else:
                few.extend(given)
        events += [_Event(found, None, trip) for found in _at_level(worthy, trip, level)]
    return _with_albums(events, existing, fixed), few


def _at_level(events: Sequence[Sequence[Photo]], trip: int | None, level: AlbumLevel) -> Iterator[Sequence[Photo]]:
    """What becomes albums of the events of one run."""
    if level is AlbumLevel.CHAPTERS:
        for event in events:
            times = [instant(photo) for photo in event]
            yield from (event[part.start : part.stop] for part in journey(times, chapters(times)))
        return
    whole = [photo for event in events for photo in event]
    if level is AlbumLevel.TRIPS and trip is not None and whole and is_trip([instant(photo) for photo in whole]):
        yield whole
    else:
        yield from events


def _runs(found: Iterable[Sequence[Entry]], homes: Sequence[Home]) -> Iterator[tuple[Sequence[Entry], bool | None]]:
    """The runs of a stretch that are from home, or from a journey, or of which that is not known."""
    for stretch in found:
        places = at_home([photo for photo, _ in stretch], homes)
        for home, run in groupby(zip(places, stretch, strict=True), key=itemgetter(0)):
            yield [entry for _, entry in run], home


def _parts(run: Sequence[Entry], home: bool | None, rule: Rule) -> Iterator[tuple[Sequence[Entry], bool]]:
    """The photos of a run that go together, and whether they are a time-lapse."""
    frames = lapses([photo for photo, _ in run])
    for found in frames:
        yield [run[index] for index in found], True
    taken = {index for found in frames for index in found}
    rest = [entry for index, entry in enumerate(run) if index not in taken] if taken else run
    for part in _split(rest, home, rule):
        yield part, False


def _split(run: Sequence[Entry], home: bool | None, rule: Rule) -> list[Sequence[Entry]]:
    """A burst counts as one photo."""
    starts = [burst.start for burst in bursts([photo for photo, _ in run])]
    heads = [run[start] for start in starts]
    times = [instant(photo) for photo, _ in heads]
    parts = sessions(times) if home else split(times, rule, _together(heads))
    if home is False:
        parts = journey(times, parts)
    ends = [*starts, len(run)]
    return [run[ends[part.start] : ends[part.stop]] for part in parts]


def _together(run: Sequence[Entry]) -> set[int]:
    """The indices of photos that a person put into the folder of the one before, a folder with a name."""
    names = [given_name(photo.source_folder) for photo, _ in run]
    return {index for index, (before, name) in enumerate(pairwise(names), 1) if name and name == before}


def _joining(
    together: Sequence[Entry], holders: dict[int, ExistingAlbum], placed: Collection[int], trip: int | None
) -> list[_Event]:
    """The photos of an event that join the album with fixed photos of it: those that are in no album yet."""
    new = [photo for photo, is_given in together if is_given and photo.id not in placed]
    old = [(photo, holders[photo.id]) for photo, is_given in together if not is_given and photo.id in holders]
    return [_Event(new, _continued(new, old), trip)] if old and new else []


def _stretches(photos: Sequence[Photo], existing: Sequence[ExistingAlbum]) -> Iterator[list[Entry]]:
    """The stretches with given photos, each with whether it is given. Fixed photos with a time take part.

    They are cut by the times that cameras gave: which clock was wrong follows of a stretch.
    """
    kinds = (AlbumKind.EVENT, AlbumKind.EVERYDAY)
    given = {photo.id for photo in photos}
    dated = (
        photo
        for album in existing
        if album.kind in kinds
        for photo in album.photos
        if photo.taken_at is not None and photo.id not in given
    )
    mixed = [*((photo, True) for photo in photos), *((photo, False) for photo in dated)]
    mixed.sort(key=lambda entry: by_time(entry[0]))
    for indices in stretches([instant(photo) for photo, _ in mixed]):
        stretch = mixed[indices.start : indices.stop]
        if any(is_given for _, is_given in stretch):
            yield _corrected(stretch)


def _corrected(stretch: list[Entry]) -> list[Entry]:
    """Its photos in order by right clocks; those that stay where they are keep what was found earlier."""
    shifts = wrong_clocks([photo for photo, _ in stretch])
    right = [
        (corrected(photo, shifts.get(photo.camera or "", timedelta()) if is_given else photo.clock_shift), is_given)
        for photo, is_given in stretch
    ]
    return sorted(right, key=lambda entry: by_time(entry[0]))


def _deserves_album(photos: Sequence[Photo], home: bool | None) -> bool:
    names = {given_name(photo.source_folder) for photo in photos}
    named = len(names) == 1 and None not in names
    if home and not named:
        return show_as_much(photos, PARTY)
    return is_event([instant(photo) for photo in photos], named, lambda count: show_as_much(photos, count))


def _with_albums(
    events: Sequence[_Event], existing: Sequence[ExistingAlbum], fixed: dict[int, list[Photo]]
) -> list[Group]:
    """Give each event the album it continues; events that join one album are one group."""
    joined: dict[int, list[_Event]] = defaultdict(list)
    free: list[_Event] = []
    for event in events:
        (joined[event.joins.id] if event.joins else free).append(event)
    albums = continued_by([event.photos for event in free], [album for album in existing if album.id not in joined])
    trips = _trips(events)
    opened = [
        Group(
            AlbumKind.EVENT,
            event.photos,
            album,
            fixed[album.id] if album else (),
            event.trip if event.trip in trips else None,
            event.lapse,
        )
        for event, album in zip(free, albums, strict=True)
    ]
    by_id = {album.id: album for album in existing}
    grown = [
        Group(
            AlbumKind.EVENT,
            sorted((photo for event in found for photo in event.photos), key=by_time),
            by_id[key],
            fixed[key],
            found[0].trip if found[0].trip in trips else None,
        )
        for key, found in joined.items()
    ]
    return sorted([*opened, *grown], key=lambda found: by_time(found.photos[0]))


def continued_by(events: Sequence[Sequence[Photo]], existing: Sequence[ExistingAlbum]) -> list[ExistingAlbum | None]:
    """For each event the album that held most of its photos, each album once: most photos first, then the oldest."""
    albums = {album.id: album for album in existing if album.kind is AlbumKind.EVENT}
    homes = {photo.id: album.id for album in albums.values() for photo in album.photos}
    shared = Counter(
        (homes[photo.id], index) for index, event in enumerate(events) for photo in event if photo.id in homes
    )
    heirs: dict[int, ExistingAlbum] = {}
    for key, index in sorted(shared, key=lambda pair: (-shared[pair], pair)):
        if key in albums and index not in heirs:
            heirs[index] = albums.pop(key)
    return [heirs.get(index) for index in range(len(events))]


def _trips(events: Sequence[_Event]) -> set[int]:
    """The runs whose events are a trip together; a time-lapse is part of one, but makes none."""
    runs: dict[int, list[_Event]] = defaultdict(list)
    for event in events:
        if event.trip is not None and not event.lapse:
            runs[event.trip].append(event)
    return {
        trip
        for trip, found in runs.items()
        if len(found) > 1 and is_trip([instant(photo) for event in found for photo in event.photos])
    }


def _continued(new: Sequence[Photo], old: Sequence[tuple[Photo, ExistingAlbum]]) -> ExistingAlbum:
    """The album with the most photos in the event; of several the one nearest in time, then the oldest."""
    counts = Counter(album.id for _, album in old)
    most = max(counts.values())
    candidates = {album.id: album for _, album in old if counts[album.id] == most}
    if len(candidates) == 1:
        return next(iter(candidates.values()))
    distances = {key: _distance(new, [photo for photo, album in old if album.id == key]) for key in candidates}
    return candidates[min(candidates, key=lambda key: (distances[key], key))]


def _distance(some: Sequence[Photo], others: Sequence[Photo]) -> timedelta:
    return min(abs(instant(one) - instant(other)) for one in some for other in others)


def everyday_groups(
    photos: Sequence[Photo], existing: Sequence[ExistingAlbum], fixed: dict[int, list[Photo]]
) -> list[Group]:
    """One group a local month, or a year."""
    albums = [album for album in existing if album.kind is AlbumKind.EVERYDAY]
    kept = [photo for album in albums for photo in fixed[album.id] if photo.taken_at]
    continued = heirs(photos, albums, fixed)
    return [
        _grown(AlbumKind.EVERYDAY, sorted(found, key=by_time), continued.get(period), fixed)
        for period, found in by_period(photos, kept).items()
    ]


def _one(
    kind: AlbumKind, photos: Sequence[Photo], existing: Sequence[ExistingAlbum], fixed: dict[int, list[Photo]]
) -> list[Group]:
    """The one group of a kind that has no time."""
    albums = _largest_last(kind, existing)
    order = by_folder if kind is AlbumKind.UNDATED else by_time
    return [_grown(kind, sorted(photos, key=order), albums[-1] if albums else None, fixed)] if photos else []


def _grown(
    kind: AlbumKind, photos: Sequence[Photo], album: ExistingAlbum | None, fixed: dict[int, list[Photo]]
) -> Group:
    return Group(kind, photos, album, fixed[album.id] if album else ())


def _largest_last(kind: AlbumKind, existing: Sequence[ExistingAlbum]) -> list[ExistingAlbum]:
    of_kind = (album for album in existing if album.kind is kind)
    return sorted(of_kind, key=lambda album: (len(album.photos) + album.more, -album.id))
