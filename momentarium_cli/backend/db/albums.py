"""Rows of albums and album_images."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from momentarium_cli.backend.db.pool import Connection
from momentarium_cli.backend.db.sql import load
from momentarium_cli.models import AlbumLevel, AlbumSummary

SQL = load("albums")

Row = dict[str, Any]

_OF_DATES = {"cameras": "camera", "since": "since", "until": "until", "seconds": "seconds"}


def page(conn: Connection, before: tuple[str, int], limit: int) -> list[Row]:
    """`before`: starts_at and id of the last one of the page before; ("infinity", 0) for the first page."""
    return conn.execute(SQL["page"], {"starts_at": before[0], "id": before[1], "limit": limit}).fetchall()


def roots(conn: Connection, before: tuple[str, int], limit: int) -> list[Row]:
    """Trips, and albums that are in none; `before` is that of `page`."""
    return conn.execute(SQL["roots"], {"starts_at": before[0], "id": before[1], "limit": limit}).fetchall()


def parts(conn: Connection, trip_ids: Sequence[int]) -> list[Row]:
    """The albums of trips, oldest first."""
    return conn.execute(SQL["parts"], {"trip_ids": list(trip_ids)}).fetchall()


def chapters(conn: Connection, album_ids: Sequence[int]) -> list[Row]:
    """Of albums that have several, in their order."""
    return conn.execute(SQL["chapters"], {"album_ids": list(album_ids)}).fetchall()


def one(conn: Connection, album_id: int) -> Row | None:
    return conn.execute(SQL["one"], {"id": album_id}).fetchone()


Span = tuple[datetime, datetime]


def spots(conn: Connection, decimals: int) -> list[Row]:
    """latitude, longitude, days: where there are photos of several days; degrees with so many decimals."""
    return conn.execute(SQL["spots"], {"parts": float(10**decimals)}).fetchall()


def homes(conn: Connection) -> list[Row]:
    """As they were kept."""
    row = conn.execute(SQL["homes"]).fetchone()
    return list(row["homes"]) if row else []


def keep_homes(conn: Connection, kept: Sequence[Row]) -> None:
    conn.execute(SQL["keep_homes"], {"homes": Jsonb(list(kept))})


def cameras(conn: Connection) -> list[Row]:
    """camera, photos, located: of dated photos."""
    return conn.execute(SQL["cameras"]).fetchall()


def minutes(conn: Connection, cameras: Sequence[str], *, located: bool) -> dict[str, list[int]]:
    """Since 1970, ascending, at which these cameras took photos, by their own clocks; of photos with a position alone
    if `located`."""
    rows = conn.execute(SQL["minutes"], {"cameras": list(cameras), "located": located}).fetchall()
    return {row["camera"]: row["minutes"] for row in rows}


def wrong_dates(conn: Connection) -> list[Row]:
    """As they were kept."""
    row = conn.execute(SQL["wrong_dates"]).fetchone()
    return list(row["wrong_dates"]) if row else []


def keep_wrong_dates(conn: Connection, found: Sequence[Row]) -> None:
    conn.execute(SQL["keep_wrong_dates"], {"found": Jsonb(list(found))})


def redate(conn: Connection, found: Sequence[Row]) -> None:
    """`found`: camera, since, until, seconds. Photos of other cameras and times have the dates that they say."""
    values = {name: [row[key] for row in found] for name, key in _OF_DATES.items()}
    conn.execute(SQL["redate"], values)


def level(conn: Connection) -> AlbumLevel:
    row = conn.execute(SQL["level"]).fetchone()
    return AlbumLevel(row["album_level"]) if row else AlbumLevel.ALBUMS


def keep_level(conn: Connection, kept: AlbumLevel) -> None:
    conn.execute(SQL["keep_level"], {"level": kept.value})


def stretches(conn: Connection, gap: timedelta) -> list[Span]:
    """The spans of UTC, between gaps of at least this length, in which there are photos; in order."""
    breaks = conn.execute(SQL["breaks"], {"gap": gap}).fetchall()
    return [(before["after"], after["before"]) for before, after in pairwise(breaks)]


def near(
    conn: Connection, spans: Sequence[Span], reach: timedelta, year: timedelta, most: int, timeless: Sequence[str]
) -> list[Row]:
    """Albums of events and of every day within reach of these spans, those of every day with `most` photos within
    `year` of them, and those of the kinds `timeless`, of which alone `held` says how many photos they show."""
    since, until = [span[0] for span in spans], [span[1] for span in spans]
    values = {"since": since, "until": until, "reach": reach, "year": year, "most": most, "timeless": list(timeless)}
    return conn.execute(SQL["near"], values).fetchall()


def add(conn: Connection, values: Row) -> int:
    row = conn.execute(SQL["add"], values).fetchone()
    assert row is not None  # noqa: S101 -- insert … returning answers a row or raises
    return int(row["id"])


def extend(conn: Connection, values: Row, *, changed: bool) -> None:
    """`changed`: it has other photos than before."""
    conn.execute(SQL["extend"], {**values, "changed": changed})


def place(conn: Connection, album_id: int, image_ids: Sequence[int]) -> None:
    """Put photos into an album, out of the one they were in; others that it has stay."""
    conn.execute(SQL["place"], {"album_id": album_id, "image_ids": list(image_ids)})


def set_clocks(conn: Connection, shifts: Mapping[int, timedelta | None]) -> None:
    """What must be added to the times that these photos' cameras gave."""
    seconds = [int(shift.total_seconds()) if shift else 0 for shift in shifts.values()]
    conn.execute(SQL["set_clocks"], {"image_ids": list(shifts), "seconds": seconds})


def arrange(conn: Connection, album_id: int, order: Sequence[int], chapter_ids: Sequence[int]) -> None:
    """Show an album's photos in this order, or without one by time; chapters but the first begin with these."""
    if order:
        conn.execute(SQL["order"], {"album_id": album_id, "image_ids": list(order)})
    else:
        conn.execute(SQL["reorder"], {"album_id": album_id})
    conn.execute(SQL["chapter"], {"album_id": album_id, "image_ids": list(chapter_ids)})


def note_dates(conn: Connection, album_id: int) -> None:
    """Note when an album's photos were taken."""
    conn.execute(SQL["span"], {"album_id": album_id})


def into_trip(conn: Connection, album_ids: Sequence[int], trip_id: int | None) -> None:
    conn.execute(SQL["into_trip"], {"album_ids": list(album_ids), "trip_id": trip_id})
    if trip_id is not None:
        conn.execute(SQL["span_of_trip"], {"album_id": trip_id})


def drop_empty(conn: Connection, album_ids: Sequence[int]) -> None:
    """Delete those of the albums that hold nothing, and every trip that holds none; what its owner touched stays."""
    conn.execute(SQL["drop_empty"], {"album_ids": list(album_ids)})
    conn.execute(SQL["drop_trips"])


def of_jobs(conn: Connection, job_ids: Sequence[UUID]) -> list[AlbumSummary]:
    rows = conn.execute(SQL["of_jobs"], {"job_ids": list(job_ids)}).fetchall()
    return [AlbumSummary(**row) for row in rows]
