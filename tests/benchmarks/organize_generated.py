"""What the local organizer finds in made-up libraries, whose truth is known.

    python -m tests.benchmarks.organize_generated [--years 40]

Each is a year of one person: home and work, a move in July, weekends away, a journey by plane with photos from the air,
and one by car through four towns; on one of the two journeys a friend was along, whose camera knows no place and whose
clock was wrong. Looked for are the trips and outings, the homes and the clock; nothing may be named after a place that
was only flown over, and no two albums alike. The same photos without any position show what GPS is worth.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from statistics import mean

from momentarium_cli.backend.organize.base import Home, Proposal
from momentarium_cli.backend.organize.homes import find_homes, spots
from momentarium_cli.backend.organize.local import LocalOrganizer
from tests.backend.organize.generated import BERLIN, MUNICH, Year, year

FOUND = 0.95  # of the trips, at an overlap (intersection over union) of at least
OVERLAP = 0.75
FLOWN_OVER = ("Lyon", "Toulouse", "Zaragoza", "France", "Spain", "Occitanie", "Aragon", "Auvergne")


def made(seed: int) -> tuple[Year, set[int], timedelta]:
    """A year, the photos of the friend, and how wrong the friend's clock was."""
    random, one = Random(seed), year(seed)
    wrong = timedelta(minutes=random.choice([-1440, -720, -540, -60, 60, 480, 1440]) + random.randint(-9, 9))
    return one, one.friend(random.choice(["Lisbon", "Italy"]), wrong), wrong


def overlaps(one: Year, proposals: Sequence[Proposal]) -> dict[str, float]:
    """For each trip the best overlap with an album or a trip."""
    nodes: dict[Hashable, set[int]] = defaultdict(set)
    for number, proposal in enumerate(proposals):
        nodes[number].update(proposal.photo_ids)
        if proposal.trip:
            nodes[proposal.trip].update(proposal.photo_ids)
    return {
        trip: max(len(photos & node) / len(photos | node) for node in nodes.values())
        for trip, photos in one.trips.items()
    }


def names(proposals: Sequence[Proposal]) -> list[str]:
    """All that is said of albums and trips."""
    trips = [proposal.trip for proposal in proposals if proposal.trip]
    texts = [(proposal.title, proposal.theme_description, proposal.place or "") for proposal in proposals]
    return [" ".join(text) for text in texts] + [f"{trip.title} {trip.theme_description}" for trip in trips]


def right_clock(proposals: Sequence[Proposal], theirs: set[int], wrong: timedelta) -> bool:
    shifts = {key: shift for proposal in proposals for key, shift in proposal.clock_shifts.items()}
    return shifts.keys() == theirs and all(abs(shift + wrong) <= timedelta(minutes=3) for shift in shifts.values())


def right_homes(homes: Sequence[Home]) -> bool:
    """Both, each for its half of the year."""
    found = {(round(home.latitude), home.since.month < 7) for home in homes}
    return {(round(BERLIN[0]), True), (round(MUNICH[0]), False)} <= found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--years", type=int, default=40)
    years = parser.parse_args().years
    found: list[float] = []
    without: list[float] = []
    clocks = homes_right = flown = doubles = 0
    started = time.perf_counter()
    for seed in range(1, years + 1):
        one, theirs, wrong = made(seed)
        homes = find_homes(spots(one.photos))
        proposals = LocalOrganizer().organize(one.photos, [], homes)
        found += overlaps(one, proposals).values()
        clocks += right_clock(proposals, theirs, wrong)
        homes_right += right_homes(homes)
        flown += sum(place in text for text in names(proposals) for place in FLOWN_OVER)
        doubles += len(proposals) - len({proposal.title for proposal in proposals})
        lost = [replace(photo, latitude=None, longitude=None) for photo in one.photos]
        without += overlaps(one, LocalOrganizer().organize(lost, [])).values()
    took = time.perf_counter() - started
    share = mean(overlap >= OVERLAP for overlap in found)
    print(f"{len(found)} trips of {years} years: {share:.3f} found (at least {FOUND}), mean overlap {mean(found):.3f}")
    print(f"  without positions and without the friend's clock: {mean(overlap >= OVERLAP for overlap in without):.3f}")
    print(f"wrong clocks found to three minutes: {clocks} of {years}; homes and moves: {homes_right} of {years}")
    print(f"named after a place flown over: {flown} (at most 0); titles that come twice: {doubles} (at most 0)")
    print(f"{took:.1f} s")
    sys.exit(share < FOUND or flown > 0 or doubles > 0)


if __name__ == "__main__":
    main()
