import errno
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from momentarium_cli.client import send
from momentarium_cli.client.send import Sender, Staging
from momentarium_cli.client.transport import FixedServer, Transport
from momentarium_cli.errors import AlreadyStored, Forbidden, ServerUnreachable, Stopped
from momentarium_cli.models import SignedRequest, UploadSlot, UploadStatus
from momentarium_cli.photos.preview import ChangedWhileRead, Prepared, prepare
from tests.client.loopback import Drop, Loopback, Reply, Request, in_turn, loopback, problem
from tests.client.photos import dated

STORED = Reply(201, b"")


class Sending:
    """A photo, a server that takes it, and a count of the bytes that were told."""

    def __init__(self, server: Loopback, folder: Path) -> None:
        self.server = server
        self.path = dated(folder / "a.jpg")
        self.prepared = prepare(self.path)
        self.transport = Transport(FixedServer(server.url, "mom_x"))
        self.told: list[int] = []
        self.sent: list[int] = []
        self.stop, self.break_off = Event(), Event()

    def slot(self, *, preview: bool = True) -> UploadSlot:
        return UploadSlot(
            storage_key="k",
            status=UploadStatus.UPLOAD,
            original=self._request("original", self.prepared.size),
            preview=self._request("preview", len(self.prepared.preview or b"")) if preview else None,
        )

    def _request(self, name: str, size: int) -> SignedRequest:
        headers = {"Content-Length": str(size)}
        return SignedRequest(
            method="PUT", url=f"{self.server.url}/{name}", headers=headers, expires_at=datetime.now(UTC)
        )

    def progress(self, done: int, sent: int) -> None:
        self.told.append(done)
        self.sent.append(sent)

    def send(
        self, staging: Staging | None = None, prepared: Prepared | None = None, slot: UploadSlot | None = None
    ) -> None:
        sender = Sender(self.transport, self.progress, staging, self.stop, self.break_off)
        sender.send(self.path, prepared or self.prepared, slot or self.slot())


@pytest.fixture
def sending(tmp_path: Path) -> Iterator[Sending]:
    with loopback(in_turn(STORED)) as server:
        made = Sending(server, tmp_path)
        yield made
        made.transport.close()


def test_the_preview_goes_first_then_the_original_byte_for_byte(sending: Sending) -> None:
    sending.send()
    preview, original = sending.server.requests
    assert (preview.path, preview.body) == ("/preview", sending.prepared.preview)
    assert (original.path, original.body) == ("/original", sending.path.read_bytes())
    assert sum(sending.told) == sending.prepared.size
    assert sum(sending.sent) == len(preview.body) + len(original.body)


def test_what_is_stored_already_is_success(sending: Sending) -> None:
    sending.server.answer = in_turn(problem(AlreadyStored("there")))
    sending.send()
    assert sum(sending.told) == sending.prepared.size


def test_a_request_that_is_absent_is_not_made(sending: Sending) -> None:
    sending.send(slot=UploadSlot(storage_key="k", status=UploadStatus.UPLOAD))
    assert sending.server.requests == []
    assert (sending.told, sending.sent) == ([sending.prepared.size], [0])


def test_a_refusal_takes_back_what_was_told(sending: Sending) -> None:
    sending.server.answer = in_turn(STORED, problem(Forbidden("expired")))
    with pytest.raises(Forbidden):
        sending.send()
    assert sum(sending.told) == 0


def test_a_file_that_is_another_than_was_hashed_is_not_sent(sending: Sending) -> None:
    os.utime(sending.path, ns=(1, 1))
    with pytest.raises(ChangedWhileRead, match="changed while it was being uploaded"):
        sending.send()
    assert [request.path for request in sending.server.requests] == ["/preview"]
    assert sum(sending.told) == 0


def test_a_large_file_can_be_broken_off(sending: Sending, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send, "_FINISH_BYTES", 0)
    sending.break_off.set()
    with pytest.raises(Stopped):
        sending.send()
    assert sum(sending.told) == 0


def test_a_small_file_is_finished_all_the_same(sending: Sending) -> None:
    sending.break_off.set()
    sending.send()
    assert sending.server.requests[-1].body == sending.path.read_bytes()


def test_a_file_that_goes_as_a_whole_is_finished_after_a_stop(
    sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send, "_FINISH_BYTES", 0)
    sending.stop.set()
    sending.send()
    assert sending.server.requests[-1].body == sending.path.read_bytes()


def test_without_reflinks_the_body_is_sent(sending: Sending, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path, target: Path) -> None:
        target.write_bytes(b"")
        raise OSError(errno.EOPNOTSUPP, "no such thing here")

    monkeypatch.setattr(send, "_reflink", refuse)
    staging = Staging(tmp_path / "incoming")
    staging.folder.mkdir()
    sending.send(staging)
    assert [request.method for request in sending.server.requests] == ["PUT", "PUT"]
    assert list(staging.folder.iterdir()) == []


@pytest.fixture
def staging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Staging:
    """On a file system with reflinks; a copy looks like one."""
    monkeypatch.setattr(send, "_reflink", lambda source, target: target.write_bytes(source.read_bytes()))
    made = Staging(tmp_path / "incoming")
    made.folder.mkdir()
    return made


def test_a_reflink_is_adopted_and_cleared_away(sending: Sending, staging: Staging) -> None:
    sending.send(staging)
    assert [request.method for request in sending.server.requests] == ["PUT", "POST"]
    assert b'"staged":' in sending.server.requests[-1].body
    assert list(staging.folder.iterdir()) == []
    assert sum(sending.told) == sending.prepared.size


def test_a_photo_whose_adoption_failed_goes_up_as_bytes(sending: Sending, staging: Staging, tmp_path: Path) -> None:
    """A large one on a slow disk takes longer to prove than is waited for."""
    sending.server.answer = drop_adoptions
    with pytest.raises(ServerUnreachable):
        sending.send(staging)
    assert not staging.takes(sending.path, sending.prepared.stat.dev), "it is not signed as a reflink again"
    sending.send(staging)
    assert [request.method for request in sending.server.requests] == ["PUT", "POST", "PUT", "PUT"]
    assert staging.takes(dated(tmp_path / "b.jpg"), sending.prepared.stat.dev)
    assert list(staging.folder.iterdir()) == []


def drop_adoptions(request: Request) -> Reply:
    if request.method == "POST":
        raise Drop
    return STORED


def test_a_reflink_across_file_systems_is_not_made(tmp_path: Path) -> None:
    source = dated(tmp_path / "a.jpg")
    assert Staging(Path("/proc")).lay(source) is None
