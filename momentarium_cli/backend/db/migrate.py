"""Bring a database to this version's schema: numbered SQL files that only go forward, then the job queue's own.

Each file and the row that says it was applied are one transaction; an advisory lock lets one server at a time migrate.
"""

import re
from collections.abc import Sequence
from importlib import metadata, resources
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from momentarium_cli.errors import DatabaseUnavailable, InsufficientStorage, SettingsError

MINIMUM_VERSION = 180000
_LOCK = 7_236_411_905  # any number that is always the same
_BOOKKEEPING = (
    "create table if not exists schema_migrations (name text primary key, applied_at timestamptz default now())"
)


def migrate(conninfo: str) -> list[str]:
    """Apply what is missing, as the owner of the tables. Returns the names of what was applied."""
    _check_address(conninfo)
    try:
        with psycopg.connect(conninfo, autocommit=True, connect_timeout=10) as conn:
            if conn.info.server_version < MINIMUM_VERSION:
                raise SettingsError("database.url must be PostgreSQL 18 or newer.", hint="Upgrade the database.")
            conn.execute("select pg_advisory_lock(%s)", (_LOCK,))
            try:
                return _apply_missing(conn)
            finally:
                conn.execute("select pg_advisory_unlock(%s)", (_LOCK,))
    except psycopg.errors.DiskFull as error:
        raise InsufficientStorage("The disk of the database is full.", hint="Free some space there.") from error
    except psycopg.OperationalError as error:
        said = " ".join(str(error).split())
        raise DatabaseUnavailable(f"The database does not answer: {said}.", hint="Check database.url.") from error


def _check_address(conninfo: str) -> None:
    try:
        conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:  # its text may hold the password
        raise SettingsError(
            "database.url is no address of a database.", hint="It looks like postgresql://user:password@host/name."
        ) from None


def _apply_missing(conn: psycopg.Connection) -> list[str]:
    conn.execute(_BOOKKEEPING)
    applied = {str(row[0]) for row in conn.execute("select name from schema_migrations").fetchall()}
    done = [name for name, sql in _ours() if name not in applied and _apply(conn, [name], sql)]
    return done + _apply_queue_schema(conn, applied)


def _ours() -> list[tuple[str, str]]:
    folder = resources.files("momentarium_cli.backend.db").joinpath("migrations")
    files = sorted((file for file in folder.iterdir() if re.match(r"\d{4}_.*\.sql$", file.name)), key=lambda f: f.name)
    return [(file.name, file.read_text("utf-8")) for file in files]


def _apply_queue_schema(conn: psycopg.Connection, applied: set[str]) -> list[str]:
    """procrastinate brings a whole schema for a new database, and its own migrations for one it knows."""
    current = f"procrastinate {metadata.version('procrastinate')}"
    if current in applied:
        return []
    from procrastinate.schema import SchemaManager, migrations_path  # slow to import, and seldom needed

    files = sorted(migrations_path.glob("*.sql"), key=lambda file: _version(file.name))
    names = [f"procrastinate/{file.name}" for file in files]
    if any(name.startswith("procrastinate/") for name in applied):
        done = _apply_one_by_one(conn, [pair for pair in zip(names, files, strict=True) if pair[0] not in applied])
    else:
        _apply(conn, names, SchemaManager.get_schema() + _grants())
        done = names
    _note(conn, [current])
    return done


def _apply_one_by_one(conn: psycopg.Connection, migrations: Sequence[tuple[str, Path]]) -> list[str]:
    for name, file in migrations:
        _apply(conn, [name], file.read_text("utf-8") + _grants())
    return [name for name, _ in migrations]


def _version(file_name: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", file_name)[:4])


def _grants() -> str:
    """The application defers jobs in its own transactions, so it may write the queue's tables."""
    return ";" + (resources.files("momentarium_cli.backend.db") / "queue_grants.sql").read_text("utf-8")


def _apply(conn: psycopg.Connection, names: list[str], sql: str) -> bool:
    with conn.transaction():
        conn.execute(sql)
        _note(conn, names)
    return True


def _note(conn: psycopg.Connection, names: list[str]) -> None:
    conn.cursor().executemany("insert into schema_migrations(name) values (%s)", [(name,) for name in names])
