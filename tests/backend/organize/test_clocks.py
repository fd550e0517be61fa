from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from momentarium_cli.backend.organize.base import Photo
from momentarium_cli.backend.organize.clocks import wrong_clocks
from tests.backend.organize.photos import LISBON, photo

START = datetime(2024, 5, 10)


def journey(random: Random, *, together: bool, wrong: timedelta, days: int = 5) -> list[Photo]:
    """Some sights a day; a phone that knows where it is, and a camera at the same sights or at others."""
    made = []
    for day in range(days):
        for _ in range(8):
            at = START + timedelta(days=day, minutes=random.randrange(9 * 60, 21 * 60))
            made += [photo(at + timedelta(seconds=random.randrange(300)), LISBON, camera="Pixel 8") for _ in range(3)]
            if not together:
                at = START + timedelta(days=day, minutes=random.randrange(9 * 60, 21 * 60))
            made += [
                photo(at + timedelta(seconds=random.randrange(300)) - wrong, camera="Canon EOS 60D") for _ in range(3)
            ]
    return made


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("minutes", [-1440, -720, -540, -60, 60, 187, 480, 720, 1440])
def test_a_clock_that_is_wrong_by_the_same_all_the_time_is_found(minutes: int, seed: int) -> None:
    found = wrong_clocks(journey(Random(seed), together=True, wrong=timedelta(minutes=minutes)))
    assert list(found) == ["Canon EOS 60D"]
    assert abs(found["Canon EOS 60D"] - timedelta(minutes=minutes)) <= timedelta(minutes=3)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(seed=st.integers(0, 10_000), together=st.booleans(), days=st.integers(1, 12))
def test_a_clock_that_is_right_is_left_alone(seed: int, together: bool, days: int) -> None:
    assert wrong_clocks(journey(Random(seed), together=together, wrong=timedelta(), days=days)) == {}


@settings(derandomize=True, deadline=None, max_examples=100)
@given(seed=st.integers(0, 10_000), minutes=st.integers(-1500, 1500), days=st.integers(1, 12))
def test_cameras_that_were_not_together_prove_nothing(seed: int, minutes: int, days: int) -> None:
    photos = journey(Random(seed), together=False, wrong=timedelta(minutes=minutes), days=days)
    assert wrong_clocks(photos) == {}


def test_of_two_cameras_that_do_not_know_where_they_are_none_is_called_wrong() -> None:
    photos = journey(Random(1), together=True, wrong=timedelta(hours=8))
    assert wrong_clocks([replace(one, latitude=None, longitude=None) for one in photos]) == {}
