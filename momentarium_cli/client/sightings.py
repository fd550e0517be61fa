"""What the first pass reads and writes in the journal: files as they lie on the disk, and what was known of them.

What is written is committed by Journal.commit, many files at once: until then it is only what can be read again.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from momentarium_cli.client.journal import Journal
from momentarium_cli.client.records import Counted, FileState, Known, Seen, description, stat_columns
from momentarium_cli.photos.metadata import Described
from momentarium_cli.photos.scan import FileStat

_KNOWN = "id, inode, size, mtime_ns, ctime_ns, state, metadata is not null, taken_on, folder, error"
_PAGE = 500


class Sightings:
    """Of one run."""

    def __init__(self, journal: Journal) -> None:
        self._journal, self._db, self._run = journal, journal.db, journal.run

    def known(self, path: Path) -> Known | None:
        """What earlier runs know of a path."""
        row = self._db.one(f"select {_KNOWN} from files where path = ?", (os.fsencode(path),))  # noqa: S608 -- constants
        return _known_of(path, row) if row else None

    def same_file(self, stat: FileStat) -> Known | None:
        """The same file in the library under another path: its folder was moved, or it has several names.

        The change time tells it from another file that was given its inode; a file that was renamed itself has a new
        one, and is known by its checksum once it was read. Where there are no inodes, nothing tells.
        """
        if stat.inode == 0:
            return None
        row = self._db.one(
            f"select path, {_KNOWN} from files where device = ? and inode = ? and size = ? and mtime_ns = ?"  # noqa: S608
            " and ctime_ns = ? and state in ('accepted', 'duplicate') limit 1",
            stat_columns(stat),
        )
        return _known_of(Path(os.fsdecode(row[0])), row[1:]) if row else None

    def moved(self, file_id: int, seen: Seen) -> None:
        values = (os.fsencode(seen.path), seen.filename, seen.folder, file_id)
        self._db.note("update files set path = ?, filename = ?, folder = ? where id = ?", values)

    def linked(self, file_id: int, seen: Seen) -> None:
        """Another name of a file that is in the library."""
        self._record(seen, FileState.DUPLICATE, None)
        self._db.note(
            "update files set (sha256, taken_on) = (select sha256, taken_on from files where id = ?) where path = ?",
            (file_id, os.fsencode(seen.path)),
        )

    def seen_again(self, file_id: int, counted: Counted) -> None:
        """A file that an earlier run has described, and has stored or not, but has not dealt with."""
        self._db.note("update files set seen = ?, counted = ? where id = ?", (self._run, counted, file_id))

    def described(self, seen: Seen, described: Described, *, wanted: bool = True) -> None:
        """A file that is new or has changed; whatever was known of it is forgotten. It waits if it is `wanted`."""
        self._record(seen, FileState.FOUND, Counted.PENDING if wanted else None, described=description(described))

    def unsupported(self, seen: Seen, error: str) -> None:
        self._record(seen, FileState.SKIPPED, Counted.SKIPPED, error)

    def unreadable(self, seen: Seen, error: str) -> None:
        """A file, or a folder; it is tried again by every run that comes by it, and by those that retry failures."""
        self._record(seen, FileState.FAILED, Counted.FAILED, error)

    def _record(
        self,
        seen: Seen,
        state: FileState,
        counted: Counted | None,
        error: str | None = None,
        *,
        described: tuple[object, ...] = (None,) * 4,
    ) -> None:
        path = os.fsencode(seen.path)
        if not seen.is_new:
            self._journal.let_twins_go("path = ?", path)
        stat = stat_columns(seen.stat)
        self._db.note(
            "insert into files (path, device, inode, size, mtime_ns, ctime_ns, seen, filename, folder, state, counted,"
            " error, content_type, metadata, taken_sort, taken_on)"
            " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " on conflict (path) do update set device = excluded.device, inode = excluded.inode, size = excluded.size,"
            " mtime_ns = excluded.mtime_ns, ctime_ns = excluded.ctime_ns, seen = excluded.seen,"
            " filename = excluded.filename, folder = excluded.folder, state = excluded.state,"
            " counted = excluded.counted, error = excluded.error, content_type = excluded.content_type,"
            " metadata = excluded.metadata, taken_sort = excluded.taken_sort, taken_on = excluded.taken_on,"
            " storage_key = null, decode_error = null, batch = null, sha256 = null,"
            " was_sha256 = case when state in ('accepted', 'duplicate') then sha256 else was_sha256 end",
            (path, *stat, self._run, seen.filename, seen.folder, state, counted, error, *described),
        )

    def failed_before(self) -> Iterator[tuple[Path, str | None]]:
        """Files and folders that failed in earlier runs, with their `folder`; rows may be written between them."""
        last = 0
        sql = "select id, path, folder from files where state = 'failed' and seen < ? and id > ? order by id limit ?"
        while rows := self._db.all(sql, (self._run, last, _PAGE)):
            last = rows[-1][0]
            yield from ((Path(os.fsdecode(path)), folder) for _, path, folder in rows)

    def forget(self, path: Path) -> None:
        """A file or folder that is gone, or is about to be looked at as if for the first time."""
        self._db.note("delete from files where path = ?", (os.fsencode(path),))


def _known_of(path: Path, row: Sequence[Any]) -> Known:
    id_, inode, size, mtime_ns, ctime_ns, state, described, taken_on, folder, error = row
    return Known(
        id_, path, (inode, size, mtime_ns, ctime_ns), FileState(state), bool(described), taken_on, folder, error
    )
