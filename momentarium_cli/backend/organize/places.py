"""The name of a place on Earth, offline: which town or city a person would say a photo is from.

The table has the places of GeoNames with 1,000 inhabitants or more (gazetteer/ATTRIBUTION.md). The nearest place
says which country it is, and a larger one of that country takes its name over if it is near for its size: photos
of Shibuya are from Tokyo, those of Versailles are not from Paris.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TABLE = Path(__file__).with_name("gazetteer") / "places.npz"
EARTH_KM = 6371.0088  # mean radius, IUGG
LIMIT_KM = 50.0  # farther away than this from any place is nowhere
CITY_KM = 12.0  # how far the largest city reaches
MILLION_KM = 12.0  # how far a million inhabitants would reach, by area: a city's radius grows as their square root
CENTRE_KM = 2.0  # nearer to a place than this counts as this near: its position is one point of many
UNKNOWN_POPULATION = 500  # of places whose inhabitants nobody counted
DECIMALS = 3  # positions in degrees that agree to about 100 m are looked up once
CHUNK = 512  # positions compared with the places around them at a time: bounds the memory


@dataclass(frozen=True, slots=True)
class Place:
    """A city, town or village. Names of places are as in GeoNames, those of countries in English.

    `region` is of the first level below the country, "" where its name says nothing or could be a town's. `near` is
    whether the position that was asked for is in its surroundings; else it tells the region and the country alone.
    """

    name: str
    country_code: str  # ISO 3166-1 alpha-2, and XK
    country: str
    latitude: float
    longitude: float
    population: int
    region: str = ""
    near: bool = True

    def __str__(self) -> str:
        return self.name if self.name == self.country else f"{self.name}, {self.country}"


class Gazetteer:
    """Places, and what is near a position."""

    def __init__(
        self,
        positions: Floats,
        population: Ints,
        country: Ints,
        names: Sequence[str],
        countries: Sequence[str],
        region: Ints | None = None,
        regions: Sequence[str] = (),
    ) -> None:
        """`positions` [n, 2] in degrees; `country` [n] are indices into `countries`, each "CODE Name", and `region` [n]
        into `regions`, of which the first has no name; None where no regions are known."""
        self._positions = positions
        self._population = population
        self._country = country
        self._names = names
        self._countries = countries
        self._region = np.zeros(len(names), np.int64) if region is None else region
        self._regions = ["", *regions[1:]]
        self._vectors = unit_vectors(positions)
        self._weight = np.where(population > 0, population, UNKNOWN_POPULATION).astype(np.float64)
        self._reach = np.minimum(CITY_KM, MILLION_KM * np.sqrt(self._weight / 1e6))

    def lookup(self, positions: Floats) -> list[Place | None]:
        """The places of positions [n, 2], latitude and longitude in degrees; None is far from everything."""
        if not len(positions):
            return []
        unique, inverse = np.unique(np.round(positions, DECIMALS), axis=0, return_inverse=True)
        vectors = unit_vectors(unique)
        found = self._choose(vectors, self._cities)
        near = found >= 0
        if not near.all():
            found[~near] = self._choose(vectors[~near], self._surroundings)
        answers = list(zip(found.tolist(), near.tolist(), strict=True))
        places = {answer: self._place(*answer) for answer in set(answers)}
        return [places[answers[index]] for index in inverse.reshape(-1).tolist()]

    @cached_property
    def _cities(self) -> "_Cubes":
        return _Cubes(self._vectors, CITY_KM)

    @cached_property
    def _surroundings(self) -> "_Cubes":
        return _Cubes(self._vectors, LIMIT_KM)

    def _choose(self, vectors: Floats, cubes: "_Cubes") -> Ints:
        """The index of the place for each of the unit vectors [n, 3], or -1 if none is within reach of the cubes."""
        found = np.full(len(vectors), -1, np.int64)
        for asked, near in cubes.around(vectors):
            for start in range(0, len(asked), CHUNK):
                part = asked[start : start + CHUNK]
                distance = kilometres(vectors[part][:, None], self._vectors[near][None])
                within = distance.min(axis=1) <= cubes.side_km
                found[part[within]] = near[self._best(distance[within], near)]
        return found

    def _best(self, distance: Floats, near: Ints) -> Ints:
        """For each row of distances in km [n, m] to the places `near` [m], which of these takes the position.

        Size counts as attraction that falls with distance to the power of 1.5: between the inverse square of
        gravity, by which Asakusa is not in Tokyo, and the plain inverse, by which Sintra is in its suburb.
        """
        rows, nearest = np.arange(len(distance)), distance.argmin(axis=1)
        country = self._country[near]
        takes = (distance <= self._reach[near]) & (country == country[nearest][:, None])
        takes[rows, nearest] = True
        attraction = self._weight[near] / np.maximum(distance, CENTRE_KM) ** 1.5
        best: Ints = np.where(takes, attraction, 0.0).argmax(axis=1)
        return best

    def _place(self, index: int, near: bool) -> Place | None:
        if index < 0:
            return None
        code, _, country = self._countries[self._country[index]].partition(" ")
        latitude, longitude = self._positions[index].tolist()
        region = self._regions[self._region[index]]
        return Place(self._names[index], code, country, latitude, longitude, int(self._population[index]), region, near)


class _Cubes:
    """Points of the unit sphere, sorted into cubes: all within one side of a point are in the 27 cubes around it."""

    def __init__(self, vectors: Floats, side_km: float) -> None:
        self.side_km = side_km
        self._across = int(2 * EARTH_KM / side_km) + 4
        keys = self._keys(self._corners(vectors))
        self._order = np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]

    def around(self, vectors: Floats) -> Iterator[tuple[Ints, Ints]]:
        """For each cube that holds some of the vectors [n, 3]: their indices and those of the points around it."""
        corners, member = np.unique(self._corners(vectors), axis=0, return_inverse=True)
        members = np.argsort(member.reshape(-1), kind="stable")
        ends = np.cumsum(np.bincount(member.reshape(-1), minlength=len(corners)))
        for asked, ranges in zip(np.split(members, ends[:-1]), self._ranges(corners), strict=True):
            near = np.concatenate([self._order[start:stop] for start, stop in ranges])
            if len(near):
                yield asked, near

    def _ranges(self, corners: Ints) -> list[list[tuple[int, int]]]:
        """Nine rows of three cubes each; the three are neighbours in the order of the keys."""
        steps = np.array([(x, y, 0) for x in (-1, 0, 1) for y in (-1, 0, 1)])
        rows = self._keys(corners[:, None] + steps)
        starts = np.searchsorted(self._sorted, rows - 1, side="left").tolist()
        stops = np.searchsorted(self._sorted, rows + 1, side="right").tolist()
        return [list(zip(*pair, strict=True)) for pair in zip(starts, stops, strict=True)]

    def _corners(self, vectors: Floats) -> Ints:
        # One cube of margin on every side, so that the neighbours of the outermost have keys of their own.
        return np.floor((vectors + 1) * (EARTH_KM / self.side_km)).astype(np.int64) + 1

    def _keys(self, corners: Ints) -> Ints:
        keys: Ints = corners @ np.array([self._across**2, self._across, 1])
        return keys


def unit_vectors(positions: Floats) -> Floats:
    """[n, 3] for latitudes and longitudes in degrees [n, 2]."""
    latitude, longitude = np.radians(positions).T
    flat = np.cos(latitude)
    return np.stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)], axis=-1)


def kilometres(here: Floats, there: Floats) -> Floats:
    """Great-circle distances between unit vectors [..., 3]; exact also for short ones."""
    chord = np.linalg.norm(here - there, axis=-1)
    distance: Floats = 2 * EARTH_KM * np.arcsin(np.minimum(chord / 2, 1.0))
    return distance


@cache
def gazetteer() -> Gazetteer:
    """The places that come with Momentarium, read once."""
    with np.load(TABLE) as table:
        names, countries, regions = (part.split("\n") for part in table["text"].tobytes().decode().split("\n\n"))
        positions = np.stack([table["latitude"], table["longitude"]], axis=-1).astype(np.float64)
        population, country = table["population"].astype(np.int64), table["country"].astype(np.int64)
        region = table["region"].astype(np.int64)
    return Gazetteer(positions, population, country, names, countries, region, regions)
