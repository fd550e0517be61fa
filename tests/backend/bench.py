"""The backend's parts on a real database and a real store, without a server in front and a worker behind."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import zip_longest
from typing import Any
from uuid import UUID, uuid4

import pytest
from uuid6 import uuid7

from momentarium_cli.backend.db import users
from momentarium_cli.backend.db.jobs import Job
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.galleries import Galleries
from momentarium_cli.backend.housekeeping import Housekeeping
from momentarium_cli.backend.images import Images
from momentarium_cli.backend.jobs import Jobs
from momentarium_cli.backend.queues.postgres import PostgresQueue
from momentarium_cli.backend.signing import Signer
from momentarium_cli.backend.storage.base import Storage, original_key
from momentarium_cli.backend.uploads import Uploads
from momentarium_cli.models import PreviewFile, Process, ProcessImage, TakenAtSource, UploadFile
from momentarium_cli.photos.checksum import sha256_bytes


@dataclass(frozen=True)
class Bench:
    database: Database
    storage: Any  # a Storage; some tests look into the folder of a local one
    jobs: Jobs
    uploads: Uploads
    galleries: Galleries
    housekeeping: Housekeeping
    images: Images
    _numbers: Any = field(default_factory=itertools.count)

    @classmethod
    def on(cls, database: Database, storage: Storage) -> "Bench":
        jobs = Jobs(database, storage, PostgresQueue(database.conninfo))
        housekeeping = Housekeeping(database, storage)
        return cls(
            database,
            storage,
            jobs,
            Uploads(database, storage),
            Galleries(database, storage, Signer("another secret")),
            housekeeping,
            Images(database, housekeeping),
        )

    def user(self, email: str | None = None) -> int:
        with self.database.administration() as conn:
            user_id = users.add(conn, email or f"user{next(self._numbers)}@example.com")
        assert user_id is not None
        return user_id

    def issue(self, user_id: int, data: bytes, preview: bytes | None = None, content_type: str = "image/jpeg") -> str:
        """Asks for targets for a photo; stores nothing. Answers its key."""
        sha256 = sha256_bytes(data)
        described = PreviewFile(size_bytes=len(preview), sha256=sha256_bytes(preview)) if preview else None
        file = UploadFile(
            filename="a.jpg", content_type=content_type, size_bytes=len(data), sha256=sha256, preview=described
        )
        self.uploads.issue(user_id, [file], None)
        return original_key(user_id, sha256)

    def photo(self, user_id: int, data: bytes | None = None) -> str:
        """A photo in the store, as an upload leaves it. Answers its key."""
        data = f"photo {next(self._numbers)}".encode() if data is None else data
        key = self.issue(user_id, data)
        self.storage.put(key, data, content_type="image/jpeg")
        return key

    def accept(self, user_id: int, *keys: str, idempotency_key: UUID | None = None, **more: Any) -> Job:
        """A job for these photos, or for a new one."""
        return self.accept_request(user_id, batch(keys or (self.photo(user_id),), **more), idempotency_key)

    def accept_request(self, user_id: int, request: Process, idempotency_key: UUID | None = None) -> Job:
        return self.jobs.accept(user_id, request, idempotency_key or uuid7())[0]

    def row(self, job: Job) -> dict[str, Any]:
        with self.database.administration() as conn:
            found = conn.execute("select * from processing_jobs where id = %s", [job.id]).fetchone()
        assert found is not None
        return found

    def run(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """A statement of the owner, for what has no function."""
        with self.database.administration() as conn:
            cursor = conn.execute(statement, values)
            return cursor.fetchall() if cursor.description else []


on_every_store = pytest.mark.parametrize("store", ["disk", "bucket"], indirect=True)


def batch(
    keys: Sequence[str], import_id: UUID | None = None, times: Sequence[datetime | None] = (), **more: Any
) -> Process:
    """A request for photos with these keys, taken at these times."""
    images = [
        ProcessImage(
            storage_key=key,
            original_filename=f"{number}.jpg",
            taken_at=taken,
            taken_at_source=TakenAtSource.EXIF if taken else None,
            **more,
        )
        for number, (key, taken) in enumerate(zip_longest(keys, times))
    ]
    return Process(import_id=import_id or uuid4(), images=images)
