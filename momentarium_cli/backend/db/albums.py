"""Rows of albums and album_images."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from momentarium_cli.backend.db.pool import Connection
from momentarium_cli.backend.db.sql import load
from momentarium_cli.models import AlbumSummary

SQL = load("albums")

Row = dict[str, Any]


def page(conn: Connection, before: tuple[str, int], limit: int) -> list[Row]:
    """`before`: starts_at and id of the last one of the page before; ("infinity", 0) for the first page."""
    return conn.execute(SQL["page"], {"starts_at": before[0], "id": before[1], "limit": limit}).fetchall()


def one(conn: Connection, album_id: int) -> Row | None:
    return conn.execute(SQL["one"], {"id": album_id}).fetchone()


def near(conn: Connection, since: datetime | None, until: datetime | None) -> list[Row]:
    """Albums that overlap this span of local wall time, and those without dates."""
    return conn.execute(SQL["near"], {"since": since, "until": until}).fetchall()


def add(conn: Connection, values: Row) -> int:
    row = conn.execute(SQL["add"], values).fetchone()
    assert row is not None  # noqa: S101 -- insert … returning answers a row or raises
    return int(row["id"])


def extend(conn: Connection, values: Row) -> bool:
    """Whether the album was there."""
    return conn.execute(SQL["extend"], values).fetchone() is not None


def place(conn: Connection, album_id: int, image_ids: Sequence[int]) -> None:
    conn.execute(SQL["place"], {"album_id": album_id, "image_ids": list(image_ids)})


def reorder(conn: Connection, album_id: int) -> None:
    conn.execute(SQL["reorder"], {"album_id": album_id})


def of_jobs(conn: Connection, job_ids: Sequence[UUID]) -> list[AlbumSummary]:
    rows = conn.execute(SQL["of_jobs"], {"job_ids": list(job_ids)}).fetchall()
    return [AlbumSummary(**row) for row in rows]
