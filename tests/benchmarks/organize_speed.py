"""How long the local organizer takes for a large library, and how much memory.

    python -m tests.benchmarks.organize_speed [--photos 100000] [--profile]

The library is made up: seasons of everyday life at one place, with trips between them, and some screenshots, scans and
photos without a date. Measured are all photos at once, to a tree with titles; and a job of another 100 in the library
that is there, with all that the database does for it, on a PostgreSQL of the benchmark's own.
"""

import argparse
import cProfile
import pstats
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Event
from uuid import uuid4

import psycopg
from uuid6 import uuid7

from momentarium_cli.backend.albums import Albums
from momentarium_cli.backend.db import images, users
from momentarium_cli.backend.db import jobs as rows
from momentarium_cli.backend.db.embedded import EmbeddedPostgres
from momentarium_cli.backend.db.jobs import Job
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.jobs import Jobs
from momentarium_cli.backend.lease import Lease
from momentarium_cli.backend.organize.base import Photo
from momentarium_cli.backend.organize.homes import find_homes, spots
from momentarium_cli.backend.organize.local import LocalOrganizer
from momentarium_cli.backend.queues.postgres import PostgresQueue
from momentarium_cli.backend.signing import Signer
from momentarium_cli.backend.storage.local import LocalStorage
from tests.clusters import Cluster
from tests.folders import short_folder

ALL_SECONDS, ADDED_SECONDS, MEGABYTES = 5.0, 0.5, 300.0
HOME = (52.535, 13.41)
ADDED = 100


def library(size: int, seed: int = 1) -> list[Photo]:
    """Photos of about thirty a day, in order; of each hundred one is a screenshot, one a scan and one has no date."""
    return list(_photos(size, Random(seed)))


def _photos(size: int, random: Random) -> Iterator[Photo]:
    at, where = datetime(2010, 1, 1), HOME
    for key in range(1, size + 1):
        if random.random() < 0.01:  # the next day out; every sixth time after some days
            at += timedelta(hours=random.choice([14, 20, 26, 30, 50, 110]))
            away = random.random() < 0.3
            where = (HOME[0] + random.uniform(-9, 5), HOME[1] + random.uniform(-9, 9)) if away else HOME
        at += timedelta(seconds=random.randrange(600))
        spot = (where[0] + random.gauss(0, 0.01), where[1] + random.gauss(0, 0.01))
        taken = Photo(
            key,
            f"IMG_{key:06}.JPG",
            at,
            at.replace(tzinfo=UTC),
            *spot,
            camera="Pixel 8",
            source_folder="DCIM",
            width=4000,
            height=3000,
            phash=random.getrandbits(63),
            quality=random.random(),
        )
        yield _apart(taken, key % 100)


def _apart(photo: Photo, number: int) -> Photo:
    if number == 0:
        return replace(photo, filename=f"Screenshot_{photo.id}.png", camera=None, latitude=None, longitude=None)
    if number == 1:
        return replace(photo, filename=f"Scan_{photo.id}.jpg", camera=None, latitude=None, longitude=None)
    return replace(photo, taken_at=None, taken_sort=None) if number == 2 else photo


def more(photos: Sequence[Photo], days: int) -> list[Photo]:
    """A hundred more, taken some days after the first ones of the library; so late that it is a night at its end."""
    dated = [photo.taken_at for photo in photos if photo.taken_at]
    since = min(dated[-1], dated[0] + timedelta(days=days))
    made = _photos(ADDED, Random(2))
    return [
        replace(
            photo,
            id=len(photos) + number,
            filename=photo.filename.replace("_", "_NEW_"),
            taken_at=since + timedelta(minutes=number) if photo.taken_at else None,
            taken_sort=(since + timedelta(minutes=number)).replace(tzinfo=UTC) if photo.taken_at else None,
        )
        for number, photo in enumerate(made, 1)
    ]


class Library:
    """The library of one user in a database, and the jobs that make its albums."""

    def __init__(self, database: Database, storage: LocalStorage) -> None:
        self._database = database
        self._jobs = Jobs(database, storage, PostgresQueue(database.conninfo))
        with database.administration() as conn:
            user = users.add(conn, "ann@example.com")
        assert user is not None
        self._user = user

    def add(self, photos: Sequence[Photo]) -> tuple[Job, Lease]:
        """The job of these photos, claimed. Larger than those that the API takes: one for the library as it is."""
        described = [_row(photo) for photo in photos]
        with self._database.transaction(self._user) as conn:
            for start in range(0, len(described), 10_000):
                images.add(conn, described[start : start + 10_000])
            conn.cursor().executemany(
                "update images set phash = %s, quality = %s where storage_key = %s",
                [(photo.phash, photo.quality, _key(photo)) for photo in photos],
            )
            keys = [_key(photo) for photo in photos]
            accepted = rows.add(
                conn, import_id=uuid4(), image_keys=keys[:1], idempotency_key=uuid7(), request_sha256="0" * 64
            )
        assert accepted is not None
        with psycopg.connect(self._database.conninfo, autocommit=True) as owner:
            owner.execute("vacuum analyze")  # as PostgreSQL does by itself within a minute
        job = self._jobs.claim(accepted.id)
        assert job is not None
        job = replace(job, image_keys=keys)
        return job, Lease(self._jobs, job, Event())

    def organize(self, job: Job, lease: Lease) -> None:
        with lease.kept():
            Albums(self._database, self._jobs, lambda *_: LocalOrganizer()).organize(job, lease)

    def count(self) -> int:
        with self._database.transaction(self._user) as conn:
            row = conn.execute("select count(*) as albums from albums").fetchone()
        assert row is not None
        return int(row["albums"])


def _key(photo: Photo) -> str:
    return f"originals/1/{photo.id:064x}"


def _row(photo: Photo) -> dict[str, object]:
    """As `images.add` takes it."""
    return {
        "storage_key": _key(photo),
        "sha256": f"{photo.id:064x}",
        "original_filename": photo.filename,
        "content_type": photo.content_type,
        "file_size_bytes": 1,
        "width": photo.width,
        "height": photo.height,
        "taken_at": photo.taken_at.isoformat() if photo.taken_at else None,
        "taken_at_source": "exif" if photo.taken_at else None,
        "taken_sort": photo.taken_sort.isoformat() if photo.taken_sort else None,
        "latitude": photo.latitude,
        "longitude": photo.longitude,
        "camera": photo.camera,
        "source_folder": photo.source_folder,
        "verified": True,
    }


@contextmanager
def database() -> Iterator[Database]:
    with short_folder() as folder:
        embedded = EmbeddedPostgres(folder, "a password")
        try:
            with Cluster.prepared(embedded.start()).clone() as conninfo:
                opened = Database(conninfo)
                yield opened
                opened.close()
        finally:
            embedded.stop()


def memory() -> float:
    """The most that this process had so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--profile", action="store_true", help="say where the job of 100 more spends its time")
    options = parser.parse_args()
    photos = library(options.photos)
    before, computed = memory(), time.process_time()
    started = time.perf_counter()
    proposals = LocalOrganizer().organize(photos, [], find_homes(spots(photos)))
    whole, computed = time.perf_counter() - started, time.process_time() - computed
    print(
        f"{len(photos):,} photos, {len(proposals):,} albums: {whole:.2f} s (at most {ALL_SECONDS}),"
        f" {computed:.2f} s of it computing"
    )
    peak = memory()
    print(f"memory: {peak:.0f} MB in all, {peak - before:.0f} MB of it organizing (at most {MEGABYTES:.0f})")
    added = grow(photos, profile=options.profile)
    sys.exit(whole > ALL_SECONDS or added > ADDED_SECONDS or peak > MEGABYTES)


def grow(photos: list[Photo], *, profile: bool) -> float:
    """The longest of the jobs of 100 more, at the end of the library and in the middle of it; seconds."""
    longest = 0.0
    with database() as opened, short_folder() as folder:
        made = Library(opened, LocalStorage(folder / "objects", "http://127.0.0.1:1", Signer("a secret")))
        started = time.perf_counter()
        made.organize(*made.add(photos))
        print(f"in the database: {made.count():,} albums, {time.perf_counter() - started:.1f} s with storing them")
        for days, where in ((100_000, "at its end"), (1_000, "in its midst")):
            new = more(photos, days)
            photos += new
            job, lease = made.add(new)
            with cProfile.Profile() if profile else nullcontext() as profiled:
                started = time.perf_counter()
                computed = time.process_time()
                made.organize(job, lease)
                took, computed = time.perf_counter() - started, time.process_time() - computed
            print(f"100 more {where}: {took:.2f} s (at most {ADDED_SECONDS}), {computed:.2f} s of it computing here")
            if profiled is not None:
                pstats.Stats(profiled).sort_stats("cumulative").print_stats(30)
            longest = max(longest, took)
    return longest


if __name__ == "__main__":
    main()
