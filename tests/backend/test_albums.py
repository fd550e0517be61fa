"""Jobs of one user, one after another, on a real database."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import pytest

from momentarium_cli.backend.albums import Albums
from momentarium_cli.backend.lease import Lease
from momentarium_cli.backend.organize.local import LocalOrganizer
from tests.backend.bench import Bench, batch

MAY = datetime(2024, 5, 1, 10)


@pytest.fixture
def user(bench: Bench) -> int:
    return bench.user()


def organize(bench: Bench, user: int, times: Sequence[datetime], **more: Any) -> None:
    keys = [bench.photo(user) for _ in times]
    job = bench.jobs.claim(bench.accept_request(user, batch(keys, times=times, **more)).id)
    assert job is not None
    Albums(bench.database, bench.jobs, lambda *_: LocalOrganizer()).organize(job, Lease(bench.jobs, job, Event()))


def hours(first: datetime, *offsets: float) -> list[datetime]:
    return [first + timedelta(hours=offset) for offset in offsets]


def albums(bench: Bench) -> list[dict[str, Any]]:
    """Those with photos, oldest first."""
    return bench.run(
        "select a.id, a.title, a.version, a.starts_at, a.ends_at, a.parent_id, count(*) as photos"
        "  from albums a join album_images x on x.album_id = a.id group by a.id order by a.starts_at, a.id"
    )


def trips(bench: Bench) -> list[dict[str, Any]]:
    return bench.run("select id, title, starts_at, ends_at from albums where kind = 'trip' order by id")


def test_a_photo_that_bridges_two_events_makes_them_one_album(bench: Bench, user: int) -> None:
    organize(bench, user, hours(MAY, 0, 1, 2, 3, 4, 5))
    organize(bench, user, hours(MAY, 72, 73, 74, 75, 76))
    first, second = albums(bench)
    assert first["parent_id"] == second["parent_id"] == trips(bench)[0]["id"]
    organize(bench, user, hours(MAY, 40))
    [whole] = albums(bench)
    assert (whole["id"], whole["photos"], whole["starts_at"]) == (first["id"], 12, MAY)
    assert whole["ends_at"] == MAY + timedelta(hours=76)
    assert trips(bench) == []


def test_everyday_photos_become_the_event_that_later_ones_make_of_them(bench: Bench, user: int) -> None:
    organize(bench, user, hours(MAY, 0, 1))
    assert [album["title"] for album in albums(bench)] == ["Everyday, May 2024"]
    organize(bench, user, hours(MAY, 2, 3, 4))
    assert [(album["title"], album["photos"]) for album in albums(bench)] == [("1 May 2024", 5)]


def test_an_album_that_a_job_does_not_change_stays_as_it_is(bench: Bench, user: int) -> None:
    organize(bench, user, hours(MAY, 0, 1, 2, 3, 4))
    before = albums(bench)
    organize(bench, user, hours(MAY, 60, 61, 62, 63, 64))
    assert albums(bench)[0] | {"parent_id": None} == before[0]


def test_what_an_owner_named_is_neither_taken_apart_nor_merged(bench: Bench, user: int) -> None:
    organize(bench, user, hours(MAY, 0, 1, 2, 3, 4))
    organize(bench, user, hours(MAY, 72, 73, 74, 75, 76))
    bench.run("update albums set title = 'Ours', title_source = 'owner' where kind = 'event'")
    organize(bench, user, hours(MAY, 40))
    assert sorted(album["photos"] for album in albums(bench)) == [5, 6]
    assert {album["title"] for album in albums(bench)} == {"Ours"}


def test_a_trip_spans_its_albums_and_grows_with_them(bench: Bench, user: int) -> None:
    organize(bench, user, hours(MAY, 0, 1, 2, 3, 4))
    organize(bench, user, hours(MAY, 72, 73, 74, 75, 76))
    [before] = trips(bench)
    organize(bench, user, hours(MAY, 150, 151, 152, 153, 154))
    [after] = trips(bench)
    assert (after["id"], after["starts_at"]) == (before["id"], MAY)
    assert after["ends_at"] == MAY + timedelta(hours=154)
    assert {album["parent_id"] for album in albums(bench)} == {after["id"]}


def test_a_trip_is_no_album_of_the_gallery(bench: Bench, user: int) -> None:
    organize(bench, user, [*hours(MAY, 0, 1, 2, 3, 4), *hours(MAY, 72, 73, 74, 75, 76)])
    assert len(bench.galleries.gallery(user).albums) == 2


def test_chapters_are_kept_with_the_photos_that_begin_them(bench: Bench, user: int) -> None:
    organize(bench, user, hours(MAY, *range(6), *range(24, 30)))
    begins = bench.run("select display_order from album_images where begins_chapter")
    assert [row["display_order"] for row in begins] == [7]
    organize(bench, user, hours(MAY, 14))
    assert bench.run("select display_order from album_images where begins_chapter") == []


def test_homes_found_later_turn_the_photos_of_everyday_life_back_into_it(bench: Bench, user: int) -> None:
    weekly = [MAY + timedelta(weeks=number, minutes=minute) for number in range(12) for minute in range(6)]
    organize(bench, user, weekly[:60], latitude=38.71, longitude=-9.13)
    assert len(albums(bench)) == 10
    organize(bench, user, weekly[60:], latitude=38.71, longitude=-9.13)
    assert [album["title"] for album in albums(bench)] == [
        "Everyday, May 2024",
        "Everyday, June 2024",
        "Everyday, July 2024",
    ]
    assert sum(album["photos"] for album in albums(bench)) == 72
