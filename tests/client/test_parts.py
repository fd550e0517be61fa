"""Files that go up in parts, to a server and store of a loopback that checks what it is sent."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Event as StopEvent
from typing import Any
from uuid import UUID

import pytest
from uuid6 import uuid7

from momentarium_cli.client import events, retries
from momentarium_cli.client import send as sending
from momentarium_cli.client.api import Api
from momentarium_cli.client.events import Event
from momentarium_cli.client.journal import Journal
from momentarium_cli.client.survey import Survey
from momentarium_cli.client.transport import FixedServer, Transport
from momentarium_cli.client.upload import Uploader
from momentarium_cli.client.work import Load
from momentarium_cli.errors import NotAsDescribed
from momentarium_cli.models import (
    CompleteUpload,
    GenerateUrls,
    SignedPart,
    SignedRequest,
    UploadFile,
    UploadSlot,
    UploadSlots,
    UploadStatus,
)
from momentarium_cli.photos.checksum import WHOLE_UP_TO_1_GIB, Cut, sha256_bytes, sha256_file
from momentarium_cli.photos.decode import Decoder
from tests.client.journals import left_of, waiting
from tests.client.loopback import Drop, Loopback, Reply, Request, as_json, loopback, problem, s3_error
from tests.client.photos import dated

IMPORT = UUID(str(uuid7()))
SMALL = Cut(above=6 << 20, part_bytes=5 << 20)
OK = Reply(200, b"")


class PartStore:
    """Takes parts that are as they were signed; `first` may answer each request in its place."""

    def __init__(self) -> None:
        self.file: UploadFile | None = None
        self.parts: dict[int, str] = {}
        self.accepted: list[int] = []  # the numbers of parts, as they came in
        self.completed = False
        self.first: Callable[[Request], Reply | None] = lambda _: None
        self.server: Loopback

    def answer(self, request: Request) -> Reply:
        self.server.requests.clear()  # large bodies are not kept
        if request.path.startswith("/api/"):
            return self.first(request) or self._api(request)
        return self.first(request) or self._put(request)

    def _api(self, request: Request) -> Reply:
        if request.path.endswith("/generate-urls"):
            [self.file] = GenerateUrls.model_validate_json(request.body).files
            return as_json(UploadSlots(files=[self._slot(self.file)]).model_dump(mode="json"))
        CompleteUpload.model_validate_json(request.body)
        if len(self.parts) < len(self._sha256s):
            return problem(NotAsDescribed("A part is missing."))
        self.completed = True
        return as_json({})

    def _slot(self, file: UploadFile) -> UploadSlot:
        missing = [number for number in range(1, len(self._sha256s) + 1) if number not in self.parts]
        return UploadSlot(
            storage_key="k",
            status=UploadStatus.UPLOAD,
            parts=[SignedPart(number=number, request=self._request(file, number)) for number in missing],
        )

    def _request(self, file: UploadFile, number: int) -> SignedRequest:
        assert file.parts
        start = (number - 1) * file.parts.part_bytes
        length = min(file.parts.part_bytes, file.size_bytes - start)
        url = f"{self.server.url}/parts/{number}?signature=s"
        headers = {"Content-Length": str(length)}
        return SignedRequest(method="PUT", url=url, headers=headers, expires_at=datetime.now(UTC))

    def _put(self, request: Request) -> Reply:
        number = number_of(request)
        if sha256_bytes(request.body) != self._sha256s[number - 1]:
            return s3_error(400, "BadDigest")
        self.parts[number] = sha256_bytes(request.body)
        self.accepted.append(number)
        return OK

    @property
    def _sha256s(self) -> Sequence[str]:
        assert self.file and self.file.parts
        return self.file.parts.sha256s


def number_of(request: Request) -> int:
    """Of the part that is sent; 0 for a call of the API."""
    return int(request.path.partition("?")[0].rpartition("/")[2]) if request.path.startswith("/parts/") else 0


def once(number: int, spoil: Callable[[], Reply]) -> Callable[[Request], Reply | None]:
    """The first request for a part is answered otherwise."""
    left = [number]

    def first(request: Request) -> Reply | None:
        if number_of(request) in left:
            left.clear()
            return spoil()
        return None

    return first


def drop() -> Reply:
    raise Drop


class Upload:
    """A run of a folder into the store; another run of the same journal goes on with what is left."""

    def __init__(self, store: PartStore, journal: Journal, decoder: Decoder, folder: Path) -> None:
        self.store, self.journal, self.decoder, self.folder = store, journal, decoder, folder
        self.transport = Transport(FixedServer(store.server.url, "mom_x"))
        self.stop = StopEvent()

    def begin(self, cut: Cut = SMALL) -> Iterator[Event]:
        list(Survey([self.folder], self.journal, self.decoder, StopEvent()).events())
        unfinished = self.journal.unfinished()
        batch_id = unfinished[0].id if unfinished else self._batch()
        load = Load(batch_id, left_of(self.journal, batch_id))
        uploader = Uploader(
            Api(self.transport), self.journal, self.decoder, self.decoder.describe, import_id=IMPORT, staging=None,
            stored=lambda _: iter(()), stop=self.stop, cut=cut,
        )  # fmt: skip
        return uploader.events([load])

    def told(self, cut: Cut = SMALL) -> list[Any]:
        return [each for each in self.begin(cut) if not isinstance(each, events.Warned)]

    def _batch(self) -> UUID:
        batch_id = UUID(str(uuid7()))
        self.journal.close_batch(batch_id, IMPORT, [file.id for file in waiting(self.journal)])
        return batch_id


@pytest.fixture
def store() -> Iterator[PartStore]:
    made = PartStore()
    with loopback(made.answer) as made.server:
        yield made


@pytest.fixture
def upload(store: PartStore, journal: Journal, decoder: Decoder, tmp_path: Path) -> Iterator[Upload]:
    made = Upload(store, journal, decoder, tmp_path / "photos")
    yield made
    made.transport.close()


@pytest.fixture
def photo(upload: Upload) -> Path:
    """Of three parts."""
    path = dated(upload.folder / "large.jpg")
    path.write_bytes(path.read_bytes() + os.urandom(12 << 20))
    return path


def sent(told: list[Any]) -> int:
    return sum(each.bytes for each in told if isinstance(each, events.Sent))


def uploaded(told: list[Any]) -> list[Path]:
    return [each.path for each in told if isinstance(each, events.Uploaded)]


def test_every_part_arrives_as_it_was_hashed(upload: Upload, store: PartStore, photo: Path) -> None:
    told = upload.told()
    assert uploaded(told) == [photo]
    assert store.accepted == [1, 2, 3] and store.completed
    assert sent(told) == photo.stat().st_size
    assert store.file and store.file.sha256 == sha256_file(photo)


@pytest.mark.parametrize(
    "spoil",
    [
        drop,
        lambda: s3_error(403, "AccessDenied", "Request has expired"),
        lambda: s3_error(503, "SlowDown"),
        lambda: s3_error(400, "BadDigest"),
        lambda: s3_error(404, "NoSuchUpload"),
        lambda: s3_error(500, "InternalError"),
    ],
    ids=["cut", "expired", "slow down", "digest", "no upload", "500"],
)
def test_after_a_failure_only_the_missing_parts_are_sent(
    upload: Upload, store: PartStore, photo: Path, spoil: Callable[[], Reply]
) -> None:
    store.first = once(2, spoil)
    told = upload.told()
    assert uploaded(told) == [photo]
    assert store.accepted == [1, 2, 3] and store.completed
    assert sent(told) == photo.stat().st_size


def test_a_run_that_was_stopped_goes_on_with_the_missing_parts(
    upload: Upload, store: PartStore, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_FINISH_BYTES", 0)

    def stop_at(request: Request) -> Reply | None:
        if number_of(request) == 2:
            upload.stop.set()
        return None

    store.first = stop_at
    assert uploaded(upload.told()) == []
    assert store.accepted == [1, 2] and not store.completed
    upload.stop.clear()
    told = upload.told()
    assert uploaded(told) == [photo]
    assert store.accepted == [1, 2, 3] and store.completed
    assert sent(told) == photo.stat().st_size, "what the store had already counts"
    assert sum(each.sent_bytes for each in told if isinstance(each, events.Sent)) == photo.stat().st_size - (10 << 20)


def test_parts_that_do_not_make_the_whole_are_signed_and_sent_again(
    upload: Upload, store: PartStore, photo: Path
) -> None:
    def lose(request: Request) -> Reply | None:
        if request.path.endswith("/complete") and store.accepted == [1, 2, 3]:
            del store.parts[3]
        return None

    store.first = lose
    assert uploaded(upload.told()) == [photo]
    assert store.accepted == [1, 2, 3, 3] and store.completed


def test_a_file_that_changes_between_two_parts_is_read_anew(upload: Upload, store: PartStore, photo: Path) -> None:
    def change(request: Request) -> Reply | None:
        if number_of(request) == 2 and 3 not in store.parts:
            store.parts.clear()
            store.first = lambda _: None
            photo.write_bytes(photo.read_bytes()[:-1] + b"\0\0")
        return None

    store.first = change
    assert uploaded(upload.told()) == [photo]
    assert store.file and store.file.sha256 == sha256_file(photo)
    assert store.accepted[-1] == 3 and store.completed


def test_a_connection_that_is_cut_now_and_then_does_not_exhaust_a_file_that_gets_on(
    upload: Upload, store: PartStore, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "PATIENCE_SECONDS", 0)
    failed: dict[int, int] = {1: 0, 2: 0, 3: 0}

    def cut(request: Request) -> Reply | None:
        number = number_of(request)
        if number and failed[number] < retries.TRIES - 1:
            failed[number] += 1
            raise Drop
        return None

    store.first = cut
    monkeypatch.setattr(retries, "_FIRST_DELAY_SECONDS", 0.01)
    assert uploaded(upload.told()) == [photo]
    assert store.accepted == [1, 2, 3]


def test_parts_that_never_make_the_whole_are_not_sent_for_ever(
    upload: Upload, store: PartStore, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(request: Request) -> Reply | None:
        if request.path.endswith("/complete"):
            store.parts.clear()
        return None

    store.first = lose
    monkeypatch.setattr(retries, "_FIRST_DELAY_SECONDS", 0.01)
    [failed] = [each for each in upload.told() if isinstance(each, events.Failed)]
    assert failed.error == "A part is missing."
    assert len(store.accepted) == 3 * retries.TRIES


def test_a_reflinked_file_is_never_cut(
    upload: Upload, store: PartStore, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_reflink", lambda source, target: target.write_bytes(source.read_bytes()))
    asked: list[UploadFile] = []

    def look(request: Request) -> Reply | None:
        if request.path.endswith("/generate-urls"):
            [file] = GenerateUrls.model_validate_json(request.body).files
            asked.append(file)
            url = f"{store.server.url}/files/k"
            original = SignedRequest(method="PUT", url=url, expires_at=datetime.now(UTC))
            slot = UploadSlot(storage_key="k", status=UploadStatus.UPLOAD, original=original)
            return as_json(UploadSlots(files=[slot]).model_dump(mode="json"))
        return OK

    store.first = look
    (upload.folder.parent / "incoming").mkdir()
    list(Survey([upload.folder], upload.journal, upload.decoder, StopEvent()).events())
    batch_id = upload._batch()
    uploader = Uploader(
        Api(upload.transport), upload.journal, upload.decoder, upload.decoder.describe, import_id=IMPORT,
        staging=sending.Staging(upload.folder.parent / "incoming"), stored=lambda _: iter(()), stop=upload.stop,
        cut=SMALL,
    )  # fmt: skip
    assert uploaded(list(uploader.events([Load(batch_id, left_of(upload.journal, batch_id))]))) == [photo]
    assert [(file.reflinked, file.parts) for file in asked] == [(True, None)]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_file_above_1_gib_goes_up_in_parts_of_64_mib(upload: Upload, store: PartStore) -> None:
    path = dated(upload.folder / "huge.jpg")
    os.truncate(path, (1 << 30) + 1)
    store.first = once(9, drop)
    began = time.monotonic()
    told = upload.told(WHOLE_UP_TO_1_GIB)
    print(f"{time.monotonic() - began:.1f} s")
    assert uploaded(told) == [path]
    assert store.accepted == list(range(1, 18)) and store.completed
    assert sent(told) == path.stat().st_size
    assert store.file and store.file.sha256 == sha256_file(path)
