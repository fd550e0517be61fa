"""Journals with files in them, and what is in a journal."""

import hashlib
from datetime import datetime
from pathlib import Path
from uuid import UUID

from uuid6 import uuid7

from momentarium_cli.client import events
from momentarium_cli.client.journal import Journal
from momentarium_cli.client.plan import Plan
from momentarium_cli.client.records import File, FileState, Known, Seen, Stored
from momentarium_cli.client.sightings import Sightings
from momentarium_cli.models import Metadata, TakenAtSource
from momentarium_cli.photos.formats import JPEG
from momentarium_cli.photos.metadata import Described
from momentarium_cli.photos.scan import FileStat

STAT = FileStat(dev=1, inode=2, size=3, mtime_ns=4, ctime_ns=5)
IMPORT = UUID(str(uuid7()))


def found(
    journal: Journal, path: str | Path = "/p/a.jpg", stat: FileStat = STAT, minute: int = 0, folder: str = "p"
) -> int:
    """The id of a photo that was found."""
    path = Path(path)
    metadata = Metadata(taken_at=datetime(2024, 5, 1, 10, minute), taken_at_source=TakenAtSource.EXIF)
    seen = Seen(path, stat, events.printable(Path(path.name)), folder)
    Sightings(journal).described(seen, Described(JPEG, metadata))
    journal.commit()
    now = Sightings(journal).known(path)
    assert now is not None
    return now.id


def accepted(journal: Journal, job_id: UUID, *paths: str, import_id: UUID = IMPORT) -> list[str]:
    """The checksums of photos that a job brought into the library."""
    file_ids = [found(journal, path) for path in paths]
    sha256s = [hashlib.sha256(path.encode()).hexdigest() for path in paths]
    batch_id = UUID(str(uuid7()))
    journal.close_batch(batch_id, import_id, file_ids)
    journal.stored(
        Stored(file_id, sha256, f"originals/1/{sha256}", None, None, STAT)
        for file_id, sha256 in zip(file_ids, sha256s, strict=True)
    )
    journal.accepted(batch_id, job_id)
    return sha256s


def state_of(journal: Journal, path: str) -> FileState | None:
    known = Sightings(journal).known(Path(path))
    return known.state if known else None


def unchanged(journal: Journal, path: str | Path = "/p/a.jpg", stat: FileStat = STAT) -> Known | None:
    """What is known of a file, if it is still the same."""
    known = Sightings(journal).known(Path(path))
    return known if known and known.is_still(stat) else None


def waiting(journal: Journal) -> list[File]:
    """The photos that are to be uploaded and are in no batch, oldest first."""
    return journal.files(Plan(journal).next_batch(limit=100_000))


def left_of(journal: Journal, batch_id: UUID) -> list[File]:
    """The photos of a batch that are still to be sent."""
    return journal.files(Plan(journal).left_of(batch_id))


def names(files: list[File]) -> list[str]:
    return [file.path.name for file in files]


def metadata_of(file: File) -> Metadata:
    """What a file says of itself; it was described."""
    assert file.metadata
    return Metadata.model_validate_json(file.metadata)
