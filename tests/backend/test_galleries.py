from datetime import datetime, timedelta

import pytest

from momentarium_cli.backend.db import albums, images
from momentarium_cli.errors import BadRequest, NotFound
from tests.backend.bench import Bench

DAY = datetime(2024, 5, 12, 10)


def with_albums(bench: Bench, user: int, starts: list[datetime | None]) -> list[int]:
    with bench.database.transaction(user) as conn:
        values = {"job_id": None, "theme_description": None, "kind": "event", "place": None, "cover_id": None,
                  "organized_by": "test"}  # fmt: skip
        return [
            albums.add(conn, values | {"title": f"Album {number}", "starts_at": start, "ends_at": start})
            for number, start in enumerate(starts)
        ]


def test_pages_walk_all_albums_newest_first_and_those_without_dates_last(bench: Bench) -> None:
    user = bench.user()
    starts = [None, DAY, DAY + timedelta(days=1), DAY, None, datetime(1826, 1, 1), DAY + timedelta(microseconds=1)]
    made = with_albums(bench, user, starts)
    with_albums(bench, bench.user(), starts)
    expected = sorted(zip(starts, made, strict=True), key=lambda pair: (pair[0] or datetime.min, pair[1]), reverse=True)
    for limit in (1, 2, 3, 7, 200):
        seen, cursor = [], None
        while True:
            page = bench.galleries.gallery(user, cursor=cursor, limit=limit)
            assert len(page.albums) <= limit
            seen += [album.id for album in page.albums]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == [album_id for _, album_id in expected]


def test_pages_walk_the_tree_as_the_gallery_and_a_trip_stands_for_its_albums(bench: Bench) -> None:
    user = bench.user()
    starts = [DAY, None, DAY + timedelta(days=1), DAY + timedelta(days=2), DAY, datetime(1826, 1, 1)]
    made = with_albums(bench, user, starts)
    with_albums(bench, bench.user(), starts)
    trip = made[3]
    bench.run("update albums set kind = 'trip' where id = %s", trip)
    with bench.database.transaction(user) as conn:
        albums.into_trip(conn, [made[2], made[0]], trip)
    for limit in (1, 2, 3, 7, 200):
        seen, cursor = [], None
        while True:
            page = bench.galleries.tree(user, cursor=cursor, limit=limit)
            assert len(page.nodes) <= limit
            seen += [(node.id, [album.id for album in node.albums]) for node in page.nodes]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == [(made[4], []), (trip, [made[0], made[2]]), (made[5], []), (made[1], [])]


def test_the_tree_has_no_trip_and_no_chapter_whose_photos_are_all_in_the_bin(bench: Bench) -> None:
    user = bench.user()
    keys = [bench.photo(user) for _ in range(4)]
    bench.accept(user, *keys)
    trip, first, second = with_albums(bench, user, [DAY, DAY, DAY])
    bench.run("update albums set kind = 'trip' where id = %s", trip)
    with bench.database.transaction(user) as conn:
        ids = [row["id"] for row in images.unplaced(conn, keys)]
        albums.into_trip(conn, [first, second], trip)
        albums.place(conn, first, ids[:3])
        albums.arrange(conn, first, [], [ids[1]])
        albums.place(conn, second, ids[3:])

    def tree() -> list[tuple[int, int, list[tuple[int, list[int]]]]]:
        return [
            (node.id, node.photo_count, [(a.id, [c.photo_count for c in a.chapters]) for a in node.albums])
            for node in bench.galleries.tree(user).nodes
        ]

    assert tree() == [(trip, 4, [(first, [1, 2]), (second, [])])]
    bench.run("update images set deleted_at = now() where id = any(%s)", [ids[0], ids[3]])
    assert tree() == [(trip, 2, [(first, [2])])]
    bench.run("update images set deleted_at = now()")
    assert tree() == []


def test_pages_walk_all_photos_of_an_album_in_its_order(bench: Bench) -> None:
    user = bench.user()
    keys = [bench.photo(user) for _ in range(7)]
    bench.accept(user, *keys)
    [album_id] = with_albums(bench, user, [DAY])
    with bench.database.transaction(user) as conn:
        ids = [row["id"] for row in images.unplaced(conn, keys)][::-1]
        albums.place(conn, album_id, ids)
    for limit in (1, 3, 7, 50):
        seen, cursor = [], None
        while True:
            page = bench.galleries.album(user, album_id, cursor=cursor, limit=limit)
            assert page.album.photo_count == 7
            seen += [photo.id for photo in page.photos]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == ids


def test_a_photo_in_the_bin_is_not_shown(bench: Bench) -> None:
    user = bench.user()
    keys = [bench.photo(user) for _ in range(2)]
    bench.accept(user, *keys)
    [album_id] = with_albums(bench, user, [DAY])
    with bench.database.transaction(user) as conn:
        albums.place(conn, album_id, [row["id"] for row in images.unplaced(conn, keys)])
    bench.run("update images set deleted_at = now() where storage_key = %s", keys[0])
    page = bench.galleries.album(user, album_id)
    assert (page.album.photo_count, len(page.photos)) == (1, 1)
    assert bench.galleries.gallery(user).albums[0].photo_count == 1


def test_another_s_album_is_not_there(bench: Bench) -> None:
    [album_id] = with_albums(bench, bench.user(), [DAY])
    user = bench.user()
    for number in (album_id, 0, -1, 10**30):
        with pytest.raises(NotFound):
            bench.galleries.album(user, number)


def test_a_cursor_is_good_for_what_it_was_given_for(bench: Bench) -> None:
    user = bench.user()
    first, *_ = with_albums(bench, user, [DAY, DAY])
    cursor = bench.galleries.gallery(user, limit=1).next_cursor
    assert cursor
    payload, signature = cursor.split(".")
    for forged in ("x", ".", f"{payload}.", f"{payload}x.{signature}", f"{payload}.{signature[:-1]}", f".{signature}",
                   "é.ü", payload, "a" * 5000):  # fmt: skip
        with pytest.raises(BadRequest, match="cursor"):
            bench.galleries.gallery(user, cursor=forged)
    with pytest.raises(BadRequest, match="cursor"):
        bench.galleries.tree(user, cursor=cursor)
    with pytest.raises(BadRequest):
        bench.galleries.album(user, first, cursor=cursor)


def test_a_trip_shows_its_albums_and_their_photos_one_album_after_another(bench: Bench) -> None:
    user = bench.user()
    keys = [bench.photo(user) for _ in range(5)]
    bench.accept(user, *keys)
    trip, later, sooner = with_albums(bench, user, [DAY, DAY + timedelta(days=1), DAY])
    bench.run("update albums set kind = 'trip' where id = %s", trip)
    with bench.database.transaction(user) as conn:
        ids = [row["id"] for row in images.unplaced(conn, keys)]
        albums.into_trip(conn, [later, sooner], trip)
        albums.place(conn, later, ids[:3])
        albums.place(conn, sooner, ids[3:])
    for limit in (1, 2, 3, 5):
        seen, cursor = [], None
        while True:
            page = bench.galleries.album(user, trip, cursor=cursor, limit=limit)
            seen += [photo.id for photo in page.photos]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == [*ids[3:], *ids[:3]]
    assert (page.album.photo_count, [node.id for node in page.album.albums]) == (5, [sooner, later])
    assert bench.galleries.album(user, sooner).album.albums == []
