"""Delete photos: to the bin, or for good."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from momentarium_cli.backend.db import images, jobs
from momentarium_cli.backend.db.housekeeping import Doomed
from momentarium_cli.backend.db.pool import Connection, Database
from momentarium_cli.backend.housekeeping import Housekeeping, Window
from momentarium_cli.errors import MomentariumError, NotFound

log = logging.getLogger(__name__)


class Images:
    def __init__(self, database: Database, housekeeping: Housekeeping) -> None:
        self._database = database
        self._housekeeping = housekeeping

    def put_into_bin(self, user_id: int, image_id: int) -> None:
        """Albums no longer show the photo; its objects stay, and uploading it again brings it back."""
        with self._database.transaction(user_id) as conn:
            jobs.bump_version(conn)
            if not images.put_into_bin(conn, image_id):
                raise _not_there(image_id)

    def delete_for_good(self, user_id: int, image_id: int) -> None:
        """The photo is gone when this returns. Its objects are too, unless the store is out of reach or a job is being
        worked on; then a sweep deletes them."""
        with self.deleting(user_id, [image_id]) as (_, doomed):
            if not doomed:
                raise _not_there(image_id)

    @contextmanager
    def deleting(self, user_id: int, image_ids: Sequence[int]) -> Iterator[tuple[Connection, list[Doomed]]]:
        """The same for several photos, in one transaction with what the block does; where it raises, they stay.

        Gives its connection and what was there to be deleted.
        """
        window = Window()
        with self._database.transaction(user_id) as conn:
            jobs.bump_version(conn)  # first: whoever organizes locks the same row before the photos' rows
            doomed = images.delete(conn, image_ids)
            yield conn, doomed
        try:
            self._housekeeping.delete(doomed, window)
            self._housekeeping.discard(user_id)
        except MomentariumError as error:
            log.warning("photos %s of user %s are deleted, their objects not yet: %s", image_ids, user_id, error)


def _not_there(image_id: int) -> NotFound:
    return NotFound(f"There is no photo {image_id}.")
