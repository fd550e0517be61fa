import hashlib
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from momentarium_cli.backend.storage.base import original_key, preview_key
from momentarium_cli.errors import BadRequest, InsufficientStorage
from momentarium_cli.models import PreviewFile, UploadFile, UploadStatus
from tests.backend.bench import Bench


def described(data: bytes, preview: bytes | None = None, **changed: object) -> UploadFile:
    small = PreviewFile(size_bytes=len(preview), sha256=hashlib.sha256(preview).hexdigest()) if preview else None
    file = UploadFile(
        filename="a.jpg",
        content_type="image/jpeg",
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        preview=small,
    )
    return file.model_copy(update=changed)


def test_a_new_photo_gets_targets_for_itself_and_its_preview(bench: Bench) -> None:
    user = bench.user()
    file = described(b"photo", b"preview")
    [slot] = bench.uploads.issue(user, [file], uuid4()).files
    assert (slot.status, slot.storage_key, slot.image_id) == (
        UploadStatus.UPLOAD,
        original_key(user, file.sha256),
        None,
    )
    assert slot.original and original_key(user, file.sha256) in slot.original.url
    assert file.preview and slot.preview and preview_key(user, file.preview.sha256) in slot.preview.url


def test_slots_come_in_the_order_of_the_files_also_where_one_is_there_twice(bench: Bench) -> None:
    user = bench.user()
    files = [described(data) for data in (b"b", b"a", b"b", b"c")]
    slots = bench.uploads.issue(user, files, None).files
    assert [slot.storage_key for slot in slots] == [original_key(user, file.sha256) for file in files]


def test_what_lies_in_the_store_already_is_not_sent_again(bench: Bench) -> None:
    user = bench.user()
    bench.photo(user, b"photo")
    [slot] = bench.uploads.issue(user, [described(b"photo", b"preview")], None).files
    assert (slot.status, slot.original) == (UploadStatus.UPLOAD, None)
    assert slot.preview is not None


def test_a_photo_the_user_has_is_a_duplicate_and_may_be_in_the_bin(bench: Bench) -> None:
    user = bench.user()
    bench.accept(user, bench.photo(user, b"photo"))
    [image] = bench.run("select id from images")
    [slot] = bench.uploads.issue(user, [described(b"photo")], None).files
    assert (slot.status, slot.image_id, slot.original) == (UploadStatus.DUPLICATE, image["id"], None)
    bench.run("update images set deleted_at = now()")
    [slot] = bench.uploads.issue(user, [described(b"photo")], None).files
    assert (slot.status, slot.image_id) == (UploadStatus.IN_BIN, image["id"])


def test_another_s_photo_is_unknown(bench: Bench) -> None:
    bench.accept(owner := bench.user(), bench.photo(owner, b"photo"))
    [slot] = bench.uploads.issue(bench.user(), [described(b"photo")], None).files
    assert (slot.status, slot.image_id) == (UploadStatus.UPLOAD, None)
    assert slot.original is not None


def test_what_is_no_photo_is_refused_before_anything_is_issued(bench: Bench) -> None:
    user = bench.user()
    with pytest.raises(BadRequest, match="text/html") as caught:
        bench.uploads.issue(user, [described(b"a"), described(b"b", content_type="text/html")], None)
    assert caught.value.error_code == "unsupported_type"
    assert bench.run("select 1 from uploads") == []


def test_what_cannot_fit_is_told_before_the_first_byte(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    user = bench.user()
    monkeypatch.setattr(bench.storage, "free_bytes", lambda: (64 << 20) + 1000)
    assert bench.uploads.free_bytes() == 1000
    bench.uploads.issue(user, [described(b"x" * 990, b"y" * 10)], None)
    with pytest.raises(InsufficientStorage, match="to come"):
        bench.uploads.issue(user, [described(b"z" * 990, b"y" * 11)], None)
    bench.photo(user, b"p" * 900)
    bench.uploads.issue(user, [described(b"p" * 900), described(b"q" * 900)], None)  # one of them is there already
    monkeypatch.setattr(bench.storage, "free_bytes", lambda: 5)
    assert bench.uploads.free_bytes() == 0


def test_the_same_files_in_any_order_at_once_are_issued_to_all(bench: Bench) -> None:
    user = bench.user()
    files = [described(b"photo %d" % number) for number in range(300)]
    orders = [files, files[::-1]] * 6
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda order: bench.uploads.issue(user, order, None), orders))
    assert all(slot.original for answer in answers for slot in answer.files)
    assert len(bench.run("select 1 from uploads")) == 300
