"""How long the local organizer takes for a large library, and how much memory.

    python -m tests.benchmarks.organize_speed [--photos 100000]

The library is made up: seasons of everyday life at one place, with trips between them. Measured are all photos at
once, to a tree with titles; and another 100 into the library that is there, with finding the homes of all of it. The
database's part of the latter, which places were visited on which days and which photos are near, is not in it.
"""

import argparse
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from momentarium_cli.backend.organize.base import ExistingAlbum, Photo, Proposal
from momentarium_cli.backend.organize.events import ALWAYS
from momentarium_cli.backend.organize.homes import find_homes, spots
from momentarium_cli.backend.organize.local import LocalOrganizer
from momentarium_cli.backend.organize.order import instant
from momentarium_cli.models import AlbumKind

ALL_SECONDS, ADDED_SECONDS, MEGABYTES = 5.0, 0.5, 300.0
HOME = (52.535, 13.41)


def library(size: int, seed: int = 1) -> list[Photo]:
    """Photos of about thirty a day, in order."""
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
        yield Photo(key, f"IMG_{key:06}.JPG", at, at.replace(tzinfo=UTC), *spot, camera="Pixel 8", source_folder="DCIM")


def albums(proposals: Sequence[Proposal], photos: Sequence[Photo]) -> list[ExistingAlbum]:
    by_id = {photo.id: photo for photo in photos}
    return [
        ExistingAlbum(key, one.kind, one.title, False, tuple(by_id[photo] for photo in one.photo_ids))
        for key, one in enumerate(proposals, 1)
    ]


def near(existing: Sequence[ExistingAlbum], since: datetime, until: datetime) -> list[ExistingAlbum]:
    """What the backend would hand out: the albums of a span, and of its months."""
    month = timedelta(days=32)
    return [
        album
        for album in existing
        if instant(album.photos[0]) <= until + month and instant(album.photos[-1]) >= since - month
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--photos", type=int, default=100_000)
    photos = library(parser.parse_args().photos)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.perf_counter()
    proposals = LocalOrganizer().organize(photos, [], find_homes(spots(photos)))
    whole = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    existing = albums(proposals, photos)
    new = [
        Photo(len(photos) + 1 + number, f"NEW_{number}.JPG", at, at.replace(tzinfo=UTC), *HOME)
        for number in range(100)
        for at in [(photos[-1].taken_at or datetime(2024, 1, 1)) + timedelta(minutes=number)]
    ]
    visited = spots([*photos, *new])
    started = time.perf_counter()
    homes = find_homes(visited)
    found = near(existing, instant(new[0]) - ALWAYS, instant(new[-1]))
    kinds = (AlbumKind.EVENT, AlbumKind.EVERYDAY)
    movable = [photo for album in found if album.kind in kinds for photo in album.photos]
    LocalOrganizer().organize([*new, *movable], found, homes)
    added = time.perf_counter() - started
    print(f"{len(photos):,} photos, {len(proposals):,} albums: {whole:.2f} s (at most {ALL_SECONDS})")
    print(f"memory: {peak:.0f} MB in all, {peak - before:.0f} MB of it organizing (at most {MEGABYTES:.0f})")
    print(f"100 more, {len(movable):,} photos near them: {added:.2f} s (at most {ADDED_SECONDS})")
    sys.exit(whole > ALL_SECONDS or added > ADDED_SECONDS or peak > MEGABYTES)


if __name__ == "__main__":
    main()
