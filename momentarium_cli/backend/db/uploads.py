"""Rows of uploads: what was issued to whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from momentarium_cli.backend.db.pool import Connection
from momentarium_cli.backend.db.sql import load

SQL = load("uploads")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a checksum: the photo it is, and the upload that was issued for it."""

    image_id: int | None
    in_bin: bool
    issued: bool


@dataclass(frozen=True, slots=True)
class Issued:
    storage_key: str
    sha256: str
    size_bytes: int
    content_type: str
    preview_key: str | None
    state: str


def known(conn: Connection, sha256s: Sequence[str]) -> dict[str, Known]:
    rows = conn.execute(SQL["known"], {"sha256s": list(sha256s)}).fetchall()
    return {row["sha256"]: Known(row["image_id"], row["in_bin"], row["state"] == "issued") for row in rows}


def issue(conn: Connection, rows: Sequence[dict[str, Any]], import_id: UUID | None) -> None:
    """rows: storage_key, sha256, size_bytes, content_type, preview_key."""
    conn.execute(SQL["issue"], {"rows": Jsonb(list(rows)), "import_id": import_id})


def by_keys(conn: Connection, keys: Sequence[str]) -> dict[str, Issued]:
    rows = conn.execute(SQL["by_keys"], {"keys": list(keys)}).fetchall()
    return {row["storage_key"]: Issued(**row) for row in rows}


def register(conn: Connection, keys: Sequence[str]) -> set[str]:
    """The keys that were locked and marked; those that are being deleted are not among them."""
    return {row["storage_key"] for row in conn.execute(SQL["register"], {"keys": list(keys)}).fetchall()}
