"""Jobs of one user, one after another, on a real database."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from threading import Event
from typing import Any

import pytest
from uuid6 import uuid7

from momentarium_cli.backend.albums import Albums
from momentarium_cli.backend.lease import Lease
from momentarium_cli.backend.organize.local import LocalOrganizer
from momentarium_cli.errors import Conflict
from momentarium_cli.models import AlbumLevel
from tests.backend.bench import Bench, batch
from tests.backend.organize.test_clocks import journey

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


def test_photos_here_and_there_of_a_year_are_one_album_until_a_month_has_enough(bench: Bench, user: int) -> None:
    january, september = datetime(2024, 1, 2, 10), datetime(2024, 9, 20, 10)
    organize(bench, user, [january])
    organize(bench, user, [september])
    assert [(album["title"], album["photos"]) for album in albums(bench)] == [("Everyday, 2024", 2)]
    organize(bench, user, hours(january, 150, 300, 450, 600))
    assert [(album["title"], album["photos"]) for album in albums(bench)] == [
        ("Everyday, January 2024", 5),
        ("Everyday, September 2024", 1),
    ]


def regroup(bench: Bench, user: int, level: AlbumLevel) -> None:
    job = bench.jobs.claim(bench.jobs.regroup(user, level, uuid7())[0].id)
    assert job is not None
    Albums(bench.database, bench.jobs, lambda *_: LocalOrganizer()).organize(job, Lease(bench.jobs, job, Event()))


def test_regrouped_albums_are_trips_or_chapters_and_later_photos_keep_to_it(bench: Bench, user: int) -> None:
    days = hours(MAY, 0, 1, 2, 3, 4, 5, 24, 25, 26, 27, 28, 29)
    later = hours(MAY, 90, 91, 92, 93, 94)
    organize(bench, user, [*days, *later])
    before = [(album["title"], album["photos"]) for album in albums(bench)]
    assert [count for _, count in before] == [12, 5]
    regroup(bench, user, AlbumLevel.TRIPS)
    assert [(album["title"], album["photos"]) for album in albums(bench)] == [("1–5 May 2024", 17)]
    assert trips(bench) == []
    organize(bench, user, hours(MAY, 160, 161, 162, 163, 164))
    assert [album["photos"] for album in albums(bench)] == [22]
    regroup(bench, user, AlbumLevel.CHAPTERS)
    assert [album["photos"] for album in albums(bench)] == [6, 6, 5, 5]
    assert bench.galleries.tree(user).level is AlbumLevel.CHAPTERS
    bench.run("delete from images where taken_at >= %s", MAY + timedelta(hours=160))
    regroup(bench, user, AlbumLevel.ALBUMS)
    assert [(album["title"], album["photos"]) for album in albums(bench)] == before


def test_a_job_that_regroups_is_one_of_the_user_s_jobs_and_the_same_for_the_same_key(bench: Bench, user: int) -> None:
    key = uuid7()
    first, again = (bench.jobs.regroup(user, AlbumLevel.TRIPS, key) for _ in range(2))
    assert (first[0].id, first[1], again[1]) == (again[0].id, False, True)
    with pytest.raises(Conflict):
        bench.jobs.regroup(user, AlbumLevel.CHAPTERS, key)
    claimed = bench.jobs.claim(bench.accept(user).id)
    assert claimed is not None
    assert claimed.id == first[0].id, "jobs are taken in their order"


def test_photos_of_a_wrong_clock_are_shown_where_they_belong_and_say_what_they_said(bench: Bench, user: int) -> None:
    photos = journey(Random(1), together=True, wrong=timedelta(hours=24), days=2)
    phone = [one.taken_at for one in photos if one.latitude is not None and one.taken_at]
    camera = [one.taken_at for one in photos if one.latitude is None and one.taken_at]
    organize(bench, user, camera, camera="Canon EOS 60D")
    organize(bench, user, phone, camera="Pixel 8", latitude=38.7139, longitude=-9.1334)
    shown = bench.run("select camera, taken_at, clock_shift_seconds from images order by id")
    assert {(row["camera"], round(row["clock_shift_seconds"] / 3600)) for row in shown} == {
        ("Canon EOS 60D", 24),
        ("Pixel 8", 0),
    }
    assert sorted(row["taken_at"] for row in shown) == sorted([*phone, *camera])
    found = albums(bench)
    assert sum(album["photos"] for album in found) == len(photos)
    assert found[0]["starts_at"].date() == min(phone).date()


@pytest.mark.parametrize("order", [("camera", "phone"), ("phone", "camera"), ("half", "phone", "rest")])
def test_photos_of_a_camera_left_at_another_year_are_shown_where_they_belong(
    bench: Bench, user: int, order: tuple[str, ...]
) -> None:
    photos = journey(Random(1), together=True, wrong=timedelta(days=5239), days=4)
    phone = [one.taken_at for one in photos if one.latitude is not None and one.taken_at]
    camera = sorted(one.taken_at for one in photos if one.latitude is None and one.taken_at)
    parts = {"camera": camera, "half": camera[::2], "rest": camera[1::2]}
    for part in order:
        if part == "phone":
            organize(bench, user, phone, camera="Pixel 8", latitude=38.7139, longitude=-9.1334)
        else:
            organize(bench, user, parts[part], camera="Canon EOS 60D")
    found = albums(bench)
    assert sum(album["photos"] for album in found) == len(photos)
    assert {album["starts_at"].year for album in found} == {2024}
    days = bench.run(
        "select distinct round(date_shift_seconds / 86400.0)::int as days from images where camera <> 'Pixel 8'"
    )
    assert days == [{"days": 5239}]
    assert {row["taken_at"] for row in bench.run("select taken_at from images where camera <> 'Pixel 8'")} == {*camera}


def test_a_date_that_nothing_proves_any_more_is_again_what_the_camera_says(bench: Bench, user: int) -> None:
    photos = journey(Random(1), together=True, wrong=timedelta(days=5239), days=4)
    phone = [one.taken_at for one in photos if one.latitude is not None and one.taken_at]
    camera = [one.taken_at for one in photos if one.latitude is None and one.taken_at]
    organize(bench, user, phone, camera="Pixel 8", latitude=38.7139, longitude=-9.1334)
    organize(bench, user, camera, camera="Canon EOS 60D")
    bench.run("update images set deleted_at = now() where camera = 'Pixel 8'")
    organize(bench, user, hours(MAY + timedelta(days=300), 0, 1, 2, 3, 4))
    assert {album["starts_at"].year for album in albums(bench) if album["photos"] != len(phone)} <= {2010, 2024, 2025}
    assert bench.run("select 1 from images where date_shift_seconds <> 0 or clock_shift_seconds <> 0") == []
