"""Prove originals whose checksum the store could not tell, because they came in parts: each is read whole, once.

Those that are not what was announced are deleted in the transaction that fails their job, so that none stays a photo
of the library and none goes untold.
"""

import hashlib
from collections.abc import Sequence

from momentarium_cli.backend.db import images as rows
from momentarium_cli.backend.db.images import Row
from momentarium_cli.backend.db.jobs import Job
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.images import Images
from momentarium_cli.backend.jobs import Jobs
from momentarium_cli.backend.lease import JobLost, Lease
from momentarium_cli.backend.storage.base import Storage
from momentarium_cli.errors import NotAsDescribed, NotFound

_STAGE = "verifying"
_CHUNK_BYTES = 1 << 20


class Verifying:
    def __init__(self, database: Database, storage: Storage, jobs: Jobs, images: Images) -> None:
        self._database = database
        self._storage = storage
        self._jobs = jobs
        self._images = images

    def prove(self, job: Job, lease: Lease) -> None:
        """Every original of the job is what was announced.

        NotAsDescribed names those that are not: they are deleted, and the job has failed. JobLost: it is no longer
        this worker's, and nothing is deleted.
        """
        with self._database.transaction(job.user_id) as conn:
            waiting = rows.unverified(conn, job.image_keys)
        wrong, total = [], len(job.image_keys)
        if waiting:
            lease.progress(_STAGE, total - len(waiting), total)
        for done, row in enumerate(waiting, total - len(waiting)):
            if self._is_whole(row, lease):
                with self._database.transaction(job.user_id) as conn:
                    rows.verified(conn, row["id"])
                lease.progress(_STAGE, done + 1, total)
                continue
            lease.check_held()
            wrong.append(row)
        if wrong:
            error = _not_as_uploaded(wrong)
            self._reject(job, wrong, error)
            raise error

    def _reject(self, job: Job, wrong: Sequence[Row], error: NotAsDescribed) -> None:
        """Delete what is wrong, so that it can be uploaded again, and fail the job: both, or neither."""
        with self._images.deleting(job.user_id, [row["id"] for row in wrong]) as (conn, doomed):
            if not self._jobs.fail_damaged(conn, job, error, [item.storage_key for item in doomed]):
                raise JobLost

    def _is_whole(self, row: Row, lease: Lease) -> bool:
        whole = hashlib.sha256()
        try:
            with self._storage.at(row["region"]).open(row["storage_key"]) as file:
                while chunk := file.read(_CHUNK_BYTES):
                    lease.check_held()  # one that takes longer than a slice would never be proven
                    whole.update(chunk)
        except NotFound:
            return False
        return bool(whole.hexdigest() == row["sha256"])


def _not_as_uploaded(wrong: Sequence[Row]) -> NotAsDescribed:
    names = ", ".join(row["original_filename"] for row in wrong)
    return NotAsDescribed(
        f"In the store, {names} {'is' if len(wrong) == 1 else 'are'} not what was uploaded.",
        hint="Upload again what is named. The other photos are safe; `momentarium retry` organizes them.",
    )
