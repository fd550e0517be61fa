"""A store is copied into another: whole, proven, as often as one likes, and without overwriting anything."""

import errno
import io
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from momentarium_cli.backend import copying
from momentarium_cli.backend.copying import (
    DIFFERENT,
    ROTTEN,
    Copied,
    Copier,
    Failed,
    Listed,
    Moved,
    Planned,
    Tally,
    There,
    Vanished,
)
from momentarium_cli.backend.signing import Signer
from momentarium_cli.backend.storage import s3
from momentarium_cli.backend.storage.base import Storage, original_key, preview_key, thumb_key
from momentarium_cli.backend.storage.local import LocalStorage
from momentarium_cli.errors import InsufficientStorage, Stopped, StorageUnavailable
from momentarium_cli.photos.checksum import sha256_bytes
from tests.backend.storage.stores import opened
from tests.faults import SLOW_DOWN, Fault, Faults, faulty
from tests.seaweed import Seaweed

Stores = Callable[[str], Any]
JPEG = b"\xff\xd8\xff"
USER = 7


def some(number: int, *, seed: int = 1, size: int = 20_000) -> dict[str, bytes]:
    """Originals, previews and thumbs: so many in all, of up to so many bytes."""
    chance = random.Random(seed)
    made = (JPEG + chance.randbytes(chance.randrange(1, size)) for _ in range(number))
    keys = (original_key, preview_key, thumb_key)
    return {keys[index % 3](USER, sha256_bytes(data)): data for index, data in enumerate(made)}


def put(store: Storage, objects: dict[str, bytes]) -> None:
    for key, data in objects.items():
        store.put(key, data, content_type="image/jpeg")


def held(store: Storage) -> dict[str, bytes]:
    """Everything that a store holds."""
    found = {}
    for key in store.list(""):
        with store.open(key) as file:
            found[key] = file.read()
    return found


def copy(source: Storage, target: Storage, **options: Any) -> list[copying.Event]:
    return list(Copier(source, target, stop=Event(), **options).events())


def outcomes(events: Iterable[copying.Event], *kinds: type) -> list[Any]:
    return [event for event in events if isinstance(event, kinds or (Copied, There, Vanished, Failed))]


def local(folder: Path) -> LocalStorage:
    return LocalStorage(folder, "", Signer("a secret"))


@pytest.fixture
def stores(seaweed: Seaweed, tmp_path: Path) -> Stores:
    """A new store without objects, of a kind: "local" or "s3"."""
    return lambda kind: (
        opened(seaweed, seaweed.new_bucket()) if kind == "s3" else local(tmp_path / f"{random.random()}")
    )


@pytest.fixture
def source(tmp_path: Path) -> LocalStorage:
    return local(tmp_path / "source")


@pytest.fixture
def target(tmp_path: Path) -> LocalStorage:
    return local(tmp_path / "target")


@contextmanager
def spoilt(seaweed: Seaweed, bucket: str | None = None) -> Iterator[tuple[Any, Faults]]:
    """A bucket behind what spoils the requests to it."""
    with faulty(seaweed.endpoint) as faults:
        yield opened(seaweed, bucket or seaweed.new_bucket(), url=faults.url), faults


# --- the whole -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("there", "here"), [("local", "s3"), ("s3", "local"), ("local", "local"), ("s3", "s3")])
def test_everything_arrives_and_a_second_run_has_nothing_to_do(stores: Stores, there: str, here: str) -> None:
    objects, source, target = some(30), stores(there), stores(here)
    put(source, objects)
    events = copy(source, target)
    assert held(target) == held(source) == objects
    assert {event.storage_key: event.size_bytes for event in outcomes(events, Copied)} == {
        key: len(data) for key, data in objects.items()
    }
    assert sum(event.bytes for event in outcomes(events, Moved)) == sum(map(len, objects.values()))
    again = copy(source, target)
    assert {type(event) for event in outcomes(again)} == {There} and len(outcomes(again)) == 30


def test_originals_come_first_and_are_announced(source: LocalStorage, target: LocalStorage) -> None:
    objects = some(9)
    put(source, objects)
    events = copy(source, target)
    assert [event.kind for event in outcomes(events, Listed)] == ["originals", "previews", "thumbs"]
    assert [event.objects for event in outcomes(events, Planned)] == [3, 3, 3]
    assert sum(event.bytes for event in outcomes(events, Planned)) == sum(map(len, objects.values()))
    assert [event.storage_key.split("/")[0] for event in outcomes(events, Copied)[::3]] == [
        "originals", "previews", "thumbs",
    ]  # fmt: skip


def test_the_bucket_tells_what_the_photos_are(seaweed: Seaweed, source: LocalStorage) -> None:
    bucket = seaweed.new_bucket()
    known, unknown = some(1), b"no photo that we know"
    put(source, {**known, original_key(USER, sha256_bytes(unknown)): unknown})
    copy(source, opened(seaweed, bucket))
    client = seaweed.client()
    told = {key: client.head_object(Bucket=bucket, Key=key)["ContentType"] for key in source.list("")}
    assert told == {
        next(iter(known)): "image/jpeg",
        original_key(USER, sha256_bytes(unknown)): "application/octet-stream",
    }


def test_large_objects_go_up_in_parts_and_are_there_already_afterwards(
    stores: Stores, source: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "MAX_PUT_BYTES", 1 << 20)
    monkeypatch.setattr(s3, "MAX_PUT_BYTES", 1 << 20)
    monkeypatch.setattr(s3, "_PART_BYTES", 5 << 20)
    objects, target = some(9, size=9 << 20), stores("s3")
    put(source, objects)
    copy(source, target)
    assert held(target) == objects
    in_parts = [key for key in objects if target.head(key).sha256 is None]
    assert len(in_parts) >= 3, "of these the store has no checksum"
    assert {type(event) for event in outcomes(copy(source, target, verify=True))} == {There}


def test_a_dry_run_tells_what_is_to_be_copied_and_does_nothing(source: LocalStorage, target: LocalStorage) -> None:
    objects = some(9)
    put(source, objects)
    put(target, dict(list(objects.items())[:3]))
    copier = Copier(source, target, stop=Event())
    list(copier.events(dry_run=True))
    left = sum(len(data) for data in list(objects.values())[3:])
    assert copier.tally == Tally(found=9, there=3, to_copy=6, bytes_to_copy=left)
    assert copier.tally.pending == 6 and len(held(target)) == 3


# --- in use, and interrupted ---------------------------------------------------------------------------------------


def test_what_was_interrupted_goes_on_where_it_stopped(stores: Stores, source: LocalStorage) -> None:
    objects, target, stop = some(150), stores("s3"), Event()
    put(source, objects)
    copier = Copier(source, target, stop=stop)
    with pytest.raises(Stopped):
        for event in copier.events():
            if isinstance(event, Copied) and copier.tally.copied == 20:
                stop.set()
    before = held(target)
    assert 20 <= len(before) < 150 and before.items() <= objects.items()
    assert copier.tally.copied == len(before), "what was on its way arrived, and was told"
    again = copy(source, target)
    assert held(target) == objects
    assert len(outcomes(again, There)) == len(before) and len(outcomes(again, Copied)) == 150 - len(before)


def test_who_stops_listening_ends_it(source: LocalStorage, target: LocalStorage) -> None:
    put(source, some(150))
    events = Copier(source, target, stop=Event()).events()
    next(event for event in events if isinstance(event, Copied))
    events.close()  # type: ignore[attr-defined]  # it is a generator
    assert len(held(target)) < 150


def test_a_signal_does_not_wait_for_large_objects(source: LocalStorage, target: LocalStorage, monkeypatch: Any) -> None:
    monkeypatch.setattr(copying, "_GRACE_SECONDS", 0.1)
    endless, stop = Endless(), Event()
    monkeypatch.setattr(source, "open", lambda _: endless)
    put(source, some(1))
    events = Copier(source, target, stop=stop).events()
    with pytest.raises(Stopped):
        for event in events:
            if isinstance(event, Planned):
                stop_soon = event.objects
                endless.at_first_read = stop.set
    assert stop_soon == 1 and endless.closed and held(target) == {}


def test_photos_that_come_meanwhile_come_with_the_next_run(source: LocalStorage, target: LocalStorage) -> None:
    put(source, some(30))
    later = some(6, seed=2)
    for event in Copier(source, target, stop=Event()).events():
        if isinstance(event, Planned) and event.kind == "originals":
            put(source, later)
    again = outcomes(copy(source, target), Copied)
    assert {event.storage_key for event in again} == {key for key in later if key.startswith("originals/")}
    assert held(target) == held(source)


def test_photos_that_are_deleted_meanwhile_are_no_failure(source: LocalStorage, target: LocalStorage) -> None:
    objects = some(30)
    put(source, objects)
    gone = [key for key in objects if key.startswith("originals/")]
    told = []
    for event in Copier(source, target, stop=Event()).events():
        told.append(event)
        if isinstance(event, Listed) and event.kind == "originals":
            source.delete(gone[:3])
        if isinstance(event, Planned) and event.kind == "originals":
            source.delete(gone[3:5])
    assert {event.storage_key for event in outcomes(told, Vanished)} == set(gone[:5])
    assert len(outcomes(told, Copied)) == 25 and not outcomes(told, Failed)
    assert held(target) == held(source)


# --- what is not as it should be -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoil", [lambda data: data[:-1] + bytes([data[-1] ^ 1]), lambda data: data[:-1], lambda _: b""]
)
@pytest.mark.parametrize("here", ["local", "s3"])
def test_rotten_objects_are_named_and_the_rest_goes_on(
    stores: Stores, source: LocalStorage, here: str, spoil: Callable[[bytes], bytes]
) -> None:
    objects, target = some(12), stores(here)
    put(source, objects)
    rotten = next(iter(objects))
    source.path(rotten).write_bytes(spoil(objects[rotten]))
    events = copy(source, target)
    assert [(event.storage_key, event.error) for event in outcomes(events, Failed)] == [(rotten, ROTTEN)]
    assert len(outcomes(events, Copied)) == 11
    assert held(target) == {key: data for key, data in objects.items() if key != rotten}


def test_objects_that_a_disk_cannot_read_are_named_and_the_rest_goes_on(
    stores: Stores, source: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects, target = some(12), stores("s3")
    put(source, objects)
    bad, opens = next(iter(objects)), source.open

    monkeypatch.setattr(source, "open", lambda key: BadSector() if key == bad else opens(key))
    events = copy(source, target)
    assert [(event.storage_key, event.error) for event in outcomes(events, Failed)] == [
        (bad, "it cannot be read: Input/output error")
    ]
    assert len(held(target)) == 11


@pytest.mark.parametrize("here", ["local", "s3"])
def test_what_differs_in_the_target_is_named_and_left_alone(stores: Stores, source: LocalStorage, here: str) -> None:
    objects, target = some(12), stores(here)
    put(source, objects)
    differs = next(iter(objects))
    spoil_in(target, differs, b"shorter")
    [failed] = outcomes(copy(source, target), Failed)
    assert failed.storage_key == differs and "the target holds 7 bytes under this key" in failed.error
    assert held(target) == {**objects, differs: b"shorter"}


def test_other_bytes_of_the_same_length_are_told_by_their_checksum(stores: Stores, source: LocalStorage) -> None:
    objects, target = some(3), stores("s3")
    put(source, objects)
    differs = next(iter(objects))
    data = bytes(len(objects[differs]))
    client, bucket = target.client.boto, target.client.options.bucket
    client.put_object(Bucket=bucket, Key=differs, Body=data, ChecksumAlgorithm="SHA256")
    assert [event.storage_key for event in outcomes(copy(source, target), Failed)] == [differs]


def test_verify_reads_what_is_there(stores: Stores, source: LocalStorage) -> None:
    objects, target = some(12), stores("local")
    put(source, objects)
    copy(source, target)
    rotten = next(iter(objects))
    target.path(rotten).write_bytes(bytes(len(objects[rotten])))
    assert len(outcomes(copy(source, target), There)) == 12, "a disk tells only the size"
    events = copy(source, target, verify=True)
    assert [(event.storage_key, event.error) for event in outcomes(events, Failed)] == [(rotten, DIFFERENT)]
    assert len(outcomes(events, There)) == 11
    assert sum(event.bytes_to_verify for event in outcomes(events, Planned)) == sum(map(len, objects.values()))


# --- out of reach --------------------------------------------------------------------------------------------------


def test_a_store_that_fails_for_a_while_is_waited_for(seaweed: Seaweed, source: LocalStorage) -> None:
    objects, chance = some(60), random.Random(3)
    put(source, objects)
    faults_of = [Fault(status=503, body=SLOW_DOWN), Fault(status=500), Fault(lost=True), None, None, None, None]
    with spoilt(seaweed) as (target, faults):
        faults.rule = lambda _: chance.choice(faults_of)
        events = copy(source, target)
        assert len(outcomes(events, Copied)) == 60
        faults.rule = lambda _: None
        assert held(target) == objects


def test_a_source_that_breaks_off_is_read_again(seaweed: Seaweed, target: LocalStorage) -> None:
    objects, chance = some(12), random.Random(4)
    with spoilt(seaweed) as (source, faults):
        put(source, objects)
        faults.rule = lambda request: (
            Fault(cut_after=chance.randrange(3000)) if request.startswith("GET /") and chance.random() < 0.5 else None
        )
        events = copy(source, target)
    assert len(outcomes(events, Copied)) == 12 and held(target) == objects
    assert sum(event.bytes for event in outcomes(events, Moved)) == sum(map(len, objects.values()))


@pytest.mark.parametrize("after", [0, 25])
def test_a_store_that_stays_away_ends_the_run_and_the_next_one_goes_on(
    seaweed: Seaweed, source: LocalStorage, after: int
) -> None:
    objects, bucket = some(60), seaweed.new_bucket()
    put(source, objects)
    with spoilt(seaweed, bucket) as (target, faults):
        copier = Copier(source, target, stop=Event(), patience=0.5)
        away = Event()
        faults.rule = lambda _: Fault(status=503, body=SLOW_DOWN) if away.is_set() else None
        if not after:
            away.set()
        with pytest.raises(StorageUnavailable, match="go slower"):
            for event in copier.events():
                if isinstance(event, Copied) and copier.tally.copied == after:
                    away.set()
    target = opened(seaweed, bucket)
    assert after <= len(held(target)) < 60
    assert copier.tally.failed == 0
    copy(source, target)
    assert held(target) == objects


def test_one_object_that_does_not_get_through_is_named(
    seaweed: Seaweed, source: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_TRIES", 2)
    monkeypatch.setattr(copying, "_ALONE_SECONDS", 0.01)
    objects = some(1) | some(150, seed=5, size=100)
    put(source, objects)
    bad = next(iter(objects))
    with spoilt(seaweed) as (target, faults):
        faults.rule = lambda request: Fault(status=500) if request.startswith("PUT") and bad in request else None
        events = copy(source, target)
    assert [event.storage_key for event in outcomes(events, Failed)] == [bad]
    assert len(outcomes(events, Copied)) == 150


def test_what_will_not_pass_is_not_waited_for(
    seaweed: Seaweed, source: LocalStorage, target: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(source, some(60))
    with pytest.raises(StorageUnavailable, match="There is no bucket"):
        copy(source, opened(seaweed, "no-such-bucket"))

    def full(*_: object, **__: object) -> None:
        raise InsufficientStorage("The disk of the store is full.")

    monkeypatch.setattr(target, "write", full)
    with pytest.raises(InsufficientStorage):
        copy(source, target)


# --- helpers -------------------------------------------------------------------------------------------------------


def spoil_in(store: Any, key: str, data: bytes) -> None:
    """Other bytes under a key, past all checks."""
    if isinstance(store, LocalStorage):
        store.path(key).parent.mkdir(parents=True)
        store.path(key).write_bytes(data)
    else:
        store.client.boto.put_object(Bucket=store.client.options.bucket, Key=key, Body=data)


class Endless(io.RawIOBase):
    """An object that goes on and on."""

    at_first_read: Callable[[], None] = staticmethod(lambda: None)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        self.at_first_read()
        return b"x"


class BadSector(io.BytesIO):
    """The end of an object cannot be read."""

    def __init__(self) -> None:
        super().__init__(b"\xff\xd8\xff good until here")

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 0:
            raise OSError(errno.EIO, "Input/output error")
        return super().read(size)
