"""A database that is restored knows what it knew before the last jobs."""

from pathlib import Path

import pytest

from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.signing import Signer
from momentarium_cli.backend.storage.local import LocalStorage
from tests.backend.bench import Bench
from tests.storm.restored import forget_last_jobs

COMPLETED = (
    "alter table processing_jobs disable trigger legal_transition",
    "update processing_jobs set status = 'completed'",
)


@pytest.fixture
def bench(database: Database, tmp_path: Path) -> Bench:
    return Bench.on(database, LocalStorage(tmp_path / "store", "http://127.0.0.1:1", Signer("a secret")))


def test_it_forgets_the_photos_of_the_last_job_and_no_others(bench: Bench) -> None:
    user, other = bench.user(), bench.user()
    first, second, third = (bench.photo(user) for _ in range(3))
    kept, lost = bench.accept(user, first, second), bench.accept(user, second, third)
    bench.accept(other)
    for statement in (
        *COMPLETED,
        "insert into albums (user_id, job_id, title, kind) select user_id, id, 'shared', 'event' from processing_jobs"
        f" where id = '{lost.id}'",
        "insert into albums (user_id, job_id, title, kind) select user_id, job_id, 'emptied', 'event' from albums",
        "insert into album_images select a.id, i.id, i.user_id, true, i.id, now() from albums a, images i"
        f" where i.user_id = a.user_id and (a.title = 'emptied') = (i.storage_key = '{third}')",
    ):
        bench.run(statement)
    assert forget_last_jobs(bench.database, user, 1) == [third]
    assert bench.run("select job_id, title from albums") == [{"job_id": kept.id, "title": "shared"}]
    left = bench.run("select storage_key from images where user_id = %s order by id", user)
    assert left == bench.run("select storage_key from uploads where user_id = %s order by id", user)
    assert [row["storage_key"] for row in left] == [first, second]
    assert len(bench.run("select id from processing_jobs")) == 2


def test_it_forgets_several_jobs_at_once(bench: Bench) -> None:
    user = bench.user()
    keys = {bench.photo(user) for _ in range(2)}
    for key in keys:
        bench.accept(user, key)
    for statement in COMPLETED:
        bench.run(statement)
    assert set(forget_last_jobs(bench.database, user, 2)) == keys
    assert bench.run("select id from images") == bench.run("select id from processing_jobs") == []


def test_it_forgets_nothing_while_a_job_goes_on(bench: Bench) -> None:
    user = bench.user()
    bench.accept(user)
    assert forget_last_jobs(bench.database, user, 1) == []
    assert len(bench.run("select id from images")) == len(bench.run("select id from processing_jobs")) == 1
