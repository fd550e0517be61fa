import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from procrastinate.schema import migrations_path

from momentarium_cli.backend.db import migrate as migrate_module
from momentarium_cli.backend.db.migrate import migrate
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.errors import DatabaseUnavailable, InsufficientStorage, SettingsError
from tests.clusters import Cluster


@pytest.fixture
def empty(postgres: Cluster) -> Iterator[str]:
    with postgres.clone("template0") as conninfo:
        yield conninfo


def test_an_empty_database_gets_everything_and_then_nothing_more(empty: str) -> None:
    applied = migrate(empty)
    assert applied[0] == "0001_initial.sql"
    assert {f"procrastinate/{file.name}" for file in migrations_path.glob("*.sql")} < set(applied)
    assert migrate(empty) == []


def test_of_two_at_once_one_migrates_and_the_other_waits(empty: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(migrate, (empty, empty))
    assert sorted((bool(first), bool(second))) == [False, True]


def newer_queue(monkeypatch: pytest.MonkeyPatch, migrations: Path) -> None:
    monkeypatch.setattr("procrastinate.schema.migrations_path", migrations)
    monkeypatch.setattr("importlib.metadata.version", lambda _: "99.0.0")


def test_of_a_newer_queue_only_what_is_missing_is_applied(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(empty)
    for file in migrations_path.glob("*.sql"):
        (tmp_path / file.name).write_text("select 1 / 0")
    (tmp_path / "99.00.00_01_later.sql").write_text("create table procrastinate_later (id int)")
    newer_queue(monkeypatch, tmp_path)
    assert migrate(empty) == ["procrastinate/99.00.00_01_later.sql"]
    with closing(Database(empty)) as opened, opened.transaction(None) as conn:
        conn.execute("insert into procrastinate_later values (1)")


def test_a_migration_that_fails_leaves_nothing_behind(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(empty)
    (tmp_path / "99.00.00_01_later.sql").write_text("create table procrastinate_later (id int); select 1 / 0")
    newer_queue(monkeypatch, tmp_path)
    for _ in range(2):
        with pytest.raises(psycopg.errors.DivisionByZero):
            migrate(empty)


def test_an_owner_who_is_no_superuser_can_migrate_and_work(postgres: Cluster) -> None:
    postgres.run(
        "create role photo_owner login createrole password 'pw'",
        "create database owned owner photo_owner",
        "grant momentarium_app to photo_owner with admin option",  # here the role is another's; else it is made
    )
    try:
        conninfo = postgres.address("owned", user="photo_owner", password="pw")
        assert migrate(conninfo)
        opened = Database(conninfo)
        with opened.administration() as conn:
            conn.execute("insert into users (email) values ('a@example.com'), ('b@example.com')")
            ids = [row["id"] for row in conn.execute("select id from users order by id").fetchall()]
            assert len(ids) == 2, "the owner has a policy of their own"
        with opened.transaction(ids[0]) as conn:
            assert [row["id"] for row in conn.execute("select id from users").fetchall()] == ids[:1]
        opened.close()
    finally:
        postgres.run("drop database if exists owned with (force)", "drop owned by photo_owner", "drop role photo_owner")


def test_tables_belong_to_the_owner_and_security_is_forced_on_all_of_ours(conninfo: str) -> None:
    with psycopg.connect(conninfo) as conn:
        rows = conn.execute(
            "select relname, relrowsecurity and relforcerowsecurity, pg_get_userbyid(relowner) from pg_class"
            " where relnamespace = 'public'::regnamespace and relkind = 'r'"
        ).fetchall()
    assert not [name for name, _, owner in rows if owner == "momentarium_app"]
    open_tables = {name for name, secured, _ in rows if not secured and not name.startswith("procrastinate_")}
    assert open_tables == {"schema_migrations"}


def test_functions_that_see_all_users_are_for_the_application_alone(conninfo: str) -> None:
    with psycopg.connect(conninfo) as conn:
        rows = conn.execute(
            "select proname, proacl::text, proconfig::text from pg_proc"
            " where prosecdef and pronamespace = 'public'::regnamespace"
        ).fetchall()
    assert {name for name, _, _ in rows} == {
        "authenticate", "claim_job", "overdue_jobs", "open_jobs", "begin_deleting", "finish_deleting",
        "begin_discarding", "finish_discarding", "wake_overdue", "job_of_message", "reserve_ai_request",
    }  # fmt: skip
    for _, rights, config in rows:
        assert re.search(r"momentarium_app=X", rights)
        assert not re.search(r"[{,]=X", rights), "nothing for everyone"
        assert "search_path=pg_catalog, public, pg_temp" in config


@pytest.mark.parametrize(
    "conninfo", ["host=127.0.0.1 port=1 dbname=x user=x password=s3cret", "postgres://ann:s3cret@127.0.0.1:1/x"]
)
def test_a_database_that_does_not_answer_is_told_in_one_line(conninfo: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="does not answer") as caught:
        migrate(conninfo)
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("conninfo", ["nonsense", "colour=red password=s3cret", "postgres://ann:s3cret@host/x?y"])
def test_an_address_that_is_none_is_a_settings_error_that_keeps_the_password(conninfo: str) -> None:
    with pytest.raises(SettingsError, match=r"database\.url") as caught:
        migrate(conninfo)
    assert "s3cret" not in str(caught.value)


def test_a_full_disk_is_told(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    full = "do $$ begin raise sqlstate '53100' using message = 'No space left on device'; end $$"
    monkeypatch.setattr(migrate_module, "_BOOKKEEPING", full)
    with pytest.raises(InsufficientStorage):
        migrate(empty)
