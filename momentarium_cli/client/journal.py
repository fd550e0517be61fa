"""What this machine knows of its files and batches, in SQLite; one journal for each library on each server.

A row is written before the side effect that depends on it, so a run that was killed goes on where it was.

file    found -> stored -> accepted; or duplicate, skipped, failed. Found and failed files are tried in every run.
batch   closed (its first URL is signed; never cut again) -> sent (what is processed is fixed) -> accepted (there is
        a job) -> done (the job has ended)

Every file that a run has something to do with is counted by that run in one place (`counted`), which is moved along
with its state; so whatever happens, the counts add up.
"""

import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from uuid import UUID

from momentarium_cli.client.database import Database
from momentarium_cli.client.records import (
    FILE_COLUMNS,
    Batch,
    BatchState,
    Counted,
    File,
    Stored,
    description,
    file_of,
    stat_columns,
)
from momentarium_cli.photos.metadata import Described

IN_LIBRARY = "state in ('stored', 'accepted', 'duplicate')"


class Journal:
    """Used by one thread; of one run. Raises what Database does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = Database(path)
        with self.db.writing():
            self.run = int(self.db.one("insert into runs default values returning id")[0])
            self.db.note("delete from runs where bytes = 0 and id < ?", (self.run,))  # a watch has many

    def close(self) -> None:
        self.db.close()

    def counts(self) -> Counter[str]:
        """The files of this run, by where they are counted."""
        sql = "select counted, count(*) from files where seen = ? and counted is not null group by counted"
        return Counter(dict(self.db.all(sql, (self.run,))))

    def commit(self) -> None:
        self.db.commit()

    # --- the second pass -----------------------------------------------------------------------------------------

    def failed(self, file_id: int, error: str) -> None:
        """Failed files leave their batch, so that it can go without them."""
        with self.db.writing():
            self.let_twins_go("id = ?", file_id)
            self.db.note(
                "update files set state = 'failed', error = ?, batch = null, seen = ?, counted = 'failed' where id = ?",
                (error, self.run, file_id),
            )

    def let_twins_go(self, leader: str, value: object) -> None:
        """Files that were duplicates of one that is stored, but in no job yet, stand for themselves in the next run."""
        self.db.note(
            "update files set state = 'found', sha256 = null where state = 'duplicate' and sha256 ="  # noqa: S608
            f" (select sha256 from files where {leader} and state = 'stored')",
            (value,),
        )

    def duplicate(self, file_id: int, sha256: str) -> None:
        self._in_library(file_id, sha256, Counted.DUPLICATES)

    def as_before(self, file_id: int, sha256: str) -> None:
        """The file was touched, and its bytes are those that are in the library."""
        self._in_library(file_id, sha256, Counted.UNCHANGED)

    def _in_library(self, file_id: int, sha256: str, counted: Counted) -> None:
        with self.db.writing():
            self.db.note(
                "update files set state = 'duplicate', sha256 = ?, error = null, batch = null, counted = ?"
                " where id = ?",
                (sha256, counted, file_id),
            )

    def described(self, file_id: int, described: Described) -> None:
        """A file was found changed since its metadata was read."""
        sql = "update files set content_type = ?, metadata = ?, taken_sort = ?, taken_on = ? where id = ?"
        with self.db.writing():
            self.db.note(sql, (*description(described), file_id))

    def stored(self, files: Iterable[Stored]) -> None:
        """Their originals are in the store."""
        with self.db.writing():
            self.db.note_many(
                "update files set state = 'stored', sha256 = ?, storage_key = ?, decode_error = ?, error = null,"
                " counted = 'uploaded', metadata ="
                " case when ? is null then metadata else json_set(metadata, '$.width', ?, '$.height', ?) end,"
                " device = ?, inode = ?, size = ?, mtime_ns = ?, ctime_ns = ? where id = ?",
                map(_stored_row, files),
            )

    def twin(self, sha256: str, file_id: int) -> Path | None:
        """A file with the same bytes that is in the library; the file itself, if they were so before it was touched."""
        row = self.db.one(
            "select path from files where id = ? and was_sha256 = ? union all select path from files"  # noqa: S608
            f" where sha256 = ? and id <> ? and {IN_LIBRARY} limit 1",
            (file_id, sha256, sha256, file_id),
        )
        return Path(os.fsdecode(row[0])) if row else None

    # --- batches -----------------------------------------------------------------------------------------------

    def close_batch(self, batch_id: UUID, import_id: UUID, file_ids: Sequence[int]) -> None:
        """A batch begins: these files, and no others, are in it."""
        with self.db.writing():
            self.db.note("insert into batches (id, import_id) values (?, ?)", (str(batch_id), str(import_id)))
            self.db.note_many("update files set batch = ? where id = ?", [(str(batch_id), each) for each in file_ids])

    def unfinished(self) -> list[Batch]:
        """Batches of earlier runs that are not done, oldest first."""
        rows = self.db.all("select id, import_id, state, job_id from batches where state <> 'done' order by id")
        return [Batch(UUID(row[0]), UUID(row[1]), BatchState(row[2]), row[3]) for row in rows]

    def stored_of(self, batch_id: UUID) -> list[File]:
        """What is processed: the files of a batch that are stored, in capture order, the same in every run."""
        return self._files("batch = ? and state = 'stored' order by taken_sort, id", str(batch_id))

    def files(self, file_ids: Sequence[int]) -> list[File]:
        """In this order."""
        found = {
            file.id: file for file in self._files("id in (select value from json_each(?))", json.dumps([*file_ids]))
        }
        return [found[each] for each in file_ids]

    def _files(self, where: str, *values: object) -> list[File]:
        return [file_of(row) for row in self.db.all(f"select {FILE_COLUMNS} from files where {where}", values)]  # noqa: S608

    def release_missing(self, batch_id: UUID) -> None:
        """Files that this run did not see, or does not want, and that are not stored leave the batch."""
        with self.db.writing():
            self.db.note(
                "update files set batch = null where batch = ? and state in ('found', 'failed')"
                " and (seen <> ? or counted is not 'pending')",
                (str(batch_id), self.run),
            )

    def release_pending(self, batch_id: UUID) -> None:
        """Files that are not stored leave the batch, so that it can go without them."""
        with self.db.writing():
            self.db.note(
                "update files set batch = null where batch = ? and state in ('found', 'failed')", (str(batch_id),)
            )

    def sent(self, batch_id: UUID) -> None:
        """What is processed is fixed from now on: the stored files of the batch."""
        self._batch_becomes(BatchState.SENT, batch_id)

    def renamed(self, batch_id: UUID, new_id: UUID) -> None:
        """The batch goes on under another id."""
        with self.db.writing():
            self.db.note(
                "insert into batches (id, import_id, state) select ?, import_id, state from batches where id = ?",
                (str(new_id), str(batch_id)),
            )
            self.db.note("update files set batch = ? where batch = ?", (str(new_id), str(batch_id)))
            self.db.note("delete from batches where id = ?", (str(batch_id),))

    def accepted(self, batch_id: UUID, job_id: UUID) -> None:
        with self.db.writing():
            self.db.note("update batches set state = 'accepted', job_id = ? where id = ?", (str(job_id), str(batch_id)))
            self.db.note("update files set state = 'accepted' where batch = ? and state = 'stored'", (str(batch_id),))

    def done(self, batch_id: UUID) -> None:
        self._batch_becomes(BatchState.DONE, batch_id)

    def _batch_becomes(self, state: BatchState, batch_id: UUID) -> None:
        with self.db.writing():
            self.db.note("update batches set state = ? where id = ?", (state, str(batch_id)))

    def done_job(self, job_id: str) -> None:
        """The job of a batch has ended."""
        with self.db.writing():
            self.db.note("update batches set state = 'done' where job_id = ?", (job_id,))

    def jobs_by_import(self) -> dict[UUID, list[str]]:
        """The jobs that the server has told of, by the import that their photos came under; the latest first."""
        found: dict[UUID, list[str]] = {}
        sql = "select import_id, job_id from batches where job_id is not null order by job_id desc"  # which says when
        for import_id, job_id in self.db.all(sql):
            found.setdefault(UUID(import_id), []).append(job_id)
        return found

    def lost(self, job_id: str, storage_keys: Collection[str] | None = None) -> int:
        """The library does not have what a job was to bring into it: all of its photos, where the server does not know
        the job any more, or those under some keys. They are tried again, as are their twins. Returns how many.

        Whatever has lost a job may have lost what is in the library by no job of this journal, too.
        """
        batch = "batch = (select id from batches where job_id = ?)"
        rows = self.db.all(f"select id, sha256, storage_key from files where state = 'accepted' and {batch}", (job_id,))  # noqa: S608
        lost = [(id_, sha256) for id_, sha256, key in rows if storage_keys is None or key in storage_keys]
        if not lost and storage_keys is not None:
            return 0  # asked at every sight of a job that names them
        with self.db.writing():
            self.db.note_many(
                "update files set state = 'found', sha256 = null, storage_key = null, batch = null where id = ?",
                [(id_,) for id_, _ in lost],
            )
            self.db.note_many(
                "update files set state = 'found', sha256 = null where state = 'duplicate' and sha256 = ?",
                [(sha256,) for _, sha256 in lost],
            )
            self.db.note("update files set was_sha256 = null where was_sha256 is not null")
            if storage_keys is None:
                self._let_lone_duplicates_go()
                self.db.note("update batches set state = 'done', job_id = null where job_id = ?", (job_id,))
        return len(lost)

    def _let_lone_duplicates_go(self) -> None:
        """Duplicates of no file here: they were touched, or theirs was edited, or only the server had it."""
        self.db.note(
            "update files set state = 'found', sha256 = null where state = 'duplicate' and not exists"
            " (select 1 from files first where first.sha256 = files.sha256 and first.state in ('stored', 'accepted'))"
        )

    # --- speed ---------------------------------------------------------------------------------------------------

    def note_speed(self, files: int, size: int, seconds: float) -> None:
        """What this run has sent, and how long it took."""
        with self.db.writing():
            values = (files, size, seconds, self.run)
            self.db.note("update runs set files = ?, bytes = ?, seconds = ? where id = ?", values)

    def speed(self) -> float | None:
        """Bytes a second in the latest runs; None where nothing was sent yet."""
        sql = "select bytes, seconds from runs where bytes > 0 and seconds > 0 order by id desc limit 10"
        row = self.db.one(f"select sum(bytes) / sum(seconds) from ({sql})")  # noqa: S608 -- a constant
        return float(row[0]) if row[0] else None


def _stored_row(file: Stored) -> Sequence[object]:
    width, height = file.size or (None, None)
    shown = (width, width, height)
    return (file.sha256, file.storage_key, file.decode_error, *shown, *stat_columns(file.stat), file.file_id)
