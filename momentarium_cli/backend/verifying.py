"""Prove originals whose checksum the store could not tell, because they came in parts: each is read whole, once."""

import hashlib
from contextlib import suppress

from momentarium_cli.backend.db import images as rows
from momentarium_cli.backend.db.images import Row
from momentarium_cli.backend.db.jobs import Job
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.images import Images
from momentarium_cli.backend.lease import Lease
from momentarium_cli.backend.storage.base import Storage
from momentarium_cli.errors import NotAsDescribed, NotFound

_STAGE = "verifying"
_CHUNK_BYTES = 1 << 20


class Verifying:
    def __init__(self, database: Database, storage: Storage, images: Images) -> None:
        self._database = database
        self._storage = storage
        self._images = images

    def prove(self, job: Job, lease: Lease) -> None:
        """Every original of the job is what was announced; NotAsDescribed names those that are not."""
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
            names = ", ".join(row["original_filename"] for row in wrong)
            raise NotAsDescribed(
                f"In the store, {names} {'is' if len(wrong) == 1 else 'are'} not what was uploaded.",
                hint="Upload again what is named. The other photos are safe; `momentarium retry` organizes them.",
                details=[{"image_id": row["id"]} for row in wrong],
            )

    def remove(self, job: Job, wrong: NotAsDescribed) -> None:
        """Delete what is not what was announced, so that it can be uploaded again. Call it when that was told."""
        for item in wrong.details:
            with suppress(NotFound):
                self._images.delete_for_good(job.user_id, item["image_id"])

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
