"""Rows of users and api_tokens."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from momentarium_cli.backend.db.pool import Connection
from momentarium_cli.backend.db.sql import load

SQL = load("users")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request, and what their token allows."""

    user_id: int
    email: str
    scopes: frozenset[str]


def add(conn: Connection, email: str) -> int | None:
    """The new user's id, or None if the address is taken."""
    row = conn.execute(SQL["add"], {"email": email}).fetchone()
    return row["id"] if row else None


def by_email(conn: Connection, email: str) -> dict[str, Any] | None:
    return conn.execute(SQL["by_email"], {"email": email}).fetchone()


def list_all(conn: Connection) -> list[dict[str, Any]]:
    return conn.execute(SQL["list_all"]).fetchall()


def holdings(conn: Connection, user_id: int) -> tuple[int, int]:
    """How many photos a user has, also in the bin, and their bytes."""
    row = _row(conn, "holdings", id=user_id)
    return row["photos"], row["size_bytes"]


def begin_leaving(conn: Connection, user_id: int, uploading_for: timedelta, working_for: timedelta) -> float:
    """No token of the user is good and no job goes on any more. For how many seconds something of theirs may still be
    stored: by upload targets and by jobs that were cancelled, which are good for so long."""
    for statement in ("lock", "leave", "cancel_all"):
        conn.execute(SQL[statement], {"id": user_id})
    revoke_tokens(conn, user_id)
    return _arriving(conn, user_id, uploading_for, working_for)


def remove(conn: Connection, user_id: int, uploading_for: timedelta, working_for: timedelta) -> bool:
    """Whether the user, who was leaving, is gone; not while something of theirs may still be stored."""
    conn.execute(SQL["lock"], {"id": user_id})
    if _arriving(conn, user_id, uploading_for, working_for) > 0:
        return False
    return conn.execute(SQL["remove"], {"id": user_id}).rowcount > 0


def uploads_in_parts(conn: Connection, user_id: int) -> list[dict[str, Any]]:
    """storage_key, region and upload_id of each."""
    return conn.execute(SQL["uploads_in_parts"], {"id": user_id}).fetchall()


def add_token(conn: Connection, user_id: int, name: str, token: str, scopes: Sequence[str]) -> None:
    conn.execute(SQL["add_token"], {"user_id": user_id, "name": name, "sha256": _sha256(token), "scopes": list(scopes)})


def revoke_tokens(conn: Connection, user_id: int, name: str | None = None) -> int:
    """How many were revoked."""
    return len(conn.execute(SQL["revoke_tokens"], {"user_id": user_id, "name": name}).fetchall())


def authenticate(conn: Connection, token: str) -> Caller | None:
    row = conn.execute(SQL["authenticate"], {"sha256": _sha256(token)}).fetchone()
    return Caller(row["user_id"], row["email"], frozenset(row["scopes"])) if row else None


def library(conn: Connection) -> dict[str, Any]:
    """library_id, photos, albums of the transaction's user."""
    return _row(conn, "library")


def _arriving(conn: Connection, user_id: int, uploading_for: timedelta, working_for: timedelta) -> float:
    values = {"id": user_id, "uploading_for": uploading_for, "working_for": working_for}
    return float(_row(conn, "arriving", **values)["seconds"])


def _row(conn: Connection, name: str, **values: Any) -> dict[str, Any]:
    row = conn.execute(SQL[name], values).fetchone()
    assert row is not None  # noqa: S101 -- what has neither from nor group by answers one row
    return row


def _sha256(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
