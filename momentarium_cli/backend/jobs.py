"""Jobs: accept a batch, claim, keep, finish, retry, cancel, and the sweep that forgets none.

pending -> processing -> completed | failed; failed -> pending by hand. The row is the truth, a message only wakes.
Whoever claims a job gets a lease and a fence; only the holder of the current fence may write to it.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from momentarium_cli.backend.db import albums, images, uploads
from momentarium_cli.backend.db import jobs as rows
from momentarium_cli.backend.db.jobs import Job
from momentarium_cli.backend.db.pool import Connection, Database
from momentarium_cli.backend.db.uploads import Issued
from momentarium_cli.backend.queues.base import Queue
from momentarium_cli.backend.storage.base import ObjectInfo, Storage, is_key
from momentarium_cli.errors import Conflict, MomentariumError, NotAsDescribed, NotFound
from momentarium_cli.models import AlbumLevel, AlbumSummary, JobState, JobStatus, Process, ProcessImage

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
RENEW_SECONDS = 15.0
MAX_ATTEMPTS = 5
_LISTED = 200


class Jobs:
    def __init__(self, database: Database, storage: Storage, queue: Queue) -> None:
        self._database = database
        self._storage = storage
        self._queue = queue

    # --- what the API asks for ---------------------------------------------------------------------------------

    def accept(self, user_id: int, request: Process, idempotency_key: UUID) -> tuple[Job, bool]:
        """Register the images and a job for them in one transaction. Returns the job, and whether it was there before.

        NotAsDescribed names the objects that are missing or different; Conflict: the key was used for another batch.
        """
        checksum = _checksum(request)
        with self._database.transaction(user_id) as conn:
            earlier = rows.by_idempotency_key(conn, idempotency_key)
            keys = [image.storage_key for image in request.images if is_key(image.storage_key)]
            issued = uploads.by_keys(conn, keys)
        if earlier is not None:
            return _same(earlier, checksum), True
        stored = self._verified(request.images, issued)
        with self._database.transaction(user_id) as conn:
            return self._register(conn, request, issued, stored, idempotency_key, checksum)

    def regroup(self, user_id: int, level: AlbumLevel, idempotency_key: UUID) -> tuple[Job, bool]:
        """A job that makes the albums of the whole library anew, at this level; and whether it was there before."""
        checksum = hashlib.sha256(f"regroup to {level}".encode()).hexdigest()
        with self._database.transaction(user_id) as conn:
            job = rows.add(
                conn,
                import_id=idempotency_key,
                image_keys=[],
                idempotency_key=idempotency_key,
                request_sha256=checksum,
                album_level=level.value,
            )
            if job is None:
                return _same(_found(rows.by_idempotency_key(conn, idempotency_key)), checksum), True
            self._queue.deliver(job.id, job.fence, conn)
            return job, False

    def status(self, user_id: int, job_id: UUID) -> JobStatus:
        """A job as its owner sees it. Asking also wakes what is overdue."""
        with self._database.transaction(user_id) as conn:
            job = _found(rows.one(conn, job_id))
            status = _status(job, _albums(conn, job))
        if not status.status.ended:
            self.sweep()
        return status

    def of_import(self, user_id: int, import_id: UUID | None, *, with_albums: bool = True) -> list[JobStatus]:
        """All jobs of an import, or the latest jobs; newest first. Only completed ones tell their albums."""
        with self._database.transaction(user_id) as conn:
            found = rows.of_import(conn, import_id, None if import_id else _LISTED)
            return [_status(job, _albums(conn, job) if with_albums else []) for job in found]

    def retry(self, user_id: int, job_id: UUID) -> JobStatus:
        with self._database.transaction(user_id) as conn:
            job = rows.retry(conn, job_id)
            if job is None:
                raise Conflict(f"The job is {_found(rows.one(conn, job_id)).status}; only a failed job can be retried.")
            self._wake_next(conn)
            return _status(job, [])

    def cancel(self, user_id: int, job_id: UUID) -> JobStatus:
        with self._database.transaction(user_id) as conn:
            job = rows.cancel(conn, job_id)
            if job is None:
                raise Conflict(f"The job is {_found(rows.one(conn, job_id)).status}; it has ended already.")
            self._wake_next(conn)
            return _status(job, [])

    # --- what the worker does ----------------------------------------------------------------------------------

    def claim(self, job_id: UUID) -> Job | None:
        """The next job of the user whose job this is, or None if there is nothing to do for them now."""
        with self._database.transaction(None) as conn:
            return rows.claim(conn, job_id, LEASE)

    def renew(self, job: Job) -> bool:
        """Whether the job is still this worker's."""
        with self._database.transaction(job.user_id) as conn:
            return rows.renew(conn, job, LEASE)

    def progress(self, job: Job, stage: str, done: int, total: int, *, begins: bool) -> bool:
        """Whether the job is still this worker's. `begins`: it is at the beginning of the stage."""
        with self._database.transaction(job.user_id) as conn:
            return rows.progress(conn, job, stage, done, total, begins=begins)

    def complete(self, conn: Connection, job: Job, organized_by: str, result: dict[str, Any]) -> bool:
        """End the job in the transaction that wrote its albums; False if it is no longer this worker's."""
        if not rows.complete(conn, job, organized_by, result):
            return False
        self._wake_next(conn)
        return True

    def fail(self, job: Job, code: str, message: str) -> bool:
        """Whether it was still this worker's to end."""
        with self._database.transaction(job.user_id) as conn:
            return self._fail(conn, job, code, message)

    def fail_damaged(self, conn: Connection, job: Job, error: NotAsDescribed, keys: Sequence[str]) -> bool:
        """The same in the transaction that deletes the originals under these keys; the job tells of them ever after."""
        return self._fail(conn, job, error.error_code, str(error), {"damaged": [*_damaged(job), *keys]})

    def postpone(self, job: Job, delay: timedelta, error: MomentariumError) -> None:
        """Let go of the job; it is claimed again after `delay`."""
        with self._database.transaction(job.user_id) as conn:
            if rows.postpone(conn, job, delay, error.error_code, error.message):
                self._queue.deliver(job.id, job.fence, conn, after=delay)

    def release(self, job: Job) -> None:
        """Let go of a job that was interrupted; whoever is there claims it, and it counts as no attempt."""
        with self._database.transaction(job.user_id) as conn:
            if rows.release(conn, job):
                self._queue.deliver(job.id, job.fence, conn)

    def take_over(self) -> None:
        """For the only server of a database, when it starts: whoever held a lease is dead, so none need lapse."""
        with self._database.administration() as conn:
            rows.take_over(conn)

    def sweep(self) -> int:
        """Wake a worker for every job that is due and that nobody works on. Returns how many there were."""
        with self._database.transaction(None) as conn:
            self._queue.tidy(conn)
            overdue = rows.wake_overdue(conn, self._queue.patience)
            for job in overdue:
                self._queue.deliver(job.id, job.fence, conn)
            return len(overdue)

    def undelivered(self, job_id: UUID, fence: int, reason: str) -> None:
        """The queue gave up a message. Unless the job was taken care of since: send another, or give up as well."""
        with self._database.transaction(None) as conn:
            job = rows.of_message(conn, job_id)
        if job is None:
            return
        with self._database.transaction(job.user_id) as conn:
            if job.attempt >= MAX_ATTEMPTS:
                if rows.fail_undelivered(conn, job_id, fence, "gave_up", gave_up(reason)):
                    self._wake_next(conn)
            elif again := rows.redeliver(conn, job_id, fence):
                self._queue.deliver(again.id, again.fence, conn)

    def known(self, job_id: UUID) -> bool:
        """Whether there is such a job, of any user."""
        with self._database.transaction(None) as conn:
            return rows.of_message(conn, job_id) is not None

    def open_count(self) -> int:
        """How many jobs, of all users, have not ended."""
        with self._database.transaction(None) as conn:
            return rows.open_count(conn)

    # --- inside ------------------------------------------------------------------------------------------------

    def _verified(self, described: Sequence[ProcessImage], issued: Mapping[str, Issued]) -> dict[str, ObjectInfo]:
        """What lies under the keys. No connection is held here: the store may take its time."""
        stored = self._storage.heads_at({upload.storage_key: upload.region for upload in issued.values()})
        wrong = [
            {"storage_key": image.storage_key, "reason": reason}
            for image in described
            if (reason := _wrong_with(issued.get(image.storage_key), stored.get(image.storage_key)))
        ]
        if wrong:
            raise NotAsDescribed(
                f"{len(wrong)} of {len(described)} originals are not in the store as described.",
                hint="Upload them again.",
                details=wrong,
            )
        return stored

    def _register(
        self,
        conn: Connection,
        request: Process,
        issued: Mapping[str, Issued],
        stored: Mapping[str, ObjectInfo],
        idempotency_key: UUID,
        checksum: str,
    ) -> tuple[Job, bool]:
        keys = list(dict.fromkeys(image.storage_key for image in request.images))
        gone = set(keys) - uploads.register(conn, [issued[key] for key in keys])
        if gone:
            raise NotAsDescribed(
                "Some originals are being deleted.",
                hint="Upload them again.",
                details=[{"storage_key": key, "reason": "missing"} for key in sorted(gone)],
            )
        by_key = {image.storage_key: image for image in request.images}
        images.add(conn, [_image_row(image, issued[key], stored[key]) for key, image in by_key.items()])
        job = rows.add(
            conn,
            import_id=request.import_id,
            image_keys=keys,
            idempotency_key=idempotency_key,
            request_sha256=checksum,
        )
        if job is None:  # the same request, at the same time
            return _same(_found(rows.by_idempotency_key(conn, idempotency_key)), checksum), True
        self._queue.deliver(job.id, job.fence, conn)
        return job, False

    def _fail(self, conn: Connection, job: Job, code: str, message: str, result: dict[str, Any] | None = None) -> bool:
        if not rows.fail(conn, job, code, message, result):
            return False
        self._wake_next(conn)
        return True

    def _wake_next(self, conn: Connection) -> None:
        """Claiming takes the user's jobs in order, so one that ended wakes the next."""
        waiting = rows.wake_next(conn)
        if waiting is not None:
            self._queue.deliver(waiting.id, waiting.fence, conn)


def gave_up(reason: str) -> str:
    """What a job that is given up says."""
    return f"Gave up after {MAX_ATTEMPTS} attempts: {reason} The photos are safe; `momentarium retry` tries again."


def _same(job: Job, checksum: str) -> Job:
    if job.request_sha256 != checksum:
        raise Conflict("This Idempotency-Key was used for another batch.", hint="Use a new key.")
    return job


def _found(job: Job | None) -> Job:
    if job is None:
        raise NotFound("There is no such job.")
    return job


def _checksum(request: Process) -> str:
    canonical = json.dumps(request.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _wrong_with(upload: Issued | None, stored: ObjectInfo | None) -> str | None:
    if upload is None:
        return "not issued"
    if stored is None:
        return "missing"
    if stored.size != upload.size_bytes:
        return "another size"
    return "another checksum" if stored.sha256 not in (upload.sha256, None) else None


def _image_row(image: ProcessImage, upload: Issued, stored: ObjectInfo) -> dict[str, Any]:
    values = image.model_dump(mode="json")
    return values | {
        "sha256": upload.sha256,
        "preview_key": upload.preview_key,
        "content_type": upload.content_type,
        "file_size_bytes": upload.size_bytes,
        "region": upload.region,
        "verified": stored.sha256 is not None,
        "taken_sort": image.taken_sort.isoformat() if image.taken_sort else None,
    }


def _seconds_left(job: Job) -> float | None:
    """Of the stage that it is in, at the pace so far; None where that says nothing yet."""
    if job.status != "processing" or job.stage_started_at is None or job.done <= job.stage_began_at:
        return None
    took = datetime.now(UTC) - job.stage_started_at
    return max(0.0, round(took.total_seconds() / (job.done - job.stage_began_at) * (job.total - job.done), 1))


def _albums(conn: Connection, job: Job) -> list[AlbumSummary]:
    return albums.of_jobs(conn, [job.id]) if job.status == "completed" else []


def _damaged(job: Job) -> list[str]:
    keys: list[str] = (job.result_data or {}).get("damaged", [])
    return keys


def _status(job: Job, made: Sequence[Any]) -> JobStatus:
    report = (job.result_data or {}).get("organizer", {})
    return JobStatus(
        id=job.id,
        import_id=job.import_id,
        status=JobState(job.status),
        stage=job.stage,
        done=job.done,
        total=job.total,
        seconds_left=_seconds_left(job),
        attempt=job.attempt,
        organized_by=job.organized_by,
        organizer_note=report.get("reason"),
        organizer_cost=report.get("cost"),
        error_code=job.error_code,
        error_message=job.error_message,
        damaged=_damaged(job),
        created_at=job.created_at,
        started_at=job.started_at,
        completed_at=job.completed_at,
        albums=list(made),
    )
