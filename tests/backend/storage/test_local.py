import errno
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import httpx
import pytest

from momentarium_cli.backend.api import middleware
from momentarium_cli.backend.api.app import create_app
from momentarium_cli.backend.arrivals import Arrivals
from momentarium_cli.backend.services import Services
from momentarium_cli.backend.signing import Signer
from momentarium_cli.backend.storage import local
from momentarium_cli.backend.storage.base import Storage, original_key
from momentarium_cli.backend.storage.local import LocalStorage
from momentarium_cli.errors import AlreadyStored, BadRequest, InsufficientStorage, MomentariumError, NotFound
from tests.contracts.storage import USER, Case, StorageContract, begun, digest, some_bytes
from tests.servers import answering, listening


@dataclass(frozen=True)
class Served:
    store: LocalStorage
    url: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A store whose signed requests a live server answers; nothing else of that server is used."""
    with listening() as (listener, url):
        store = LocalStorage(tmp_path_factory.mktemp("store"), url, Signer("a secret"))
        nothing = cast("Any", None)
        services = Services(
            nothing, nothing, nothing, nothing, nothing, Arrivals(), deliveries=nothing, proofs=None, files=store
        )
        with answering(create_app(services), listener):
            yield Served(store, url)


class TestLocalStorage(StorageContract):
    @pytest.fixture
    def store(self, served: Served) -> Storage:
        return served.store

    @pytest.fixture
    def other_secret(self, served: Served, tmp_path: Path) -> Storage:
        return LocalStorage(tmp_path, served.url, Signer("another secret"))

    def root_path(self, store: Storage) -> str:
        return "/files"

    def leftovers(self, store: Storage) -> list[str]:
        assert isinstance(store, LocalStorage)
        parts = Path(store.where) / "parts"
        begun = list(parts.iterdir()) if parts.exists() else []
        return [file.name for file in (*store.incoming.iterdir(), *begun)]

    def expire(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(local, "UPLOAD_SECONDS", -1)
        monkeypatch.setattr(local, "DOWNLOAD_SECONDS", -1)


@pytest.fixture
def store(served: Served) -> LocalStorage:
    return served.store


@pytest.fixture
def http(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, trust_env=False, verify=False) as client:
        yield client


def made(store: LocalStorage, data: bytes | None = None) -> Case:
    data = some_bytes() if data is None else data
    key = original_key(USER, digest(data))
    return Case(data, key, store.upload_target(key, content_type="image/jpeg", size=len(data)))


def stage(store: LocalStorage, data: bytes) -> str:
    name = uuid4().hex
    (store.incoming / name).write_bytes(data)
    return name


class TestAdoption:
    """Instead of a body: a file that the client laid into `incoming`, where it can as a reflink."""

    def adopt(self, http: httpx.Client, case: Case, staged: str, **headers: str) -> httpx.Response:
        return http.post(case.target.url, json={"staged": staged, "headers": case.target.headers | headers})

    def test_the_file_becomes_the_object(self, store: LocalStorage, http: httpx.Client) -> None:
        case = made(store)
        assert self.adopt(http, case, stage(store, case.data)).status_code == 201
        with store.open(case.key) as file:
            assert file.read() == case.data
        assert list(store.incoming.iterdir()) == []
        assert self.adopt(http, case, stage(store, case.data)).status_code == 412
        assert list(store.incoming.iterdir()) == []

    @pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d + b"x", lambda d: b"x" + d[1:]])
    def test_wrong_bytes_are_refused_and_cleared_away(
        self, store: LocalStorage, http: httpx.Client, change: Any
    ) -> None:
        case = made(store)
        assert self.adopt(http, case, stage(store, change(case.data))).status_code == 400
        assert store.head(case.key) is None
        assert list(store.incoming.iterdir()) == []

    @pytest.mark.parametrize(
        "name", ["", ".", "..", "../secrets.json", "/etc/passwd", "A" * 32, "a" * 31, "a" * 33, "a" * 31 + "/",
                 "a" * 32 + "\n", "a" * 32 + "\x00", "٧" * 32],
    )  # fmt: skip
    def test_tricks_in_the_name_reach_nothing(self, store: LocalStorage, http: httpx.Client, name: str) -> None:
        case = made(store)
        assert self.adopt(http, case, name).status_code == 400
        with pytest.raises(BadRequest):
            store.adopt(case.key, len(case.data), name)
        assert store.head(case.key) is None

    def test_a_name_that_nobody_staged_is_not_found(self, store: LocalStorage, http: httpx.Client) -> None:
        assert self.adopt(http, made(store), "a" * 32).status_code == 404

    def test_a_link_to_a_file_elsewhere_is_not_followed(
        self, store: LocalStorage, http: httpx.Client, tmp_path: Path
    ) -> None:
        case, name = made(store), uuid4().hex
        (tmp_path / "elsewhere").write_bytes(case.data)
        (store.incoming / name).symlink_to(tmp_path / "elsewhere")
        assert 400 <= self.adopt(http, case, name).status_code < 500
        assert store.head(case.key) is None
        assert list(store.incoming.iterdir()) == []
        assert (tmp_path / "elsewhere").exists()

    def test_a_pipe_does_not_keep_the_server_waiting(self, store: LocalStorage, http: httpx.Client) -> None:
        name = uuid4().hex
        os.mkfifo(store.incoming / name)
        assert 400 <= self.adopt(http, made(store), name).status_code < 500
        assert list(store.incoming.iterdir()) == []

    def test_a_folder_is_refused(self, store: LocalStorage, http: httpx.Client) -> None:
        name = uuid4().hex
        (store.incoming / name).mkdir()
        answer = self.adopt(http, made(store), name)
        (store.incoming / name).rmdir()
        assert answer.status_code == 400

    @pytest.mark.parametrize(
        ("header", "value"),
        [("Content-Type", "text/html"), ("Content-Length", "7"), ("content-length", "7"), ("If-None-Match", "x"),
         ("x-amz-checksum-sha256", "AAAA")],
    )  # fmt: skip
    def test_the_headers_are_those_that_were_signed(
        self, store: LocalStorage, http: httpx.Client, header: str, value: str
    ) -> None:
        case = made(store)
        assert self.adopt(http, case, stage(store, case.data), **{header: value}).status_code == 403
        assert store.head(case.key) is None
        for file in store.incoming.iterdir():
            file.unlink()  # what was refused for its signature is not the server's to touch

    def test_the_length_is_the_one_that_was_signed_however_often_it_is_given(self, store: LocalStorage) -> None:
        case = made(store)
        query = dict(parse_qsl(urlsplit(case.target.url).query))
        headers = {"content-length": "7", **case.target.headers}
        assert store.check_upload(case.key, query, headers) == len(case.data)


def test_an_object_is_for_its_owner_alone_and_lies_in_small_folders(store: LocalStorage) -> None:
    data = some_bytes()
    store.put(original_key(USER, digest(data)), data, content_type="image/jpeg")
    path = Path(store.where) / "originals" / str(USER) / digest(data)[:2] / digest(data)
    assert path.read_bytes() == data
    assert path.parent.stat().st_mode & 0o077 == 0


def test_what_was_abandoned_an_hour_ago_is_cleared_at_the_next_start(tmp_path: Path) -> None:
    incoming = LocalStorage(tmp_path, "http://x", Signer("s")).incoming
    for name, age in (("old", 4000), ("young", 10)):
        (incoming / name).write_bytes(b"x")
        os.utime(incoming / name, (time.time() - age,) * 2)
    LocalStorage(tmp_path, "http://x", Signer("s"))
    assert [file.name for file in incoming.iterdir()] == ["young"]


def test_without_links_a_rename_gives_the_name(store: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    data = some_bytes()
    key = original_key(USER, digest(data))
    late = store.receive(key, len(data))
    store.put(key, data, content_type="image/jpeg")
    late.write([data])
    with pytest.raises(AlreadyStored):
        late.commit()
    with store.open(key) as file:
        assert file.read() == data
    assert list(store.incoming.iterdir()) == []


@pytest.mark.parametrize("part", ["write", "commit"])
def test_a_full_disk_is_told_and_leaves_nothing(
    store: LocalStorage, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    data = some_bytes()
    key = original_key(USER, digest(data))
    incoming = store.receive(key, len(data))
    if part == "write":
        monkeypatch.setattr(incoming, "_file", FullFile(incoming._file))
    else:
        monkeypatch.setattr(os, "fdatasync", full)
    with pytest.raises(InsufficientStorage):
        incoming.write([data])
        incoming.commit()
    assert store.head(key) is None
    assert list(store.incoming.iterdir()) == []


class FullFile:
    """A file on a disk that has become full."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, _: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self) -> None:
        self._file.close()

    def fileno(self) -> int:
        return int(self._file.fileno())


def test_a_store_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MomentariumError, match="cannot be used"):
        LocalStorage(tmp_path / "file", "http://x", Signer("s"))


def test_a_download_is_made_safe_for_browsers(store: LocalStorage, http: httpx.Client) -> None:
    case = made(store)
    store.put(case.key, case.data, content_type="image/jpeg")
    headers = http.get(store.download_url(case.key, content_type="image/jpeg")).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]


@pytest.mark.parametrize(
    "range_", ["bytes=9999-", "bytes=5-2", "bytes=x", "lines=1-2", "bytes=-0", "bytes=" + "0-1," * 200]
)
def test_a_range_that_cannot_be_answered_is_no_bug(store: LocalStorage, http: httpx.Client, range_: str) -> None:
    case = made(store)
    store.put(case.key, case.data, content_type="image/jpeg")
    answer = http.get(store.download_url(case.key, content_type="image/jpeg"), headers={"Range": range_})
    assert answer.status_code in (200, 206, 400, 416)


@pytest.mark.parametrize("after", [0, 2 << 20])
def test_a_client_that_falls_silent_is_let_go_and_leaves_nothing(
    store: LocalStorage, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(middleware, "_SILENCE_SECONDS", 0.3)
    case = made(store, some_bytes(3 << 20))
    with begun(case) as connection:
        connection.sendall(case.data[:after])
        answer = connection.makefile("rb").read()  # to its end: the server closes
    assert answer.startswith(b"HTTP/1.1 503 ") and b"The body stopped coming." in answer
    assert list(store.incoming.iterdir()) == []
    assert store.head(case.key) is None


def test_a_client_that_is_slow_is_waited_for(store: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "_SILENCE_SECONDS", 1)
    case = made(store)
    with begun(case) as connection:
        for start in range(0, len(case.data), 250):
            time.sleep(0.3)
            connection.sendall(case.data[start : start + 250])
        assert connection.recv(100).startswith(b"HTTP/1.1 201 ")
    assert store.head(case.key) is not None


@pytest.mark.parametrize("expires", ["0{}", "{}.0", "+{}", " {}", "{}_0", "٣{}"])
def test_an_expiry_has_one_way_to_be_written(store: LocalStorage, expires: str) -> None:
    case = made(store)
    query = dict(parse_qsl(urlsplit(case.target.url).query))
    store.check_upload(case.key, query, case.target.headers)
    with pytest.raises(MomentariumError):
        store.check_upload(case.key, query | {"expires": expires.format(query["expires"])}, case.target.headers)


def test_reading_a_key_that_vanished_is_not_found(store: LocalStorage) -> None:
    with pytest.raises(NotFound):
        store.open(original_key(USER, "0" * 64))


@pytest.mark.parametrize(
    "upload_id", ["", ".", "..", "../incoming", "../../../etc", "/etc", "a/b", "a\\b", "a\x00", "*"]
)
def test_tricks_in_the_id_of_an_upload_reach_nothing(store: LocalStorage, upload_id: str) -> None:
    key = original_key(USER, "0" * 64)
    (store.incoming / "beside").write_bytes(b"x")
    for use in (store.stored_parts, store.abort_parts):
        with suppress(BadRequest, NotFound):
            assert not use(key, upload_id)
    assert (store.incoming / "beside").read_bytes() == b"x"
    (store.incoming / "beside").unlink()
