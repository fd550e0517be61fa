"""What is missing in the store, and what nobody knows there."""

import pytest

from momentarium_cli.backend.inventory import Compared, Inventory, Missing, Orphan
from momentarium_cli.backend.storage.base import original_key, thumb_key
from momentarium_cli.photos.checksum import sha256_bytes
from tests.backend.bench import Bench
from tests.backend.test_housekeeping import photo, stored, upload


@pytest.fixture
def user(bench: Bench) -> int:
    return bench.user()


def checked(bench: Bench) -> tuple[list[Orphan | Missing], dict[str, tuple[int, int]]]:
    """What is wrong, and for each kind how many objects there are and how many are expected."""
    events = list(Inventory(bench.database, bench.storage).check())
    wrong = [event for event in events if not isinstance(event, Compared)]
    return wrong, {event.kind: (event.objects, event.expected) for event in events if isinstance(event, Compared)}


def test_nothing_is_wrong_with_photos_and_uploads_under_way(bench: Bench, user: int) -> None:
    photo(bench, user, b"photo")
    bench.issue(user, b"not sent yet", b"not sent either")
    upload(bench, user, b"sent", b"sent too")
    bench.accept(user, bench.photo(user, b"without a preview"))
    assert checked(bench) == ([], {"originals": (3, 2), "previews": (2, 1), "thumbs": (1, 1)})


def test_an_empty_library_is_clean(bench: Bench) -> None:
    assert checked(bench) == ([], {"originals": (0, 0), "previews": (0, 0), "thumbs": (0, 0)})


def test_what_rows_refer_to_and_is_not_there_is_missing(bench: Bench, user: int) -> None:
    photo(bench, user, b"photo")
    for key in stored(bench):
        bench.storage.path(key).unlink()
    wrong, _ = checked(bench)
    assert {type(item) for item in wrong} == {Missing}
    assert [item.kind for item in wrong] == ["originals", "previews", "thumbs"]
    assert (wrong[0].storage_key, wrong[0].size_bytes) == (original_key(user, sha256_bytes(b"photo")), 5)
    assert isinstance(wrong[0], Missing) and wrong[0].filename == "0.jpg"


def test_an_object_that_no_row_knows_is_an_orphan(bench: Bench, user: int) -> None:
    photo(bench, user, b"photo")
    keys = [original_key(user, sha256_bytes(b"stranger")), thumb_key(999, sha256_bytes(b"stranger"))]
    for key in keys:
        bench.storage.put(key, b"stranger", content_type="image/jpeg")
    wrong, _ = checked(bench)
    assert wrong == [Orphan("originals", keys[0], 8), Orphan("thumbs", keys[1], 8)]


def test_what_waits_to_be_deleted_is_no_orphan(bench: Bench, user: int) -> None:
    photo(bench, user, b"photo")
    bench.run("update images set preview_key = null, thumb_key = null")
    bench.run("update uploads set preview_key = null")
    for key in stored(bench):
        if key.endswith(".jpg"):
            bench.run("insert into discarded (storage_key, user_id) values (%s, %s)", key, user)
    assert checked(bench)[0] == []


def test_a_photo_that_is_deleted_meanwhile_is_not_missing(
    bench: Bench, user: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_id = photo(bench, user, b"photo")
    list_keys = bench.storage.list

    def deleted_first(prefix: str) -> object:
        if prefix == "originals/":
            bench.images.delete_for_good(user, image_id)
        return list_keys(prefix)

    monkeypatch.setattr(bench.storage, "list", deleted_first)
    assert checked(bench)[0] == []
