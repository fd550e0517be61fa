"""Where the photos of an album were taken, and how much of that may be said.

A position counts unless it was taken in the air: above 6,000 m, or in a short run of photos that was reached and
left faster than 300 km/h. A run that begins or ends the album is on the ground: one leg alone does not say which
of its ends was flown from.

A town is named only if somebody stopped there: not one that photos were taken of from a car or a train, and not the
one that is nearest to a place in the wilds. Of these the region and the country may be named.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from math import asin, cos, radians, sin, sqrt
from typing import TypeVar

from momentarium_cli.backend.organize.base import Photo
from momentarium_cli.backend.organize.languages import ENGLISH, WORDS, Words
from momentarium_cli.backend.organize.order import instant
from momentarium_cli.backend.organize.places import EARTH_KM, Place
from momentarium_cli.backend.organize.text import listed

Area = TypeVar("Area", bound=Hashable)

AIR_METRES = 6_000
AIR_KMH = 300
LEG_KM = 20  # shorter hops are errors of positions, however fast they look
STOP = timedelta(hours=1)  # whoever stays longer than this has landed
DRIVE_KMH = 40  # and more between a photo and both of its neighbours: it was taken on the way
DRIVE_KM = 1.0  # such a leg has at least
MAJORITY = 0.6  # of the positions: this place alone is the album's
HALF = 0.5  # of the positions: these countries are
BOTH = 0.75  # of the positions: these two are, or this region or these two
MENTIONED = 0.15  # of the positions: worth a word


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The places of an album in the order in which they were first visited, and how many photos each has.

    `passed` are those beside the way: their names do not count, their regions and countries do. Together they have
    fewer than `located` where some are at sea.
    """

    photos: int
    located: int  # photos with a position on the ground
    places: Mapping[Place, int]
    passed: Mapping[Place, int] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether enough positions are known to speak for the album: three, or a fifth of its photos."""
        return self.located >= 3 or 0 < self.photos <= 5 * self.located

    def cities(self) -> list[Place]:
        """The place or the two places the album is of; empty where there are more, or none."""
        common = Counter(self.places).most_common(2)
        if common and common[0][1] >= MAJORITY * self.located:
            return [common[0][0]]
        if len(common) == 2 and self._share(common) >= BOTH and common[1][1] >= MENTIONED * self.located:
            return [place for place in self.places if place in dict(common)]
        return []

    def regions(self) -> list[tuple[str, str]]:
        """The region or the two regions the album is of, each with its country; empty where there are more, or none."""
        counts = self._counted(lambda place: (place.region, place.country) if place.region else None)
        common = [item for item in counts.most_common(2) if item[1] >= MENTIONED * self.located]
        if self._share(common[:1]) >= BOTH:
            return [common[0][0]]
        return [region for region in counts if region in dict(common)] if self._share(common) >= BOTH else []

    def countries(self) -> list[str]:
        """The countries the album is of, if together they have half of it; the rest is at sea or in the wilds."""
        counts = self._counted(lambda place: place.country)
        kept = [(country, photos) for country, photos in counts.items() if photos >= MENTIONED * self.located]
        return [country for country, _ in kept] if kept and self._share(kept) >= HALF else []

    def _counted(self, area: Callable[[Place], Area | None]) -> Counter[Area]:
        counts = Counter[Area]()
        for place, photos in (*self.places.items(), *self.passed.items()):
            if (found := area(place)) is not None:
                counts[found] += photos
        return counts

    def _share(self, counts: Sequence[tuple[object, int]]) -> float:
        return sum(photos for _, photos in counts) / self.located


def whereabouts(photos: Sequence[Photo], places: Mapping[int, Place | None]) -> Whereabouts:
    """Of photos in the order of time; `places` are by id of photo."""
    grounded = on_the_ground(photos)
    stopped, passed = Counter[Place](), Counter[Place]()
    for photo, moving in zip(grounded, _moving(grounded), strict=True):
        place = places.get(photo.id)
        if place is not None:
            (stopped if place.near and not moving else passed)[place] += 1
    return Whereabouts(photos=len(photos), located=len(grounded), places=stopped, passed=passed)


def on_the_ground(photos: Sequence[Photo]) -> list[Photo]:
    """Those of the photos, in the order of time, that have a position which is not of a flight."""
    positioned = [photo for photo in photos if _has_position(photo)]
    low = [photo for photo in positioned if photo.altitude is None or photo.altitude <= AIR_METRES]
    runs = _runs(low)
    ends = (0, len(runs) - 1)
    return [photo for index, run in enumerate(runs) if index in ends or not _in_flight(run) for photo in run]


def place_text(where: Whereabouts, words: Words = WORDS[ENGLISH]) -> str | None:
    """What the album's place is called: "Lisbon, Portugal", "Porto & Lisbon, Portugal", "Spain & Portugal"."""
    if not where.known:
        return None
    parts = [(city.name, city.country) for city in where.cities()] or where.regions()
    if len({country for _, country in parts}) == 1:
        country = parts[0][1]
        names = [name for name, _ in parts if name != country]
        return ", ".join(filter(None, (listed(list(dict.fromkeys(names)), " & "), country)))
    each = [name if name == country else f"{name}, {country}" for name, country in parts]
    return listed(each, " & ") if each else countries_text(where, words)


def short_text(where: Whereabouts, words: Words = WORDS[ENGLISH]) -> str | None:
    """The same for a title: places without their countries."""
    if not where.known:
        return None
    names = [city.name for city in where.cities()] or [name for name, _ in where.regions()]
    return listed(list(dict.fromkeys(names)), " & ") if names else countries_text(where, words)


def countries_text(where: Whereabouts, words: Words = WORDS[ENGLISH]) -> str | None:
    """ "Portugal", "Spain & Portugal", "Spain, France & Italy", "Spain, France & 3 more countries" """
    countries = where.countries()
    if len(countries) > 3:
        return f"{', '.join(countries[:2])} & {words.more_countries.format(len(countries) - 2)}"
    return listed(countries, " & ") if countries else None


def _has_position(photo: Photo) -> bool:
    # Cameras without a fix write zeros: a place in the sea off Africa.
    return photo.latitude is not None and photo.longitude is not None and (photo.latitude, photo.longitude) != (0, 0)


def _runs(photos: Sequence[Photo]) -> list[list[Photo]]:
    """Photos in the order of time, cut where one was reached at the speed of a plane."""
    runs: list[list[Photo]] = []
    for photo in photos:
        if runs and not _flown(runs[-1][-1], photo):
            runs[-1].append(photo)
        else:
            runs.append([photo])
    return runs


def _in_flight(run: Sequence[Photo]) -> bool:
    return instant(run[-1]) - instant(run[0]) < STOP


def _moving(photos: Sequence[Photo]) -> list[bool]:
    """Of each of the photos, in the order of time, whether it was taken at the speed of a car, before it and after."""
    legs = [_driven(before, after) for before, after in pairwise(photos)]
    return [before and after for before, after, _ in zip([False, *legs], [*legs, False], photos, strict=False)]


def _driven(before: Photo, after: Photo) -> bool:
    distance = _kilometres(before, after)
    return distance >= DRIVE_KM and distance > DRIVE_KMH * _hours(before, after)


def _flown(before: Photo, after: Photo) -> bool:
    distance = _kilometres(before, after)
    return distance >= LEG_KM and distance > AIR_KMH * _hours(before, after)


def _hours(before: Photo, after: Photo) -> float:
    return (instant(after) - instant(before)) / timedelta(hours=1)


def _kilometres(before: Photo, after: Photo) -> float:
    """Great-circle distance, by the haversine formula."""
    south, north = radians(before.latitude or 0), radians(after.latitude or 0)
    east = radians((after.longitude or 0) - (before.longitude or 0))
    half = sin((north - south) / 2) ** 2 + cos(south) * cos(north) * sin(east / 2) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(half)))
