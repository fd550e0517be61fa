"""Rows of images."""

from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Jsonb

from momentarium_cli.backend.db.housekeeping import Doomed
from momentarium_cli.backend.db.pool import Connection
from momentarium_cli.backend.db.sql import load

SQL = load("images")

Row = dict[str, Any]


def add(conn: Connection, rows: Sequence[Row]) -> None:
    conn.execute(SQL["add"], {"rows": Jsonb(list(rows))})


def unplaced(conn: Connection, keys: Sequence[str]) -> list[Row]:
    return conn.execute(SQL["unplaced"], {"keys": list(keys)}).fetchall()


def without_thumb(conn: Connection, keys: Sequence[str]) -> list[Row]:
    return conn.execute(SQL["without_thumb"], {"keys": list(keys)}).fetchall()


def unverified(conn: Connection, keys: Sequence[str]) -> list[Row]:
    return conn.execute(SQL["unverified"], {"keys": list(keys)}).fetchall()


def verified(conn: Connection, image_id: int) -> None:
    conn.execute(SQL["verified"], {"id": image_id})


def derived(conn: Connection, rows: Sequence[Row]) -> None:
    """rows: id, preview_key, thumb_key, thumbhash, phash, quality, look."""
    conn.cursor().executemany(SQL["derived"], rows)


def undecodable(conn: Connection, rows: Sequence[Row]) -> None:
    """rows: id, reason."""
    conn.cursor().executemany(SQL["undecodable"], rows)


def of_album(conn: Connection, album_id: int, after: Sequence[int], limit: int) -> list[Row]:
    """`after`: place, display_order and id of the last one of the page before."""
    place, order, image_id = after
    values = {"album_id": album_id, "place": place, "order": order, "id": image_id, "limit": limit}
    return conn.execute(SQL["of_album"], values).fetchall()


def of_albums(conn: Connection, album_ids: Sequence[int]) -> list[Row]:
    return conn.execute(SQL["of_albums"], {"album_ids": list(album_ids)}).fetchall()


def covers(conn: Connection, album_ids: Sequence[int]) -> list[Row]:
    return conn.execute(SQL["covers"], {"album_ids": list(album_ids)}).fetchall()


def put_into_bin(conn: Connection, image_id: int) -> bool:
    """Whether there is such a photo."""
    return conn.execute(SQL["put_into_bin"], {"id": image_id}).fetchone() is not None


def delete(conn: Connection, image_ids: Sequence[int]) -> list[Doomed]:
    """Delete photos' rows, and albums that held nothing else. The uploads that are to go with those that were there."""
    values = {"ids": list(image_ids)}
    doomed = [Doomed(**row) for row in conn.execute(SQL["doom"], values).fetchall()]
    for statement in ("drop_albums", "delete"):
        conn.execute(SQL[statement], values)
    return doomed
