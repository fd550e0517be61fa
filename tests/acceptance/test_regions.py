"""The same program with its originals in the buckets of two regions, one of which goes down."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from momentarium_cli.client.sdk import Momentarium
from momentarium_cli.config import Settings
from momentarium_cli.photos.checksum import sha256_bytes
from tests.acceptance.photos import JULY, event
from tests.acceptance.program import Program, checksums, ended, program, wait_for
from tests.contracts.storage import plain_client
from tests.faults import SLOW_DOWN, Fault, Faults, faulty
from tests.seaweed import Seaweed


@dataclass(frozen=True)
class Library:
    """The program with a bucket in "best" and one in "own", which its clients are to use."""

    program: Program
    client: Any
    faults: Faults
    best: str
    own: str

    @property
    def photos(self) -> Path:
        return self.program.folder / "photos"

    def stored(self, bucket: str, kind: str = "") -> list[str]:
        listed = self.client.list_objects_v2(Bucket=bucket, Prefix=kind)
        return [item["Key"] for item in listed.get("Contents", ())]

    def originals(self, bucket: str) -> list[str]:
        return sorted(key.rpartition("/")[2] for key in self.stored(bucket, "originals/"))

    def replicate(self) -> None:
        """What replication does: all that is in `own` comes to `best`."""
        for key in self.stored(self.own):
            self.copy(key)

    def copy(self, key: str) -> None:
        self.client.copy_object(Bucket=self.best, Key=key, CopySource={"Bucket": self.own, "Key": key})

    def is_own(self, request: str) -> bool:
        return request.split()[1].startswith(f"/{self.own}")

    def down(self, request: str) -> Fault | None:
        return Fault(status=503, body=SLOW_DOWN) if self.is_own(request) else None

    def shown(self) -> list[str]:
        """The addresses of all photos, as a gallery has them."""
        with Momentarium(Settings(data_dir=self.program.data_dir)) as momentarium:
            photos = [photo for album in momentarium.gallery() for photo in momentarium.album(album.id)[1]]
        addresses = [(photo.original_url, photo.preview_url, photo.thumb_url) for photo in photos]
        return [url for of_one in addresses for url in of_one if url]


@pytest.fixture
def library(seaweed: Seaweed) -> Iterator[Library]:
    best, own = seaweed.new_bucket(), seaweed.new_bucket()
    with (
        faulty(seaweed.endpoint) as faults,
        program(
            MOMENTARIUM_STORAGE_BUCKETS=f"best={best},own={own}",
            MOMENTARIUM_STORAGE_REGION="own",
            MOMENTARIUM_STORAGE_ENDPOINT_URL=faults.url,
            AWS_ACCESS_KEY_ID=seaweed.access_key,
            AWS_SECRET_ACCESS_KEY=seaweed.secret_key,
        ) as made,
    ):
        yield Library(made, seaweed.client(), faults, best, own)


def test_photos_go_to_the_region_that_the_client_has_set_and_nowhere_else(library: Library) -> None:
    photos = event(library.photos, 6)
    assert library.program.upload(library.photos).counts == {"uploaded": 6}
    assert library.originals(library.own) == checksums(photos)
    assert len(library.stored(library.own)) == 3 * 6
    assert library.stored(library.best) == []
    library.program.ok("export", library.program.folder / "out")
    exported = [path for path in (library.program.folder / "out").rglob("*") if path.is_file()]
    assert checksums(exported) == checksums(photos)


def test_while_a_region_is_down_the_other_stands_in_for_it(library: Library) -> None:
    photos = event(library.photos / "1", 6)
    library.program.upload(library.photos)
    library.replicate()
    library.faults.rule = library.down

    addresses = wait_for(lambda: [url for url in library.shown() if f"/{library.best}/" in url])
    assert len(addresses) == 3 * 6
    with plain_client() as http:
        answers = [http.get(url) for url in addresses]
    assert {answer.status_code for answer in answers} == {200}
    assert {sha256_bytes(answer.content) for answer in answers} >= set(checksums(photos))
    library.program.ok("export", library.program.folder / "out")

    later = event(library.photos / "2", 4, JULY, seed=1)
    assert library.program.upload(library.photos).counts == {"unchanged": 6, "uploaded": 4}
    assert library.originals(library.best) == checksums([*photos, *later])
    assert len(library.stored(library.own)) == 3 * 6


def test_an_upload_goes_on_in_the_other_region_when_its_own_goes_down(library: Library) -> None:
    photos = event(library.photos, 30)
    sent: list[str] = []

    def goes_down(request: str) -> Fault | None:
        method, path = request.split()
        if method == "PUT" and library.is_own(request):
            sent.append(path)
        if len(sent) < 20:
            return None
        if method in ("GET", "HEAD") and not library.is_own(request):
            with suppress(ClientError):  # it has come to the other region by now, or it never was here
                library.copy(urlsplit(path).path.removeprefix(f"/{library.best}/"))
        return library.down(request)

    library.faults.rule = goes_down
    done = ended(library.program.start("upload", "--json", library.photos))
    assert (done.code, done.counts) == (0, {"uploaded": 30}), done
    assert library.originals(library.best) == checksums(photos)
    assert 0 < len(library.originals(library.own)) < 30
    assert sorted(sha for album in library.program.albums().values() for sha in album) == checksums(photos)
