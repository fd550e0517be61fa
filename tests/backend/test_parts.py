"""Originals that come in parts, on a disk and in a bucket: issued, sent, made one, and proven by the worker."""

import random
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from momentarium_cli.backend.db.images import Row
from momentarium_cli.backend.db.jobs import Job
from momentarium_cli.backend.lease import Lease
from momentarium_cli.backend.storage.base import original_key
from momentarium_cli.backend.storage.local import LocalStorage
from momentarium_cli.backend.verifying import Verifying
from momentarium_cli.errors import BadRequest, InsufficientStorage, NotAsDescribed, NotFound, Temporary
from momentarium_cli.models import FileParts, JobState, SignedPart, UploadFile, UploadSlot
from momentarium_cli.photos.checksum import sha256_bytes
from tests.backend.bench import Bench, on_every_store

pytestmark = on_every_store

PART = 5 << 20
DATA = random.Random(3).randbytes(2 * PART + 1000)


@pytest.fixture
def user(bench: Bench) -> int:
    return bench.user()


def described(data: bytes = DATA, part_bytes: int = PART) -> UploadFile:
    cut = FileParts(
        part_bytes=part_bytes, sha256s=[sha256_bytes(data[i : i + part_bytes]) for i in range(0, len(data), part_bytes)]
    )
    return UploadFile(
        filename="a.tif", content_type="image/tiff", size_bytes=len(data), sha256=sha256_bytes(data), parts=cut
    )


def issued(bench: Bench, user: int, file: UploadFile) -> UploadSlot:
    [slot] = bench.uploads.issue(user, [file], None).files
    return slot


def begun(bench: Bench, user: int, file: UploadFile) -> list[SignedPart]:
    slot = issued(bench, user, file)
    assert slot.original is None and slot.parts is not None
    return slot.parts


def send(bench: Bench, part: SignedPart, data: bytes = DATA, part_bytes: int = PART) -> None:
    """As a client does; the disk's requests come to its server, of which this is the part that matters."""
    body = data[(part.number - 1) * part_bytes : part.number * part_bytes]
    url, headers = part.request.url, part.request.headers
    if not isinstance(bench.storage, LocalStorage):
        httpx.put(url, content=body, headers=headers).raise_for_status()
        return
    query = dict(parse_qsl(urlsplit(url).query))
    key = urlsplit(url).path.removeprefix("/files/")
    incoming = bench.storage.receive_part(query["upload"], bench.storage.check_part(key, query, headers))
    incoming.write([body])
    incoming.commit()


def uploaded(bench: Bench, user: int, data: bytes = DATA) -> str:
    file = described(data)
    for part in begun(bench, user, file):
        send(bench, part, data)
    key = original_key(user, file.sha256)
    bench.uploads.complete(user, key)
    return key


def numbers(parts: list[SignedPart] | None) -> list[int]:
    assert parts is not None
    return [part.number for part in parts]


def upload_row(bench: Bench) -> dict[str, Any]:
    [row] = bench.run("select * from uploads")
    return row


class TestSending:
    def test_each_part_has_a_request_and_they_become_the_object(self, bench: Bench, user: int) -> None:
        key = uploaded(bench, user)
        with bench.storage.open(key) as file:
            assert file.read() == DATA
        assert upload_row(bench)["parts"] is None

    def test_only_those_that_are_missing_are_asked_for(self, bench: Bench, user: int) -> None:
        file = described()
        parts = begun(bench, user, file)
        assert numbers(parts) == [1, 2, 3]
        send(bench, parts[1])
        left = begun(bench, user, file)
        assert numbers(left) == [1, 3]
        for part in left:
            send(bench, part)
        assert begun(bench, user, file) == []
        bench.uploads.complete(user, original_key(user, file.sha256))

    def test_what_became_an_object_is_not_sent_again(self, bench: Bench, user: int) -> None:
        uploaded(bench, user)
        slot = issued(bench, user, described())
        assert (slot.original, slot.parts) == (None, None)

    def test_another_cut_begins_anew_and_the_first_is_forgotten(self, bench: Bench, user: int) -> None:
        first = begun(bench, user, described())
        send(bench, first[0])
        before = upload_row(bench)["parts"]["upload_id"]
        assert numbers(begun(bench, user, described(part_bytes=2 * PART))) == [1, 2]
        assert upload_row(bench)["parts"]["upload_id"] != before
        with pytest.raises(NotFound):
            bench.storage.stored_parts(original_key(user, sha256_bytes(DATA)), before)

    def test_where_the_store_forgot_the_upload_it_begins_anew(self, bench: Bench, user: int) -> None:
        send(bench, begun(bench, user, described())[0])
        row = upload_row(bench)
        bench.storage.abort_parts(row["storage_key"], row["parts"]["upload_id"])
        assert numbers(begun(bench, user, described())) == [1, 2, 3]

    def test_the_same_file_twice_in_a_request_is_begun_once(self, bench: Bench, user: int) -> None:
        one, two = bench.uploads.issue(user, [described(), described()], None).files
        assert one == two
        assert numbers(one.parts) == [1, 2, 3]

    def test_of_two_clients_that_begin_at_once_one_waits_and_then_shares(
        self, bench: Bench, user: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        both, begin = Barrier(2), bench.storage.begin_parts

        def at_once(*arguments: Any, **more: Any) -> str:
            upload_id: str = begin(*arguments, **more)
            both.wait(10)
            return upload_id

        with monkeypatch.context() as patch, ThreadPoolExecutor(2) as threads:
            patch.setattr(bench.storage, "begin_parts", at_once)
            futures = [threads.submit(issued, bench, user, described()) for _ in range(2)]
            errors = [future.exception(20) for future in futures]
        assert [type(error) for error in errors if error] == [Temporary]
        assert numbers(begun(bench, user, described())) == [1, 2, 3]

    def test_a_disk_needs_room_for_the_parts_and_for_what_is_made_of_them(
        self, bench: Bench, user: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        part = begun(bench, user, described())[0]
        monkeypatch.setattr(bench.storage, "free_bytes", lambda: (64 << 20) + 2 * len(DATA) - PART)
        with pytest.raises(InsufficientStorage):
            begun(bench, user, described())
        send(bench, part)
        assert numbers(begun(bench, user, described())) == [2, 3]


class TestCompleting:
    def test_the_same_again_is_no_error(self, bench: Bench, user: int) -> None:
        bench.uploads.complete(user, uploaded(bench, user))

    def test_an_answer_that_was_lost_on_the_way_out_of_the_store_does_no_harm(self, bench: Bench, user: int) -> None:
        key = uploaded(bench, user)
        bench.run("update uploads set parts = %s", '{"upload_id": "%s", "part_bytes": 1, "sha256s": []}' % ("0" * 32))
        bench.uploads.complete(user, key)
        assert upload_row(bench)["parts"] is None

    def test_before_all_parts_are_there_it_is_refused_and_can_go_on(self, bench: Bench, user: int) -> None:
        parts = begun(bench, user, described())
        for part in parts[:2]:
            send(bench, part)
        key = original_key(user, sha256_bytes(DATA))
        with pytest.raises(NotAsDescribed):
            bench.uploads.complete(user, key)
        assert bench.storage.head(key) is None
        send(bench, parts[2])
        bench.uploads.complete(user, key)

    def test_what_was_not_issued_to_this_user_is_not_there(self, bench: Bench, user: int) -> None:
        begun(bench, user, described())
        with pytest.raises(NotFound):
            bench.uploads.complete(bench.user(), original_key(user, sha256_bytes(DATA)))

    @pytest.mark.parametrize("key", ["nonsense", "originals/1/\x00", "../secrets.json"])
    def test_what_is_no_key_is_refused(self, bench: Bench, user: int, key: str) -> None:
        with pytest.raises(BadRequest):
            bench.uploads.complete(user, key)

    def test_what_does_not_come_in_parts_is_refused_until_it_is_stored(self, bench: Bench, user: int) -> None:
        key = bench.issue(user, b"photo")
        with pytest.raises(NotAsDescribed, match="not begun in parts"):
            bench.uploads.complete(user, key)
        bench.storage.put(key, b"photo", content_type="image/jpeg")
        bench.uploads.complete(user, key)

    def test_where_the_store_forgot_the_upload_the_file_is_to_be_sent_again(self, bench: Bench, user: int) -> None:
        begun(bench, user, described())
        row = upload_row(bench)
        bench.storage.abort_parts(row["storage_key"], row["parts"]["upload_id"])
        with pytest.raises(NotAsDescribed, match="no longer there"):
            bench.uploads.complete(user, row["storage_key"])

    def test_whoever_asks_again_while_it_is_being_done_waits(
        self, bench: Bench, user: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for part in begun(bench, user, described()):
            send(bench, part)
        key, under_way, go_on = original_key(user, sha256_bytes(DATA)), Event(), Event()
        complete = bench.storage.complete_parts

        def slowly(*arguments: Any, **more: Any) -> None:
            under_way.set()
            assert go_on.wait(10)
            complete(*arguments, **more)

        monkeypatch.setattr(bench.storage, "complete_parts", slowly)
        with ThreadPoolExecutor(1) as threads:
            first = threads.submit(bench.uploads.complete, user, key)
            assert under_way.wait(10)
            with pytest.raises(Temporary, match="put together"):
                bench.uploads.complete(user, key)
            go_on.set()
            first.result(20)
        bench.uploads.complete(user, key)

    def test_parts_of_another_whole_never_become_a_photo(self, bench: Bench, user: int) -> None:
        """A client that lies: its parts have their checksums, and are not those of the file it named."""
        other = random.Random(4).randbytes(len(DATA))
        lying = described().model_copy(update={"parts": described(other).parts})
        for part in begun(bench, user, lying):
            send(bench, part, other)
        key = original_key(user, lying.sha256)
        if isinstance(bench.storage, LocalStorage):
            with pytest.raises(NotAsDescribed):
                bench.uploads.complete(user, key)
            assert bench.storage.head(key) is None
            return
        bench.uploads.complete(user, key)
        with pytest.raises(NotAsDescribed, match=r"0\.jpg is not what was uploaded"):
            prove(bench, user, key)
        assert bench.storage.head(key) is None
        assert bench.run("select 1 from images") == []
        assert bench.run("select 1 from uploads") == []


def prove(bench: Bench, user: int, *keys: str) -> None:
    prove_those_of(bench, claimed(bench, user, *keys))


def claimed(bench: Bench, user: int, *keys: str) -> Job:
    job = bench.jobs.claim(bench.accept(user, *keys).id)
    assert job is not None
    return job


def prove_those_of(bench: Bench, job: Job) -> None:
    Verifying(bench.database, bench.storage, bench.jobs, bench.images).prove(job, Lease(bench.jobs, job, Event()))


def verified(bench: Bench) -> list[bool]:
    return [row["verified"] for row in bench.run("select verified from images order by id")]


class TestProving:
    def test_what_came_in_parts_is_read_once_and_then_known(self, bench: Bench, user: int) -> None:
        prove(bench, user, uploaded(bench, user), bench.photo(user))
        assert verified(bench) == [True, True]

    def test_a_photo_is_unproven_only_where_the_store_cannot_tell(self, bench: Bench, user: int) -> None:
        bench.accept(user, uploaded(bench, user), bench.photo(user))
        on_a_disk = isinstance(bench.storage, LocalStorage)  # which hashes what it puts together
        assert verified(bench) == [on_a_disk, True]

    def test_one_that_is_gone_is_told_and_the_others_are_proven(self, bench: Bench, user: int) -> None:
        keys, job = self.damaged(bench, user)
        with pytest.raises(NotAsDescribed):
            prove_those_of(bench, job)
        assert bench.run("select storage_key, verified from images") == [{"storage_key": keys[1], "verified": True}]
        status = bench.jobs.status(user, job.id)
        assert (status.status, status.error_code) == (JobState.FAILED, "not_as_described")
        assert status.damaged == [keys[0]]

    def test_it_is_told_ever_after(self, bench: Bench, user: int) -> None:
        keys, job = self.damaged(bench, user)
        with pytest.raises(NotAsDescribed):
            prove_those_of(bench, job)
        assert [status.damaged for status in bench.jobs.of_import(user, job.import_id)] == [[keys[0]]]
        assert bench.jobs.retry(user, job.id).damaged == bench.jobs.status(user, job.id).damaged == [keys[0]]
        assert bench.jobs.cancel(user, job.id).damaged == [keys[0]]

    def test_one_that_its_owner_deleted_meanwhile_is_not_to_be_uploaded_again(
        self, bench: Bench, user: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, job = self.damaged(bench, user)
        is_whole = Verifying._is_whole

        def deleted(self: Verifying, row: Row, lease: Lease) -> bool:
            whole = is_whole(self, row, lease)
            if not whole:
                bench.images.delete_for_good(user, row["id"])
            return whole

        monkeypatch.setattr(Verifying, "_is_whole", deleted)
        with pytest.raises(NotAsDescribed):
            prove_those_of(bench, job)
        status = bench.jobs.status(user, job.id)
        assert (status.status, status.damaged) == (JobState.FAILED, [])

    def damaged(self, bench: Bench, user: int) -> tuple[list[str], Job]:
        """A claimed job of two originals, the first of which is gone."""
        keys = [uploaded(bench, user), uploaded(bench, user, random.Random(5).randbytes(PART + 1))]
        job = claimed(bench, user, *keys)
        bench.run("update images set verified = false")
        bench.storage.delete([keys[0]])
        return keys, job
