"""Make a job's albums: ask the organizer, then write what it proposes in the transaction that ends the job."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from momentarium_cli.backend.dates import Dates, dated, keep
from momentarium_cli.backend.db import albums as rows
from momentarium_cli.backend.db import images, jobs
from momentarium_cli.backend.db.jobs import Job
from momentarium_cli.backend.db.pool import Connection, Database
from momentarium_cli.backend.jobs import Jobs
from momentarium_cli.backend.lease import JobLost, Lease
from momentarium_cli.backend.organize.base import (
    REACH,
    TIMELESS,
    YEAR,
    ExistingAlbum,
    Home,
    Organizer,
    Organizers,
    Photo,
    Proposal,
    Trip,
)
from momentarium_cli.backend.organize.documents import kept_apart
from momentarium_cli.backend.organize.events import ALWAYS, DAY
from momentarium_cli.backend.organize.everyday import MOST, undecided
from momentarium_cli.backend.organize.homes import DECIMALS, changed, find_homes
from momentarium_cli.backend.organize.order import instant
from momentarium_cli.errors import Temporary
from momentarium_cli.models import AlbumKind, AlbumLevel, TakenAtSource

_STAGE = "organizing"
_TRIES = 10


class _LibraryChangedError(Exception):
    """Somebody else changed the user's albums meanwhile; what was proposed no longer fits."""


class Albums:
    def __init__(self, database: Database, work: Jobs, organizers: Organizers) -> None:
        self._database = database
        self._jobs = work
        self._organizers = organizers

    def organize(self, job: Job, lease: Lease) -> None:
        """Put the job's photos into albums and complete it; raises JobLost if it is no longer this worker's."""
        organizer = self._organizers(job.user_id, lease)
        for _ in range(_TRIES):
            lease.progress(_STAGE, 0, len(job.image_keys))
            library = self._read(job)
            photos = [*library.new, *library.movable]
            proposals = organizer.organize(photos, library.albums, library.homes, library.level) if photos else ()
            _check_total(photos, proposals)
            try:
                self._write(job, library, proposals, organizer)
            except _LibraryChangedError:
                continue
            return
        raise Temporary("The albums were changed again and again while they were being organized.")

    def _read(self, job: Job) -> "_Library":
        with self._database.transaction(job.user_id) as conn:
            version = jobs.library_version(conn)
            dates = dated(conn)
            new = [_photo(row) for row in images.unplaced(conn, job.image_keys)]
            level = AlbumLevel(job.album_level) if job.album_level else rows.level(conn)
            if not new and not job.album_level:
                return _Library(version, level)
            visited = {(row["latitude"], row["longitude"]): row["days"] for row in rows.spots(conn, DECIMALS)}
            before, homes = _kept_homes(conn), find_homes(visited)
            stretches, left = rows.stretches(conn, ALWAYS), dates.left()
            elsewhere = [(since.date(), until.date()) for since, until in left]
            spans = _touched(stretches, new, [*changed(before, homes), *elsewhere])
            if job.album_level and stretches:
                spans = [(stretches[0][0], stretches[-1][1])]
            existing = _existing(conn, [*spans, *left], _timeless(new))
            given = [*new, *_movable(existing, spans)]
            more = undecided(given, existing)
            if more or _timeless(given) != _timeless(new):
                spans = sorted({*spans, *_touched(stretches, more, ())})
                existing = _existing(conn, [*spans, *left], _timeless(given))
            return _Library(version, level, new, _movable(existing, spans), existing, homes, dates)

    def _write(self, job: Job, library: "_Library", proposals: Sequence[Proposal], organizer: Organizer) -> None:
        with self._database.transaction(job.user_id) as conn:
            if jobs.library_version(conn, lock=True) != library.version:
                raise _LibraryChangedError
            made = _Writer(conn, job, organizer.name, library.albums).write(proposals)
            if library.new or job.album_level:
                rows.keep_homes(conn, [_home_row(home) for home in library.homes])
                keep(conn, library.dates)
            if job.album_level:
                rows.keep_level(conn, library.level)
            jobs.bump_version(conn)
            new = {photo.id for photo in library.new}
            grown = [key for key, proposal in zip(made, proposals, strict=True) if new.intersection(proposal.photo_ids)]
            report = {"organizer": dict(organizer.report)} if organizer.report else {}
            if not self._jobs.complete(conn, job, organizer.name, {"albums": grown, **report}):
                raise JobLost


@dataclass(frozen=True, slots=True)
class _Library:
    """What a job's photos (`new`) are organized with: photos that may move, the albums near them, all homes."""

    version: int
    level: AlbumLevel
    new: Sequence[Photo] = ()
    movable: Sequence[Photo] = ()
    albums: Sequence[ExistingAlbum] = ()
    homes: Sequence[Home] = ()
    dates: Dates = field(default_factory=Dates)


def _kept_homes(conn: Connection) -> list[Home]:
    return [
        Home(row["latitude"], row["longitude"], date.fromisoformat(row["since"]), date.fromisoformat(row["until"]))
        for row in rows.homes(conn)
    ]


def _home_row(home: Home) -> dict[str, Any]:
    return {
        "latitude": home.latitude,
        "longitude": home.longitude,
        "since": home.since.isoformat(),
        "until": home.until.isoformat(),
    }


class _Writer:
    """Writes proposals inside the transaction that ends a job."""

    def __init__(self, conn: Connection, job: Job, organized_by: str, existing: Sequence[ExistingAlbum]) -> None:
        self._conn = conn
        self._common = {"job_id": job.id, "organized_by": organized_by, "starts_at": None, "ends_at": None}
        self._existing = {album.id: album for album in existing}
        self._anew = job.album_level is not None
        self._changed: list[int] = []

    def write(self, proposals: Sequence[Proposal]) -> list[int]:
        """The ids of the proposals' albums."""
        given = {photo_id for proposal in proposals for photo_id in proposal.photo_ids}
        made = [self._album(proposal, given) for proposal in proposals]
        for album_id in self._changed:
            rows.note_dates(self._conn, album_id)
        self._trips(proposals, made)
        lost = {album.id for album in self._existing.values() if any(photo.id in given for photo in album.photos)}
        rows.drop_empty(self._conn, list(lost.difference(made)))
        return made

    def _album(self, proposal: Proposal, given: set[int]) -> int:
        values = self._values(proposal) | {"kind": proposal.kind.value, "cover_id": proposal.cover_id}
        key = proposal.album_id
        held: dict[int, Photo] = {}
        if key is None:
            key = rows.add(self._conn, values)
        else:
            held = {photo.id: photo for photo in self._existing[key].photos}
            changed = held.keys() != (held.keys() - given).union(proposal.photo_ids)
            rows.extend(self._conn, values, changed=changed)
            if not changed and not self._anew and _same_clocks(held, proposal):
                return key
        rows.place(self._conn, key, [photo_id for photo_id in proposal.photo_ids if photo_id not in held])
        rows.set_clocks(self._conn, {photo_id: proposal.clock_shifts.get(photo_id) for photo_id in proposal.photo_ids})
        rows.arrange(self._conn, key, proposal.order, proposal.chapter_ids)
        self._changed.append(key)
        return key

    def _trips(self, proposals: Sequence[Proposal], made: Sequence[int]) -> None:
        members: dict[Trip | None, list[int]] = defaultdict(list)
        for key, proposal in zip(made, proposals, strict=True):
            members[proposal.trip].append(key)
        for trip, album_ids in members.items():
            rows.into_trip(self._conn, album_ids, self._trip(trip) if trip else None)

    def _trip(self, trip: Trip) -> int:
        values = self._values(trip) | {"kind": AlbumKind.TRIP.value, "cover_id": None}
        if trip.album_id is None:
            return rows.add(self._conn, values)
        rows.extend(self._conn, values, changed=False)
        return trip.album_id

    def _values(self, what: Proposal | Trip) -> dict[str, Any]:
        return self._common | {
            "album_id": what.album_id,
            "title": what.title,
            "theme_description": what.theme_description,
            "place": what.place,
        }


def _same_clocks(held: Mapping[int, Photo], proposal: Proposal) -> bool:
    """Whether the clocks of photos that an album has already are as they were found before."""
    return all(
        held[key].clock_shift == proposal.clock_shifts.get(key, timedelta())
        for key in proposal.photo_ids
        if key in held
    )


def _check_total(photos: Sequence[Photo], proposals: Sequence[Proposal]) -> None:
    placed = sorted(photo_id for proposal in proposals for photo_id in proposal.photo_ids)
    if placed != sorted(photo.id for photo in photos):
        raise AssertionError("the organizer must put every photo into exactly one proposal")


def _timeless(photos: Sequence[Photo]) -> set[AlbumKind]:
    """The kinds of albums without a time that photos go to."""
    kinds = {kept_apart(photo) or (None if photo.taken_at else AlbumKind.UNDATED) for photo in photos}
    return {kind for kind in kinds if kind}


def _existing(conn: Connection, spans: Sequence[rows.Span], timeless: Collection[AlbumKind]) -> list[ExistingAlbum]:
    """Albums without a time may be large, and new photos change nothing of them but their number and cover."""
    near = rows.near(conn, spans, REACH, YEAR, MOST, [kind.value for kind in timeless])
    members: dict[int, list[Photo]] = {row["id"]: [] for row in near}
    timed = [row["id"] for row in near if AlbumKind(row["kind"]) not in TIMELESS]
    for row in (*images.of_albums(conn, timed), *images.covers(conn, list(members.keys() - set(timed)))):
        members[row["album_id"]].append(_photo(row))
    return [
        ExistingAlbum(
            id=row["id"],
            kind=AlbumKind(row["kind"]),
            title=row["title"],
            edited=row["edited"],
            photos=tuple(members[row["id"]]),
            trip_id=row["trip_id"],
            more=row["held"] - len(members[row["id"]]) if row["held"] else 0,
        )
        for row in near
    ]


def _touched(spans: Sequence[rows.Span], new: Sequence[Photo], periods: Sequence[tuple[date, date]]) -> list[rows.Span]:
    """The stretches with these photos, and those that were, in any zone, in some periods of local time."""
    begins = [since for since, _ in spans]
    touched = {_index(photo, begins) for photo in new if photo.taken_at}
    for index, (since, until) in enumerate(spans):
        first, last = (since - DAY).date(), (until + DAY).date()
        if any(start <= last and first <= end for start, end in periods):
            touched.add(index)
    return [spans[index] for index in sorted(touched)]


def _movable(existing: Sequence[ExistingAlbum], spans: Sequence[rows.Span]) -> list[Photo]:
    """The photos of these spans that are in albums nobody touched."""
    kinds = (AlbumKind.EVENT, AlbumKind.EVERYDAY)
    loose = [album for album in existing if album.kind in kinds and not album.edited]
    begins = [since for since, _ in spans]
    return [photo for album in loose for photo in album.photos if photo.taken_at and _within(photo, spans, begins)]


def _within(photo: Photo, spans: Sequence[rows.Span], begins: Sequence[datetime]) -> bool:
    index = _index(photo, begins)
    return index >= 0 and instant(photo) <= spans[index][1]


def _index(photo: Photo, begins: Sequence[datetime]) -> int:
    """Of the last span that began by then; -1 if none did."""
    return bisect_right(begins, instant(photo)) - 1


def _photo(row: dict[str, Any]) -> Photo:
    known = row["taken_at"] is not None and row["taken_at_source"] != TakenAtSource.MTIME
    date_shift = timedelta(seconds=row["date_shift_seconds"])
    return Photo(
        id=row["id"],
        filename=row["original_filename"],
        taken_at=row["taken_at"] + date_shift if known else None,
        taken_sort=row["taken_sort"] + date_shift if known and row["taken_sort"] else None,
        latitude=row["latitude"],
        longitude=row["longitude"],
        altitude=row["altitude"],
        camera=row["camera"],
        source_folder=row["source_folder"],
        content_type=row["content_type"],
        width=row["width"],
        height=row["height"],
        clock_shift=timedelta(seconds=row["clock_shift_seconds"]) - date_shift,
        thumb_key=row["thumb_key"],
        region=row["region"],
        phash=row["phash"],
        quality=row["quality"],
        look=int.from_bytes(row["look"]) if row["look"] else None,
    )
