"""The same program with its originals in a bucket."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from momentarium_cli.photos.checksum import sha256_file
from tests.acceptance.photos import event
from tests.acceptance.program import Program, program
from tests.photos.conftest import REAL
from tests.seaweed import REGION, Seaweed


@pytest.fixture
def bucket(seaweed: Seaweed) -> str:
    return seaweed.new_bucket()


@pytest.fixture
def in_bucket(seaweed: Seaweed, bucket: str) -> Iterator[Program]:
    """The program where storage.url is a bucket."""
    with program(
        MOMENTARIUM_STORAGE_URL=f"s3://{bucket}",
        AWS_ENDPOINT_URL_S3=seaweed.endpoint,
        AWS_REGION=REGION,
        AWS_ACCESS_KEY_ID=seaweed.access_key,
        AWS_SECRET_ACCESS_KEY=seaweed.secret_key,
    ) as made:
        yield made


def titles(made: Program, paths: list[Path]) -> list[tuple[str, int]]:
    done = made.upload(*paths)
    return sorted((album["title"], album["photos"]) for album in done.summary["albums"])


@pytest.mark.parametrize(
    "photos", [None, *([REAL] if REAL.is_dir() else [])], ids=lambda path: "real" if path else "made"
)
def test_albums_are_those_that_a_disk_gives(
    in_bucket: Program, momentarium: Program, photos: Path | None, seaweed: Seaweed, bucket: str
) -> None:
    if photos is None:
        photos = in_bucket.folder / "p"
        event(photos, 12)
    assert titles(in_bucket, [photos]) == titles(momentarium, [photos])
    assert in_bucket.originals() == []
    listed = seaweed.client().list_objects_v2(Bucket=bucket, Prefix="originals/")["Contents"]
    stored = {item["Key"].rpartition("/")[2] for item in listed}
    assert stored <= {sha256_file(path) for path in photos.rglob("*") if path.is_file()}
    again = in_bucket.upload(photos).counts
    assert again["unchanged"] == len(stored)
    assert set(again) <= {"unchanged", "skipped"}


def test_what_is_exported_is_what_was_uploaded(in_bucket: Program) -> None:
    photos = event(in_bucket.folder / "p", 6)
    in_bucket.upload(in_bucket.folder / "p")
    in_bucket.ok("export", in_bucket.folder / "out")
    exported = {sha256_file(path) for path in (in_bucket.folder / "out").rglob("*") if path.is_file()}
    assert exported == {sha256_file(path) for path in photos}
    assert "stored, read and deleted a probe" in in_bucket.ok("doctor").out
