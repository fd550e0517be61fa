"""Judges a run of jobs by what it left: `python -m tests.chaos.judge CONNINFO STORE_FOLDER LEASE_SECONDS`.

Reads the database and the store, nothing else. One line for each finding; the exit code is 1 where there is one.

lost      an accepted job that is not there or has not ended; a photo of it without row or object; a photo of a
          completed job that is not in exactly one primary album, or has no thumbnail
doubled   an album that no completed job answers for; a photo twice; two albums of a user with the same photos
stuck     a user's job was due, and nobody took it for the lease and a minute more
illegal   a transition that the life of a job does not know, a fence that went back, a lease taken while it was live
"""

import hashlib
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

_PATIENCE = timedelta(seconds=60)
_NEW_HOLDER = {("pending", "processing"), ("failed", "pending")}
_LEGAL = {
    (None, "pending"),
    ("pending", "pending"),  # woken again
    ("pending", "processing"),
    ("pending", "failed"),
    ("processing", "processing"),
    ("processing", "completed"),
    ("processing", "failed"),
    ("failed", "pending"),
}

Row = dict[str, Any]
Connection = psycopg.Connection[Row]


def findings(conn: Connection, store: Path, lease: timedelta) -> Iterator[str]:
    yield from _lost_jobs(conn)
    yield from _lost_photos(conn, store)
    yield from _lost_placings(conn)
    yield from _lost_thumbs(conn, store)
    yield from _doubled_albums(conn)
    yield from doubled_photos(conn)
    yield from _illegal(conn)
    yield from _stuck(conn, lease + _PATIENCE)


def _rows(conn: Connection, query: str) -> list[Row]:
    return conn.execute(query).fetchall()


# --- lost ----------------------------------------------------------------------------------------------------------


def _lost_jobs(conn: Connection) -> Iterator[str]:
    for row in _rows(
        conn,
        "select a.job_id, j.status from chaos_accepted a left join processing_jobs j on j.id = a.job_id"
        " and j.user_id = a.user_id where j.status is null or j.status not in ('completed', 'failed')",
    ):
        yield f"lost: job {row['job_id']} was accepted and is {row['status'] or 'not there'}"
    for row in _rows(conn, "select id, status from processing_jobs where status not in ('completed', 'failed')"):
        yield f"lost: job {row['id']} has not ended, it is {row['status']}"


def _lost_photos(conn: Connection, store: Path) -> Iterator[str]:
    for row in _rows(
        conn,
        "select distinct a.user_id, key, i.id, i.sha256 from chaos_accepted a cross join unnest(a.storage_keys) as key"
        " left join images i on i.storage_key = key and i.user_id = a.user_id",
    ):
        if row["id"] is None:
            yield f"lost: photo {row['key']} was accepted and has no row"
        else:
            yield from _lost_object(store, row["key"], row["sha256"])


def _lost_object(store: Path, key: str, sha256: str) -> Iterator[str]:
    kind, user, name = key.split("/")
    path = store / kind / user / name[:2] / name
    if not path.is_file():
        yield f"lost: object {key} is not in the store"
    elif hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        yield f"lost: object {key} holds other bytes"


def _lost_placings(conn: Connection) -> Iterator[str]:
    for row in _rows(
        conn,
        "select distinct i.storage_key, n.albums from processing_jobs j"
        " join images i on i.storage_key = any(j.image_keys) cross join lateral"
        " (select count(*) as albums from album_images a where a.image_id = i.id and a.is_primary) n"
        " where j.status = 'completed' and i.deleted_at is null and n.albums <> 1",
    ):
        yield f"lost: photo {row['storage_key']} of a completed job is in {row['albums']} primary albums"


def _lost_thumbs(conn: Connection, store: Path) -> Iterator[str]:
    for row in _rows(
        conn,
        "select distinct i.storage_key, i.thumb_key, i.preview_key, i.decode_error from processing_jobs j"
        " join images i on i.storage_key = any(j.image_keys) where j.status = 'completed'",
    ):
        if row["thumb_key"] is None:
            yield f"lost: photo {row['storage_key']} of a completed job has no thumbnail: {row['decode_error']}"
        else:
            for key in (row["thumb_key"], row["preview_key"]):
                yield from _lost_object(store, key, Path(key).stem)


# --- doubled -------------------------------------------------------------------------------------------------------


def _doubled_albums(conn: Connection) -> Iterator[str]:
    """Albums are made by the transaction that completes their job, so one of another moment is of another attempt."""
    for row in _rows(
        conn,
        "select a.id, a.job_id, j.status from albums a left join processing_jobs j on j.id = a.job_id"
        " where j.status is distinct from 'completed' or a.created_at is distinct from j.completed_at",
    ):
        yield f"doubled: album {row['id']} was not made when job {row['job_id']} ({row['status']}) was completed"
    for row in _rows(
        conn,
        "with held as (select a.id, a.user_id, array_agg(x.image_id order by x.image_id) as photos from albums a"
        " join album_images x on x.album_id = a.id group by a.id)"
        " select one.id, other.id as other from held one join held other"
        " on other.user_id = one.user_id and other.id > one.id and other.photos = one.photos",
    ):
        yield f"doubled: albums {row['id']} and {row['other']} hold the same photos"
    for row in _rows(
        conn,
        "select id from albums a where not exists (select from album_images x where x.album_id = a.id)"
        " and not exists (select from albums x where x.parent_id = a.id and a.kind = 'trip')",
    ):
        yield f"doubled: album {row['id']} holds nothing"


def doubled_photos(conn: Connection) -> Iterator[str]:
    for row in _rows(
        conn, "select image_id, count(*) as n from album_images where is_primary group by image_id having count(*) > 1"
    ):
        yield f"doubled: photo {row['image_id']} is in {row['n']} primary albums"
    for row in _rows(conn, "select user_id, sha256 from images group by user_id, sha256 having count(*) > 1"):
        yield f"doubled: user {row['user_id']} has photo {row['sha256']} twice"


# --- the life of every job -----------------------------------------------------------------------------------------


def _illegal(conn: Connection) -> Iterator[str]:
    known: dict[UUID, tuple[str, int]] = {}
    working: dict[int, UUID] = {}
    for row in _rows(conn, "select * from chaos_audit order by seq"):
        job, change = row["job_id"], (row["old_status"], row["status"])
        if change not in _LEGAL:
            yield f"illegal: job {job} went from {change[0]} to {change[1]}"
        if row["old_status"] is not None and known.get(job) != (row["old_status"], row["old_fence"]):
            yield f"illegal: job {job} changed without a trace before change {row['seq']}"
        known[job] = (row["status"], row["fence"])
        yield from _illegal_fence(row)
        if row["status"] == "processing" and working.setdefault(row["user_id"], job) != job:
            yield f"illegal: jobs {working[row['user_id']]} and {job} of user {row['user_id']} were processed at once"
        if row["status"] != "processing" and working.get(row["user_id"]) == job:
            del working[row["user_id"]]
    for row in _rows(conn, "select id, status, fence from processing_jobs"):
        if known.get(row["id"]) != (row["status"], row["fence"]):
            yield f"illegal: job {row['id']} is not what its last change made of it"


def _illegal_fence(row: Row) -> Iterator[str]:
    if row["old_fence"] is None:
        return
    if row["fence"] < row["old_fence"]:
        yield f"illegal: the fence of job {row['job_id']} went from {row['old_fence']} to {row['fence']}"
    raised = row["fence"] > row["old_fence"]
    if (row["old_status"], row["status"]) in _NEW_HOLDER and not raised:
        yield f"illegal: job {row['job_id']} went from {row['old_status']} to {row['status']} without a new fence"
    if row["old_status"] == row["status"] == "processing" and raised and row["old_lease_until"] > row["at"]:
        yield f"illegal: job {row['job_id']} was taken while its lease was live"


# --- stuck ---------------------------------------------------------------------------------------------------------


def _stuck(conn: Connection, limit: timedelta) -> Iterator[str]:
    for user_id, waited, since in _waits(conn):
        if waited > limit:
            yield f"stuck: user {user_id} had jobs due and nobody at work from {since:%H:%M:%S} for {waited.seconds} s"


def longest_wait(conn: Connection) -> timedelta:
    return max((waited for _, waited, _ in _waits(conn)), default=timedelta(0))


def _waits(conn: Connection) -> Iterator[tuple[int, timedelta, datetime]]:
    """For how long, and from when, a user's job was due while nobody worked for that user."""
    changes: dict[int, list[Row]] = defaultdict(list)
    for row in _rows(conn, "select * from chaos_audit order by seq"):
        changes[row["user_id"]].append(row)
    [now] = _rows(conn, "select clock_timestamp() as now")
    for user_id, rows in changes.items():
        status: dict[UUID, str] = {}
        due: datetime | None = None
        for row in rows:
            status[row["job_id"]] = row["status"]
            was_due, due = due, _due(row, status, due)
            if was_due is not None and was_due != due and row["at"] > was_due:
                yield user_id, row["at"] - was_due, was_due
        if due is not None and now["now"] > due:
            yield user_id, now["now"] - due, due


def _due(row: Row, status: dict[UUID, str], before: datetime | None) -> datetime | None:
    """From when on a worker should take one of the user's jobs, after a change; None: there is nothing to do."""
    if row["status"] == "processing":
        return row["lease_until"]  # type: ignore[no-any-return]
    if "processing" in status.values():
        return before
    if "pending" not in status.values():
        return None
    return before if before is not None and row["old_status"] in (None, "pending") else row["at"]


def main(conninfo: str, store: Path, lease: timedelta) -> int:
    with psycopg.connect(conninfo, row_factory=dict_row) as conn:
        found = list(findings(conn, store, lease))
        [counted] = _rows(
            conn,
            "select count(*) as jobs, count(*) filter (where status = 'completed') as completed,"
            " (select count(*) from albums) as albums, (select count(*) from images) as photos from processing_jobs",
        )
        print(*found, sep="\n", end="\n" if found else "")
        print(
            f"judged: {counted['jobs']} jobs, {counted['completed']} completed, {counted['photos']} photos,"
            f" {counted['albums']} albums, longest wait {longest_wait(conn).total_seconds():.1f} s,"
            f" {len(found)} findings"
        )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), timedelta(seconds=float(sys.argv[3]))))
