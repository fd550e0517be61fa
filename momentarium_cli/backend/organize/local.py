"""The organizer that needs nothing but the photos' own metadata: complete, deterministic and offline."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import numpy as np

from momentarium_cli.backend.organize import titles
from momentarium_cli.backend.organize.base import ExistingAlbum, Home, Photo, Proposal, Trip
from momentarium_cli.backend.organize.covers import cover
from momentarium_cli.backend.organize.events import RULE, Rule
from momentarium_cli.backend.organize.grouping import Group, group
from momentarium_cli.backend.organize.order import by_time
from momentarium_cli.backend.organize.places import Place, gazetteer
from momentarium_cli.backend.organize.whereabouts import place_text, short_text, whereabouts
from momentarium_cli.models import AlbumKind


class LocalOrganizer:
    """Albums by time, titled by place, folder and date; what is no event goes to one album a month."""

    def __init__(self, *, rule: Rule = RULE) -> None:
        self._rule = rule

    @property
    def name(self) -> str:
        return "local"

    def organize(
        self, photos: Sequence[Photo], existing: Sequence[ExistingAlbum], homes: Sequence[Home] = ()
    ) -> Sequence[Proposal]:
        """Put every photo into exactly one proposal; no two of them continue the same album."""
        groups = group(photos, existing, homes, self._rule)
        places = _places([photo for found in groups if found.kind is AlbumKind.EVENT for photo in found.whole])
        grown = {found.album.id for found in groups if found.album}
        taken = {album.title for album in existing if album.id not in grown}
        proposals = []
        trips = _trips(groups, places)
        for found in groups:
            proposal = _proposal(found, places, taken, trips)
            taken.add(proposal.title)
            proposals.append(proposal)
        return proposals


def _trips(groups: Sequence[Group], places: Mapping[int, Place | None]) -> dict[int, Trip]:
    """By the number that its groups have."""
    members: dict[int, list[Group]] = defaultdict(list)
    for found in groups:
        if found.trip is not None:
            members[found.trip].append(found)
    heirs: dict[int, Trip] = {}
    for number, together in members.items():
        heirs[number] = _trip(together, places, {trip.album_id for trip in heirs.values()})
    return heirs


def _trip(groups: Sequence[Group], places: Mapping[int, Place | None], taken: Collection[int | None]) -> Trip:
    """It continues the trip that holds most of its albums and is not taken, the oldest of several."""
    photos = sorted((photo for found in groups for photo in found.whole), key=by_time)
    title, theme, place = _described(AlbumKind.TRIP, photos, places, ())
    held = Counter(found.album.trip_id for found in groups if found.album and found.album.trip_id not in (None, *taken))
    return Trip(title, theme, place, min(held, key=lambda key: (-held[key], key or 0)) if held else None)


def _places(photos: Sequence[Photo]) -> dict[int, Place | None]:
    """The place of each photo with a position, by its id."""
    located = [(photo.id, (photo.latitude, photo.longitude)) for photo in photos if photo.latitude is not None]
    found = gazetteer().lookup(np.array([position for _, position in located], np.float64)) if located else []
    return {key: place for (key, _), place in zip(located, found, strict=True)}


def _proposal(
    found: Group, places: Mapping[int, Place | None], taken: Collection[str], trips: Mapping[int, Trip]
) -> Proposal:
    whole = found.whole
    title, theme, place = _described(found.kind, whole, places, taken)
    edited = found.album is not None and found.album.edited
    return Proposal(
        kind=found.kind,
        title=found.album.title if found.album and edited else title,
        theme_description=theme,
        photo_ids=tuple(photo.id for photo in found.photos),
        album_id=found.album.id if found.album else None,
        place=place,
        cover_id=cover(whole).id,
        chapter_ids=tuple(photo.id for photo in found.chapters()),
        trip=trips.get(found.trip) if found.trip is not None else None,
    )


def _described(
    kind: AlbumKind, photos: Sequence[Photo], places: Mapping[int, Place | None], taken: Collection[str]
) -> tuple[str, str, str | None]:
    """Title, description and place of an album with these photos."""
    times = [photo.taken_at for photo in photos if photo.taken_at is not None]
    match kind:
        case AlbumKind.UNDATED:
            return titles.UNDATED, titles.undated_theme(len(photos)), None
        case AlbumKind.SCREENSHOTS:
            return titles.SCREENSHOTS, titles.screenshots_theme(len(photos)), None
        case AlbumKind.EVERYDAY:
            return titles.everyday_title(_middle(times)), titles.everyday_theme(times), None
        case AlbumKind.EVENT | AlbumKind.TRIP:
            where = whereabouts(photos, places)
            title = titles.event_title(times, short_text(where), titles.folder_name(photos), taken)
            return title, titles.event_theme(times, where), place_text(where)


def _middle(times: Sequence[datetime]) -> datetime:
    return sorted(times)[len(times) // 2]
