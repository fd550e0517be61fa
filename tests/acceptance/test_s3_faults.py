"""A store on S3 that fails: it is tried again or told, nothing is lost, and the same command goes on."""

import configparser
import json
import random
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Lock

import pytest

from momentarium_cli.photos.checksum import sha256_bytes
from tests.acceptance.photos import MAY, event, photo
from tests.acceptance.program import Done, Program, checksums, ended, may_mount, program, wait_for
from tests.faults import SLOW_DOWN, Fault, Faults, faulty, no_rule
from tests.seaweed import REGION, Seaweed, running_server

DISK_BYTES = 40 << 20


@dataclass(frozen=True)
class Library:
    """The program whose originals are in a bucket that it reaches through `faults`."""

    program: Program
    seaweed: Seaweed
    faults: Faults
    bucket: str

    @property
    def photos(self) -> Path:
        return self.program.folder / "photos"

    def new_event(self, number: int) -> Path:
        """A folder with so many photos that are not in the library."""
        index = len(list(self.photos.glob("*")))
        folder = self.photos / f"{index:03}"
        event(folder, number, MAY + timedelta(days=30 * index), seed=1000 + index)
        return folder

    def upload(self, folder: Path) -> "subprocess.Popen[str]":
        return self.program.start("upload", "--json", folder)

    def stored(self, kind: str) -> dict[str, bytes]:
        """The objects of a kind such as "originals", by the last part of their keys."""
        client = self.seaweed.client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{kind}/")
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        return {key.rpartition("/")[2]: client.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys}

    def assert_whole(self) -> None:
        """Every photo is stored byte for byte and in exactly one album, and nothing that is known is missing."""
        expected = checksums(sorted(self.photos.rglob("*.jpg")))
        stored = self.stored("originals")
        assert sorted(stored) == expected
        assert {name: sha256_bytes(data) for name, data in stored.items()} == {name: name for name in expected}
        assert sorted(sha for album in self.program.albums().values() for sha in album) == expected
        self.assert_nothing_missing()

    def assert_nothing_missing(self) -> None:
        summary = self.program.ok("storage", "check", "--json").lines[-1]
        assert {kind["kind"]: kind["missing"] for kind in summary["kinds"]} == dict.fromkeys(
            ("originals", "previews", "thumbs"), 0
        )


@contextmanager
def library(seaweed: Seaweed, **environment: str) -> Iterator[Library]:
    bucket = seaweed.new_bucket()
    keys = {"AWS_ACCESS_KEY_ID": seaweed.access_key, "AWS_SECRET_ACCESS_KEY": seaweed.secret_key}
    with (
        faulty(seaweed.endpoint) as faults,
        program(
            MOMENTARIUM_STORAGE_URL=f"s3://{bucket}",
            AWS_ENDPOINT_URL_S3=faults.url,
            AWS_REGION=REGION,
            **(environment or keys),
        ) as made,
    ):
        yield Library(made, seaweed, faults, bucket)


@pytest.fixture
def in_bucket(seaweed: Seaweed) -> Iterator[Library]:
    with library(seaweed) as made:
        yield made


@pytest.fixture(scope="module")
def shared(seaweed: Seaweed) -> Iterator[Library]:
    with library(seaweed) as made:
        yield made


@pytest.fixture
def battered(shared: Library) -> Iterator[Library]:
    """One library that all of these runs share: it has to stand all of it."""
    yield shared
    shared.faults.rule = no_rule
    shared.faults.clear()


def told_once(done: Done, *words: str) -> None:
    """It ended with 5, and one line that says all of this."""
    assert (done.code, len(done.err.splitlines())) == (5, 1), done
    for word in words:
        assert word in done.err, done


def is_put(request: str, kind: str = "originals") -> bool:
    return request.startswith("PUT ") and f"/{kind}/" in request


# --- the bucket ----------------------------------------------------------------------------------------------------


def remove_bucket(made: Library) -> None:
    client = made.seaweed.client()
    for item in client.list_objects_v2(Bucket=made.bucket).get("Contents", ()):
        client.delete_object(Bucket=made.bucket, Key=item["Key"])
    client.delete_bucket(Bucket=made.bucket)


def test_a_bucket_that_is_not_there_or_goes_after_the_signing_is_told_and_then_it_goes_on(in_bucket: Library) -> None:
    folder = in_bucket.new_event(6)
    remove_bucket(in_bucket)
    done = ended(in_bucket.upload(folder))
    told_once(done, "bucket", "Create it")
    assert done.counts == {"pending": 6}
    assert in_bucket.program.albums() == {}

    in_bucket.seaweed.client().create_bucket(Bucket=in_bucket.bucket)
    gone = Lock()

    def removed_before_the_first_put(request: str) -> None:
        with gone:
            if is_put(request, "previews") and in_bucket.faults.rule is removed_before_the_first_put:
                remove_bucket(in_bucket)
                in_bucket.faults.rule = no_rule

    in_bucket.faults.rule = removed_before_the_first_put
    done = ended(in_bucket.upload(folder))
    told_once(done, "bucket", "Create it")
    assert done.counts == {"pending": 6}
    assert in_bucket.faults.rule is no_rule

    in_bucket.seaweed.client().create_bucket(Bucket=in_bucket.bucket)
    assert ended(in_bucket.upload(folder)).counts == {"uploaded": 6}
    in_bucket.assert_whole()


def test_photos_that_go_with_their_bucket_are_never_registered_and_sent_again(in_bucket: Library) -> None:
    folder = in_bucket.new_event(6)

    def removed_before_the_verification(request: str) -> None:
        if request.startswith("HEAD ") and in_bucket.faults.rule is removed_before_the_verification:
            in_bucket.faults.rule = no_rule
            remove_bucket(in_bucket)

    in_bucket.faults.rule = removed_before_the_verification
    told_once(ended(in_bucket.upload(folder)), "bucket", "Create it")
    assert in_bucket.program.albums() == {}

    in_bucket.seaweed.client().create_bucket(Bucket=in_bucket.bucket)
    missing = ended(in_bucket.upload(folder))
    assert (missing.code, missing.counts) == (3, {"failed": 6}), missing
    assert ended(in_bucket.upload(folder)).counts == {"uploaded": 6}
    in_bucket.assert_whole()


# --- credentials ---------------------------------------------------------------------------------------------------


class Rotating:
    """A user of the store, whose only key is in a file of credentials as AWS's tools share them."""

    def __init__(self, seaweed: Seaweed, file: Path) -> None:
        self._iam = seaweed.session().client("iam", endpoint_url=seaweed.endpoint)
        self._file, self._key_id = file, ""
        rights = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [rights]})
        self._iam.create_user(UserName="momentarium")
        self._iam.put_user_policy(UserName="momentarium", PolicyName="all", PolicyDocument=policy)
        self.rotate()

    def rotate(self) -> None:
        """A new key is in the file, and the old one is good for nothing."""
        key = self._iam.create_access_key(UserName="momentarium")["AccessKey"]
        written = configparser.ConfigParser(interpolation=None)
        written["default"] = {
            "aws_access_key_id": key["AccessKeyId"],
            "aws_secret_access_key": key["SecretAccessKey"],
        }
        with self._file.open("w") as file:
            written.write(file)
        if self._key_id:
            self._iam.delete_access_key(UserName="momentarium", AccessKeyId=self._key_id)
        self._key_id = key["AccessKeyId"]


@pytest.fixture
def rotating(tmp_path: Path) -> Iterator[tuple[Library, Rotating]]:
    file = tmp_path / "credentials"
    with (
        running_server(options=["-s3.iam.readOnly=false"]) as server,
        library(server.seaweed, AWS_SHARED_CREDENTIALS_FILE=str(file)) as made,
    ):
        yield made, Rotating(server.seaweed, file)


def test_rotated_credentials_are_taken_up_by_a_running_server(rotating: tuple[Library, Rotating]) -> None:
    made, keys = rotating
    assert ended(made.upload(made.new_event(4))).counts == {"uploaded": 4}
    server = made.program.server
    puts: list[str] = []

    def rotated_in_the_middle(request: str) -> None:
        if is_put(request):
            puts.append(request)
            if [request] == puts[19:20]:
                keys.rotate()

    made.faults.rule = rotated_in_the_middle
    done = ended(made.upload(made.new_event(40)))
    assert (done.code, done.counts) == (0, {"uploaded": 40}), done
    assert len(puts) > 40, "some were signed with the old key and refused"
    assert made.program.server == server
    made.assert_whole()


# --- a store that is busy ------------------------------------------------------------------------------------------

CALLS = {
    "the client's": re.compile("PUT /[^/]+/(previews|originals)/"),
    "the API's": re.compile("HEAD /"),
    "the worker's": re.compile("GET /[^/]+/previews/|PUT /[^/]+/thumbs/"),
}


class BusyAtFirst:
    """A rule: the calls of each who calls are answered with 503 for so many seconds, from the first on."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.began: dict[str, float] = {}
        self.refused = dict.fromkeys(CALLS, 0)

    def __call__(self, request: str) -> Fault | None:
        caller = next((name for name, pattern in CALLS.items() if pattern.match(request)), None)
        now = time.monotonic()
        if caller is None or now - self.began.setdefault(caller, now) >= self.seconds:
            return None
        self.refused[caller] += 1
        return Fault(status=503, body=SLOW_DOWN)


@pytest.mark.parametrize(
    "seconds", [1.5, pytest.param(60, marks=[pytest.mark.long, pytest.mark.timeout(900)])], ids=lambda s: f"{s:g}s"
)
def test_a_store_that_asks_to_go_slower_is_waited_for(battered: Library, seconds: float) -> None:
    folder = battered.new_event(12)
    busy = battered.faults.rule = BusyAtFirst(seconds)
    done = ended(battered.upload(folder), patience=60 + 10 * seconds)
    assert (done.code, done.counts) == (0, {"uploaded": 12}), done
    assert all(busy.refused.values()), busy.refused
    battered.assert_whole()


# --- connections that break off ------------------------------------------------------------------------------------


def large_photo(path: Path, size: int = 6 << 20) -> Path:
    """One with so many bytes behind its picture that they do not fit into the buffers of a connection."""
    photo(path)
    with path.open("ab") as file:
        file.write(random.Random(path.name).randbytes(size - file.tell()))
    return path


def test_a_connection_cut_at_half_a_body_stores_once_and_whole(battered: Library) -> None:
    folder = battered.photos / "large"
    half = large_photo(folder / "1.jpg").stat().st_size // 2
    large_photo(folder / "2.jpg")
    cut: list[str] = []

    def cut_twice(request: str) -> Fault | None:
        if is_put(request) and len(cut) < 3:
            cut.append(request)
            return Fault(received=half)
        return None

    battered.faults.rule = cut_twice
    done = ended(battered.upload(folder))
    assert (done.code, done.counts, len(cut)) == (0, {"uploaded": 2}, 3), done
    puts = [request for request in battered.faults.requests if is_put(request)]
    assert len(puts) == 5, "each that was cut is sent again, and no other"
    battered.assert_whole()


def test_answers_cut_at_half_a_body_are_read_again(battered: Library) -> None:
    folder = battered.new_event(4)
    cut: list[str] = []

    def cut_once_each(request: str) -> Fault | None:
        read = re.match("GET /[^/]+/(previews|originals)/", request)
        if read is None or read[1] in cut:
            return None
        cut.append(read[1])
        return Fault(cut_after=5_000)

    battered.faults.rule = cut_once_each
    done = ended(battered.upload(folder))
    assert (done.code, done.counts, cut) == (0, {"uploaded": 4}, ["previews"]), done
    battered.assert_whole()
    out = battered.program.folder / "out"
    battered.program.ok("export", out)
    assert cut == ["previews", "originals"]
    exported = [path for path in out.rglob("*") if path.is_file()]
    assert checksums(exported) == checksums(sorted(battered.photos.rglob("*.jpg")))


# --- a disk that is full -------------------------------------------------------------------------------------------


def test_a_store_that_says_it_is_full_is_told_and_with_space_it_goes_on(battered: Library) -> None:
    folder = battered.new_event(6)
    full = b"<Error><Code>XMinioStorageFull</Code><Message>Storage backend has reached its limit</Message></Error>"
    battered.faults.rule = lambda request: Fault(status=507, body=full) if is_put(request) else None
    done = ended(battered.upload(folder))
    told_once(done, "full", "Make room")
    assert done.counts == {"pending": 6}
    battered.faults.rule = no_rule
    assert ended(battered.upload(folder)).counts == {"uploaded": 6}
    battered.assert_whole()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own, which is small."""
    if not may_mount():
        pytest.skip("only root may mount a small disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(tmp_path)], check=True)
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


@pytest.fixture
def on_small_disk(small_disk: Path) -> Iterator[Library]:
    """A library whose store has room for six of the photos."""
    with running_server(small_disk) as server, library(server.seaweed) as made:
        for number in range(8):
            large_photo(made.photos / f"{number}.jpg")
        yield made


def enlarge(disk: Path) -> None:
    subprocess.run(["mount", "-o", f"remount,size={4 * DISK_BYTES}", str(disk)], check=True)


def test_a_disk_that_is_full_is_waited_for(on_small_disk: Library, small_disk: Path) -> None:
    upload = on_small_disk.upload(on_small_disk.photos)
    log = on_small_disk.program.data_dir / "logs" / "client.log"
    wait_for(lambda: log.exists() and "out of order" in log.read_text())
    enlarge(small_disk)
    done = ended(upload)
    assert (done.code, done.counts) == (0, {"uploaded": 8}), done
    on_small_disk.assert_whole()


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_disk_that_stays_full_is_told_and_what_is_stored_is_kept(on_small_disk: Library, small_disk: Path) -> None:
    done = ended(on_small_disk.upload(on_small_disk.photos), patience=800)
    assert (done.code, set(done.counts)) == (3, {"uploaded", "failed"}), done
    assert "disk is full" in done.out
    known = [sha for album in on_small_disk.program.albums().values() for sha in album]
    assert len(known) == done.counts["uploaded"]
    assert {name: sha256_bytes(data) for name, data in on_small_disk.stored("originals").items()} == {
        name: name for name in known
    }
    enlarge(small_disk)
    again = ended(on_small_disk.upload(on_small_disk.photos))
    assert again.counts == {"unchanged": done.counts["uploaded"], "uploaded": done.counts["failed"]}
    on_small_disk.assert_whole()


# --- a store that dies ---------------------------------------------------------------------------------------------


def test_a_store_that_is_killed_and_started_again_costs_no_photo() -> None:
    with running_server() as server, library(server.seaweed) as made:
        upload = made.upload(made.new_event(60))
        wait_for(lambda: sum(is_put(request) for request in made.faults.requests) > 15)
        server.end()
        tried = len(made.faults.requests)
        wait_for(lambda: len(made.faults.requests) > tried + 2)
        server.start()
        done = ended(upload)
        assert (done.code, done.counts) == (0, {"uploaded": 60}), done
        made.assert_whole()
