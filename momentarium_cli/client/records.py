"""What the journal's rows say, as values."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

from momentarium_cli.photos.metadata import Described
from momentarium_cli.photos.scan import FileStat


class FileState(StrEnum):
    FOUND = "found"
    STORED = "stored"  # the original is in the store
    ACCEPTED = "accepted"  # and its batch has a job
    DUPLICATE = "duplicate"
    SKIPPED = "skipped"  # its bytes are of no supported type
    FAILED = "failed"


class BatchState(StrEnum):
    CLOSED = "closed"
    SENT = "sent"
    ACCEPTED = "accepted"
    DONE = "done"


class Counted(StrEnum):
    """Where a run counts a file; the names are those of the summary."""

    PENDING = "pending"
    UPLOADED = "uploaded"
    DUPLICATES = "duplicates"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as the first pass found it; `is_new` where the journal has no row of its path."""

    path: Path
    stat: FileStat
    filename: str
    folder: str | None
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """A file that an earlier run has seen."""

    id: int
    path: Path
    columns: tuple[int, ...]  # as stat_columns makes them, without the device
    state: FileState
    described: bool  # its metadata was read
    day: str | None
    folder: str | None
    error: str | None

    def is_still(self, stat: FileStat) -> bool:
        """Whether it is the same as then."""
        return self.columns == _identity(stat)

    @property
    def taken_on(self) -> date | None:
        """The local day it was taken on; None where only the mtime says one."""
        return date.fromisoformat(self.day) if self.day else None


@dataclass(frozen=True, slots=True)
class File:
    """A row. `metadata` (JSON) is there once the file was described, `storage_key` once it is stored."""

    id: int
    path: Path
    stat: FileStat
    state: FileState
    filename: str
    folder: str | None
    content_type: str | None
    metadata: str | None
    taken_sort: float | None
    sha256: str | None
    storage_key: str | None
    decode_error: str | None
    error: str | None


FILE_COLUMNS = (
    "id, path, device, inode, size, mtime_ns, ctime_ns, state, filename, folder, content_type, metadata, taken_sort,"
    " sha256, storage_key, decode_error, error"
)


@dataclass(frozen=True, slots=True)
class Stored:
    """A file whose original is in the store. `size` (pixels, upright) is what decoding showed; `stat` is the file's as
    it was read for that: it may have changed since it was found."""

    file_id: int
    sha256: str
    storage_key: str
    decode_error: str | None
    size: tuple[int, int] | None
    stat: FileStat


@dataclass(frozen=True, slots=True)
class Batch:
    id: UUID
    import_id: UUID
    state: BatchState
    job_id: str | None


def stat_columns(stat: FileStat) -> tuple[int, ...]:
    # Devices and inodes of some file systems are unsigned 64-bit; SQLite's integers are signed.
    device = stat.dev if stat.dev < 1 << 63 else stat.dev - (1 << 64)
    inode = stat.inode if stat.inode < 1 << 63 else stat.inode - (1 << 64)
    return (device, inode, stat.size, stat.mtime_ns, stat.ctime_ns)


def description(described: Described) -> tuple[object, ...]:
    """The columns content_type, metadata, taken_sort and taken_on."""
    taken = described.metadata.taken_sort
    return (
        described.format.content_type,
        described.metadata.model_dump_json(exclude_none=True),
        taken.timestamp() if taken else None,
        described.taken_on.isoformat() if described.taken_on else None,
    )


def _identity(stat: FileStat) -> tuple[int, ...]:
    """Without the device: a disk gets another when mounted anew."""
    return stat_columns(stat)[1:]


def is_same_file(one: FileStat, other: FileStat) -> bool:
    """Whether a file is as it was."""
    return _identity(one) == _identity(other)


def file_of(row: Sequence[Any]) -> File:
    id_, path, dev, inode, size, mtime_ns, ctime_ns, state, *rest = row
    stat = FileStat(dev, inode, size, mtime_ns, ctime_ns)
    return File(id_, Path(os.fsdecode(path)), stat, FileState(state), *rest)
