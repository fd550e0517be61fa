import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
from uuid6 import uuid7

from momentarium_cli.backend import lease as lease_module
from momentarium_cli.backend.albums import Albums
from momentarium_cli.backend.db import jobs as rows
from momentarium_cli.backend.db.jobs import Job
from momentarium_cli.backend.lease import JobLost, Lease
from momentarium_cli.backend.organize.base import ExistingAlbum, Home, Photo, Proposal
from momentarium_cli.backend.queues.postgres import PostgresQueue
from momentarium_cli.errors import Conflict, NotAsDescribed, NotFound, Temporary
from momentarium_cli.models import AlbumKind, AlbumLevel, JobState
from tests.backend.bench import Bench, batch

ERROR = Temporary("The store was away.")


@pytest.fixture
def user(bench: Bench) -> int:
    return bench.user()


def claimed(bench: Bench, job: Job) -> Job:
    found = bench.jobs.claim(job.id)
    assert found is not None
    return found


def lapse(bench: Bench, job: Job) -> None:
    bench.run("update processing_jobs set lease_until = now() - interval '1 second' where id = %s", job.id)


def messages(bench: Bench) -> list[str]:
    """The jobs a worker is to be told of now."""
    found = bench.run("select args ->> 'job_id' as id from procrastinate_jobs where scheduled_at is null order by id")
    return [row["id"] for row in found]


class TestAccepting:
    def test_photos_job_and_message_come_together(self, bench: Bench, user: int) -> None:
        job = bench.accept(user, bench.photo(user), bench.photo(user))
        assert (job.status, job.total, job.fence, job.attempt) == ("pending", 2, 0, 0)
        assert len(bench.run("select 1 from images")) == 2
        assert messages(bench) == [str(job.id)]
        assert bench.run("select distinct state from uploads") == [{"state": "registered"}]

    def test_the_same_batch_again_is_the_same_job(self, bench: Bench, user: int) -> None:
        request, key = batch([bench.photo(user)]), uuid7()
        first, was_there = bench.jobs.accept(user, request, key)
        again, was_there_again = bench.jobs.accept(user, request, key)
        assert (first.id, was_there, was_there_again) == (again.id, False, True)

    def test_another_batch_under_the_same_key_is_a_conflict(self, bench: Bench, user: int) -> None:
        key = uuid7()
        bench.accept(user, bench.photo(user), idempotency_key=key)
        with pytest.raises(Conflict, match="Idempotency-Key"):
            bench.accept(user, bench.photo(user), idempotency_key=key)

    def test_two_users_may_have_the_same_key(self, bench: Bench, user: int) -> None:
        key = uuid7()
        assert bench.accept(user, idempotency_key=key).id != bench.accept(bench.user(), idempotency_key=key).id

    def test_the_same_batch_eight_times_at_once_is_one_job(self, bench: Bench, user: int) -> None:
        request, key = batch([bench.photo(user) for _ in range(20)]), uuid7()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: bench.jobs.accept(user, request, key), range(8)))
        assert len({job.id for job, _ in answers}) == 1
        assert sorted(was_there for _, was_there in answers) == [False] + [True] * 7

    def test_what_is_not_stored_as_described_is_named_and_nothing_is_registered(self, bench: Bench, user: int) -> None:
        good, missing = bench.photo(user), bench.issue(user, b"never uploaded")
        short = bench.issue(user, b"the whole photo")
        bench.storage.path(short).parent.mkdir(parents=True, exist_ok=True)
        bench.storage.path(short).write_bytes(b"half of it")
        theirs = bench.photo(bench.user())
        odd = "originals/1/\x00"
        with pytest.raises(NotAsDescribed, match="5 of 6") as caught:
            bench.accept(user, good, missing, short, theirs, odd, "nonsense")
        assert {item["storage_key"]: item["reason"] for item in caught.value.details} == {
            missing: "missing", short: "another size", theirs: "not issued", odd: "not issued",
            "nonsense": "not issued",
        }  # fmt: skip
        assert bench.run("select 1 from images") == bench.run("select 1 from processing_jobs") == []

    def test_a_photo_twice_in_a_batch_is_one(self, bench: Bench, user: int) -> None:
        key = bench.photo(user)
        assert bench.accept(user, key, key).image_keys == [key]
        assert len(bench.run("select 1 from images")) == 1

    def test_what_is_being_deleted_has_to_be_uploaded_again(self, bench: Bench, user: int) -> None:
        key = bench.photo(user)
        bench.run("update uploads set state = 'deleting', deleting_since = now()")
        with pytest.raises(NotAsDescribed, match="deleted"):
            bench.accept(user, key)
        assert bench.run("select 1 from images") == []


class TestLease:
    def test_claiming_gives_a_lease_a_fence_and_an_attempt(self, bench: Bench, user: int) -> None:
        job = claimed(bench, bench.accept(user))
        assert (job.status, job.fence, job.attempt) == ("processing", 1, 1)
        assert job.lease_until and job.started_at
        assert bench.jobs.claim(job.id) is None

    def test_the_user_s_jobs_go_in_the_order_of_their_batches(self, bench: Bench, user: int) -> None:
        keys = [uuid7() for _ in range(3)]
        jobs = {key: bench.accept(user, idempotency_key=key) for key in (keys[2], keys[0], keys[1])}
        for key in keys:
            job = claimed(bench, jobs[keys[2]])
            assert job.idempotency_key == key
            finish(bench, job)

    def test_renewing_keeps_it(self, bench: Bench, user: int) -> None:
        job = claimed(bench, bench.accept(user))
        lapse(bench, job)
        assert bench.jobs.renew(job)
        assert bench.jobs.claim(job.id) is None

    def test_one_that_lapsed_is_claimed_by_the_next_and_the_old_holder_is_locked_out(
        self, bench: Bench, user: int
    ) -> None:
        old = claimed(bench, bench.accept(user))
        lapse(bench, old)
        new = claimed(bench, old)
        assert (new.id, new.fence, new.attempt) == (old.id, 2, 2)
        assert not bench.jobs.renew(old)
        assert not bench.jobs.progress(old, "previews", 1, 1, begins=True)
        with bench.database.transaction(user) as conn:
            assert not bench.jobs.complete(conn, old, "late", {})
        bench.jobs.fail(old, "late", "late")
        bench.jobs.postpone(old, timedelta(hours=1), ERROR)
        row = bench.row(new)
        assert (row["status"], row["stage"], row["error_code"], row["lease_until"]) == (
            "processing", None, None, new.lease_until,
        )  # fmt: skip
        assert bench.jobs.progress(new, "previews", 1, 1, begins=True)
        finish(bench, new)
        assert bench.row(new)["organized_by"] == "test"

    def test_the_only_server_of_a_database_need_not_wait_for_those_of_dead_workers(
        self, bench: Bench, user: int
    ) -> None:
        old = claimed(bench, bench.accept(user))
        bench.jobs.take_over()
        assert claimed(bench, old).fence == 2
        assert not bench.jobs.renew(old)

    def test_what_is_released_can_be_claimed_at_once_and_counts_as_no_attempt(self, bench: Bench, user: int) -> None:
        old = claimed(bench, bench.accept(user))
        bench.jobs.release(old)
        new = claimed(bench, old)
        assert (new.fence, new.attempt) == (2, 1)
        bench.jobs.release(old)
        assert bench.jobs.claim(new.id) is None, "it is no longer the old one's to release"

    def test_it_is_renewed_in_the_background_and_its_loss_is_noticed(
        self, bench: Bench, user: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lease_module, "RENEW_SECONDS", 0.02)
        job = claimed(bench, bench.accept(user))
        lapse(bench, job)
        lease = Lease(bench.jobs, job, Event())
        with lease.kept():
            eventually(lambda: bench.row(job)["lease_until"] > bench.run("select now() as now")[0]["now"])
            lease.check()
            bench.jobs.cancel(user, job.id)
            eventually(lambda: lost(lease))
            with pytest.raises(JobLost):
                lease.progress("previews", 1, 1)

    def test_a_worker_that_is_to_stop_lets_go(self, bench: Bench, user: int) -> None:
        stop = Event()
        lease = Lease(bench.jobs, claimed(bench, bench.accept(user)), stop)
        lease.progress("previews", 0, 1)
        stop.set()
        with pytest.raises(JobLost):
            lease.check()


class TestEstimate:
    def test_it_follows_the_pace_since_this_worker_began_the_stage(self, bench: Bench, user: int) -> None:
        job = claimed(bench, bench.accept(user))
        lease = Lease(bench.jobs, job, Event())
        lease.progress("previews", 20, 100)
        assert bench.jobs.status(user, job.id).seconds_left is None, "nothing was done yet"
        bench.run("update processing_jobs set stage_started_at = now() - interval '10 seconds'")
        lease.progress("previews", 40, 100)
        left = bench.jobs.status(user, job.id).seconds_left
        assert left is not None and 29 < left < 32

    def test_each_stage_and_each_attempt_has_its_own_pace(self, bench: Bench, user: int) -> None:
        job = claimed(bench, bench.accept(user))
        for lease, stage in ((first := Lease(bench.jobs, job, Event()), "previews"), (first, "organizing"),
                             (Lease(bench.jobs, job, Event()), "organizing")):  # fmt: skip
            lease.progress(stage, 50, 100)
            assert bench.jobs.status(user, job.id).seconds_left is None


def lost(lease: Lease) -> bool:
    try:
        lease.check()
    except JobLost:
        return True
    return False


def finish(bench: Bench, job: Job) -> None:
    with bench.database.transaction(job.user_id) as conn:
        assert bench.jobs.complete(conn, job, "test", {})


def eventually(holds: Callable[[], bool], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class TestLife:
    def test_finishing_wakes_the_user_s_next_job(self, bench: Bench, user: int) -> None:
        first, second = bench.accept(user), bench.accept(user)
        bench.run("delete from procrastinate_jobs")
        finish(bench, claimed(bench, first))
        assert messages(bench) == [str(second.id)]

    @pytest.mark.parametrize("end", ["fail", "cancel"])
    def test_so_does_failing_and_cancelling(self, bench: Bench, user: int, end: str) -> None:
        first, second = bench.accept(user), bench.accept(user)
        job = claimed(bench, first)
        bench.run("delete from procrastinate_jobs")
        if end == "fail":
            bench.jobs.fail(job, "test", "It failed.")
        else:
            bench.jobs.cancel(user, job.id)
        assert messages(bench) == [str(second.id)]
        assert claimed(bench, first).id == second.id

    def test_cancelling_takes_the_job_from_whoever_works_on_it(self, bench: Bench, user: int) -> None:
        job = claimed(bench, bench.accept(user))
        status = bench.jobs.cancel(user, job.id)
        assert (status.status, status.error_code) == (JobState.FAILED, "cancelled")
        with bench.database.transaction(user) as conn:
            assert not bench.jobs.complete(conn, job, "late", {})
        with pytest.raises(Conflict, match="failed"):
            bench.jobs.cancel(user, job.id)

    def test_a_failed_job_can_be_retried_from_the_beginning(self, bench: Bench, user: int) -> None:
        job = claimed(bench, bench.accept(user))
        with pytest.raises(Conflict, match="processing"):
            bench.jobs.retry(user, job.id)
        bench.jobs.fail(job, "test", "It failed.")
        bench.run("delete from procrastinate_jobs")
        status = bench.jobs.retry(user, job.id)
        assert (status.status, status.attempt, status.error_code) == (JobState.PENDING, 0, None)
        assert messages(bench) == [str(job.id)]
        again = claimed(bench, job)
        assert again.attempt == 1 and again.fence > job.fence

    def test_a_completed_job_can_be_neither_retried_nor_cancelled(self, bench: Bench, user: int) -> None:
        job = claimed(bench, bench.accept(user))
        finish(bench, job)
        for act in (bench.jobs.retry, bench.jobs.cancel):
            with pytest.raises(Conflict, match="completed"):
                act(user, job.id)

    def test_another_s_job_is_not_there(self, bench: Bench, user: int) -> None:
        job = bench.accept(user)
        for act in (bench.jobs.status, bench.jobs.retry, bench.jobs.cancel):
            with pytest.raises(NotFound):
                act(bench.user(), job.id)
            with pytest.raises(NotFound):
                act(user, uuid4())

    def test_what_is_postponed_is_claimed_after_its_delay(self, bench: Bench, user: int) -> None:
        job = claimed(bench, bench.accept(user))
        bench.jobs.postpone(job, timedelta(milliseconds=300), ERROR)
        assert bench.jobs.claim(job.id) is None
        assert bench.jobs.status(user, job.id).error_message == "The store was away."
        time.sleep(0.35)
        assert claimed(bench, job).attempt == 2

    def test_jobs_of_an_import_are_listed_newest_first(self, bench: Bench, user: int) -> None:
        import_id = uuid4()
        jobs = [bench.accept(user, bench.photo(user), import_id=import_id) for _ in range(3)]
        other = bench.accept(user)
        listed = bench.jobs.of_import(user, import_id)
        assert [job.id for job in listed] == [job.id for job in reversed(jobs)]
        assert bench.jobs.of_import(user, None)[0].id == other.id
        assert bench.jobs.of_import(bench.user(), import_id) == []


def await_messages(bench: Bench) -> None:
    """As if every message had had its time."""
    bench.run("update processing_jobs set woken_at = woken_at - %s", PostgresQueue.patience)


class TestSweep:
    def test_it_wakes_what_nobody_works_on(self, bench: Bench, user: int) -> None:
        lost = bench.accept(user)
        bench.accept(user)  # which comes after it
        lapsed = claimed(bench, bench.accept(bench.user()))
        lapse(bench, lapsed)
        claimed(bench, bench.accept(bench.user()))
        bench.run("delete from procrastinate_jobs")
        assert bench.jobs.sweep() == 0, "their messages may still come"
        await_messages(bench)
        assert bench.jobs.sweep() == 2
        assert messages(bench) == sorted((str(lost.id), str(lapsed.id)))
        await_messages(bench)
        bench.jobs.sweep()
        assert len(messages(bench)) == 2, "a second time is harmless"

    def test_asking_for_a_status_sweeps_too(self, bench: Bench, user: int) -> None:
        job = bench.accept(user)
        bench.run("delete from procrastinate_jobs")
        await_messages(bench)
        bench.jobs.status(user, job.id)
        assert messages(bench) == [str(job.id)]

    def test_it_counts_what_is_open(self, bench: Bench, user: int) -> None:
        jobs = [bench.accept(user) for _ in range(3)]
        finish(bench, claimed(bench, jobs[0]))
        bench.jobs.cancel(user, jobs[1].id)
        assert bench.jobs.open_count() == 1


class ReactingOrganizer:
    """One album of everything; something happens while it thinks."""

    @property
    def name(self) -> str:
        return "reacting"

    @property
    def report(self) -> Mapping[str, Any]:
        return {}

    def __init__(self) -> None:
        self.calls = 0
        self.reactions: list[Callable[[], object]] = []

    def organize(
        self,
        photos: Sequence[Photo],
        existing: Sequence[ExistingAlbum],
        homes: Sequence[Home] = (),
        level: AlbumLevel = AlbumLevel.ALBUMS,
    ) -> Sequence[Proposal]:
        self.calls += 1
        if self.reactions:
            self.reactions.pop(0)()
        return [Proposal(AlbumKind.UNDATED, "Everything", "All of it.", tuple(photo.id for photo in photos))]


class TestFinishing:
    @pytest.fixture
    def organizer(self) -> ReactingOrganizer:
        return ReactingOrganizer()

    def organize(self, bench: Bench, organizer: ReactingOrganizer, job: Job) -> None:
        Albums(bench.database, bench.jobs, lambda *_: organizer).organize(job, Lease(bench.jobs, job, Event()))

    def test_albums_job_and_version_come_together(self, bench: Bench, user: int, organizer: ReactingOrganizer) -> None:
        job = claimed(bench, bench.accept(user))
        self.organize(bench, organizer, job)
        row = bench.row(job)
        [album] = bench.run("select id, title from albums")
        assert (row["status"], row["organized_by"], row["result_data"]) == (
            "completed", "reacting", {"albums": [album["id"]]},
        )  # fmt: skip
        assert bench.galleries.version(user) == 1
        assert bench.jobs.status(user, job.id).albums[0].title == "Everything"

    def test_where_the_library_changed_meanwhile_it_thinks_again(
        self, bench: Bench, user: int, organizer: ReactingOrganizer
    ) -> None:
        def change() -> None:
            with bench.database.transaction(user) as conn:
                rows.bump_version(conn)

        organizer.reactions = [change, change]
        job = claimed(bench, bench.accept(user))
        self.organize(bench, organizer, job)
        assert organizer.calls == 3
        assert len(bench.run("select 1 from albums")) == 1

    def test_where_it_never_rests_the_job_is_put_off(
        self, bench: Bench, user: int, organizer: ReactingOrganizer
    ) -> None:
        def change() -> None:
            with bench.database.transaction(user) as conn:
                rows.bump_version(conn)

        organizer.reactions = [change] * 50
        with pytest.raises(Temporary):
            self.organize(bench, organizer, claimed(bench, bench.accept(user)))
        assert bench.run("select 1 from albums") == []

    def test_a_job_that_was_lost_meanwhile_writes_nothing(
        self, bench: Bench, user: int, organizer: ReactingOrganizer
    ) -> None:
        job = claimed(bench, bench.accept(user))
        organizer.reactions = [lambda: bench.jobs.cancel(user, job.id)]
        with pytest.raises(JobLost):
            self.organize(bench, organizer, job)
        assert bench.run("select 1 from albums") == bench.run("select 1 from album_images") == []
        assert bench.galleries.version(user) == 0

    def test_a_job_whose_photos_are_placed_already_makes_no_album(
        self, bench: Bench, user: int, organizer: ReactingOrganizer
    ) -> None:
        key = bench.photo(user)
        self.organize(bench, organizer, claimed(bench, bench.accept(user, key)))
        second = claimed(bench, bench.accept(user, key))
        self.organize(bench, organizer, second)
        assert organizer.calls == 1
        assert [album.photos for album in bench.jobs.status(user, second.id).albums] == [1]

    def test_an_organizer_that_forgets_a_photo_is_not_believed(self, bench: Bench, user: int) -> None:
        class Forgetful(ReactingOrganizer):
            def organize(
                self,
                photos: Sequence[Photo],
                existing: Sequence[ExistingAlbum],
                homes: Sequence[Home] = (),
                level: AlbumLevel = AlbumLevel.ALBUMS,
            ) -> Sequence[Proposal]:
                return super().organize(photos[1:], existing, homes)

        with pytest.raises(AssertionError, match="every photo"):
            self.organize(bench, Forgetful(), claimed(bench, bench.accept(user, bench.photo(user), bench.photo(user))))

    def test_two_workers_cannot_both_finish_one_job(
        self, bench: Bench, user: int, organizer: ReactingOrganizer
    ) -> None:
        first = claimed(bench, bench.accept(user))
        lapse(bench, first)
        second = claimed(bench, first)
        results: list[str] = []

        def work(job: Job) -> None:
            try:
                self.organize(bench, organizer, job)
                results.append("finished")
            except JobLost:
                results.append("lost")

        threads = [threading.Thread(target=work, args=(job,)) for job in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == ["finished", "lost"]
        assert len(bench.run("select 1 from albums")) == 1
