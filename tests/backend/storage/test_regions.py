"""The store of several regions: two buckets of a real SeaweedFS, each of which can be made to fail."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from momentarium_cli.backend.storage import presign
from momentarium_cli.backend.storage.base import Storage, original_key
from momentarium_cli.backend.storage.cdn import Cdn
from momentarium_cli.backend.storage.regions import RegionalStorage
from momentarium_cli.backend.storage.s3 import S3Storage
from momentarium_cli.errors import NotFound, StorageUnavailable
from tests.acceptance.program import wait_for
from tests.backend.storage.stores import opened
from tests.backend.storage.test_cdn import KEY_ID, RSA
from tests.contracts.storage import USER, StorageContract, digest, parts_of, plain_client, some_bytes
from tests.faults import SLOW_DOWN, Fault, Faults, faulty
from tests.seaweed import Seaweed

DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>"


@pytest.fixture(scope="module")
def client(seaweed: Seaweed) -> Any:
    """boto3's, for a test's own looks."""
    return seaweed.client()


@pytest.fixture(scope="module")
def buckets(seaweed: Seaweed) -> dict[str, str]:
    return {region: seaweed.new_bucket() for region in ("near", "far")}


@pytest.fixture(scope="module")
def both(seaweed: Seaweed, buckets: dict[str, str]) -> RegionalStorage:
    return regional({region: opened(seaweed, bucket) for region, bucket in buckets.items()})


@pytest.fixture(scope="module")
def signed_otherwise(seaweed: Seaweed, buckets: dict[str, str]) -> RegionalStorage:
    return regional({region: opened(seaweed, bucket, secret_key="x") for region, bucket in buckets.items()})


@pytest.mark.long  # a bucket of its own holds to it in every run
class TestRegionalStorage(StorageContract):
    """What every store holds to, where the first of two regions does all of it."""

    @pytest.fixture
    def store(self, both: RegionalStorage) -> Storage:
        return both

    @pytest.fixture
    def other_secret(self, signed_otherwise: RegionalStorage) -> Storage:
        return signed_otherwise

    @pytest.fixture(autouse=True)
    def _behind(self, client: Any, buckets: dict[str, str]) -> None:
        self.client, self.names = client, buckets

    def root_path(self, store: Storage) -> str:
        return f"/{self.names['near']}"

    def leftovers(self, store: Storage) -> list[str]:
        found = [self.client.list_multipart_uploads(Bucket=bucket) for bucket in self.names.values()]
        return [upload["Key"] for answer in found for upload in answer.get("Uploads", [])]

    def expire(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = presign.now() - timedelta(hours=2)
        monkeypatch.setattr(presign, "now", lambda: before)


@dataclass(frozen=True)
class Place:
    """A region: its store through `faults`, and the same bucket beside them."""

    store: S3Storage
    behind: S3Storage
    faults: Faults

    def fail(self, status: int = 503, body: bytes = SLOW_DOWN) -> None:
        self.faults.rule = lambda _: Fault(status=status, body=body)

    def recover(self) -> None:
        self.faults.rule = lambda _: None

    def put(self, data: bytes) -> str:
        """The key, under which it now lies here."""
        key = original_key(USER, digest(data))
        self.behind.put(key, data, content_type="image/jpeg")
        return key

    def has(self, key: str) -> bool:
        return self.behind.head(key) is not None

    @property
    def requests(self) -> int:
        return len(self.faults.requests)


@contextmanager
def place(seaweed: Seaweed) -> Iterator[Place]:
    bucket = seaweed.new_bucket()
    with faulty(seaweed.endpoint) as faults:
        yield Place(opened(seaweed, bucket, url=faults.url), opened(seaweed, bucket), faults)


def regional(stores: dict[str, S3Storage], **more: Any) -> RegionalStorage:
    addresses = {region: store.client.presigner.base_url for region, store in stores.items()}
    return RegionalStorage(stores, addresses, **more)


@pytest.fixture
def near(seaweed: Seaweed) -> Iterator[Place]:
    with place(seaweed) as made:
        yield made


@pytest.fixture
def far(seaweed: Seaweed) -> Iterator[Place]:
    with place(seaweed) as made:
        yield made


@pytest.fixture
def store(near: Place, far: Place) -> RegionalStorage:
    return regional({"near": near.store, "far": far.store})


def host(url: str) -> str:
    return "http://" + urlsplit(url).netloc


# --- which region --------------------------------------------------------------------------------------------------


def test_regions_are_told_best_first_with_addresses_that_answer(store: RegionalStorage, near: Place) -> None:
    assert list(store.regions) == ["near", "far"]
    assert store.regions["near"].startswith(f"{near.faults.url}/bucket-")
    with plain_client() as http:
        assert all(http.head(url).status_code < 500 for url in store.regions.values())
    assert store.where == f"{near.store.where} (near), {store.at('far').where.split(', ')[1]}"


@pytest.mark.parametrize(("wanted", "given"), [("far", "far"), ("near", "near"), ("mars", "near"), (None, "near")])
def test_a_client_is_given_the_region_that_it_wants(store: RegionalStorage, wanted: str | None, given: str) -> None:
    assert store.region_for(wanted) == given
    assert store.at("far").region_for(wanted) == given


def test_a_client_is_given_another_region_where_its_own_does_not_answer(
    store: RegionalStorage, near: Place, far: Place
) -> None:
    far.fail()
    wait_for(lambda: store.region_for("far") == "near")
    near.fail()
    with pytest.raises(StorageUnavailable):
        store.head(original_key(USER, digest(b"any")))
    assert store.region_for("far") == "far", "its own is as good as the others"


def test_uploads_go_to_the_region_that_is_asked_for(store: RegionalStorage, near: Place, far: Place) -> None:
    data = some_bytes()
    key = original_key(USER, digest(data))
    target = store.at("far").upload_target(key, content_type="image/jpeg", size=len(data))
    with plain_client() as http:
        assert http.put(target.url, headers=target.headers, content=data).status_code == 200
    assert (near.has(key), far.has(key)) == (False, True)
    ours = some_bytes()
    store.at("far").put(original_key(USER, digest(ours)), ours, content_type="image/jpeg")
    assert far.has(original_key(USER, digest(ours)))


def test_what_is_written_goes_to_the_next_region_once_one_has_failed(
    store: RegionalStorage, near: Place, far: Place
) -> None:
    data = some_bytes()
    key = original_key(USER, digest(data))
    near.fail()
    with pytest.raises(StorageUnavailable):
        store.put(key, data, content_type="image/jpeg")
    store.put(key, data, content_type="image/jpeg")
    assert far.has(key)
    assert host(store.upload_target(key, content_type="image/jpeg", size=len(data)).url) == far.faults.url


# --- reading -------------------------------------------------------------------------------------------------------


def test_the_preferred_copy_is_read_and_no_other_region_is_asked(
    store: RegionalStorage, near: Place, far: Place
) -> None:
    data = some_bytes()
    key = near.put(data)
    far.put(data)
    with store.at("far").open(key) as file:
        assert file.read() == data
    assert store.at("far").head(key) == store.at("far").heads([key])[key]
    assert near.requests == 0


def test_what_is_not_in_one_region_is_read_from_the_next(store: RegionalStorage, far: Place) -> None:
    data = some_bytes()
    key = far.put(data)
    with store.open(key) as file:
        assert file.read(10) + file.read() == data
    info = store.head(key)
    assert info is not None
    assert (info.size, info.sha256) == (len(data), digest(data))


def test_only_what_is_not_in_one_region_is_asked_for_in_the_next(
    store: RegionalStorage, near: Place, far: Place
) -> None:
    here, there = [near.put(some_bytes()) for _ in range(5)], [far.put(some_bytes()) for _ in range(3)]
    nowhere = original_key(USER, digest(b"nowhere"))
    assert set(store.heads([*here, *there, nowhere, nowhere])) == {*here, *there}
    asked = [request.rpartition("/")[2].partition("?")[0] for request in far.faults.requests if "HEAD" in request]
    assert sorted(asked) == sorted(key.rpartition("/")[2] for key in (*there, nowhere))
    assert store.heads([]) == {}


def test_what_is_in_no_region_is_missing(store: RegionalStorage) -> None:
    nowhere = original_key(USER, digest(b"nowhere"))
    assert store.head(nowhere) is None
    with pytest.raises(NotFound, match=nowhere):
        store.open(nowhere)


@pytest.mark.parametrize(("status", "body"), [(503, SLOW_DOWN), (403, DENIED), (500, b"")])
def test_a_region_that_fails_is_stood_in_for(
    store: RegionalStorage, near: Place, far: Place, status: int, body: bytes
) -> None:
    data = some_bytes()
    key = near.put(data)
    far.put(data)
    near.fail(status, body)
    with store.open(key) as file:
        assert file.read() == data
    before = near.requests
    assert store.head(key) is not None
    assert set(store.heads([key])) == {key}
    assert host(store.download_url(key, content_type="image/jpeg")) == far.faults.url
    assert near.requests == before, "it is passed over"


def test_nothing_is_called_missing_while_a_region_cannot_be_asked(
    store: RegionalStorage, near: Place, far: Place
) -> None:
    key, other = near.put(some_bytes()), far.put(some_bytes())
    near.fail()
    for _ in range(2):
        with pytest.raises(StorageUnavailable, match="slower"):
            store.head(key)
        with pytest.raises(StorageUnavailable, match="slower"):
            store.heads([key, other])
        with pytest.raises(StorageUnavailable, match="slower"):
            store.open(key)
    assert set(store.heads([other])) == {other}
    before = near.requests
    assert store.seen_at({key: "near", other: "near"}) == {other}, "for an upload, what cannot be asked is not there"
    assert near.requests == before
    near.recover()
    assert store.head(key) is not None, "one that is passed over is asked before anything is called missing"


def test_an_object_that_breaks_off_is_read_from_the_next_region_when_it_is_opened_again(
    store: RegionalStorage, near: Place, far: Place
) -> None:
    data = some_bytes(3 << 20)
    key = near.put(data)
    far.put(data)
    near.faults.cut(after=100_000)
    with store.open(key) as file, pytest.raises(StorageUnavailable, match="broke off"):
        file.read()
    with store.open(key) as file:
        assert file.read() == data
    assert far.requests == 1


def test_addresses_are_of_the_region_that_is_preferred_and_answers(
    store: RegionalStorage, near: Place, far: Place
) -> None:
    data = some_bytes()
    key = far.put(data)
    url = store.at("far").download_url(key, content_type="image/jpeg", filename="a.jpg")
    assert host(url) == far.faults.url
    with plain_client() as http:
        assert http.get(url).content == data
    assert host(store.download_url(key, content_type="image/jpeg")) == near.faults.url


def test_a_cdn_knows_the_regions_itself(near: Place, far: Place) -> None:
    cdn = Cdn("https://photos.example.org", KEY_ID, RSA)
    store = regional({"near": near.store, "far": far.store}, cdn=cdn)
    key = original_key(USER, digest(b"any"))
    assert host(store.at("far").download_url(key, content_type="image/jpeg")) == "http://photos.example.org"
    assert near.requests == far.requests == 0


# --- deleting and listing ------------------------------------------------------------------------------------------


def test_what_is_deleted_is_deleted_in_all_regions(store: RegionalStorage, near: Place, far: Place) -> None:
    data = some_bytes()
    key = near.put(data)
    far.put(data)
    store.delete([key])
    assert not near.has(key)
    assert not far.has(key)


def test_a_region_that_cannot_delete_is_told_once_the_others_have(
    store: RegionalStorage, near: Place, far: Place
) -> None:
    data = some_bytes()
    key = near.put(data)
    far.put(data)
    near.fail()
    with pytest.raises(StorageUnavailable):
        store.delete([key])
    assert near.has(key)
    assert not far.has(key)
    near.recover()
    store.delete(iter([key]))
    assert not near.has(key)


def test_what_is_in_any_region_is_listed_once(store: RegionalStorage, near: Place, far: Place) -> None:
    both, one, other = some_bytes(), some_bytes(), some_bytes()
    wanted = {near.put(both), near.put(one), far.put(other), far.put(both)}
    assert sorted(store.list(f"originals/{USER}/")) == sorted(wanted)
    far.fail()
    with pytest.raises(StorageUnavailable):
        list(store.list(""))


# --- parts ---------------------------------------------------------------------------------------------------------


def test_parts_lie_in_the_region_where_they_were_begun(store: RegionalStorage, near: Place, far: Place) -> None:
    data = some_bytes()
    key, (part,) = original_key(USER, digest(data)), parts_of(data)
    there = store.at("far")
    upload_id = there.begin_parts(key, content_type="image/jpeg")
    target = there.part_target(key, upload_id, part)
    with plain_client() as http:
        assert http.put(target.url, headers=target.headers, content=data).status_code == 200
    assert there.stored_parts(key, upload_id) == {1: len(data)}
    with pytest.raises(NotFound):
        store.stored_parts(key, upload_id)
    store.abort_parts(key, upload_id)
    there.complete_parts(key, upload_id, [part], content_type="image/jpeg")
    assert (near.has(key), far.has(key)) == (False, True)


def test_no_region_stands_in_for_the_one_that_has_the_parts(store: RegionalStorage, near: Place, far: Place) -> None:
    data = some_bytes()
    key, parts = original_key(USER, digest(data)), parts_of(data)
    upload_id = store.begin_parts(key, content_type="image/jpeg")
    near.fail()
    with pytest.raises(StorageUnavailable):
        store.stored_parts(key, upload_id)
    with pytest.raises(StorageUnavailable):
        store.complete_parts(key, upload_id, parts, content_type="image/jpeg")
    with pytest.raises(StorageUnavailable):
        store.begin_parts(key, content_type="image/jpeg")
    assert host(store.part_target(key, upload_id, parts[0]).url) == near.faults.url
    assert far.requests == 0


# --- health --------------------------------------------------------------------------------------------------------


def test_a_region_is_used_again_once_it_answers_and_both_are_logged_once(
    near: Place, far: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "momentarium_cli.backend.storage.regions")
    store = regional({"near": near.store, "far": far.store}, passed_over_seconds=0.5)
    key = far.put(some_bytes())
    near.fail()
    wait_for(lambda: store.region_for(None) == "far")
    assert host(store.download_url(key, content_type="image/jpeg")) == far.faults.url
    time.sleep(0.6)
    assert store.region_for(None) == "far", "it is looked at, and does not answer yet"
    near.recover()
    wait_for(lambda: store.region_for(None) == "near")
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert [level for level, _ in told] == ["WARNING", "INFO"]
    assert "region near" in told[0][1]
    assert "slower" in told[0][1]
    assert "region near of the store answers again" in told[1][1]


def test_one_answer_soon_after_a_failure_does_not_bring_a_region_back(
    store: RegionalStorage, near: Place, far: Place
) -> None:
    nowhere = original_key(USER, digest(b"nowhere"))
    near.fail()
    with pytest.raises(StorageUnavailable):
        store.head(nowhere)
    near.recover()
    assert store.head(nowhere) is None
    assert store.region_for(None) == "far"


def test_pages_full_of_addresses_cost_no_requests(store: RegionalStorage, near: Place) -> None:
    keys = [original_key(USER, digest(str(number).encode())) for number in range(500)]
    store.download_url(keys[0], content_type="image/jpeg")
    time.sleep(0.2)
    before = near.requests
    for key in keys:
        store.download_url(key, content_type="image/jpeg")
    assert near.requests == before


def test_a_region_that_takes_its_time_holds_a_caller_up_for_a_second_at_most(
    store: RegionalStorage, near: Place
) -> None:
    near.faults.rule = lambda _: Fault(delay=3)
    key = original_key(USER, digest(b"any"))
    started = time.monotonic()
    for _ in range(20):
        assert host(store.download_url(key, content_type="image/jpeg")) == near.faults.url
    assert 0.9 < time.monotonic() - started < 1.5
