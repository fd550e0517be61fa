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
    id: int
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


def being_deleted(conn: Connection, keys: Sequence[str]) -> bool:
    """Whether any of them is: what would be stored under it now could go with what was there before."""
    row = conn.execute(SQL["being_deleted"], {"keys": list(keys)}).fetchone()
    return bool(row and row["deleting"])


def register(conn: Connection, issued: Sequence[Issued]) -> set[str]:
    """The keys that were locked and marked; those that are being deleted, or were and came again, are not among them:
    what was seen in the store under the old row says nothing about the new one."""
    rows = conn.execute(SQL["register"], {"ids": [upload.id for upload in issued]}).fetchall()
    return {row["storage_key"] for row in rows}
