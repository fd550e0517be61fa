"""Delete what nobody needs: uploads that never became photos, and the objects of photos that are deleted for good.

No photo may be lost by it, whoever is killed or frozen meanwhile:

1. An upload is marked `deleting` in a transaction of its own, and only then its objects go; then the row goes, if it
   still is the one that this sweeper marked. Registering a photo locks the same rows and takes `deleting` as missing.
   A row that was marked never comes back: the same photo gets a new row, once the old one is gone.
2. A sweeper calls the store only within 30 s of the beginning of its transaction. One that was frozen for longer
   deletes nothing: the photo may have come again.
3. What a sweeper left is taken over after 20 minutes. A request of its that is still on its way cannot do harm then:
   S3 refuses what was signed more than 15 minutes ago.

Previews and thumbs can belong to several photos, since a key is a checksum. What a deleted photo had is noted in
`discarded`, and goes when none of the user's photos and uploads refers to it and no job of theirs is being worked on.
No database connection is held while the store is called.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

from momentarium_cli.backend.db import housekeeping as rows
from momentarium_cli.backend.db.housekeeping import Doomed
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.storage.base import AT_ONCE, Storage
from momentarium_cli.errors import Temporary

UNUSED_FOR = timedelta(days=7)  # an interrupted upload goes on where it was for that long
ABANDONED_FOR = timedelta(minutes=20)
WINDOW_SECONDS = 30.0
_BATCH = 100  # so few that the window is long enough on a slow store


class Window:
    """The time in which what was just marked may be deleted. It begins before the transaction does.

    Two clocks, and the one that ran further counts: the monotonic one stands still while a machine sleeps.
    """

    def __init__(self) -> None:
        self._began = time.monotonic(), time.time()

    def check(self) -> None:
        """Temporary: it is over."""
        elapsed = max(time.monotonic() - self._began[0], time.time() - self._began[1])
        if elapsed > WINDOW_SECONDS:
            raise Temporary("Deleting was held up for too long.", hint="A later sweep goes on with it.")


class Housekeeping:
    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage

    def plan(self, limit: int | None = None) -> list[Doomed]:
        """What a sweep would delete now: what it does, taken back."""
        with self._database.transaction(None) as conn:
            doomed = rows.begin_deleting(conn, UNUSED_FOR, ABANDONED_FOR, limit)
            conn.rollback()
        return doomed

    def sweep(self, *, limit: int | None = None, stop: Event | None = None) -> Iterator[Doomed]:
        """Delete uploads that never became photos, at most `limit` of them, and what earlier sweeps left.

        Yields each once it is gone.
        """
        left = limit
        while left != 0 and not (stop and stop.is_set()):
            window = Window()
            with self._database.transaction(None) as conn:
                doomed = rows.begin_deleting(
                    conn, UNUSED_FOR, ABANDONED_FOR, _BATCH if left is None else min(left, _BATCH)
                )
            if not doomed:
                break
            self.delete(doomed, window)
            yield from doomed
            left = left and left - len(doomed)
        self.discard(stop=stop)

    def delete(self, doomed: Sequence[Doomed], window: Window) -> None:
        """Delete the originals of uploads that were marked in this window, and their rows."""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="abort") as threads:
            list(threads.map(lambda item: self._abort_parts(item, window), doomed))
        window.check()
        self._storage.delete([item.storage_key for item in doomed])
        with self._database.transaction(None) as conn:
            rows.finish_deleting(conn, doomed)

    def discard(self, user_id: int | None = None, *, stop: Event | None = None) -> None:
        """Delete previews and thumbs that are nobody's any more, of one user or of all."""
        while not (stop and stop.is_set()):
            window = Window()
            with self._database.transaction(None) as conn:
                found = rows.begin_discarding(conn, user_id, ABANDONED_FOR, _BATCH)
            if not found:
                return
            window.check()
            self._storage.delete([item.storage_key for item in found])
            with self._database.transaction(None) as conn:
                rows.finish_discarding(conn, found)

    def _abort_parts(self, item: Doomed, window: Window) -> None:
        if item.upload_id is not None:
            window.check()
            self._storage.at(item.region).abort_parts(item.storage_key, item.upload_id)
