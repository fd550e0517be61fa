"""Rows of uploads: what was issued to whom."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from momentarium_cli.backend.db.pool import Connection
from momentarium_cli.backend.db.sql import load

SQL = load("uploads")


@dataclass(frozen=True, slots=True)
class InParts:
    """An original that comes in parts: every one but the last has `part_bytes`, and each its SHA-256."""

    upload_id: str
    part_bytes: int
    sha256s: list[str]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a checksum: the photo it is, and the upload that was issued for it."""

    image_id: int | None = None
    in_bin: bool = False
    issued: bool = False
    region: str | None = None
    parts: InParts | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    id: int
    storage_key: str
    sha256: str
    size_bytes: int
    content_type: str
    preview_key: str | None
    region: str | None
    parts: InParts | None


def known(conn: Connection, sha256s: Sequence[str]) -> dict[str, Known]:
    rows = conn.execute(SQL["known"], {"sha256s": list(sha256s)}).fetchall()
    return {
        row["sha256"]: Known(
            row["image_id"], row["in_bin"], row["state"] == "issued", row["region"], _in_parts(row["parts"])
        )
        for row in rows
    }


def issue(conn: Connection, rows: Sequence[dict[str, Any]], import_id: UUID | None) -> None:
    """rows: storage_key, sha256, size_bytes, content_type, preview_key, region."""
    conn.execute(SQL["issue"], {"rows": Jsonb(list(rows)), "import_id": import_id})


def by_keys(conn: Connection, keys: Sequence[str]) -> dict[str, Issued]:
    rows = conn.execute(SQL["by_keys"], {"keys": list(keys)}).fetchall()
    return {row["storage_key"]: Issued(**row | {"parts": _in_parts(row["parts"])}) for row in rows}


def set_parts(conn: Connection, key: str, before: InParts | None, parts: InParts | None) -> bool:
    """False if the row no longer says what it said `before`."""
    values = {"key": key, "before": before and before.upload_id, "parts": parts and Jsonb(asdict(parts))}
    return conn.execute(SQL["set_parts"], values).fetchone() is not None


def _in_parts(value: dict[str, Any] | None) -> InParts | None:
    return InParts(**value) if value else None


def being_deleted(conn: Connection, keys: Sequence[str]) -> bool:
    """Whether any of them is: what would be stored under it now could go with what was there before."""
    row = conn.execute(SQL["being_deleted"], {"keys": list(keys)}).fetchone()
    return bool(row and row["deleting"])


def register(conn: Connection, issued: Sequence[Issued]) -> set[str]:
    """The keys that were locked and marked; those that are being deleted, or were and came again, are not among them:
    what was seen in the store under the old row says nothing about the new one."""
    rows = conn.execute(SQL["register"], {"ids": [upload.id for upload in issued]}).fetchall()
    return {row["storage_key"] for row in rows}
