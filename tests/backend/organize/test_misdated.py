"""Made up are some years of a phone that knows where it is, and a camera that was along on one of its journeys."""

from datetime import datetime, timedelta
from functools import cache
from random import Random

import numpy as np
import pytest

from momentarium_cli.backend.organize.clocks import MINUTE
from momentarium_cli.backend.organize.misdated import EPOCH, Minutes, WrongDate, wrong_dates

START = datetime(2018, 1, 1)
JOURNEY = datetime(2020, 7, 3)


def moments(random: Random, since: datetime, days: int, most: int) -> list[datetime]:
    """Up to so many sights a day, between nine and nine."""
    return [
        since + timedelta(days=day, minutes=random.uniform(9 * 60, 21 * 60))
        for day in range(days)
        for _ in range(random.randint(most // 2, most))
    ]


@cache
def phone(seed: int) -> tuple[list[datetime], list[datetime]]:
    """Its photos of five years, with a journey of eight days in the third; and the sights of that."""
    random = Random(seed)
    sights = moments(random, JOURNEY, 8, 20)
    taken = [at for year in range(5) for at in moments(random, START + timedelta(days=365 * year + 30), 7, 20)]
    taken += [at for week in range(250) for at in moments(random, START + timedelta(weeks=week), 1, 4)]
    taken = [at for at in taken if abs(at - JOURNEY) > timedelta(days=12)]
    return sorted([*taken, *(at + timedelta(minutes=random.uniform(0, 3)) for at in sights for _ in range(3))]), sights


def minutes(times: list[datetime]) -> Minutes:
    return np.unique(np.array([(at - EPOCH) // MINUTE for at in times], np.int64))


def camera(seed: int, shift: timedelta, sights: list[datetime]) -> dict[str, Minutes]:
    """Two or three photos of most sights, by a clock that is wrong by this."""
    random = Random(seed)
    seen = [at for at in sights if random.random() < 0.85]
    times = [at + timedelta(minutes=random.uniform(0, 3)) - shift for at in seen for _ in range(random.randint(2, 3))]
    return {"Canon EOS 60D": minutes(times)}


def found(seed: int, shift: timedelta) -> list[WrongDate]:
    taken, sights = phone(seed)
    return wrong_dates(camera(seed, shift, sights), minutes(taken))


RESET = JOURNEY + timedelta(hours=9) - datetime(2010, 1, 1, 0, 12)
TURNED = JOURNEY - datetime(2020, 3, 7)  # 3 July taken for 7 March


@pytest.mark.parametrize("seed", range(5))
def test_a_clock_that_began_anew_at_a_new_year_is_found(seed: int) -> None:
    [wrong] = found(seed, RESET)
    assert abs(wrong.shift - RESET) <= timedelta(minutes=3)
    assert (wrong.camera, wrong.since.year) == ("Canon EOS 60D", 2010)
    assert 0.6 <= wrong.matched <= 1


@pytest.mark.parametrize("shift", [timedelta(days=366), timedelta(days=-365), TURNED, -TURNED])
def test_a_date_a_year_off_or_with_day_and_month_swapped_is_found_where_nobody_else_was(shift: timedelta) -> None:
    taken, sights = phone(1)
    quiet = [at for at in taken if not -12 <= (at - JOURNEY + shift) / timedelta(days=1) <= 20]
    [wrong] = wrong_dates(camera(1, shift, sights), minutes(quiet))
    assert abs(wrong.shift - shift) <= timedelta(minutes=3)


@pytest.mark.parametrize("seed", range(20))
def test_a_camera_that_was_elsewhere_proves_nothing(seed: int) -> None:
    taken, _ = phone(seed % 5)
    elsewhere = moments(Random(1000 + seed), datetime(2010, 1, 1), 8, 20)
    assert wrong_dates(camera(seed, timedelta(), elsewhere), minutes(taken)) == []


def test_a_few_moments_prove_nothing() -> None:
    taken, sights = phone(1)
    assert wrong_dates(camera(1, RESET, sights[:20]), minutes(taken)) == []


def test_a_camera_beside_which_others_were_taken_is_right() -> None:
    assert found(1, timedelta()) == []


def test_where_no_camera_knows_where_it_is_nothing_is_found() -> None:
    assert wrong_dates(camera(1, RESET, phone(1)[1]), minutes([])) == []
