"""What is to be deleted, of all users; and what should lie in the store."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from momentarium_cli.backend.db.pool import Connection
from momentarium_cli.backend.db.sql import load

SQL = load("housekeeping")


@dataclass(frozen=True, slots=True)
class Doomed:
    """An upload that is being deleted; it is its sweeper's while the row still says `deleting_since`."""

    id: int
    user_id: int
    storage_key: str
    size_bytes: int
    issued_at: datetime
    region: str | None
    upload_id: str | None
    deleting_since: datetime


@dataclass(frozen=True, slots=True)
class Discarded:
    """A preview or thumb that is being deleted."""

    storage_key: str
    deleting_since: datetime


@dataclass(frozen=True, slots=True)
class Expected:
    """A key under which something must lie; what is not known of it is None."""

    key: str
    size_bytes: int | None
    filename: str | None


def begin_deleting(
    conn: Connection, unused_for: timedelta, abandoned_for: timedelta, limit: int | None
) -> list[Doomed]:
    values = {"unused_for": unused_for, "abandoned_for": abandoned_for, "limit": limit}
    return [Doomed(**row) for row in conn.execute(SQL["begin_deleting"], values).fetchall()]


def finish_deleting(conn: Connection, doomed: Sequence[Doomed]) -> None:
    """Those that another sweeper has taken over stay."""
    values = {"ids": [item.id for item in doomed], "since": [item.deleting_since for item in doomed]}
    conn.execute(SQL["finish_deleting"], values)


def begin_discarding(conn: Connection, user_id: int | None, abandoned_for: timedelta, limit: int) -> list[Discarded]:
    """Of one user at a time: this one, or whoever has some."""
    values = {"user_id": user_id, "abandoned_for": abandoned_for, "limit": limit}
    return [Discarded(**row) for row in conn.execute(SQL["begin_discarding"], values).fetchall()]


def finish_discarding(conn: Connection, found: Sequence[Discarded]) -> None:
    values = {"keys": [item.storage_key for item in found], "since": [item.deleting_since for item in found]}
    conn.execute(SQL["finish_discarding"], values)


def expected_keys(conn: Connection, prefix: str) -> Iterator[str]:
    """Under which something must lie; they stream in, however many."""
    with conn.cursor(name="expected") as cursor:
        cursor.itersize = 10_000
        yield from (row["key"] for row in cursor.execute(SQL["expected"], {"prefix": prefix, "keys": None}))


def expected(conn: Connection, prefix: str, keys: Sequence[str]) -> list[Expected]:
    """Those of some keys under which something must lie."""
    rows = conn.execute(SQL["expected"], {"prefix": prefix, "keys": list(keys)}).fetchall()
    return [Expected(**row) for row in rows]


def known(conn: Connection, keys: Sequence[str]) -> set[str]:
    """Those of some keys that any row refers to."""
    return {row["key"] for row in conn.execute(SQL["known"], {"keys": list(keys)}).fetchall()}
