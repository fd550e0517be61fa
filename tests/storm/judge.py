"""Judges uploads by what they left: `python -m tests.storm.judge CONNINFO STORE.json PUTS RUNS`.

Reads the database, the store, the folders of photos, what the forwarder heard the store answer (PUTS) and what the
program said at the end of its runs (RUNS); it uses nothing of the program. Runs as someone to whom the rights of files
apply. One line for each finding; the exit code is 1 where there is one.

lost      a photo that can be read and is not stored byte for byte, has no row, or is not in exactly one primary album;
          one that the program called uploaded, and that is not in the store; a job that has not completed
doubled   two photos of one checksum; a photo in two primary albums; an album that is there twice
totals    a summary that does not add up; the last ones, where they are not what is in the folders
needless  an original sent although the store had it when its address was signed, or stored twice; one that a run which
          came to its end told, and that is told again (what a run that was cut short has stored, and that is touched
          before it is in a job, is looked at anew by the next)

What a server forgot that was restored from a backup is told and sent again; what counts is what came after that. Where
its store was restored as well, nothing is lost that was told before.
"""

import hashlib
import json
import os
import stat
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import boto3
import psycopg
from botocore.config import Config
from psycopg.rows import dict_row

from tests.chaos.judge import Connection, doubled_photos

Row = dict[str, Any]
_COUNTED = ("uploaded", "duplicates", "unchanged", "skipped", "failed", "pending")
_CAME_TO_ITS_END = (0, 3)
_PHOTO = b"\xff\xd8\xff"  # how a JPEG begins


@dataclass
class Folders:
    """What is to be found in folders: the checksums of photos by number of files, and files that are none."""

    photos: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    failed: int = 0

    @classmethod
    def below(cls, tops: Sequence[Path]) -> "Folders":
        """Links are followed; what is reached twice counts once."""
        found, seen = cls(), set[str]()
        for top in tops:
            found._add(top, seen)
        return found

    def _add(self, path: Path, seen: set[str]) -> None:
        real = os.path.realpath(path)
        try:
            mode = path.stat().st_mode
            if real in seen:
                return
            seen.add(real)
            if stat.S_ISDIR(mode):
                for below in list(path.iterdir()):
                    self._add(below, seen)
            else:
                self._add_file(path.read_bytes())
        except OSError:
            self.failed += 1

    def _add_file(self, data: bytes) -> None:
        if data.startswith(_PHOTO):
            self.photos[hashlib.sha256(data).hexdigest()] += 1
        else:
            self.skipped += 1

    @property
    def found(self) -> int:
        return self.photos.total() + self.skipped + self.failed


@dataclass(frozen=True)
class Store:
    """The objects of a bucket, whose place `described` names."""

    described: Row

    def checksums(self, prefix: str) -> dict[str, str]:
        """The checksum of what lies there, by key."""
        place = dict(self.described)
        bucket = place.pop("bucket")
        plain = Config(
            signature_version="s3v4", s3={"addressing_style": "path"}, response_checksum_validation="when_required"
        )
        client = boto3.client("s3", config=plain, **place)
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        return {
            key: hashlib.sha256(client.get_object(Bucket=bucket, Key=key)["Body"].read()).hexdigest() for key in keys
        }


@dataclass(frozen=True)
class Left:
    """All that the runs left."""

    conn: Connection
    originals: dict[str, str]
    puts: Sequence[Row]
    runs: Sequence[Row]

    def findings(self) -> Iterator[str]:
        for user_id, runs in self._by_person().items():
            folders = Folders.below([Path(folder) for folder in runs[-1]["folders"]])
            yield from self._lost_photos(user_id, folders)
            yield from self._lost_claims(user_id, runs)
            yield from _wrong_totals(runs, folders)
            yield from _told_twice(runs)
        yield from self._lost_objects()
        yield from self._lost_placings()
        yield from self._lost_jobs()
        yield from self._doubled_albums()
        yield from doubled_photos(self.conn)
        yield from needless(
            self.puts, self._moments(lambda _: True), self._moments(lambda forgotten: forgotten["gone"])
        )

    def _by_person(self) -> dict[int, list[Row]]:
        found: dict[int, list[Row]] = defaultdict(list)
        for run in self.runs:
            found[run["user_id"]].append(run)
        return found

    def _moments(self, counts: Callable[[Row], bool]) -> dict[str, list[float]]:
        """When photos were forgotten in such a way, by key."""
        found: dict[str, list[float]] = defaultdict(list)
        for run in self.runs:
            if run["forgotten"] and counts(run["forgotten"]):
                for sha256 in run["forgotten"]["sha256s"]:
                    found[f"originals/{run['user_id']}/{sha256}"].append(run["forgotten"]["at"])
        return found

    def _lost_photos(self, user_id: int, folders: Folders) -> Iterator[str]:
        rows = self.conn.execute("select sha256 from images where user_id = %s and deleted_at is null", (user_id,))
        known = {row["sha256"] for row in rows}
        for sha256 in folders.photos:
            if f"originals/{user_id}/{sha256}" not in self.originals:
                yield f"lost: photo {sha256} of user {user_id} is not in the store"
            if sha256 not in known:
                yield f"lost: photo {sha256} of user {user_id} has no row"

    def _lost_claims(self, user_id: int, runs: Sequence[Row]) -> Iterator[str]:
        for sha256, told in _tellings(runs, lambda forgotten: forgotten["gone"]).items():
            if f"originals/{user_id}/{sha256}" not in self.originals:
                names = ", ".join(run["run"] for run in told)
                yield f"lost: {names} said that {sha256} was uploaded, and it is not in the store"

    def _lost_objects(self) -> Iterator[str]:
        for key, sha256 in self.originals.items():
            if Path(key).name != sha256:
                yield f"lost: object {key} holds other bytes"

    def _lost_placings(self) -> Iterator[str]:
        for row in self.conn.execute(
            "select i.storage_key, n.albums from images i cross join lateral"
            " (select count(*) as albums from album_images a where a.image_id = i.id and a.is_primary) n"
            " where i.deleted_at is null and n.albums <> 1"
        ):
            yield f"lost: photo {row['storage_key']} is in {row['albums']} primary albums"

    def _lost_jobs(self) -> Iterator[str]:
        for row in self.conn.execute("select id, status, error_code from processing_jobs where status <> 'completed'"):
            yield f"lost: job {row['id']} is {row['status']} ({row['error_code']})"

    def _doubled_albums(self) -> Iterator[str]:
        for row in self.conn.execute(
            "select a.id, a.job_id, j.status from albums a left join processing_jobs j on j.id = a.job_id"
            " where j.status is distinct from 'completed'"
        ):
            yield f"doubled: album {row['id']} is of job {row['job_id']}, which is {row['status'] or 'not there'}"
        for row in self.conn.execute(
            "with held as (select a.id, a.user_id, array_agg(x.image_id order by x.image_id) as photos from albums a"
            " join album_images x on x.album_id = a.id group by a.id)"
            " select one.id, other.id as other from held one join held other"
            " on other.user_id = one.user_id and other.id > one.id and other.photos = one.photos"
        ):
            yield f"doubled: albums {row['id']} and {row['other']} hold the same photos"


def _wrong_totals(runs: Sequence[Row], folders: Folders) -> Iterator[str]:
    for run in runs:
        summary = run["summary"]
        if summary is None:
            continue
        if summary["found"] != sum(summary[name] for name in _COUNTED):
            yield f"totals: those of {run['run']} do not add up: {summary}"
        if summary["uploaded"] != len(run["uploaded"]):
            yield f"totals: {run['run']} counts {summary['uploaded']} uploaded and names {len(run['uploaded'])}"
    calm = [run for run in runs if run["calm"]]
    if len(calm) != 2:
        yield f"totals: {runs[-1]['run']} is not the second of two runs in calm"
    for number, run in enumerate(calm):
        yield from _unlike(run, folders, is_last=number > 0)


def _unlike(run: Row, folders: Folders, *, is_last: bool) -> Iterator[str]:
    """A run in calm tells what is in the folders, and the last one that nothing is new."""
    summary = run["summary"] or {}
    photos = folders.photos.total()
    expected = {"found": folders.found, "skipped": folders.skipped, "failed": folders.failed, "pending": 0}
    if is_last:
        expected |= {"unchanged": photos, "uploaded": 0, "duplicates": 0, "bytes_uploaded": 0}
    wrong = {name: (summary.get(name), value) for name, value in expected.items() if summary.get(name) != value}
    if wrong:
        yield f"totals: {run['run']} told (and there is): {wrong}"
    code = 3 if folders.failed else 0
    if run["code"] != code:
        yield f"totals: {run['run']} ended with {run['code']} instead of {code}"


def _tellings(runs: Sequence[Row], is_void_after: Callable[[Row], bool]) -> dict[str, list[Row]]:
    """The runs that told of each photo, by checksum; without those before it was forgotten in such a way."""
    telling: dict[str, list[Row]] = defaultdict(list)
    for run in runs:
        if run["forgotten"] and is_void_after(run["forgotten"]):
            for sha256 in run["forgotten"]["sha256s"]:
                telling.pop(sha256, None)
        for sha256 in run["uploaded"]:
            telling[sha256].append(run)
    return telling


def _told_twice(runs: Sequence[Row]) -> Iterator[str]:
    for sha256, told in _tellings(runs, lambda _: True).items():
        if any(run["code"] in _CAME_TO_ITS_END for run in told[:-1]):
            names = ", ".join(run["run"] for run in told)
            yield f"needless: {sha256} was told {len(told)} times to be uploaded, by {names}"


Moments = Mapping[str, Sequence[float]]
_NEVER: Moments = MappingProxyType({})


def needless(puts: Sequence[Row], forgotten: Moments = _NEVER, gone: Moments = _NEVER) -> Iterator[str]:
    """Originals that were sent once more, and not because they had been forgotten; or stored once more, and not because
    they were gone. One that was still on its way when the next was signed is none of them: who sent it was told
    nothing, or was killed."""
    taken: dict[str, list[Row]] = defaultdict(list)
    for put in sorted(puts, key=lambda put: float(put["began"])):
        before = taken[put["key"]]
        known = [earlier for earlier in before if _is_known(earlier, _latest(forgotten, put))]
        if any(_signed(put) > earlier["ended"] + (earlier["ended"] - earlier["began"]) for earlier in known):
            yield f"needless: {put['key']} was signed and sent after it was stored"
        good = 200 <= put["status"] < 300
        there = [earlier for earlier in before if earlier["ended"] > _latest(gone, put)]
        if good and any(earlier["status"] < 300 and earlier["passed_on"] for earlier in there):
            yield f"needless: {put['key']} was stored twice"
        if good or put["status"] == 412:
            before.append(put)


def _latest(moments: Moments, put: Row) -> float:
    return max((at for at in moments.get(put["key"], ()) if at <= put["began"]), default=0.0)


def _is_known(put: Row, since: float) -> bool:
    """Whether it was signed and stored since then, as far as whole seconds say."""
    return put["ended"] > since and _signed(put) + 1 > since


def _signed(put: Row) -> float:
    return datetime.strptime(put["signed"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _lines(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def main(conninfo: str, store: Path, puts: Path, runs: Path) -> int:
    with psycopg.connect(conninfo, row_factory=dict_row) as conn:
        left = Left(conn, Store(json.loads(store.read_text())).checksums("originals/"), _lines(puts), _lines(runs))
        found = list(left.findings())
        print(*found, sep="\n", end="\n" if found else "")
        print(
            f"judged: {len(left.runs)} runs, {len(left.originals)} originals, {len(left.puts)} times sent,"
            f" {len(found)} findings"
        )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(Path, sys.argv[2:5])))
