"""Rows of users and api_tokens."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
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
    row = conn.execute(SQL["library"]).fetchone()
    assert row is not None  # noqa: S101 -- a select of counts has one row
    return row


def _sha256(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
