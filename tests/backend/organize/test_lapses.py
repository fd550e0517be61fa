from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest

from momentarium_cli.backend.organize.base import Photo
from momentarium_cli.backend.organize.lapses import lapses
from momentarium_cli.backend.organize.local import LocalOrganizer
from momentarium_cli.models import AlbumKind, AlbumLevel
from tests.backend.organize.photos import LISBON, burst, photo
from tests.backend.organize.test_growth import Library

DUSK = datetime(2024, 5, 12, 18)


def timed(seconds: float, frames: int = 300, **more: object) -> list[Photo]:
    """Frames at a regular interval; the camera writes whole seconds."""
    random = Random(1)
    times = [DUSK + timedelta(seconds=seconds * frame + random.gauss(0, 0.05)) for frame in range(frames)]
    return [photo(at.replace(microsecond=0), LISBON, camera="GoPro", **more) for at in times]


@pytest.mark.parametrize("seconds", [1, 1.5, 2, 5, 30, 600])
def test_finds_frames_that_a_timer_took_even_if_a_few_are_missing(seconds: float) -> None:
    frames = timed(seconds)
    del frames[150:153]
    walk = burst("2024-05-12T15:00", 30, LISBON, camera="GoPro")
    phone = burst("2024-05-12T18:00", 30, LISBON, minutes=3, camera="Pixel 8")
    everything = sorted([*walk, *frames, *phone], key=lambda one: (one.taken_at, one.id))
    [found] = lapses(everything)
    assert [everything[index] for index in found] == frames


@pytest.mark.parametrize("pace", [1.0, 2.0, 10.0])
def test_no_hand_keeps_the_beat(pace: float) -> None:
    for seed in range(20):
        random, at, taken = Random(seed), DUSK, []
        for _ in range(150):
            at += timedelta(seconds=max(0.0, random.gauss(pace, pace / 2)))
            taken.append(photo(at.replace(microsecond=0)))
        assert lapses(taken) == []


def test_an_album_is_not_flooded_and_the_trip_holds_both() -> None:
    days = [*burst("2024-05-11T10:00", 20, LISBON), *burst("2024-05-12T10:00", 20, LISBON)]
    proposals = LocalOrganizer().organize([*days, *timed(5)], [])
    assert sorted((one.title, len(one.photo_ids)) for one in proposals) == [
        ("Time-lapse in Lisbon, 12 May 2024", 300),
        ("Weekend in Lisbon, 11–12 May 2024", 40),
    ]
    assert {one.trip for one in proposals} == {None}
    assert not any(one.chapter_ids for one in proposals if len(one.photo_ids) == 300)


def test_at_the_level_of_trips_a_time_lapse_is_still_an_album_of_its_own() -> None:
    days = [one for day in range(10, 16) for one in burst(f"2024-05-{day}T10:00", 20, LISBON)]
    proposals = LocalOrganizer().organize([*days, *timed(5)], [], (), AlbumLevel.TRIPS)
    assert sorted(len(one.photo_ids) for one in proposals) == [120, 300]


def test_a_time_lapse_grows_with_later_imports_and_joins_the_album_that_its_owner_named() -> None:
    frames, library = timed(5), Library()
    library.add(frames[:150])
    [key] = library.albums
    library.albums[key] = replace(library.albums[key], title="Clouds", edited=True)
    library.add([*frames[150:], *burst("2024-05-12T10:00", 6, LISBON)])
    assert {(album.title, len(album.photos)) for album in library.albums.values()} == {
        ("Clouds", 300),
        ("Lisbon, 12 May 2024", 6),
    }
    assert {album.kind for album in library.albums.values()} == {AlbumKind.EVENT}
