"""What is deleted, what is not, and that no photo is lost by it."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event, Lock
from typing import Any
from uuid import uuid4

import pytest

from momentarium_cli.backend import housekeeping as module
from momentarium_cli.backend.db import housekeeping as rows
from momentarium_cli.backend.db import images
from momentarium_cli.backend.housekeeping import ABANDONED_FOR, UNUSED_FOR, Window
from momentarium_cli.backend.jobs import Jobs
from momentarium_cli.backend.storage.base import ObjectInfo, preview_key, thumb_key
from momentarium_cli.errors import NotAsDescribed, NotFound, StorageUnavailable, Temporary
from momentarium_cli.models import PreviewFile, UploadFile
from momentarium_cli.photos.checksum import sha256_bytes
from tests.backend.bench import Bench, on_every_store

PREVIEW = b"the preview"


@pytest.fixture
def user(bench: Bench) -> int:
    return bench.user()


def old(bench: Bench, *keys: str, days: float = 7.01) -> None:
    """They were issued that long ago."""
    bench.run("update uploads set issued_at = now() - %s where storage_key = any(%s)", timedelta(days=days), list(keys))


def swept(bench: Bench, limit: int | None = None) -> set[str]:
    return {upload.storage_key for upload in bench.housekeeping.sweep(limit=limit)}


def stored(bench: Bench) -> set[str]:
    return {key for kind in ("originals", "previews", "thumbs") for key in bench.storage.list(f"{kind}/")}


def upload(bench: Bench, user: int, data: bytes, preview: bytes | None = PREVIEW) -> tuple[str, str]:
    """A photo and its preview in the store; their keys."""
    key = bench.issue(user, data, preview)
    bench.storage.put(key, data, content_type="image/jpeg")
    small = preview_key(user, sha256_bytes(preview or b""))
    bench.storage.put(small, preview or b"", content_type="image/jpeg")
    return key, small


def photo(bench: Bench, user: int, data: bytes, preview: bytes = PREVIEW, thumb: bytes = b"the thumb") -> int:
    """A photo that a job has looked at; its number."""
    key, small = upload(bench, user, data, preview)
    bench.accept(user, key)
    tiny = thumb_key(user, sha256_bytes(thumb))
    bench.storage.put(tiny, thumb, content_type="image/jpeg")
    [row] = bench.run("select id from images where storage_key = %s", key)
    with bench.database.transaction(user) as conn:
        images.derived(
            conn,
            [
                {
                    "id": row["id"],
                    "preview_key": small,
                    "thumb_key": tiny,
                    "thumbhash": b"",
                    "phash": 0,
                    "look": None,
                    "quality": 0.5,
                }
            ],
        )
    return int(row["id"])


def lose(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is away when objects are to be deleted."""

    def away(keys: Iterable[str]) -> None:
        raise StorageUnavailable("The store was away.")

    monkeypatch.setattr(bench.storage, "delete", away)


@on_every_store
class TestSweep:
    def test_uploads_that_never_became_photos_go_after_seven_days_with_all_that_they_left(
        self, bench: Bench, user: int
    ) -> None:
        key, _ = upload(bench, user, b"forgotten")
        recent, recent_preview = upload(bench, user, b"of today", b"another preview")
        old(bench, recent, days=6.99)
        old(bench, key)
        assert swept(bench) == {key}
        assert stored(bench) == {recent, recent_preview}
        assert [row["storage_key"] for row in bench.run("select storage_key from uploads")] == [recent]
        assert bench.run("select 1 from discarded") == []
        assert swept(bench) == set()

    def test_what_became_a_photo_stays_however_old(self, bench: Bench, user: int) -> None:
        key, small = upload(bench, user, b"kept")
        bench.accept(user, key)
        old(bench, key, days=1000)
        assert swept(bench) == set()
        assert stored(bench) == {key, small}

    def test_an_upload_that_is_asked_for_again_begins_anew(self, bench: Bench, user: int) -> None:
        key, _ = upload(bench, user, b"taken up again")
        old(bench, key)
        bench.issue(user, b"taken up again", PREVIEW)
        assert swept(bench) == set()

    def test_unfinished_parts_go(self, bench: Bench, user: int) -> None:
        key = bench.issue(user, b"large")
        upload_id = bench.storage.begin_parts(key, content_type="image/jpeg")
        bench.run("update uploads set parts = jsonb_build_object('upload_id', %s::text)", upload_id)
        old(bench, key)
        assert swept(bench) == {key}
        with pytest.raises(NotFound):
            bench.storage.stored_parts(key, upload_id)

    def test_the_plan_is_what_the_sweep_does_and_changes_nothing(self, bench: Bench, user: int) -> None:
        keys = {upload(bench, user, b"photo %d" % number)[0] for number in range(5)}
        old(bench, *keys)
        before = bench.run("select * from uploads order by id")
        assert {upload.storage_key for upload in bench.housekeeping.plan()} == keys
        assert len(bench.housekeeping.plan(limit=2)) == 2
        assert bench.run("select * from uploads order by id") == before
        assert swept(bench) == keys

    def test_it_keeps_to_its_limit_and_goes_beyond_a_batch(
        self, bench: Bench, user: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_BATCH", 2)
        keys = {upload(bench, user, b"photo %d" % number, b"preview %d" % number)[0] for number in range(8)}
        old(bench, *keys)
        assert len(swept(bench, limit=3)) == 3
        assert len(swept(bench)) == 5
        assert stored(bench) == set()

    def test_one_that_is_told_to_stop_does_no_more(self, bench: Bench, user: int) -> None:
        old(bench, upload(bench, user, b"photo")[0])
        stop = Event()
        stop.set()
        assert list(bench.housekeeping.sweep(stop=stop)) == []

    def test_a_preview_that_another_upload_has_too_stays_until_that_goes(self, bench: Bench, user: int) -> None:
        first, small = upload(bench, user, b"a copy")
        second, _ = upload(bench, user, b"another copy")
        old(bench, first)
        swept(bench)
        assert stored(bench) == {second, small}
        old(bench, second)
        swept(bench)
        assert stored(bench) == set()

    def test_another_user_s_are_their_own(self, bench: Bench, user: int) -> None:
        key, _ = upload(bench, user, b"photo")
        theirs = upload(bench, bench.user(), b"photo")
        old(bench, key)
        swept(bench)
        assert stored(bench) == set(theirs)


@on_every_store
class TestWhileDeleting:
    @pytest.fixture
    def marked(self, bench: Bench, user: int, monkeypatch: pytest.MonkeyPatch) -> str:
        """The key of an upload that a sweeper marked and then could not delete."""
        key, _ = upload(bench, user, b"photo")
        old(bench, key)
        with monkeypatch.context() as away:
            lose(bench, away)
            with pytest.raises(StorageUnavailable):
                swept(bench)
        return key

    def test_it_is_told_as_missing_and_given_no_target(self, bench: Bench, user: int, marked: str) -> None:
        with pytest.raises(NotAsDescribed, match="deleted") as refused:
            bench.accept(user, marked)
        assert refused.value.details == ({"storage_key": marked, "reason": "missing"},)
        with pytest.raises(Temporary) as caught:
            bench.issue(user, b"photo")
        assert (caught.value.error_code, caught.value.retry_after, caught.value.status) == ("being_deleted", 2, 503)

    def test_nobody_takes_it_over_before_twenty_minutes(self, bench: Bench, user: int, marked: str) -> None:
        assert swept(bench) == set()
        bench.run("update uploads set deleting_since = now() - interval '19 minutes'")
        assert swept(bench) == set()
        bench.run("update uploads set deleting_since = now() - interval '21 minutes'")
        assert swept(bench) == {marked}
        assert stored(bench) == set()
        assert bench.issue(user, b"photo") == marked

    def test_a_sweeper_that_comes_late_does_not_delete_a_row_that_was_taken_over(
        self, bench: Bench, user: int, marked: str
    ) -> None:
        bench.run("update uploads set deleting_since = now() - interval '21 minutes'")
        with bench.database.transaction(None) as conn:
            late = rows.begin_deleting(conn, UNUSED_FOR, ABANDONED_FOR, None)
        bench.run("update uploads set deleting_since = now()")
        with bench.database.transaction(None) as conn:
            rows.finish_deleting(conn, late)
        assert bench.run("select state from uploads") == [{"state": "deleting"}]

    @pytest.mark.parametrize("clock", ["monotonic", "time"])
    def test_a_sweeper_that_was_frozen_after_its_commit_deletes_nothing(
        self, bench: Bench, user: int, monkeypatch: pytest.MonkeyPatch, clock: str
    ) -> None:
        upload(bench, user, b"photo")
        bench.run("update uploads set issued_at = now() - interval '8 days'")
        before, real = stored(bench), getattr(time, clock)
        begin = rows.begin_deleting

        def frozen(*arguments: object) -> object:
            marked = begin(*arguments)  # type: ignore[arg-type]
            monkeypatch.setattr(time, clock, lambda: real() + 31)
            return marked

        monkeypatch.setattr(rows, "begin_deleting", frozen)
        with pytest.raises(Temporary, match="held up"):
            swept(bench)
        assert stored(bench) == before

    def test_what_was_seen_in_the_store_before_is_no_proof_for_what_is_issued_after(
        self, bench: Bench, user: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The photo is checked; it is swept; it is asked for again, and not there yet; it is registered."""
        key, _ = upload(bench, user, b"photo")
        old(bench, key)
        verified = Jobs._verified

        def swept_and_issued_again(self: Jobs, *arguments: Any) -> dict[str, ObjectInfo]:
            found = verified(self, *arguments)
            assert swept(bench) == {key}
            bench.issue(user, b"photo")
            return found

        monkeypatch.setattr(Jobs, "_verified", swept_and_issued_again)
        with pytest.raises(NotAsDescribed, match="deleted"):
            bench.accept(user, key)
        assert bench.run("select 1 from images") == []


@on_every_store
class TestPreviewsAndThumbs:
    def test_they_wait_while_a_job_is_worked_on(self, bench: Bench, user: int) -> None:
        image_id = photo(bench, user, b"photo")
        job = bench.accept(user)
        assert bench.jobs.claim(job.id) is not None  # the first job
        bench.images.delete_for_good(user, image_id)
        assert {key.split("/")[0] for key in stored(bench) if key.endswith(".jpg")} == {"previews", "thumbs"}
        assert swept(bench) == set()
        bench.run("update processing_jobs set status = 'failed', lease_until = null where status = 'processing'")
        swept(bench)
        assert not {key for key in stored(bench) if key.endswith(".jpg")}

    def test_no_job_is_claimed_while_they_are_being_deleted(self, bench: Bench, user: int) -> None:
        job = bench.accept(user)
        key = thumb_key(user, "0" * 64)
        bench.run("insert into discarded values (%s, %s, now() - interval '119 seconds')", key, user)
        assert bench.jobs.claim(job.id) is None
        bench.run("update discarded set deleting_since = now() - interval '121 seconds'")
        assert bench.jobs.claim(job.id) is not None

    def test_what_a_job_makes_of_a_photo_that_was_deleted_meanwhile_goes_too(self, bench: Bench, user: int) -> None:
        image_id = photo(bench, user, b"photo")
        bench.images.delete_for_good(user, image_id)
        tiny = thumb_key(user, sha256_bytes(b"late"))
        bench.storage.put(tiny, b"late", content_type="image/jpeg")
        with bench.database.transaction(user) as conn:
            images.derived(
                conn,
                [
                    {
                        "id": image_id,
                        "preview_key": tiny,
                        "thumb_key": tiny,
                        "thumbhash": b"",
                        "phash": 0,
                        "look": None,
                        "quality": 0.5,
                    }
                ],
            )
        swept(bench)
        assert stored(bench) == set()

    def test_what_is_used_again_is_no_longer_discarded(self, bench: Bench, user: int) -> None:
        image_id = photo(bench, user, b"photo")
        photo(bench, user, b"its copy")
        before = {key for key in stored(bench) if key.endswith(".jpg")}
        bench.images.delete_for_good(user, image_id)
        assert {key for key in stored(bench) if key.endswith(".jpg")} == before
        assert bench.run("select 1 from discarded") == []


# --- the race ------------------------------------------------------------------------------------------------------

CLIENTS, SWEEPERS = 6, 2


class Race:
    """Clients register photos, two at a time the same one, while sweepers take them for old. A client that is told so
    uploads again, most times."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench, self.users = bench, [bench.user() for _ in range(4)]
        self.chance = random.Random(seed)
        self.told: Counter[str] = Counter()
        self.accepted: set[str] = set()
        self._over = Event()
        self._lock = Lock()

    def run(self, count: int) -> None:
        photos = [(self.chance.choice(self.users), b"photo %d" % number) for number in range(count)]
        self._upload_all(photos)
        order = [photo for photo in self.chance.sample(photos, count) for _ in range(2)]
        chances = [random.Random(self.chance.random()) for _ in range(SWEEPERS)]
        with ThreadPoolExecutor(SWEEPERS) as sweepers, ThreadPoolExecutor(CLIENTS) as clients:
            sweeping = [sweepers.submit(self._sweep, chance) for chance in chances]
            stubborn = [self.chance.random() < 0.8 for _ in order]
            try:
                list(clients.map(self._client, order, stubborn))
            finally:
                self._over.set()
            for future in sweeping:
                future.result()

    def _upload_all(self, photos: Sequence[tuple[int, bytes]]) -> None:
        for user in self.users:
            mine = [described(data) for owner, data in photos if owner == user]
            self.bench.uploads.issue(user, mine, None)
        for user, data in photos:
            self._put(user, data)
        self._age()

    def _put(self, user: int, data: bytes) -> None:
        self.bench.storage.put(f"originals/{user}/{sha256_bytes(data)}", data, content_type="image/jpeg")

    def _age(self) -> None:
        """Eight days pass."""
        self.bench.run(
            "update uploads set issued_at = now() - interval '8 days' where id in"
            " (select id from uploads where state = 'issued' for update skip locked)"
        )

    def _sweep(self, chance: random.Random) -> None:
        try:
            while not self._over.is_set():
                for _ in self.bench.housekeeping.sweep(limit=chance.randint(1, 4)):
                    pass
                if chance.random() < 0.3:
                    self._age()
                time.sleep(chance.random() * 0.01)
        finally:
            self._over.set()  # whatever it was marking stays so

    def _client(self, photo: tuple[int, bytes], stubborn: bool) -> None:
        user, data = photo
        key = f"originals/{user}/{sha256_bytes(data)}"
        tries = 20 if stubborn else 1
        for _ in range(tries):
            if not self._told(lambda: self.bench.accept(user, key)):
                with self._lock:
                    self.accepted.add(key)
                return
            while not self._over.is_set() and self._told(lambda: self._again(user, data)):
                time.sleep(0.001)

    def _again(self, user: int, data: bytes) -> None:
        [slot] = self.bench.uploads.issue(user, [described(data)], uuid4()).files
        if slot.original is not None:
            self._put(user, data)

    def _told(self, call: Callable[[], object]) -> bool:
        """Whether the client is told that the photo is missing or being deleted; anything else is a failure."""
        try:
            call()
        except NotAsDescribed as error:
            said = {str(item["reason"]) for item in error.details}
            assert said <= {"missing", "not issued"}
        except Temporary as error:
            assert error.error_code == "being_deleted"
            said = {error.error_code}
        else:
            return False
        with self._lock:
            self.told.update(said)
        return True


def described(data: bytes) -> UploadFile:
    return UploadFile(
        filename="a.jpg",
        content_type="image/jpeg",
        size_bytes=len(data),
        sha256=sha256_bytes(data),
        preview=PreviewFile(size_bytes=len(PREVIEW), sha256=sha256_bytes(PREVIEW)),
    )


def raced(bench: Bench, count: int, seed: int) -> None:
    race = Race(bench, seed)
    race.run(count)
    print(f"{len(race.accepted)} of {count} accepted, told {dict(race.told)}")
    registered = {row["storage_key"] for row in bench.run("select storage_key from images")}
    assert registered == race.accepted
    assert registered <= stored(bench), "an accepted photo is lost"
    assert len(registered) > count // 2 and race.told["missing"] + race.told["not issued"] > count // 20


@on_every_store
def test_nothing_that_was_accepted_is_lost_to_a_sweeper(bench: Bench) -> None:
    raced(bench, 100, seed=20240512)


@on_every_store
@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(3))
def test_nothing_that_was_accepted_is_lost_to_a_sweeper_in_a_thousand_races(bench: Bench, seed: int) -> None:
    raced(bench, 1000, seed)


def test_the_window_is_thirty_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    window, now = Window(), time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 29)
    window.check()
    monkeypatch.setattr(time, "monotonic", lambda: now + 31)
    with pytest.raises(Temporary):
        window.check()
