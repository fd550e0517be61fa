from momentarium_cli.backend.organize.base import Photo
from momentarium_cli.backend.organize.places import Place
from momentarium_cli.backend.organize.whereabouts import Whereabouts, on_the_ground, place_text, short_text, whereabouts
from tests.backend.organize.photos import LISBON, MADRID, MID_ATLANTIC, PORTO, burst, photo


def place(name: str, country: str = "Portugal", region: str = "", *, near: bool = True) -> Place:
    return Place(name, country[:2].upper(), country, 0.0, 0.0, 1000, region, near)


def where(located: int = 100, photos: int = 100, **counts: int) -> Whereabouts:
    countries = {"Madrid": "Spain", "Paris": "France", "Rome": "Italy", "Singapore": "Singapore"}
    return Whereabouts(
        photos, located, {place(name, countries.get(name, "Portugal")): count for name, count in counts.items()}
    )


def test_a_majority_names_the_album_alone() -> None:
    assert place_text(where(Lisbon=60, Sintra=40)) == "Lisbon, Portugal"
    assert short_text(where(Lisbon=60, Sintra=40)) == "Lisbon"


def test_two_places_are_named_in_the_order_of_the_visit() -> None:
    assert short_text(where(Porto=45, Lisbon=55)) == "Porto & Lisbon"
    assert place_text(where(Porto=45, Lisbon=55)) == "Porto & Lisbon, Portugal"
    assert place_text(where(Lisbon=50, Madrid=50)) == "Lisbon, Portugal & Madrid, Spain"


def test_more_places_are_their_country_or_countries() -> None:
    assert short_text(where(Lisbon=40, Porto=30, Sintra=30)) == "Portugal"
    assert short_text(where(Madrid=35, Porto=30, Lisbon=35)) == "Spain & Portugal"
    assert short_text(where(Madrid=30, Paris=30, Rome=20, Lisbon=20)) == "Spain, France & 2 more countries"


def test_more_towns_of_a_region_are_the_region_and_of_two_regions_both() -> None:
    siena, lucca, pisa = (place(name, "Italy", "Tuscany") for name in ("Siena", "Lucca", "Pisa"))
    assisi, rome = place("Assisi", "Italy", "Umbria"), place("Rome", "Italy")
    tuscany = Whereabouts(90, 90, {siena: 30, lucca: 30, pisa: 30})
    assert (short_text(tuscany), place_text(tuscany)) == ("Tuscany", "Tuscany, Italy")
    both = Whereabouts(100, 100, {siena: 25, assisi: 40, lucca: 25, pisa: 10})
    assert (short_text(both), place_text(both)) == ("Tuscany & Umbria", "Tuscany & Umbria, Italy")
    assert short_text(Whereabouts(100, 100, {siena: 30, lucca: 30, rome: 40})) == "Italy"


def test_a_village_that_is_only_the_nearest_to_a_place_in_the_wilds_is_not_named() -> None:
    village = place("Furnace Creek", "United States", "California", near=False)
    found = Whereabouts(20, 20, {}, {village: 20})
    assert (short_text(found), place_text(found)) == ("California", "California, United States")


def test_a_village_that_was_driven_through_is_not_named() -> None:
    """At eighty kilometres an hour, from Lisbon eastwards."""
    way = [photo(f"2024-05-12T10:{minute:02}", (38.7, -9.0 + minute * 0.0154)) for minute in range(0, 50, 5)]
    names = [f"Village {index // 8}" for index in range(10)]
    places = {one.id: place(name, region="Ribatejo") for one, name in zip(way, names, strict=True)}
    assert short_text(whereabouts(way, places)) == "Ribatejo"
    stay = burst("2024-05-12T10:45", 24, (38.7, -9.0 + 45 * 0.0154), minutes=1)
    places |= {one.id: place("Village 1", region="Ribatejo") for one in stay}
    assert short_text(whereabouts([*way, *stay], places)) == "Village 1"


def test_a_city_that_is_a_country_is_said_once() -> None:
    assert place_text(where(Singapore=100)) == "Singapore"


def test_a_voyage_mostly_at_sea_is_nowhere() -> None:
    assert place_text(where(Lisbon=30)) is None


def test_a_few_positions_do_not_speak_for_many_photos() -> None:
    assert short_text(where(photos=100, located=2, Lisbon=2)) is None
    assert short_text(where(photos=100, located=3, Lisbon=3)) == "Lisbon"
    assert short_text(where(photos=10, located=2, Lisbon=2)) == "Lisbon"
    assert short_text(where(photos=0, located=0)) is None


def test_photos_high_in_the_air_are_on_no_ground() -> None:
    low, high = (
        photo("2024-05-12T10:00", LISBON, altitude=2_400.0),
        photo("2024-05-12T12:00", MADRID, altitude=10_600.0),
    )
    assert on_the_ground([low, high]) == [low]


def test_photos_from_a_plane_without_altitude_are_told_by_its_speed() -> None:
    before, after = burst("2024-05-12T08:00", 3, LISBON), burst("2024-05-12T13:00", 3, MADRID)
    flight = [photo("2024-05-12T09:30", (39.9, -7.5)), photo("2024-05-12T09:31", (40.0, -7.4))]
    assert on_the_ground([*before, *flight, *after]) == [*before, *flight, *after]  # at the speed of a car
    quick = [photo("2024-05-12T08:30", (39.9, -7.5)), photo("2024-05-12T08:31", (40.0, -7.4))]
    landed = burst("2024-05-12T09:00", 3, MADRID)
    assert on_the_ground([*before, *quick, *landed]) == [*before, *landed]


def test_a_jump_of_the_position_by_a_street_is_no_flight() -> None:
    here, there = photo("2024-05-12T10:00:00", LISBON), photo("2024-05-12T10:00:00", (38.73, -9.15))
    assert on_the_ground([here, there, here]) == [here, there, here]


def test_one_wrong_position_in_a_walk_is_ignored() -> None:
    walk = burst("2024-05-12T10:00", 7, LISBON)
    walk[3] = photo("2024-05-12T10:15", MID_ATLANTIC)
    assert walk[3] not in on_the_ground(walk)


def test_a_camera_without_a_fix_is_nowhere() -> None:
    assert on_the_ground([photo("2024-05-12T10:00", (0.0, 0.0)), photo("2024-05-12T10:00")]) == []


def test_counts_the_places_of_photos_in_the_order_of_the_visit() -> None:
    photos: list[Photo] = [*burst("2024-05-12T10:00", 2, PORTO), *burst("2024-05-13T10:00", 3, LISBON)]
    porto, lisbon = place("Porto"), place("Lisbon")
    found = whereabouts(photos, {one.id: porto if index < 2 else lisbon for index, one in enumerate(photos)})
    assert list(found.places.items()) == [(porto, 2), (lisbon, 3)]
    assert (found.photos, found.located) == (5, 5)
