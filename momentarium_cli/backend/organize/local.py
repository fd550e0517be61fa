"""The organizer that needs nothing but the photos' own metadata: complete, deterministic and offline."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from momentarium_cli.backend.organize import titles
from momentarium_cli.backend.organize.base import TIMELESS, TITLE_LIMIT, ExistingAlbum, Home, Photo, Proposal, Trip
from momentarium_cli.backend.organize.covers import cover, cover_of_any
from momentarium_cli.backend.organize.events import RULE, Rule
from momentarium_cli.backend.organize.grouping import Group, group
from momentarium_cli.backend.organize.languages import ENGLISH, WORDS, Words, country_name
from momentarium_cli.backend.organize.order import by_time
from momentarium_cli.backend.organize.places import Place, gazetteer
from momentarium_cli.backend.organize.text import shorten
from momentarium_cli.backend.organize.whereabouts import place_text, short_text, whereabouts
from momentarium_cli.models import AlbumKind, AlbumLevel


class LocalOrganizer:
    """Albums by time, titled by place, folder and date; what is no event goes to one album a month, or a year."""

    def __init__(self, language: str = ENGLISH, *, rule: Rule = RULE) -> None:
        """`language`: of titles and descriptions, one of `languages.WORDS`."""
        self._words = WORDS[language]
        self._rule = rule

    @property
    def name(self) -> str:
        return "local"

    @property
    def report(self) -> Mapping[str, Any]:
        return {}

    def organize(
        self,
        photos: Sequence[Photo],
        existing: Sequence[ExistingAlbum],
        homes: Sequence[Home] = (),
        level: AlbumLevel = AlbumLevel.ALBUMS,
    ) -> Sequence[Proposal]:
        """Put every photo into exactly one proposal; no two of them continue the same album."""
        return self.propose(self.groups(photos, existing, homes, level))

    def groups(
        self,
        photos: Sequence[Photo],
        existing: Sequence[ExistingAlbum],
        homes: Sequence[Home] = (),
        level: AlbumLevel = AlbumLevel.ALBUMS,
    ) -> list[Group]:
        """What `organize` makes albums of."""
        return group(photos, existing, homes, self._rule, level)

    def propose(self, groups: Sequence[Group]) -> list[Proposal]:
        """A proposal for each group, titled and described."""
        located = [photo for found in groups if found.kind is AlbumKind.EVENT for photo in found.whole]
        writer = _Writer(_places(located, self._words.code), self._words)
        trips = writer.trips(groups)
        return [writer.proposal(found, trips) for found in groups]


def _places(photos: Sequence[Photo], language: str) -> dict[int, Place | None]:
    """The place of each photo with a position, by its id; countries are in the language."""
    located = [(photo.id, (photo.latitude, photo.longitude)) for photo in photos if photo.latitude is not None]
    found = gazetteer().lookup(np.array([position for _, position in located], np.float64)) if located else []
    named = {place: _named(place, language) for place in set(found) if place}
    return {key: named[place] if place else None for (key, _), place in zip(located, found, strict=True)}


def _named(place: Place, language: str) -> Place:
    return replace(place, country=country_name(place.country_code, place.country, language))


class _Writer:
    """Titles and descriptions of one run's groups."""

    def __init__(self, places: Mapping[int, Place | None], words: Words) -> None:
        self._places = places
        self._words = words
        self._taken: set[str] = set()

    def trips(self, groups: Sequence[Group]) -> dict[int, Trip]:
        """By the number that its groups have."""
        members: dict[int, list[Group]] = defaultdict(list)
        for found in groups:
            if found.trip is not None:
                members[found.trip].append(found)
        made: dict[int, Trip] = {}
        for number, together in members.items():
            made[number] = self._trip(together, {trip.album_id for trip in made.values()})
        return made

    def _trip(self, groups: Sequence[Group], taken: Collection[int | None]) -> Trip:
        """It continues the trip that holds most of its albums and is not taken, the oldest of several."""
        photos = sorted((photo for found in groups if not found.lapse for photo in found.whole), key=by_time)
        title, theme, place = self._described(AlbumKind.TRIP, photos, len(photos))
        ids = [found.album.trip_id for found in groups if found.album]
        held = Counter(key for key in ids if key is not None and key not in taken)
        return Trip(title, theme, place, min(held, key=lambda key: (-held[key], key)) if held else None)

    def proposal(self, found: Group, trips: Mapping[int, Trip]) -> Proposal:
        whole = found.whole
        title, theme, place = self._described(found.kind, whole, found.size, lapse=found.lapse)
        if found.album and found.album.edited:
            title = found.album.title
        elif found.kind is AlbumKind.EVENT:
            title = self._unique(title, whole[0])
        return Proposal(
            kind=found.kind,
            title=title,
            theme_description=theme,
            photo_ids=tuple(photo.id for photo in sorted(found.photos, key=_places_in(found.shown))),
            album_id=found.album.id if found.album else None,
            place=place,
            cover_id=(cover_of_any(whole) if found.kind in TIMELESS else cover(whole)).id,
            order=tuple(photo.id for photo in found.shown),
            chapter_ids=tuple(photo.id for photo in found.chapters()),
            trip=trips.get(found.trip) if found.trip is not None else None,
            clock_shifts={photo.id: photo.clock_shift for photo in found.photos if photo.clock_shift},
        )

    def _unique(self, title: str, first: Photo) -> str:
        """Events of one place and day say when they began; the title tells all others apart."""
        if title in self._taken and first.taken_at:
            title = f"{shorten(title, TITLE_LIMIT - 7)}, {first.taken_at:%H:%M}"
        self._taken.add(title)
        return title

    def _described(
        self, kind: AlbumKind, photos: Sequence[Photo], size: int, *, lapse: bool = False
    ) -> tuple[str, str, str | None]:
        """Title, description and place of an album with these photos; of one without a time they are some of `size`."""
        words, times = self._words, [photo.taken_at for photo in photos if photo.taken_at is not None]
        if not times and kind not in TIMELESS:  # undated, or their times were lost since
            kind = AlbumKind.UNDATED
        match kind:
            case AlbumKind.UNDATED:
                return words.undated, titles.undated_theme(size, words), None
            case AlbumKind.SCREENSHOTS:
                return words.screenshots, titles.screenshots_theme(size, words), None
            case AlbumKind.DOCUMENTS:
                return words.documents, titles.documents_theme(size, words), None
            case AlbumKind.DOWNLOADS:
                return words.downloads, titles.downloads_theme(size, words), None
            case AlbumKind.EVERYDAY:
                return titles.everyday_title(times, words), titles.everyday_theme(times, words), None
            case AlbumKind.EVENT | AlbumKind.TRIP:
                where = whereabouts(photos, self._places)
                codes = {place.country_code for place in (*where.places, *where.passed)}
                code = codes.pop() if len(codes) == 1 else None
                named = short_text(where, words), titles.folder_name(photos)
                if lapse:
                    title = titles.lapse_title(times, *named, words)
                else:
                    title = titles.event_title(times, *named, words, code)
                return title, titles.event_theme(times, where, words), place_text(where, words)


def _places_in(shown: Sequence[Photo]) -> Callable[[Photo], int]:
    """The place of a photo among those that are shown; what has none stays as it is."""
    places = {photo.id: place for place, photo in enumerate(shown)}
    return lambda photo: places.get(photo.id, 0)
