"""The same program with its originals in a bucket."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from momentarium_cli.photos.checksum import sha256_file
from tests.acceptance.photos import event
from tests.acceptance.program import Program, program
from tests.edge import edge
from tests.photos.conftest import REAL
from tests.seaweed import REGION, Seaweed


@pytest.fixture
def bucket(seaweed: Seaweed) -> str:
    return seaweed.new_bucket()


@pytest.fixture
def in_bucket(seaweed: Seaweed, bucket: str) -> Iterator[Program]:
    """The program where storage.url is a bucket."""
    with program(**in_a_bucket(seaweed, bucket)) as made:
        yield made


def in_a_bucket(seaweed: Seaweed, bucket: str) -> dict[str, str]:
    return {
        "MOMENTARIUM_STORAGE_URL": f"s3://{bucket}",
        "AWS_ENDPOINT_URL_S3": seaweed.endpoint,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": seaweed.access_key,
        "AWS_SECRET_ACCESS_KEY": seaweed.secret_key,
    }


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


def test_what_galleries_show_comes_through_the_cdn(seaweed: Seaweed, bucket: str, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = tmp_path / "cdn.pem"
    pem.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    asked: list[str] = []

    def origin(path: str, query: Mapping[str, str]) -> str:
        """As origin access control signs what the edge asks of the bucket."""
        asked.append(path.partition("/")[0])
        params = {name.title().replace("-", ""): value for name, value in query.items()}
        url: str = seaweed.client().generate_presigned_url("get_object", {"Bucket": bucket, "Key": path, **params})
        return url

    with (
        edge(origin, key.public_key(), "K2JCJMDEHXQW5F") as url,
        program(
            **in_a_bucket(seaweed, bucket),
            MOMENTARIUM_STORAGE_CDN_URL=url,
            MOMENTARIUM_STORAGE_CDN_KEY_ID="K2JCJMDEHXQW5F",
            MOMENTARIUM_STORAGE_CDN_PRIVATE_KEY_FILE=str(pem),
        ) as made,
    ):
        photos = event(tmp_path / "p", 6)
        made.upload(tmp_path / "p")
        [album] = made.ok("albums", "--json").json["albums"]
        shown = made.ok("albums", "show", album["id"], "--json").json["photos"]
        for photo in shown:
            assert httpx.get(photo["preview_url"]).headers["content-type"] == "image/jpeg"
            assert all(photo[name].startswith(url) for name in ("original_url", "preview_url", "thumb_url"))
        made.ok("export", made.folder / "out")
        exported = sorted(sha256_file(path) for path in (made.folder / "out").rglob("*.jpg"))
    assert exported == sorted(sha256_file(path) for path in photos)
    assert set(asked) == {"originals", "previews"}
