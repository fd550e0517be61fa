"""Make a job's albums: ask the organizer, then write what it proposes in the transaction that ends the job."""

from collections.abc import Sequence
from typing import Any

from momentarium_cli.backend.db import albums as rows
from momentarium_cli.backend.db import images, jobs
from momentarium_cli.backend.db.jobs import Job
from momentarium_cli.backend.db.pool import Connection, Database
from momentarium_cli.backend.jobs import Jobs
from momentarium_cli.backend.lease import JobLost, Lease
from momentarium_cli.backend.organize.base import REACH, ExistingAlbum, Organizer, Photo, Proposal
from momentarium_cli.errors import Temporary
from momentarium_cli.models import AlbumKind, TakenAtSource

_STAGE = "organizing"
_TRIES = 10


class _LibraryChangedError(Exception):
    """Somebody else changed the user's albums meanwhile; what was proposed no longer fits."""


class Albums:
    def __init__(self, database: Database, work: Jobs, organizer: Organizer) -> None:
        self._database = database
        self._jobs = work
        self._organizer = organizer

    def organize(self, job: Job, lease: Lease) -> None:
        """Put the job's photos into albums and complete it; raises JobLost if it is no longer this worker's."""
        for _ in range(_TRIES):
            lease.progress(_STAGE, 0, len(job.image_keys))
            version, photos, existing = self._read(job)
            proposals = self._organizer.organize(photos, existing) if photos else ()
            _check_total(photos, proposals)
            try:
                self._write(job, version, photos, proposals)
            except _LibraryChangedError:
                continue
            return
        raise Temporary("The albums were changed again and again while they were being organized.")

    def _read(self, job: Job) -> tuple[int, list[Photo], list[ExistingAlbum]]:
        with self._database.transaction(job.user_id) as conn:
            version = jobs.library_version(conn)
            photos = [_photo(row) for row in images.unplaced(conn, job.image_keys)]
            return version, photos, _existing(conn, photos)

    def _write(self, job: Job, version: int, photos: Sequence[Photo], proposals: Sequence[Proposal]) -> None:
        with self._database.transaction(job.user_id) as conn:
            if jobs.library_version(conn, lock=True) != version:
                raise _LibraryChangedError
            by_id = {photo.id: photo for photo in photos}
            made = [_write_album(conn, job, proposal, by_id, self._organizer.name) for proposal in proposals]
            jobs.bump_version(conn)
            if not self._jobs.complete(conn, job, self._organizer.name, {"albums": made}):
                raise JobLost


def _check_total(photos: Sequence[Photo], proposals: Sequence[Proposal]) -> None:
    placed = sorted(photo_id for proposal in proposals for photo_id in proposal.photo_ids)
    if placed != sorted(photo.id for photo in photos):
        raise AssertionError("the organizer must put every photo into exactly one proposal")


def _existing(conn: Connection, photos: Sequence[Photo]) -> list[ExistingAlbum]:
    dated = [photo.taken_at for photo in photos if photo.taken_at]
    since, until = (min(dated) - REACH, max(dated) + REACH) if dated else (None, None)
    near = rows.near(conn, since, until)
    members: dict[int, list[Photo]] = {row["id"]: [] for row in near}
    for row in images.of_albums(conn, list(members)):
        members[row["album_id"]].append(_photo(row))
    return [
        ExistingAlbum(row["id"], AlbumKind(row["kind"]), row["title"], row["edited"], tuple(members[row["id"]]))
        for row in near
    ]


def _photo(row: dict[str, Any]) -> Photo:
    dated = row["taken_at"] is not None and row["taken_at_source"] != TakenAtSource.MTIME
    return Photo(
        id=row["id"],
        filename=row["original_filename"],
        taken_at=row["taken_at"] if dated else None,
        taken_sort=row["taken_sort"] if dated else None,
        latitude=row["latitude"],
        longitude=row["longitude"],
        altitude=row["altitude"],
        camera=row["camera"],
        source_folder=row["source_folder"],
        content_type=row["content_type"],
        width=row["width"],
        height=row["height"],
    )


def _write_album(conn: Connection, job: Job, proposal: Proposal, by_id: dict[int, Photo], organized_by: str) -> int:
    times = [taken for photo_id in proposal.photo_ids if (taken := by_id[photo_id].taken_at)]
    values = {
        "job_id": job.id,
        "album_id": proposal.album_id,
        "title": proposal.title,
        "theme_description": proposal.theme_description,
        "kind": proposal.kind.value,
        "place": proposal.place,
        "cover_id": proposal.cover_id,
        "starts_at": min(times, default=None),
        "ends_at": max(times, default=None),
        "organized_by": organized_by,
    }
    if proposal.album_id is None:
        album_id = rows.add(conn, values)
        rows.place(conn, album_id, proposal.photo_ids)
        return album_id
    if not rows.extend(conn, values):
        raise _LibraryChangedError
    rows.place(conn, proposal.album_id, proposal.photo_ids)
    rows.reorder(conn, proposal.album_id)
    return proposal.album_id
