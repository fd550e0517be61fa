"""Delete photos: to the bin, or for good."""

import logging

from momentarium_cli.backend.db import images, jobs
from momentarium_cli.backend.db.pool import Database
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
        window = Window()
        with self._database.transaction(user_id) as conn:
            jobs.bump_version(conn)  # first: whoever organizes locks the same row before the photos' rows
            doomed = images.delete(conn, image_id)
            if doomed is None:
                raise _not_there(image_id)
        try:
            self._housekeeping.delete([doomed], window)
            self._housekeeping.discard(user_id)
        except MomentariumError as error:
            log.warning("photo %s of user %s is deleted, its objects not yet: %s", image_id, user_id, error)


def _not_there(image_id: int) -> NotFound:
    return NotFound(f"There is no photo {image_id}.")
