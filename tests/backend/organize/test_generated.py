"""The local organizer on years that were made up, whose truth is known."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from datetime import timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from momentarium_cli.backend.organize.base import Proposal
from momentarium_cli.backend.organize.homes import find_homes, spots
from momentarium_cli.backend.organize.local import LocalOrganizer
from momentarium_cli.models import AlbumKind
from tests.backend.organize.generated import BERLIN, MUNICH, WORK_IN_BERLIN, WORK_IN_MUNICH, Year, year
from tests.backend.organize.test_growth import Library

SEEDS = range(1, 6)
FLOWN_OVER = ("Lyon", "Toulouse", "Zaragoza", "France", "Spain")


@cache
def made(seed: int) -> tuple[Year, Sequence[Proposal]]:
    one = year(seed)
    return one, LocalOrganizer().organize(one.photos, [], find_homes(spots(one.photos)))


def nodes(proposals: Sequence[Proposal]) -> list[set[int]]:
    """What albums and trips hold."""
    trips: dict[Hashable, set[int]] = defaultdict(set)
    for proposal in proposals:
        if proposal.trip:
            trips[proposal.trip].update(proposal.photo_ids)
    return [*(set(proposal.photo_ids) for proposal in proposals), *trips.values()]


def test_trips_are_found() -> None:
    overlaps = []
    for seed in SEEDS:
        one, proposals = made(seed)
        overlaps += [
            max(len(trip & node) / len(trip | node) for node in nodes(proposals)) for trip in one.trips.values()
        ]
    assert sum(overlap >= 0.75 for overlap in overlaps) >= 0.95 * len(overlaps)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_named_after_a_place_flown_over(seed: int) -> None:
    for proposal in made(seed)[1]:
        named = [proposal.title, proposal.theme_description, proposal.place or ""]
        named += [proposal.trip.title, proposal.trip.theme_description] if proposal.trip else []
        assert not [place for place in FLOWN_OVER for text in named if place in text]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_move_ends_a_home_and_begins_another(seed: int) -> None:
    homes = find_homes(spots(made(seed)[0].photos))
    places = {
        min((BERLIN, WORK_IN_BERLIN, MUNICH, WORK_IN_MUNICH), key=lambda one: abs(one[0] - home.latitude))[0]
        for home in homes
    }
    assert {BERLIN[0], MUNICH[0]} <= places
    assert all((home.latitude > 50) == (home.until.month < 7) for home in homes)


@pytest.mark.parametrize("seed", SEEDS)
def test_everyday_life_is_an_album_a_month(seed: int) -> None:
    proposals = made(seed)[1]
    kinds = Counter(proposal.kind for proposal in proposals)
    assert kinds[AlbumKind.EVERYDAY] == 12
    assert kinds[AlbumKind.EVENT] <= 20


def test_no_title_comes_twice() -> None:
    for seed in SEEDS:
        titles = [proposal.title for proposal in made(seed)[1]]
        assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("wrong", [timedelta(hours=-8), timedelta(hours=24)])
@pytest.mark.parametrize("trip", ["Lisbon", "Italy"])
def test_photos_of_a_friend_whose_clock_was_wrong_lie_beside_those_of_the_same_moments(
    trip: str, wrong: timedelta
) -> None:
    one = year(1)
    before = {proposal.title for proposal in made(1)[1]}
    theirs = one.friend(trip, wrong)
    proposals = LocalOrganizer().organize(one.photos, [], find_homes(spots(one.photos)))
    shifts = {key: shift for proposal in proposals for key, shift in proposal.clock_shifts.items()}
    assert shifts.keys() == theirs
    assert all(abs(shift + wrong) <= timedelta(minutes=2) for shift in shifts.values())
    assert {proposal.title for proposal in proposals} == before


@pytest.mark.parametrize("seed", SEEDS)
def test_no_clock_is_put_right_that_was_not_wrong(seed: int) -> None:
    assert not any(proposal.clock_shifts for proposal in made(seed)[1])


@pytest.mark.parametrize("seed", range(3))
def test_a_year_in_any_batches_is_the_year_at_once(seed: int) -> None:
    photos = list(year(1).photos)
    random = Random(seed)
    random.shuffle(photos)
    once, often = Library(), Library()
    once.add(photos)
    cuts = sorted(random.sample(range(1, len(photos)), 8))
    for start, stop in pairwise([0, *cuts, len(photos)]):
        often.add(photos[start:stop])
    assert often.summary() == once.summary()


GOLDEN = Path(__file__).with_name("golden_titles.txt")


def golden() -> list[str]:
    """Fifty titles, each with the days it is of, in four languages of four years."""
    lines = []
    for seed, language in enumerate(("en", "de", "fr", "ja"), 1):
        one = year(seed)
        times = {photo.id: photo.taken_at for photo in one.photos}
        proposals = LocalOrganizer(language).organize(one.photos, [], find_homes(spots(one.photos)))
        for proposal in proposals[:13]:
            taken = sorted(time for key in proposal.photo_ids if (time := times[key]))
            lines.append(f"{taken[0]:%Y-%m-%d} {taken[-1]:%Y-%m-%d} {proposal.title}")
    return lines[:50]


def test_fifty_titles_read_as_they_should() -> None:
    """Whoever changes titles on purpose writes `golden()` into the file, and reads it."""
    assert golden() == GOLDEN.read_text("utf-8").splitlines()
