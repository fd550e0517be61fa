"""Where the photos of an album were taken, and how much of that may be said.

A position counts unless it was taken in the air: above 6,000 m, or in a short run of photos that was reached and
left faster than 300 km/h. A run that begins or ends the album is on the ground: one leg alone does not say which
of its ends was flown from.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import asin, cos, radians, sin, sqrt

from momentarium_cli.backend.organize.base import Photo
from momentarium_cli.backend.organize.languages import ENGLISH, WORDS, Words
from momentarium_cli.backend.organize.order import instant
from momentarium_cli.backend.organize.places import EARTH_KM, Place
from momentarium_cli.backend.organize.text import listed

AIR_METRES = 6_000
AIR_KMH = 300
LEG_KM = 20  # shorter hops are errors of positions, however fast they look
STOP = timedelta(hours=1)  # whoever stays longer than this has landed
MAJORITY = 0.6  # of the positions: this place alone is the album's
HALF = 0.5  # of the positions: these countries are
BOTH = 0.75  # of the positions: these two are
MENTIONED = 0.15  # of the positions: worth a word


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The places of an album in the order in which they were first visited."""

    photos: int
    located: int  # photos with a position on the ground
    places: Mapping[Place, int]  # how many photos each has; together fewer than `located` where some are at sea

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

    def countries(self) -> list[str]:
        """The countries the album is of, if together they have half of it; the rest is at sea or in the wilds."""
        counts = Counter[str]()
        for place, photos in self.places.items():
            counts[place.country] += photos
        kept = [(country, photos) for country, photos in counts.items() if photos >= MENTIONED * self.located]
        return [country for country, _ in kept] if kept and self._share(kept) >= HALF else []

    def _share(self, counts: Sequence[tuple[object, int]]) -> float:
        return sum(photos for _, photos in counts) / self.located


def whereabouts(photos: Sequence[Photo], places: Mapping[int, Place | None]) -> Whereabouts:
    """Of photos in the order of time; `places` are by id of photo."""
    grounded = on_the_ground(photos)
    counts = Counter[Place]()
    for photo in grounded:
        place = places.get(photo.id)
        if place is not None:
            counts[place] += 1
    return Whereabouts(photos=len(photos), located=len(grounded), places=counts)


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
    cities = where.cities()
    if len({city.country for city in cities}) == 1:
        country = cities[0].country
        names = [city.name for city in cities if city.name != country]
        return ", ".join(filter(None, (listed(list(dict.fromkeys(names)), " & "), country)))
    return listed([str(city) for city in cities], " & ") if cities else countries_text(where, words)


def short_text(where: Whereabouts, words: Words = WORDS[ENGLISH]) -> str | None:
    """The same for a title: places without their countries."""
    if not where.known:
        return None
    cities = list(dict.fromkeys(city.name for city in where.cities()))
    return listed(cities, " & ") if cities else countries_text(where, words)


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


def _flown(before: Photo, after: Photo) -> bool:
    distance = _kilometres(before, after)
    hours = (instant(after) - instant(before)) / timedelta(hours=1)
    return distance >= LEG_KM and distance > AIR_KMH * hours


def _kilometres(before: Photo, after: Photo) -> float:
    """Great-circle distance, by the haversine formula."""
    south, north = radians(before.latitude or 0), radians(after.latitude or 0)
    east = radians((after.longitude or 0) - (before.longitude or 0))
    half = sin((north - south) / 2) ** 2 + cos(south) * cos(north) * sin(east / 2) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(half)))
