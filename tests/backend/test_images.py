"""Photos into the bin, and deleted for good; what albums show then."""

from datetime import datetime, timedelta
from threading import Event

import pytest

from momentarium_cli.backend.albums import Albums
from momentarium_cli.backend.db import albums
from momentarium_cli.backend.lease import Lease
from momentarium_cli.backend.organize.local import LocalOrganizer
from momentarium_cli.errors import NotFound, StorageUnavailable
from momentarium_cli.models import UploadStatus
from tests.backend.bench import Bench, batch, on_every_store
from tests.backend.test_housekeeping import described, old, photo, stored, upload

pytestmark = on_every_store

DAY = datetime(2024, 5, 12, 10)


@pytest.fixture
def user(bench: Bench) -> int:
    return bench.user()


def album(bench: Bench, user: int, *image_ids: int, owned: bool = False) -> int:
    """An album of these photos, the first of which is its cover."""
    values = {"job_id": None, "theme_description": None, "kind": "event", "place": None, "cover_id": image_ids[0],
              "organized_by": "test", "title": "Album", "starts_at": DAY, "ends_at": DAY}  # fmt: skip
    with bench.database.transaction(user) as conn:
        album_id = albums.add(conn, values)
        albums.place(conn, album_id, image_ids)
    if owned:
        bench.run("update albums set title_source = 'owner' where id = %s", album_id)
    return album_id


def photos(bench: Bench, user: int, count: int) -> list[int]:
    return [photo(bench, user, b"photo %d" % n, b"preview %d" % n, b"thumb %d" % n) for n in range(count)]


def listed(bench: Bench, user: int) -> dict[int, int]:
    """The albums in the gallery, with how many photos they show."""
    return {album.id: album.photo_count for album in bench.galleries.gallery(user).albums}


class TestBin:
    def test_the_objects_stay_and_uploading_it_again_brings_it_back(self, bench: Bench, user: int) -> None:
        [image_id] = photos(bench, user, 1)
        before = stored(bench)
        bench.images.put_into_bin(user, image_id)
        bench.images.put_into_bin(user, image_id)
        assert stored(bench) == before
        [slot] = bench.uploads.issue(user, [described(b"photo 0")], None).files
        assert (slot.status, slot.image_id) == (UploadStatus.IN_BIN, image_id)
        bench.accept(user, slot.storage_key)
        assert bench.run("select id from images where deleted_at is null") == [{"id": image_id}]

    def test_albums_show_it_neither_in_counts_nor_as_cover(self, bench: Bench, user: int) -> None:
        ids = photos(bench, user, 3)
        shown = album(bench, user, *ids)
        cover = bench.galleries.gallery(user).albums[0].cover_url
        bench.images.put_into_bin(user, ids[0])
        assert listed(bench, user) == {shown: 2}
        [first] = bench.galleries.gallery(user).albums
        page = bench.galleries.album(user, shown)
        assert first.cover_url == page.album.cover_url == page.photos[0].thumb_url != cover
        assert [item.id for item in page.photos] == ids[1:]

    def test_an_album_whose_photos_are_all_in_the_bin_is_not_listed_until_one_comes_back(
        self, bench: Bench, user: int
    ) -> None:
        ids = photos(bench, user, 2)
        hidden = album(bench, user, *ids)
        for image_id in ids:
            bench.images.put_into_bin(user, image_id)
        assert listed(bench, user) == {}
        bench.run("update images set deleted_at = null where id = %s", ids[1])
        assert listed(bench, user) == {hidden: 1}

    def test_an_album_in_the_bin_can_be_continued(self, bench: Bench, user: int) -> None:
        def organize(names: range) -> None:
            keys = [bench.photo(user, b"event %d" % name) for name in names]
            request = batch(keys, times=[DAY + timedelta(minutes=name) for name in names])
            job = bench.jobs.claim(bench.accept_request(user, request).id)
            assert job is not None
            Albums(bench.database, bench.jobs, lambda *_: LocalOrganizer()).organize(
                job, Lease(bench.jobs, job, Event())
            )

        organize(range(10))
        for row in bench.run("select id from images"):
            bench.images.put_into_bin(user, row["id"])
        organize(range(10, 20))
        assert list(listed(bench, user).values()) == [10]


class TestForGood:
    def test_rows_and_objects_are_gone_and_it_can_be_uploaded_as_new(self, bench: Bench, user: int) -> None:
        first, second = photos(bench, user, 2)
        both = stored(bench)
        bench.images.delete_for_good(user, first)
        assert len(both) == 6 and len(stored(bench)) == 3
        assert [row["id"] for row in bench.run("select id from images")] == [second]
        assert len(bench.run("select 1 from uploads")) == 1
        [slot] = bench.uploads.issue(user, [described(b"photo 0")], None).files
        assert (slot.status, slot.image_id) == (UploadStatus.UPLOAD, None) and slot.original is not None

    def test_also_from_the_bin(self, bench: Bench, user: int) -> None:
        [image_id] = photos(bench, user, 1)
        bench.images.put_into_bin(user, image_id)
        bench.images.delete_for_good(user, image_id)
        assert stored(bench) == set() and bench.run("select 1 from uploads") == []

    def test_what_another_photo_has_too_stays(self, bench: Bench, user: int) -> None:
        first = photo(bench, user, b"a copy")
        second = photo(bench, user, b"another copy")
        bench.images.delete_for_good(user, first)
        assert len(stored(bench)) == 3
        bench.images.delete_for_good(user, second)
        assert stored(bench) == set()

    def test_what_an_upload_under_way_has_too_stays(self, bench: Bench, user: int) -> None:
        image_id = photo(bench, user, b"a copy")
        key, small = upload(bench, user, b"another copy")
        bench.images.delete_for_good(user, image_id)
        assert stored(bench) == {key, small}

    def test_an_album_without_photos_goes_unless_its_owner_named_it(self, bench: Bench, user: int) -> None:
        first, second, third = photos(bench, user, 3)
        album(bench, user, first)
        shared = album(bench, user, second)
        bench.run("delete from album_images where album_id = %s", shared)
        bench.run("delete from albums where id = %s", shared)
        kept, owned = album(bench, user, second), album(bench, user, third, owned=True)
        for image_id in (first, third):
            bench.images.delete_for_good(user, image_id)
        assert listed(bench, user) == {kept: 1, owned: 0}

    def test_several_go_at_once_with_the_albums_that_held_nothing_else(self, bench: Bench, user: int) -> None:
        first, second, third = photos(bench, user, 3)
        album(bench, user, first, second)
        kept = album(bench, user, third)
        with bench.images.deleting(user, [second, first, 0]) as (_, doomed):
            assert len(doomed) == 2
        assert listed(bench, user) == {kept: 1}
        assert [row["id"] for row in bench.run("select id from images")] == [third] and len(stored(bench)) == 3

    def test_where_what_is_done_with_it_fails_they_stay(self, bench: Bench, user: int) -> None:
        ids, before = photos(bench, user, 2), stored(bench)
        with pytest.raises(NotFound), bench.images.deleting(user, ids):
            raise NotFound("There is no such job.")
        assert len(bench.run("select 1 from uploads where state = 'registered'")) == 2
        assert len(bench.run("select 1 from images")) == 2 and stored(bench) == before

    def test_an_album_loses_its_cover_to_the_next_photo(self, bench: Bench, user: int) -> None:
        ids = photos(bench, user, 2)
        kept = album(bench, user, *ids)
        bench.images.delete_for_good(user, ids[0])
        [shown] = bench.galleries.gallery(user).albums
        assert (shown.id, shown.photo_count) == (kept, 1)
        assert shown.cover_url == bench.galleries.album(user, kept).photos[0].thumb_url

    def test_where_the_store_is_away_a_later_sweep_deletes_the_objects(
        self, bench: Bench, user: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        [image_id] = photos(bench, user, 1)
        with monkeypatch.context() as away:

            def fail(keys: object) -> None:
                raise StorageUnavailable("The store was away.")

            away.setattr(bench.storage, "delete", fail)
            bench.images.delete_for_good(user, image_id)
        assert bench.run("select 1 from images") == [] and len(stored(bench)) == 3
        bench.run("update uploads set deleting_since = deleting_since - interval '21 minutes'")
        old(bench)
        assert len(list(bench.housekeeping.sweep())) == 1
        assert stored(bench) == set()


@pytest.mark.parametrize("for_good", [False, True])
def test_galleries_change_with_it(bench: Bench, user: int, for_good: bool) -> None:
    [image_id] = photos(bench, user, 1)
    before = bench.galleries.version(user)
    delete = bench.images.delete_for_good if for_good else bench.images.put_into_bin
    delete(user, image_id)
    assert bench.galleries.version(user) > before


@pytest.mark.parametrize("for_good", [False, True])
def test_what_is_not_there_or_another_s_is_not_found(bench: Bench, user: int, for_good: bool) -> None:
    [image_id] = photos(bench, bench.user(), 1)
    delete = bench.images.delete_for_good if for_good else bench.images.put_into_bin
    before = stored(bench)
    for number in (image_id, 0, -1, 10**30):
        with pytest.raises(NotFound):
            delete(user, number)
    assert stored(bench) == before and len(bench.run("select 1 from images where deleted_at is null")) == 1
