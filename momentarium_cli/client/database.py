"""The SQLite file of a journal: opened, brought up to date, begun anew where it is damaged; its errors as ours."""

import errno
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Any

from momentarium_cli.errors import InsufficientStorage, SettingsError, Temporary
from momentarium_cli.rendezvous import private_folder

log = logging.getLogger(__name__)

_VERSION = 2
_UPGRADES = {
    1: """
    alter table files add column counted text;
    alter table files add column taken_on text;
    alter table files add column was_sha256 text;
    update files set taken_on = substr(metadata ->> '$.taken_at', 1, 10)
      where metadata ->> '$.taken_at_source' <> 'mtime';
    drop index files_by_time;
    create table runs (
      id integer primary key, files integer not null default 0, bytes integer not null default 0,
      seconds real not null default 0
    ) strict;
    insert into runs (id) select coalesce(max(seen), 0) from files;
    """
}


class Database:
    """Used by one thread. `is_new_for_damaged`: what lay there was damaged; it is kept aside.

    Raises InsufficientStorage where its disk is full, Temporary where it is found damaged in the midst of a run, and
    SettingsError where it cannot be used at all.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_new_for_damaged = False
        with self._translated():
            try:
                private_folder(path.parent)
                self._db = _connect(path)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                _set_aside(path, error)
                self.is_new_for_damaged = True
                self._db = _connect(path)

    def close(self) -> None:
        self._db.close()

    def all(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        with self._translated():
            return self._db.execute(sql, values).fetchall()

    def one(self, sql: str, values: Sequence[object] = ()) -> Any:
        """The first row, or None."""
        try:  # asked for every file: a context manager would cost as much as the answer
            return self._db.execute(sql, values).fetchone()
        except sqlite3.DatabaseError as error:
            raise _as_ours(error, self.path) from error

    def each(self, sql: str, values: Sequence[object] = ()) -> Iterator[Any]:
        """Row by row; nothing may be written meanwhile."""
        with self._translated():
            yield from self._db.execute(sql, values)

    def note(self, sql: str, values: Sequence[object] = ()) -> None:
        """A write that is committed later, many at once."""
        with self._translated():
            self._db.execute(sql, values)

    def note_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        with self._translated():
            self._db.executemany(sql, rows)

    def commit(self) -> None:
        with self._translated():
            self._db.commit()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Writes that are committed when the block ends."""
        with self._translated(), self._db:
            yield

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.DatabaseError) as error:
            raise _as_ours(error, self.path) from error


def _as_ours(error: OSError | sqlite3.DatabaseError, path: Path) -> Exception:
    if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
        return error  # a bug of ours
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "disk is full" in str(error):
        message = f"The disk that holds the journal {path} is full."
        return InsufficientStorage(message, hint="Free some space, then run again.")
    if isinstance(error, sqlite3.DatabaseError) and _is_damage(error):
        return Temporary(
            f"The journal {path} is damaged.", hint="Run again: it is begun anew, and nothing is sent twice."
        )
    return SettingsError(f"The journal {path} cannot be used: {error}.", hint="Set data_dir to a folder you may write.")


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return not isinstance(error, sqlite3.OperationalError) or "malformed" in str(error)


def _set_aside(path: Path, error: sqlite3.DatabaseError) -> None:
    damaged = path.with_suffix(".damaged")
    log.warning("the journal %s is damaged (%s); it is kept as %s and begun anew", path, error, damaged)
    path.replace(damaged)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").unlink()


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=10)
    try:
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = normal")
        if db.execute("pragma quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("it does not pass its own check")
        _bring_up_to_date(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _bring_up_to_date(db: sqlite3.Connection, path: Path) -> None:
    version = int(db.execute("pragma user_version").fetchone()[0])
    if version > _VERSION:
        raise SettingsError(
            f"The journal {path} was written by a newer Momentarium.", hint="Run that one, or another data_dir."
        )
    upgrade = _UPGRADES.get(version, "")
    tables = resources.files("momentarium_cli.client").joinpath("journal.sql").read_text("utf-8")
    db.executescript(f"begin; {upgrade} {tables} pragma user_version = {_VERSION}; commit;")
