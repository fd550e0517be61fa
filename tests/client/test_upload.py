"""The Uploader against a live backend, some of it behind a door that misbehaves."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
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
from momentarium_cli.client.plan import Plan
from momentarium_cli.client.records import File, FileState
from momentarium_cli.client.survey import Survey
from momentarium_cli.client.upload import Uploader
from momentarium_cli.client.work import Load
from momentarium_cli.errors import Forbidden, InsufficientStorage, ServerUnreachable, StorageUnavailable, Throttled
from momentarium_cli.models import SignedRequest, UploadSlot, UploadStatus
from momentarium_cli.photos.checksum import sha256_bytes
from momentarium_cli.photos.decode import Decoder
from tests.client.conftest import Library
from tests.client.journals import metadata_of, waiting
from tests.client.photos import MAY, dated, event
from tests.faults import SLOW_DOWN, Faults, faulty

IMPORT = UUID(str(uuid7()))


class Run:
    """An upload of a folder; `settled` are the batches whose files are all settled."""

    def __init__(self, api: Api, journal: Journal, decoder: Decoder, folder: Path) -> None:
        self.api, self.journal, self.decoder, self.folder = api, journal, decoder, folder
        self.stop = StopEvent()
        self.settled: list[UUID] = []

    def begin(self, batches: int = 1, region: str | None = None) -> Iterator[Event]:
        list(Survey([self.folder], self.journal, self.decoder, StopEvent()).events())
        plan, files = Plan(self.journal), waiting(self.journal)
        begun = [(batch.id, plan.left_of(batch.id)) for batch in self.journal.unfinished()]
        loads = [Load(batch_id, list(self.journal.files(left))) for batch_id, left in begun if left]
        loads += [self._load(files[index::batches]) for index in range(batches) if files]
        uploader = Uploader(
            self.api, self.journal, self.decoder, self.decoder.describe, import_id=IMPORT, staging=None,
            stored=self._stored, stop=self.stop, region=lambda: region,
        )  # fmt: skip
        return uploader.events(loads)

    def told(self, *kinds: type[Event], batches: int = 1) -> list[Any]:
        return [each for each in self.begin(batches) if isinstance(each, kinds or (Event,))]

    def _load(self, files: list[File]) -> Load:
        batch_id = UUID(str(uuid7()))
        self.journal.close_batch(batch_id, IMPORT, [file.id for file in files])
        return Load(batch_id, files)

    def _stored(self, batch_id: UUID) -> Iterator[Event]:
        self.settled.append(batch_id)
        yield from ()


@pytest.fixture
def run(api: Api, journal: Journal, decoder: Decoder, tmp_path: Path) -> Run:
    (tmp_path / "photos").mkdir()
    return Run(api, journal, decoder, tmp_path / "photos")


def breaking(run: Run, monkeypatch: pytest.MonkeyPatch, hook: Callable[[int], None]) -> None:
    """`hook` is called with the number of the request before each one to the store."""
    real, number = run.api.transport.send, iter(range(1, 10_000))

    def send(*arguments: Any) -> int:
        hook(next(number))
        return real(*arguments)

    monkeypatch.setattr(run.api.transport, "send", send)


def paths(told: list[Any]) -> list[str]:
    return sorted(each.path.name for each in told)


def test_every_photo_is_stored_byte_for_byte(run: Run, library: Library) -> None:
    photos = event(run.folder, 10)
    uploaded = run.told(events.Uploaded, batches=2)
    assert paths(uploaded) == [photo.name for photo in photos]
    assert sorted(path.read_bytes() for path in library.originals()) == sorted(p.read_bytes() for p in photos)
    assert sum(each.size_bytes for each in uploaded) == sum(photo.stat().st_size for photo in photos)
    assert len(set(run.settled)) == len(run.settled) == 2


def test_the_bytes_that_are_told_add_up(run: Run) -> None:
    event(run.folder, 5)
    told = run.told()
    sent = sum(each.bytes for each in told if isinstance(each, events.Sent))
    assert sent == sum(each.size_bytes for each in told if isinstance(each, events.Uploaded))


def test_what_cannot_be_decoded_is_uploaded_with_a_warning(run: Run, library: Library) -> None:
    photo = dated(run.folder / "cut.jpg")
    photo.write_bytes(photo.read_bytes()[:500])
    uploaded, warned = run.told(events.Uploaded), events.Warned
    assert paths(uploaded) == ["cut.jpg"]
    assert library.originals()[0].read_bytes() == photo.read_bytes()
    [file] = run.journal.stored_of(run.settled[0])
    assert file.decode_error
    assert warned.name == "warning"


def test_what_changed_since_it_was_found_is_described_as_it_is_now(run: Run) -> None:
    photo = dated(run.folder / "a.jpg")
    coming = run.begin()
    dated(photo, MAY + timedelta(days=3), seed=2)
    list(coming)
    [file] = run.journal.stored_of(run.settled[0])
    assert metadata_of(file).taken_at == MAY + timedelta(days=3)
    assert file.sha256 == sha256_bytes(photo.read_bytes())
    assert run.told(events.Found, events.Unchanged) == []


def test_what_was_found_as_it_is_is_not_described_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    dated(run.folder / "a.jpg")
    coming = run.begin()
    monkeypatch.setattr(run.journal, "described", lambda *_: pytest.fail("it was read again"))
    list(coming)
    assert len(run.journal.stored_of(run.settled[0])) == 1


def test_twins_are_sent_once(run: Run, library: Library) -> None:
    photo = dated(run.folder / "a.jpg")
    for name in ("b.jpg", "c.jpg"):
        (run.folder / name).write_bytes(photo.read_bytes())
    told = run.told(events.Uploaded, events.Duplicate)
    [uploaded] = [each for each in told if isinstance(each, events.Uploaded)]
    assert {each.twin for each in told if isinstance(each, events.Duplicate)} == {uploaded.path}
    assert paths(told) == ["a.jpg", "b.jpg", "c.jpg"]
    assert len(library.originals()) == 1
    assert len(run.settled) == 1


def test_where_the_first_twin_fails_the_second_goes(
    run: Run, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = dated(run.folder / "a.jpg")
    (run.folder / "b.jpg").write_bytes(photo.read_bytes())
    gone: list[str] = []
    real = sending.Sender._original

    def original(self: sending.Sender, path: Path, *rest: Any) -> None:
        if not gone:
            gone.append(path.name)
            path.unlink()
        real(self, path, *rest)

    monkeypatch.setattr(sending.Sender, "_original", original)
    told = run.told(events.Uploaded, events.Failed)
    assert paths([each for each in told if isinstance(each, events.Failed)]) == gone
    assert paths(told) == ["a.jpg", "b.jpg"]
    assert len(library.originals()) == len(run.settled) == 1


def test_an_expired_address_is_signed_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    dated(run.folder / "a.jpg")

    def expired(number: int) -> None:
        if number <= 2:
            raise Forbidden("The signed request has expired.", code="expired")

    breaking(run, monkeypatch, expired)
    assert paths(run.told(events.Uploaded)) == ["a.jpg"]


def test_a_store_that_is_away_for_a_moment_costs_no_photo(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    event(run.folder, 4)
    began = time.monotonic()

    def away(_: int) -> None:
        if time.monotonic() - began < 1:
            raise StorageUnavailable("away")

    breaking(run, monkeypatch, away)
    assert len(run.told(events.Uploaded)) == 4


@pytest.fixture
def door(run: Run, library: Library, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """The way to the store, which may be spoilt; that to the server stays good."""
    real = run.api.generate_urls

    def through(request: SignedRequest | None) -> SignedRequest | None:
        return request and request.model_copy(update={"url": opened.url + request.url})

    def generate_urls(*arguments: Any) -> list[UploadSlot]:
        return [
            slot.model_copy(update={"original": through(slot.original), "preview": through(slot.preview)})
            for slot in real(*arguments)
        ]

    monkeypatch.setattr(run.api, "generate_urls", generate_urls)
    with faulty(library.server.url) as opened:
        yield opened


def test_a_store_that_asks_to_go_slower_for_long_costs_no_photo(
    run: Run, library: Library, door: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "_MAX_DELAY_SECONDS", 0.2)
    photos = event(run.folder, 6)
    door.answer(503, SLOW_DOWN, times=48)  # every file is refused more often than it has tries
    told = run.told()
    assert paths([each for each in told if isinstance(each, events.Uploaded)]) == [photo.name for photo in photos]
    assert len(library.originals()) == 6
    assert sum(each.bytes for each in told if isinstance(each, events.Sent)) == sum(p.stat().st_size for p in photos)


def test_a_store_that_stays_away_ends_the_run_and_the_next_takes_it_up(
    run: Run, library: Library, door: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    event(run.folder, 60)
    door.answer(503, SLOW_DOWN, times=10_000)
    with monkeypatch.context() as quick:
        quick.setattr(retries, "PATIENCE_SECONDS", 1)
        quick.setattr(retries, "_FIRST_DELAY_SECONDS", 0.05)
        with pytest.raises(Throttled, match="asks to go slower"):
            run.told()
    assert run.settled == []
    door.clear()
    assert len(run.told(events.Uploaded)) == len(library.originals()) == 60


def test_a_server_that_cannot_reach_the_store_is_asked_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    event(run.folder, 3)
    real, away = run.api.generate_urls, [StorageUnavailable("The store is away.") for _ in range(6)]

    def generate_urls(*arguments: Any) -> list[UploadSlot]:
        if away:
            raise away.pop()
        return real(*arguments)

    monkeypatch.setattr(run.api, "generate_urls", generate_urls)
    monkeypatch.setattr(retries, "_FIRST_DELAY_SECONDS", 0.01)
    assert len(run.told(events.Uploaded)) == 3


def test_a_store_that_someone_has_to_mend_ends_the_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    event(run.folder, 3)

    def generate_urls(*_: Any) -> list[UploadSlot]:
        raise StorageUnavailable("There is no bucket photos.", code="no_bucket")

    monkeypatch.setattr(run.api, "generate_urls", generate_urls)
    with pytest.raises(StorageUnavailable, match="no bucket"):
        run.told()


def test_the_nearest_region_is_asked_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    event(run.folder, 3)
    real, asked = run.api.generate_urls, []

    def generate_urls(files: Any, import_id: UUID, region: str | None) -> list[UploadSlot]:
        asked.append(region)
        return real(files, import_id)

    monkeypatch.setattr(run.api, "generate_urls", generate_urls)
    assert len([each for each in run.begin(region="eu-west-1") if isinstance(each, events.Uploaded)]) == 3
    assert set(asked) == {"eu-west-1"}


def test_what_goes_on_failing_fails_and_the_rest_is_uploaded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = event(run.folder, 3)
    bad = sha256_bytes(photos[1].read_bytes())
    real = run.api.transport.send

    def send(method: str, url: str, *rest: Any) -> int:
        if bad in url:
            raise StorageUnavailable("this one never works")
        return real(method, url, *rest)

    monkeypatch.setattr(run.api.transport, "send", send)
    monkeypatch.setattr(retries, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(retries, "_FIRST_DELAY_SECONDS", 0.01)
    told = run.told(events.Uploaded, events.Failed)
    [failed] = [each for each in told if isinstance(each, events.Failed)]
    assert (failed.path, failed.error) == (photos[1], "this one never works")
    assert len(told) == 3
    assert len(run.settled) == 1


def test_an_answer_that_was_lost_is_no_failure_and_no_double(
    run: Run, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    event(run.folder, 3)
    lost: list[str] = []
    real = run.api.transport.send

    def send(method: str, url: str, *rest: Any) -> int:
        status = real(method, url, *rest)
        if url not in lost and "originals" in url and len(lost) < 3:
            lost.append(url)
            raise ServerUnreachable("the answer was lost")
        return status

    monkeypatch.setattr(run.api.transport, "send", send)
    assert len(run.told(events.Uploaded)) == len(library.originals()) == 3


def test_a_file_that_changes_while_it_is_sent_is_read_anew(
    run: Run, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, later = dated(run.folder / "a.jpg"), dated(run.folder.parent / "later.jpg", seed=9).read_bytes()
    changed: list[Path] = []
    real = sending.Sender._original

    def original(self: sending.Sender, path: Path, *rest: Any) -> None:
        if not changed:
            changed.append(path)
            path.write_bytes(later)
        real(self, path, *rest)

    monkeypatch.setattr(sending.Sender, "_original", original)
    [uploaded] = run.told(events.Uploaded)
    assert uploaded.sha256 == sha256_bytes(later)
    assert [path.read_bytes() for path in library.originals()] == [later] == [photo.read_bytes()]


def test_a_file_that_never_rests_fails_and_is_never_stored_half(
    run: Run, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = dated(run.folder / "a.jpg")
    real = sending.Sender._original

    def original(self: sending.Sender, path: Path, *rest: Any) -> None:
        with path.open("ab") as file:
            file.write(b"more")
        real(self, path, *rest)

    monkeypatch.setattr(sending.Sender, "_original", original)
    [failed] = run.told(events.Failed)
    assert (failed.path, "changed" in failed.error) == (photo, True)
    assert library.originals() == []
    assert len(run.settled) == 1


def test_a_full_store_ends_the_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    event(run.folder, 20)

    def full(number: int) -> None:
        if number > 5:
            raise InsufficientStorage("The disk of the store is full.")

    breaking(run, monkeypatch, full)
    with pytest.raises(InsufficientStorage):
        run.told()
    assert run.settled == []


def test_only_what_lasts_is_told_when_the_disk_of_the_journal_is_full(run: Run) -> None:
    event(run.folder, 60)
    coming, told = run.begin(), list[Path]()
    pages = run.journal.db.one("pragma page_count")[0]
    run.journal.db.one(f"pragma max_page_count = {pages + 1}")

    def upload() -> None:
        for each in coming:
            if isinstance(each, events.Uploaded):
                told.append(each.path)

    with pytest.raises(InsufficientStorage, match="journal"):
        upload()
    files = run.journal.files(list(range(1, 61)))
    assert sorted(file.path for file in files if file.state is FileState.STORED) == sorted(told)
    assert len(told) < 60


def test_a_stop_finishes_what_is_on_its_way(run: Run, library: Library) -> None:
    event(run.folder, 60)
    uploaded = 0
    for each in run.begin():
        if isinstance(each, events.Uploaded):
            uploaded += 1
            run.stop.set()
    assert 0 < uploaded < 60
    assert len(library.originals()) == uploaded, "what is stored was told"
    assert run.settled == []


def test_what_the_library_has_is_not_sent(run: Run, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    dated(run.folder / "a.jpg")
    (run.folder / "b.jpg").write_bytes((run.folder / "a.jpg").read_bytes())
    real = run.api.generate_urls

    def known(*arguments: Any) -> Any:
        return [
            slot.model_copy(update={"status": UploadStatus.DUPLICATE, "image_id": 7, "original": None, "preview": None})
            for slot in real(*arguments)
        ]

    monkeypatch.setattr(run.api, "generate_urls", known)
    told = run.told(events.Duplicate)
    assert [each.image_id for each in told] == [7, 7]
    assert paths(told) == ["a.jpg", "b.jpg"]
    assert library.originals() == []


def test_a_photo_that_is_gone_before_it_is_read_fails(run: Run) -> None:
    dated(run.folder / "a.jpg")
    begun = run.begin()
    (run.folder / "a.jpg").unlink()
    [failed] = [each for each in begun if isinstance(each, events.Failed)]
    assert failed.error == "No such file or directory"
