"""Remove a user with everything that is theirs.

The user is marked first, without tokens and jobs, so that nothing new begins; the row goes last, so that an interrupted
removal can be repeated. What was handed out before may still arrive: a signed request is good for five minutes, and the
worker of a job that is taken from it notices within its lease. So long the objects are deleted again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from time import sleep

from momentarium_cli.backend.db import users
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.jobs import LEASE
from momentarium_cli.backend.storage.base import UPLOAD_SECONDS, Storage

_UPLOADING_FOR = timedelta(seconds=UPLOAD_SECONDS)
_KINDS = ("originals", "previews", "thumbs")
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Deleted:
    """So many objects are gone now."""

    objects: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """For so many seconds something may still arrive."""

    seconds: float


def remove(database: Database, storage: Storage, user_id: int) -> Iterator[Deleted | Waiting]:
    """Do it, telling how it goes; it is done when the iterator ends, and can be repeated until then."""
    gone = False
    while not gone:
        with database.administration() as conn:
            seconds = users.begin_leaving(conn, user_id, _UPLOADING_FOR, LEASE)
        yield from _delete_objects(database, storage, user_id)
        if seconds > 0:
            yield Waiting(seconds)
            sleep(seconds)
        else:
            with database.administration() as conn:
                gone = users.remove(conn, user_id, _UPLOADING_FOR, LEASE)


def _delete_objects(database: Database, storage: Storage, user_id: int) -> Iterator[Deleted]:
    with database.administration() as conn:
        in_parts = users.uploads_in_parts(conn, user_id)
    for row in in_parts:
        storage.at(row["region"]).abort_parts(row["storage_key"], row["upload_id"])
    for kind in _KINDS:
        keys = storage.list(f"{kind}/{user_id}/")
        while batch := list(islice(keys, _BATCH)):
            storage.delete(batch)
            yield Deleted(len(batch))
