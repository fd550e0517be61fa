import time
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest

from momentarium_cli.backend.db import images, jobs, pool, uploads, users
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.errors import DatabaseUnavailable, InsufficientStorage
from tests.backend.bench import Bench

TABLES = ("users", "api_tokens", "uploads", "images", "processing_jobs", "albums", "album_images")
MINE = {table: "user_id" for table in TABLES} | {"users": "id"}


@pytest.fixture
def two(bench: Bench) -> tuple[int, int]:
    """Two users, each with a row in every table."""
    return full(bench), full(bench)


def full(bench: Bench) -> int:
    user_id = bench.user()
    job = bench.accept(user_id)
    with bench.database.administration() as conn:
        users.add_token(conn, user_id, "test", f"token of {user_id}", ["read"])
        conn.execute(
            "insert into albums (user_id, job_id, title, kind) values (%s, %s, 'Title', 'event')", [user_id, job.id]
        )
        conn.execute(
            "insert into album_images (album_id, image_id, user_id, display_order)"
            " select a.id, i.id, a.user_id, 1 from albums a join images i using (user_id) where user_id = %s",
            [user_id],
        )
    return user_id


def outcome(bench: Bench, user_id: int | None, statement: str) -> int | str:
    """How many rows the application's user touched, or that they may not."""
    try:
        with bench.database.transaction(user_id) as conn:
            return conn.execute(statement).rowcount
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.CheckViolation) as error:
        return type(error).__name__


@pytest.mark.parametrize("table", TABLES)
def test_a_user_sees_changes_and_deletes_their_own_rows_only(bench: Bench, two: tuple[int, int], table: str) -> None:
    mine, theirs = two
    own, time_of = MINE[table], "issued_at" if table == "uploads" else "created_at"
    statements = {
        "select": f"select 1 from {table} where {own} = {{}}",
        "update": f"update {table} set {time_of} = now() where {own} = {{}}",
        "delete": f"delete from {table} where {own} = {{}}",
    }
    for statement in statements.values():
        assert outcome(bench, mine, statement.format(theirs)) in (0, "InsufficientPrivilege")
        assert outcome(bench, None, statement.format(theirs)) in (0, "InsufficientPrivilege")
    expected = "InsufficientPrivilege" if table == "api_tokens" else 1
    assert outcome(bench, mine, statements["select"].format(mine)) == expected
    [row] = bench.run(f"select count(*) as n from {table} where {own} = %s", theirs)
    assert row["n"] == 1


@pytest.mark.parametrize("table", ["uploads", "images", "processing_jobs", "albums", "album_images"])
def test_a_row_cannot_be_given_away_or_taken(bench: Bench, two: tuple[int, int], table: str) -> None:
    mine, theirs = two
    assert outcome(bench, mine, f"update {table} set user_id = {theirs}") == "InsufficientPrivilege"
    columns = "storage_key, sha256, size_bytes, content_type"
    values = f"'k', '{'a' * 64}', 1, 'image/jpeg'"
    if table == "uploads":
        statement = f"insert into uploads (user_id, {columns}) values ({theirs}, {values})"
        assert outcome(bench, mine, statement) == "InsufficientPrivilege"


@pytest.mark.parametrize("table", TABLES)
def test_nobody_sees_nothing(bench: Bench, two: tuple[int, int], table: str) -> None:
    assert outcome(bench, None, f"select 1 from {table}") in (0, "InsufficientPrivilege")


def test_neither_role_nor_user_leaks_out_of_a_transaction(conninfo: str, bench: Bench) -> None:
    user_id = bench.user()
    database = Database(conninfo, max_size=1)
    with database.transaction(user_id):
        pass
    with pytest.raises(ZeroDivisionError), database.transaction(user_id):
        raise ZeroDivisionError
    with database.administration() as conn:
        row = conn.execute("select current_user::text as who, app_user() as id").fetchone()
    assert row == {"who": "postgres", "id": None}
    database.close()


def test_the_application_may_not_become_another_within_its_rights(bench: Bench, two: tuple[int, int]) -> None:
    assert outcome(bench, two[0], "create table mine (id int)") == "InsufficientPrivilege"
    assert outcome(bench, two[0], "alter table images disable row level security") == "InsufficientPrivilege"
    assert outcome(bench, two[0], "update users set email = 'x@example.com'") == "InsufficientPrivilege"


def test_an_exception_rolls_back(bench: Bench) -> None:
    user_id = bench.user()
    with pytest.raises(ZeroDivisionError), bench.database.transaction(user_id) as conn:
        jobs.bump_version(conn)
        raise ZeroDivisionError
    with bench.database.transaction(user_id) as conn:
        assert jobs.library_version(conn) == 0


# --- what tables refuse --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [("pending", "completed"), ("completed", "pending"), ("completed", "processing"), ("completed", "failed"),
     ("failed", "completed"), ("failed", "processing"), ("processing", "pending")],
)  # fmt: skip
def test_illegal_steps_of_a_job_are_refused(bench: Bench, old: str, new: str) -> None:
    job = bench.accept(bench.user())
    way = {"pending": [], "processing": ["processing"], "completed": ["processing", "completed"], "failed": ["failed"]}
    step = (
        "update processing_jobs set status = %s, lease_until = case when %s = 'processing' then now() end where id = %s"
    )
    for state in way[old]:
        bench.run(step, state, state, job.id)
    with pytest.raises(psycopg.errors.CheckViolation, match=f"from {old} to {new}"):
        bench.run(step, new, new, job.id)


def test_only_a_job_that_is_processing_has_a_lease(bench: Bench) -> None:
    job = bench.accept(bench.user())
    with pytest.raises(psycopg.errors.CheckViolation):
        bench.run("update processing_jobs set status = 'processing' where id = %s", job.id)
    with pytest.raises(psycopg.errors.CheckViolation):
        bench.run("update processing_jobs set lease_until = now() where id = %s", job.id)


def test_at_most_one_job_of_a_user_is_processing(bench: Bench) -> None:
    user_id = bench.user()
    for _ in range(2):
        bench.accept(user_id)
    with pytest.raises(psycopg.errors.UniqueViolation, match="one_processing_job_a_user"):
        bench.run("update processing_jobs set status = 'processing', lease_until = now()")


def test_album_cover_and_photos_are_of_one_user(bench: Bench, two: tuple[int, int]) -> None:
    mine, theirs = two
    place = (
        "insert into album_images (album_id, image_id, user_id, display_order)"
        " select (select id from albums where user_id = %s), (select id from images where user_id = %s), %s, 2"
    )
    bench.run("delete from album_images")
    for album, image, owner in ((mine, theirs, mine), (mine, theirs, theirs), (theirs, mine, mine)):
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            bench.run(place, album, image, owner)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        bench.run(
            "update albums set cover_image_id = (select id from images where user_id = %s) where user_id = %s",
            theirs, mine,
        )  # fmt: skip


def test_a_photo_is_in_one_primary_album_and_in_as_many_others_as_one_likes(bench: Bench) -> None:
    user_id = full(bench)
    bench.run("insert into albums (user_id, title, kind) values (%s, 'Another', 'event')", user_id)
    again = (
        "insert into album_images (album_id, image_id, user_id, display_order, is_primary)"
        " select a.id, i.id, i.user_id, 1, %s from albums a, images i where a.title = 'Another'"
    )
    with pytest.raises(psycopg.errors.UniqueViolation, match="one_primary_album_an_image"):
        bench.run(again, True)
    bench.run(again, False)


def test_a_user_who_goes_takes_everything_along(bench: Bench, two: tuple[int, int]) -> None:
    bench.run("delete from users where id = %s", two[0])
    for table in TABLES:
        [row] = bench.run(f"select count(*) as n from {table}")
        assert row["n"] == 1


# --- tokens --------------------------------------------------------------------------------------------------------


def test_a_token_tells_whose_it_is_until_it_is_revoked_or_has_expired(bench: Bench) -> None:
    user_id = bench.user("ann@example.com")
    with bench.database.administration() as conn:
        users.add_token(conn, user_id, "laptop", "good", ["read", "upload"])
        users.add_token(conn, user_id, "phone", "other", ["read"])
    with bench.database.transaction(None) as conn:
        caller = users.authenticate(conn, "good")
        assert caller == users.Caller(user_id, "ann@example.com", frozenset(("read", "upload")))
        assert users.authenticate(conn, "Good") is None
    with bench.database.administration() as conn:
        assert users.revoke_tokens(conn, user_id, "laptop") == 1
        assert users.revoke_tokens(conn, user_id, "laptop") == 0
        conn.execute("update api_tokens set expires_at = now() - interval '1 second' where name = 'phone'")
    with bench.database.transaction(None) as conn:
        assert users.authenticate(conn, "good") is None
        assert users.authenticate(conn, "other") is None
    assert not bench.run("select 1 from api_tokens where token_sha256 = 'good'::bytea"), "only its checksum is kept"


def test_an_address_is_taken_once(bench: Bench) -> None:
    bench.user("ann@example.com")
    with bench.database.administration() as conn:
        assert users.add(conn, "ann@example.com") is None


# --- uploads and photos --------------------------------------------------------------------------------------------


def test_a_photo_in_the_bin_comes_back_when_it_is_registered_again(bench: Bench) -> None:
    user_id = bench.user()
    key = bench.photo(user_id)
    bench.accept(user_id, key)
    bench.run("update images set deleted_at = now()")
    bench.accept(user_id, key)
    assert bench.run("select deleted_at from images") == [{"deleted_at": None}]


def test_what_is_being_deleted_is_not_registered(bench: Bench) -> None:
    user_id = bench.user()
    keys = [bench.photo(user_id), bench.photo(user_id)]
    bench.run("update uploads set state = 'deleting', deleting_since = now() where storage_key = %s", keys[0])
    with bench.database.transaction(user_id) as conn:
        assert uploads.register(conn, list(uploads.by_keys(conn, keys).values())) == {keys[1]}


def test_a_number_of_photos_is_written_with_one_statement(bench: Bench) -> None:
    user_id = bench.user()
    with bench.database.transaction(user_id) as conn:
        images.add(conn, [])
        assert images.unplaced(conn, ["originals/1/none"]) == []


# --- what goes wrong -----------------------------------------------------------------------------------------------


@pytest.fixture
def nowhere() -> Iterator[Database]:
    database = Database("host=127.0.0.1 port=1 user=x dbname=x", max_size=1)
    yield database
    database.close()


def test_a_database_out_of_reach_is_told_within_seconds(nowhere: Database) -> None:
    started = time.monotonic()
    with pytest.raises(DatabaseUnavailable) as caught, nowhere.transaction(1):
        pass
    assert caught.value.retry_after
    assert time.monotonic() - started < 8


def test_a_connection_that_breaks_is_told_and_the_next_one_is_good(bench: Bench) -> None:
    with pytest.raises(DatabaseUnavailable), bench.database.administration() as conn:
        conn.execute("select pg_terminate_backend(pg_backend_pid())")
    assert bench.run("select 1 as one") == [{"one": 1}]


def test_a_transaction_that_stands_still_loses_its_locks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_IDLE_SECONDS", 0.2)
    user = bench.user()
    job = bench.accept(user)
    with pytest.raises(DatabaseUnavailable), bench.database.transaction(user) as frozen:
        assert jobs.claim(frozen, job.id, timedelta(seconds=60))
        assert bench.jobs.claim(job.id) is None
        time.sleep(0.6)
        assert bench.jobs.claim(job.id)


def test_a_full_disk_of_the_database_is_told(bench: Bench) -> None:
    with pytest.raises(InsufficientStorage), bench.database.administration() as conn:
        conn.execute("do $$ begin raise sqlstate '53100' using message = 'No space left on device'; end $$")
