"""Rows of processing_jobs, and users.library_version that finishing a job depends on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from momentarium_cli.backend.db.pool import Connection
from momentarium_cli.backend.db.sql import load

SQL = load("jobs")


@dataclass(frozen=True, slots=True)
class Job:
    """A row; times are UTC. Only whoever holds the current `fence` may write to a job that is processing.

    One with an `album_level` has no photos: it makes the albums of the whole library anew.
    """

    id: UUID
    user_id: int
    import_id: UUID
    status: str
    image_keys: list[str]
    result_data: dict[str, Any] | None
    error_code: str | None
    error_message: str | None
    stage: str | None
    stage_started_at: datetime | None
    stage_began_at: int
    done: int
    total: int
    attempt: int
    fence: int
    lease_until: datetime | None
    deliver_after: datetime
    woken_at: datetime
    organized_by: str | None
    idempotency_key: UUID
    request_sha256: str
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    album_level: str | None


@dataclass(frozen=True, slots=True)
class Wake:
    """A job that a worker is to be told of."""

    id: UUID
    fence: int


def _one(conn: Connection, name: str, **values: Any) -> Job | None:
    row = conn.execute(SQL[name], values).fetchone()
    return Job(**row) if row else None


def add(
    conn: Connection,
    *,
    import_id: UUID,
    image_keys: Sequence[str],
    idempotency_key: UUID,
    request_sha256: str,
    album_level: str | None = None,
) -> Job | None:
    """The new job, or None if this batch has one. `album_level`: it has no photos, and regroups the library to it."""
    return _one(
        conn,
        "add",
        import_id=import_id,
        image_keys=list(image_keys),
        idempotency_key=idempotency_key,
        request_sha256=request_sha256,
        album_level=album_level,
    )


def by_idempotency_key(conn: Connection, key: UUID) -> Job | None:
    return _one(conn, "by_idempotency_key", key=key)


def one(conn: Connection, job_id: UUID) -> Job | None:
    return _one(conn, "one", id=job_id)


def of_import(conn: Connection, import_id: UUID | None, limit: int | None) -> list[Job]:
    """Newest first; of every import where none is named."""
    rows = conn.execute(SQL["of_import"], {"import_id": import_id, "limit": limit}).fetchall()
    return [Job(**row) for row in rows]


def claim(conn: Connection, job_id: UUID, lease: timedelta) -> Job | None:
    return _one(conn, "claim", id=job_id, lease=lease)


def renew(conn: Connection, job: Job, lease: timedelta) -> bool:
    """Whether the job is still this worker's."""
    return conn.execute(SQL["renew"], {"id": job.id, "fence": job.fence, "lease": lease}).fetchone() is not None


def progress(conn: Connection, job: Job, stage: str, done: int, total: int, *, begins: bool) -> bool:
    """`begins`: this worker is at the beginning of the stage."""
    values = {"id": job.id, "fence": job.fence, "stage": stage, "done": done, "total": total, "begins": begins}
    return conn.execute(SQL["progress"], values).fetchone() is not None


def postpone(conn: Connection, job: Job, delay: timedelta, code: str, message: str) -> bool:
    values = {"id": job.id, "fence": job.fence, "delay": delay, "code": code, "message": message}
    return conn.execute(SQL["postpone"], values).fetchone() is not None


def release(conn: Connection, job: Job) -> bool:
    return conn.execute(SQL["release"], {"id": job.id, "fence": job.fence}).fetchone() is not None


def take_over(conn: Connection) -> None:
    conn.execute(SQL["take_over"])


def complete(conn: Connection, job: Job, organized_by: str, result: dict[str, Any]) -> bool:
    values = {"id": job.id, "fence": job.fence, "organized_by": organized_by, "result": Jsonb(result)}
    return conn.execute(SQL["complete"], values).fetchone() is not None


def fail(conn: Connection, job: Job, code: str, message: str, result: dict[str, Any] | None = None) -> bool:
    values = {"id": job.id, "fence": job.fence, "code": code, "message": message, "result": result and Jsonb(result)}
    return conn.execute(SQL["fail"], values).fetchone() is not None


def cancel(conn: Connection, job_id: UUID) -> Job | None:
    return _one(conn, "cancel", id=job_id)


def retry(conn: Connection, job_id: UUID) -> Job | None:
    return _one(conn, "retry", id=job_id)


def wake_next(conn: Connection) -> Wake | None:
    row = conn.execute(SQL["wake_next"]).fetchone()
    return Wake(**row) if row else None


def wake_overdue(conn: Connection, patience: timedelta) -> list[Wake]:
    return [Wake(**row) for row in conn.execute(SQL["wake_overdue"], {"patience": patience}).fetchall()]


def of_message(conn: Connection, job_id: UUID) -> Job | None:
    return _one(conn, "of_message", id=job_id)


def redeliver(conn: Connection, job_id: UUID, fence: int) -> Wake | None:
    row = conn.execute(SQL["redeliver"], {"id": job_id, "fence": fence}).fetchone()
    return Wake(**row) if row else None


def fail_undelivered(conn: Connection, job_id: UUID, fence: int, code: str, message: str) -> bool:
    values = {"id": job_id, "fence": fence, "code": code, "message": message}
    return conn.execute(SQL["fail_undelivered"], values).fetchone() is not None


def open_count(conn: Connection) -> int:
    row = conn.execute(SQL["open_count"]).fetchone()
    return int(row["n"]) if row else 0


def library_version(conn: Connection, *, lock: bool = False) -> int:
    row = conn.execute(SQL["library_version" if lock else "peek_version"]).fetchone()
    return int(row["library_version"]) if row else 0


def bump_version(conn: Connection) -> None:
    conn.execute(SQL["bump_version"])
