"""What this machine knows of its files and batches, in SQLite; one journal for each library on each server.

A row is written before the side effect that depends on it, so a run that was killed goes on where it was.

file    found -> stored -> accepted; or duplicate, skipped, failed. Found and failed files are tried in every run.
batch   closed (its first URL is signed; never cut again) -> sent (what is processed is fixed) -> accepted (there is
        a job) -> done (the job has ended)
"""

import errno
import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from uuid import UUID

from momentarium_cli.client.records import Batch, BatchState, File, FileState, file_of, stat_columns
from momentarium_cli.errors import InsufficientStorage, MomentariumError, SettingsError
from momentarium_cli.models import Metadata
from momentarium_cli.photos.scan import FileStat
from momentarium_cli.rendezvous import private_folder

log = logging.getLogger(__name__)

_VERSION = 1


_COLUMNS = (
    "id, path, device, inode, size, mtime_ns, ctime_ns, state, filename, folder, content_type, metadata, taken_sort,"
    " sha256, storage_key, decode_error, error"
)


class Journal:
    """Used by one thread. InsufficientStorage: its disk is full."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            private_folder(path.parent)
            self._db = _open(path)
        except (OSError, sqlite3.OperationalError) as error:
            raise _translated(error, path) from error
        self._run = 1 + int(self._db.execute("select coalesce(max(seen), 0) from files").fetchone()[0])

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is committed when the block ends."""
        with self._noting() as db, db:
            yield db

    @contextmanager
    def _noting(self) -> Iterator[sqlite3.Connection]:
        """Writes that are committed later, many at once."""
        try:
            yield self._db
        except sqlite3.OperationalError as error:
            raise _translated(error, self.path) from error

    # --- files -------------------------------------------------------------------------------------------------

    def unchanged(self, path: Path, stat: FileStat) -> File | None:
        """What is known of a file that has not changed since; it counts as seen in this run."""
        values = (
            os.fsencode(path),
            *stat_columns(stat)[1:],
        )  # not the device: a disk gets another when it is mounted anew
        where = "path = ? and inode = ? and size = ? and mtime_ns = ? and ctime_ns = ?"
        row = self._db.execute(f"select {_COLUMNS} from files where {where}", values).fetchone()  # noqa: S608 -- constants
        if row is None:
            return None
        with self._noting() as db:
            db.execute("update files set seen = ? where id = ?", (self._run, row[0]))
        return file_of(row)

    def found(self, path: Path, stat: FileStat, filename: str, folder: str | None) -> int:
        """A file that is new or has changed; whatever was known of it is forgotten. Returns its id."""
        self._let_twins_go("path = ?", os.fsencode(path))
        with self._noting() as db:
            row = db.execute(
                "insert into files (path, device, inode, size, mtime_ns, ctime_ns, seen, filename, folder)"
                " values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " on conflict (path) do update set device = excluded.device, inode = excluded.inode,"
                " size = excluded.size, mtime_ns = excluded.mtime_ns, ctime_ns = excluded.ctime_ns,"
                " seen = excluded.seen,"
                " filename = excluded.filename, folder = excluded.folder, state = 'found', content_type = null,"
                " metadata = null, taken_sort = null, sha256 = null, storage_key = null, decode_error = null,"
                " error = null, batch = null"
                " returning id",
                (os.fsencode(path), *stat_columns(stat), self._run, filename, folder),
            ).fetchone()
        return int(row[0])

    def described(self, file_id: int, content_type: str, metadata: Metadata) -> None:
        taken = metadata.taken_sort
        with self._noting() as db:
            db.execute(
                "update files set content_type = ?, metadata = ?, taken_sort = ? where id = ?",
                (content_type, metadata.model_dump_json(), taken.timestamp() if taken else None, file_id),
            )

    def commit(self) -> None:
        with self._writing():
            pass

    def skipped(self, file_id: int, error: str) -> None:
        self._settle(file_id, FileState.SKIPPED, error)

    def failed(self, file_id: int, error: str) -> None:
        """Failed files leave their batch, so that it can go without them."""
        with self._writing() as db:
            self._let_twins_go("id = ?", file_id)
            db.execute("update files set state = 'failed', error = ?, batch = null where id = ?", (error, file_id))

    def _let_twins_go(self, leader: str, value: object) -> None:
        """Files that were duplicates of one that is stored, but in no job yet, stand for themselves in the next run."""
        self._db.execute(
            "update files set state = 'found', seen = 0 where state = 'duplicate' and sha256 ="  # noqa: S608 -- constants
            f" (select sha256 from files where {leader} and state = 'stored')",
            (value,),
        )

    def duplicate(self, file_id: int, sha256: str) -> None:
        with self._writing() as db:
            db.execute(
                "update files set state = 'duplicate', sha256 = ?, error = null, batch = null where id = ?",
                (sha256, file_id),
            )

    def stored(
        self, file_id: int, sha256: str, storage_key: str, decode_error: str | None, size: tuple[int, int] | None
    ) -> None:
        """The original is in the store. `size` (pixels, upright) is what decoding showed."""
        width, height = size or (None, None)
        with self._writing() as db:
            db.execute(
                "update files set state = 'stored', sha256 = ?, storage_key = ?, decode_error = ?, error = null,"
                " metadata = case when ? is null then metadata else json_set(metadata, '$.width', ?, '$.height', ?) end"
                " where id = ?",
                (sha256, storage_key, decode_error, width, width, height, file_id),
            )

    def _settle(self, file_id: int, state: FileState, error: str | None) -> None:
        with self._writing() as db:
            db.execute("update files set state = ?, error = ? where id = ?", (state, error, file_id))

    def waiting(self) -> list[File]:
        """The files of this run that are to be uploaded and are in no batch, in capture order."""
        rows = self._db.execute(
            f"select {_COLUMNS} from files where seen = ? and batch is null and state in ('found', 'failed', 'stored')"  # noqa: S608 -- constants
            " and metadata is not null order by taken_sort, id",
            (self._run,),
        )
        return [file_of(row) for row in rows]

    def twin(self, sha256: str, file_id: int) -> Path | None:
        """Another file with the same bytes that is in the library."""
        row = self._db.execute(
            "select path from files where sha256 = ? and id <> ? and state in ('stored', 'accepted') limit 1",
            (sha256, file_id),
        ).fetchone()
        return Path(os.fsdecode(row[0])) if row else None

    # --- batches -----------------------------------------------------------------------------------------------

    def close_batch(self, batch_id: UUID, import_id: UUID, file_ids: Sequence[int]) -> None:
        """A batch begins: these files, and no others, are in it."""
        with self._writing() as db:
            db.execute("insert into batches (id, import_id) values (?, ?)", (str(batch_id), str(import_id)))
            db.executemany("update files set batch = ? where id = ?", [(str(batch_id), each) for each in file_ids])

    def unfinished(self) -> list[Batch]:
        """Batches of earlier runs that are not done, oldest first."""
        rows = self._db.execute("select id, import_id, state, job_id from batches where state <> 'done' order by id")
        return [Batch(UUID(row[0]), UUID(row[1]), BatchState(row[2]), row[3]) for row in rows]

    def members(self, batch_id: UUID, *, stored: bool) -> list[File]:
        """The files of a batch, in capture order: those that are stored, or those still to be uploaded."""
        state = "state = 'stored'" if stored else "state in ('found', 'failed') and seen = ?"
        values: Iterable[object] = (str(batch_id),) if stored else (str(batch_id), self._run)
        rows = self._db.execute(
            f"select {_COLUMNS} from files where batch = ? and {state} order by taken_sort, id",  # noqa: S608 -- constants
            tuple(values),
        )
        return [file_of(row) for row in rows]

    def release_missing(self, batch_id: UUID) -> None:
        """Files that this run did not see and that are not stored leave the batch."""
        with self._writing() as db:
            db.execute(
                "update files set batch = null where batch = ? and seen <> ? and state in ('found', 'failed')",
                (str(batch_id), self._run),
            )

    def release_pending(self, batch_id: UUID) -> None:
        """Files that are not stored leave the batch, so that it can go without them."""
        with self._writing() as db:
            db.execute(
                "update files set batch = null where batch = ? and state in ('found', 'failed')", (str(batch_id),)
            )

    def sent(self, batch_id: UUID) -> None:
        """What is processed is fixed from now on: the stored files of the batch."""
        with self._writing() as db:
            db.execute("update batches set state = 'sent' where id = ?", (str(batch_id),))

    def renamed(self, batch_id: UUID, new_id: UUID) -> None:
        """The batch goes on under another id."""
        with self._writing() as db:
            db.execute(
                "insert into batches (id, import_id, state) select ?, import_id, state from batches where id = ?",
                (str(new_id), str(batch_id)),
            )
            db.execute("update files set batch = ? where batch = ?", (str(new_id), str(batch_id)))
            db.execute("delete from batches where id = ?", (str(batch_id),))

    def accepted(self, batch_id: UUID, job_id: UUID) -> None:
        with self._writing() as db:
            db.execute("update batches set state = 'accepted', job_id = ? where id = ?", (str(job_id), str(batch_id)))
            db.execute("update files set state = 'accepted' where batch = ? and state = 'stored'", (str(batch_id),))

    def done(self, batch_id: UUID) -> None:
        with self._writing() as db:
            db.execute("update batches set state = 'done' where id = ?", (str(batch_id),))

    def done_job(self, job_id: str) -> None:
        """The job of a batch has ended."""
        with self._writing() as db:
            db.execute("update batches set state = 'done' where job_id = ?", (job_id,))


def _translated(error: OSError | sqlite3.OperationalError, path: Path) -> MomentariumError:
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "disk is full" in str(error):
        message = f"The disk that holds the journal {path} is full."
        return InsufficientStorage(message, hint="Free some space, then run again.")
    return SettingsError(f"The journal {path} cannot be used: {error}.", hint="Set data_dir to a folder you may write.")


def _open(path: Path) -> sqlite3.Connection:
    try:
        return _connect(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and "malformed" not in str(error):
            raise
        damaged = path.with_suffix(".damaged")
        log.warning("the journal %s is damaged (%s); it is kept as %s and begun anew", path, error, damaged)
        path.replace(damaged)
        for suffix in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{path}{suffix}").unlink()
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=10)
    try:
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = normal")
        if db.execute("pragma quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("it does not pass its own check")
        version = int(db.execute("pragma user_version").fetchone()[0])
        if version > _VERSION:
            raise SettingsError(
                f"The journal {path} was written by a newer Momentarium.", hint="Run that one, or another data_dir."
            )
        db.executescript(resources.files("momentarium_cli.client").joinpath("journal.sql").read_text("utf-8"))
        db.execute(f"pragma user_version = {_VERSION}")
    except BaseException:
        db.close()
        raise
    return db
