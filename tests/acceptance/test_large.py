"""Originals that are too large for one request go up in parts, become one object, and are proven."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from momentarium_cli.photos.checksum import sha256_file
from tests.acceptance.photos import photo
from tests.acceptance.program import Done, Program, ended, program, wait_for
from tests.seaweed import REGION, Seaweed

PART = 5 << 20  # the smallest that S3 takes; a real client's are larger
SMALL_PARTS = f"""
import sys
from momentarium_cli.cli.app import main
from momentarium_cli.client.upload import Uploader
from momentarium_cli.photos.checksum import Cut

if __name__ == "__main__":
    Uploader.__init__.__kwdefaults__["cut"] = Cut(above={PART}, part_bytes={PART})
    sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def bucket(seaweed: Seaweed) -> str:
    return seaweed.new_bucket()


@pytest.fixture(params=["disk", "bucket"])
def momentarium(request: pytest.FixtureRequest) -> Iterator[Program]:
    if request.param == "disk":
        with program() as made:
            yield made
        return
    seaweed: Seaweed = request.getfixturevalue("seaweed")
    with program(
        MOMENTARIUM_STORAGE_URL=f"s3://{request.getfixturevalue('bucket')}",
        AWS_ENDPOINT_URL_S3=seaweed.endpoint,
        AWS_REGION=REGION,
        AWS_ACCESS_KEY_ID=seaweed.access_key,
        AWS_SECRET_ACCESS_KEY=seaweed.secret_key,
    ) as made:
        yield made


def large(path: Path, size: int) -> Path:
    """A photo with so many bytes behind its end, as panoramas have them."""
    photo(path)
    with path.open("ab") as file:
        file.write(random.Random(7).randbytes(size))
    return path


def begin(made: Program, *arguments: object) -> "subprocess.Popen[str]":
    script = made.folder / "small_parts.py"
    script.write_text(SMALL_PARTS)
    return subprocess.Popen(
        [sys.executable, str(script), *map(str, arguments)],
        env=made.environment,
        cwd=made.folder,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def upload(made: Program, *paths: Path) -> Done:
    done = ended(begin(made, "upload", "--json", *paths))
    assert done.code == 0, done
    return done


def stored_parts(request: pytest.FixtureRequest, made: Program) -> int:
    """Of uploads that are not complete."""
    if "MOMENTARIUM_STORAGE_URL" not in made.extra:
        return sum(1 for _ in (made.data_dir / "objects" / "parts").glob("*/*"))
    client, bucket = request.getfixturevalue("seaweed").client(), request.getfixturevalue("bucket")
    uploads = client.list_multipart_uploads(Bucket=bucket).get("Uploads", ())
    listed = (client.list_parts(Bucket=bucket, Key=item["Key"], UploadId=item["UploadId"]) for item in uploads)
    return sum(len(found.get("Parts", ())) for found in listed)


def test_it_is_whole_and_proven_and_nothing_of_its_parts_is_left(
    momentarium: Program, request: pytest.FixtureRequest
) -> None:
    path = large(momentarium.folder / "p" / "panorama.jpg", 3 * PART)
    small = photo(momentarium.folder / "p" / "small.jpg", seed=1)
    assert upload(momentarium, path.parent).counts == {"uploaded": 2}
    assert upload(momentarium, path.parent).counts == {"unchanged": 2}
    momentarium.ok("export", momentarium.folder / "out")
    exported = {sha256_file(file) for file in (momentarium.folder / "out").rglob("*") if file.is_file()}
    assert exported == {sha256_file(path), sha256_file(small)}
    assert stored_parts(request, momentarium) == 0
    *_, summary = momentarium.ok("storage", "check", "--json").lines
    assert [(kind["missing"], kind["orphans"]) for kind in summary["kinds"]] == [(0, 0)] * 3


def test_a_client_that_was_killed_in_the_middle_goes_on(momentarium: Program, request: pytest.FixtureRequest) -> None:
    path = large(momentarium.folder / "p" / "panorama.jpg", 12 * PART)
    client = begin(momentarium, "upload", "--json", "--bwlimit", "10M", path.parent)  # else it may be over at once
    wait_for(lambda: stored_parts(request, momentarium) >= 3, 90)
    client.kill()
    client.communicate()
    assert upload(momentarium, path.parent).counts == {"uploaded": 1}
    assert [sha for album in momentarium.albums().values() for sha in album] == [sha256_file(path)]
    assert stored_parts(request, momentarium) == 0


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_photo_of_more_than_a_gibibyte(momentarium: Program) -> None:
    path = photo(momentarium.folder / "p" / "huge.jpg")
    os.truncate(path, (1 << 30) + 5_000_000)
    assert ended(momentarium.start("upload", "--json", path.parent), 500).counts == {"uploaded": 1}
    momentarium.ok("export", momentarium.folder / "out")
    assert [sha256_file(file) for file in (momentarium.folder / "out").rglob("*.jpg")] == [sha256_file(path)]
