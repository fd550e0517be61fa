"""What a run is going to upload, asked of the journal: in which order, in which batches, how much of it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from momentarium_cli.client import batches
from momentarium_cli.client.journal import IN_LIBRARY, Journal
from momentarium_cli.client.order import Order
from momentarium_cli.client.records import Counted
from momentarium_cli.models import MAX_BATCH

_ORDERS = {Order.OLDEST: "taken_sort, id", Order.NEWEST: "taken_sort desc, id desc", Order.SMALLEST: "size, id"}
_COMING = "seen = ? and counted = 'pending' and state in ('found', 'failed')"
_DATED = "taken_on is not null"
_WAITING = f"{_COMING} and batch is null"


@dataclass(frozen=True, slots=True)
class OnDevice:
    """The files on one device that are to come; `example` is one of them."""

    device: int
    example: Path
    files: int
    bytes: int


class Plan:
    """The files of this run that are not stored yet. Nothing is held in memory but a batch."""

    def __init__(self, journal: Journal, order: Order = Order.OLDEST) -> None:
        self._db, self._run = journal.db, journal.run
        self._order = order

    def next_batch(self, limit: int = MAX_BATCH) -> list[int]:
        """The ids of the next files that are in no batch, in order; none where there are no more."""
        rows = self._db.all(f"{self._waiting} limit ?", (self._run, limit + 1))
        return [row[0] for row in rows[: self._first([row[1] for row in rows], limit)]]

    def batches(self) -> int:
        """How many batches there are to come; those that an earlier run began are among them."""
        times = (row[1] for row in self._db.each(self._waiting, (self._run,)))
        new = sum(1 for _ in batches.sizes(times)) if self._by_time else -(-sum(1 for _ in times) // MAX_BATCH)
        sql = f"select count(distinct batch) from files where {_COMING} and batch is not null"  # noqa: S608 -- constants
        return new + int(self._db.one(sql, (self._run,))[0])

    def left_of(self, batch_id: UUID) -> list[int]:
        """The ids of a batch's files that are still to be sent, in order."""
        sql = f"select id from files where {_COMING} and batch = ? order by {_ORDERS[self._order]}"  # noqa: S608
        return [row[0] for row in self._db.all(sql, (self._run, str(batch_id)))]

    def total(self) -> tuple[int, int]:
        """Files and bytes to come."""
        sql = f"select count(*), coalesce(sum(size), 0) from files where {_COMING}"  # noqa: S608 -- constants
        files, size = self._db.one(sql, (self._run,))
        return files, size

    def by_device(self) -> Iterator[OnDevice]:
        sql = f"select device, min(path), count(*), sum(size) from files where {_COMING} group by device"  # noqa: S608
        for device, path, files, size in self._db.all(sql, (self._run,)):
            yield OnDevice(device, Path(os.fsdecode(path)), files, size)

    def capture_times(self) -> Iterator[float]:
        """Seconds since 1970, ascending; nothing may be written meanwhile."""
        sql = f"select taken_sort from files where {_COMING} and {_DATED} order by taken_sort"  # noqa: S608 -- constants
        for row in self._db.each(sql, (self._run,)):
            yield row[0]

    def has_undated(self) -> bool:
        """Whether there is a photo to come whose capture time is not known."""
        sql = f"select exists (select 1 from files where {_COMING} and not {_DATED})"  # noqa: S608 -- constants
        return bool(self._db.one(sql, (self._run,))[0])

    # --- what a dry run finds out ------------------------------------------------------------------------------

    def of_equal_size(self) -> list[int]:
        """The ids of files to come that may be duplicates: another one, to come or in the library, has their size."""
        sizes = f"select size from files where ({_COMING}) or {IN_LIBRARY} group by size having count(*) > 1"  # noqa: S608
        sql = f"select id from files where {_COMING} and size in ({sizes}) order by taken_sort, id"  # noqa: S608
        return [row[0] for row in self._db.all(sql, (self._run, self._run))]

    def twin(self, sha256: str, file_id: int) -> Path | None:
        """Another file of this run that was found to have these bytes, and is no duplicate itself."""
        row = self._db.one(
            "select path from files where sha256 = ? and id <> ? and seen = ? and counted in ('pending', 'unchanged')",
            (sha256, file_id, self._run),
        )
        return Path(os.fsdecode(row[0])) if row else None

    def note_checksum(self, file_id: int, sha256: str, counted: Counted) -> None:
        with self._db.writing():
            self._db.note("update files set sha256 = ?, counted = ? where id = ?", (sha256, counted, file_id))

    @property
    def _by_time(self) -> bool:
        return self._order is not Order.SMALLEST

    def _first(self, times: list[float], limit: int) -> int:
        return batches.first(times, limit) if self._by_time else limit

    @property
    def _waiting(self) -> str:
        return f"select id, coalesce(taken_sort, 0) from files where {_WAITING} order by {_ORDERS[self._order]}"  # noqa: S608
