"""What goes wrong between us and S3, each with its remedy: against a real SeaweedFS, and a forwarder that spoils."""

import time
from collections.abc import Callable, Iterator
from io import BytesIO

import pytest

from momentarium_cli.backend.storage.base import original_key
from momentarium_cli.backend.storage.s3 import S3Storage
from momentarium_cli.errors import MomentariumError, StorageUnavailable
from tests.backend.storage.stores import opened
from tests.contracts.storage import USER, digest, parts_of, some_bytes
from tests.faults import SLOW_DOWN, Faults, faulty
from tests.seaweed import Seaweed
from tests.servers import listening

Use = Callable[[S3Storage], object]

KEY = original_key(USER, digest(b"x"))
USES: dict[str, Use] = {
    "head": lambda store: store.head(KEY),
    "heads": lambda store: store.heads([KEY]),
    "open": lambda store: store.open(KEY),
    "write": lambda store: store.write(KEY, BytesIO(b"x"), size=1, content_type="image/jpeg"),
    "put": lambda store: store.put(KEY, b"x", content_type="image/jpeg"),
    "delete": lambda store: store.delete([KEY]),
    "list": lambda store: list(store.list("originals/")),
    "begin_parts": lambda store: store.begin_parts(KEY, content_type="image/jpeg"),
    "stored_parts": lambda store: store.stored_parts(KEY, "x"),
    "complete_parts": lambda store: store.complete_parts(KEY, "x", parts_of(b"x"), content_type="image/jpeg"),
}


def told(use: Use, store: S3Storage) -> MomentariumError:
    """The error that a use ends with: out of reach for now, and with its remedy."""
    with pytest.raises(StorageUnavailable) as caught:
        use(store)
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    assert "Signature=" not in str(caught.value)
    return caught.value


@pytest.fixture(scope="module")
def bucket(seaweed: Seaweed) -> str:
    return seaweed.new_bucket()


@pytest.fixture(scope="module")
def signed_otherwise(seaweed: Seaweed, bucket: str) -> S3Storage:
    return opened(seaweed, bucket, secret_key="another secret")


@pytest.fixture(scope="module")
def forwarder(seaweed: Seaweed) -> Iterator[Faults]:
    with faulty(seaweed.endpoint) as running:
        yield running


@pytest.fixture(scope="module")
def forwarded(seaweed: Seaweed, bucket: str, forwarder: Faults) -> S3Storage:
    return opened(seaweed, bucket, url=forwarder.url)


@pytest.fixture(scope="module")
def gone(seaweed: Seaweed) -> S3Storage:
    store = opened(seaweed, bucket := seaweed.new_bucket())
    seaweed.client().delete_bucket(Bucket=bucket)
    return store


@pytest.fixture(scope="module")
def unreachable(seaweed: Seaweed) -> S3Storage:
    with listening() as (_, url):
        pass
    return opened(seaweed, "photos", url=url)


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
class TestTrouble:
    def test_a_bucket_that_is_gone_is_told_and_never_taken_for_a_missing_object(
        self, gone: S3Storage, use: Use
    ) -> None:
        assert told(use, gone).error_code == "no_bucket"

    def test_a_wrong_secret_is_told(self, signed_otherwise: S3Storage, use: Use) -> None:
        error = told(use, signed_otherwise)
        assert error.error_code in ("storage_credentials", "storage_denied")
        assert "AWS_SECRET_ACCESS_KEY" in str(error)

    def test_an_endpoint_that_does_not_answer_is_told_soon(self, unreachable: S3Storage, use: Use) -> None:
        start = time.monotonic()
        error = told(use, unreachable)
        assert time.monotonic() - start < 5
        assert "storage.endpoint_url" in str(error)
        assert error.retry_after


class TestFaults:
    """Behind a forwarder that spoils what it is told to."""

    @pytest.fixture
    def faults(self, forwarder: Faults) -> Faults:
        forwarder.clear()
        return forwarder

    @pytest.fixture
    def store(self, forwarded: S3Storage, faults: Faults) -> S3Storage:
        return forwarded

    @pytest.fixture
    def key(self, store: S3Storage, faults: Faults) -> str:
        """Of an object of 300,000 bytes."""
        data = some_bytes(300_000)
        store.put(key := original_key(USER, digest(data)), data, content_type="image/jpeg")
        faults.clear()
        return key

    def test_one_slow_down_is_waited_out(self, store: S3Storage, faults: Faults, key: str) -> None:
        faults.answer(503, SLOW_DOWN)
        assert store.head(key) is not None
        assert len(faults.requests) == 2

    def test_a_write_is_repeated_from_its_beginning(self, store: S3Storage, faults: Faults) -> None:
        data = some_bytes(300_000)
        faults.answer(503, SLOW_DOWN)
        store.put(key := original_key(USER, digest(data)), data, content_type="image/jpeg")
        info = store.head(key)
        assert info and info.sha256 == digest(data)

    @pytest.mark.parametrize("use", ["head", "put", "list"])
    def test_slow_down_for_long_is_told_with_a_time_to_wait(self, store: S3Storage, faults: Faults, use: str) -> None:
        faults.answer(503, SLOW_DOWN, times=50)
        error = told(USES[use], store)
        assert error.retry_after
        assert 2 <= len(faults.requests) <= 10

    def test_a_bare_refusal_is_explained_also_just_after_the_bucket_was_seen(
        self, store: S3Storage, faults: Faults
    ) -> None:
        assert store.head(original_key(USER, "0" * 64)) is None  # so the bucket was asked for
        faults.answer(403, b"<Error><Code>InvalidAccessKeyId</Code></Error>", times=50)
        assert "AWS_ACCESS_KEY_ID" in str(told(USES["head"], store))

    @pytest.mark.parametrize("status", [500, 502, 504])
    def test_a_server_that_stumbles_is_asked_again(
        self, store: S3Storage, faults: Faults, key: str, status: int
    ) -> None:
        faults.answer(status, b"<html>")
        assert store.head(key) is not None
        faults.answer(status, b"<html>", times=50)
        told(USES["head"], store)

    def test_a_read_that_is_cut_is_told_and_never_short(self, store: S3Storage, faults: Faults, key: str) -> None:
        faults.cut(150_000, times=50)
        with pytest.raises(StorageUnavailable), store.open(key) as file:
            file.read()

    def test_a_read_in_slices_that_is_cut_is_told(self, store: S3Storage, faults: Faults, key: str) -> None:
        faults.cut(150_000, times=50)
        with pytest.raises(StorageUnavailable), store.open(key) as file:
            while file.read(10_000):
                pass

    def test_an_answer_that_is_lost_is_no_second_object(self, store: S3Storage, faults: Faults) -> None:
        data = some_bytes()
        faults.lose()
        store.put(key := original_key(USER, digest(data)), data, content_type="image/jpeg")
        assert store.head(key) is not None

    @pytest.mark.parametrize(
        ("status", "code", "remedy"),
        [
            (403, "AccessDenied", "s3:"),
            (403, "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
            (400, "ExpiredToken", "AWS_ACCESS_KEY_ID"),
            (403, "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
            (403, "RequestTimeTooSkewed", "clock"),
            (400, "AuthorizationHeaderMalformed", "storage.region"),
            (404, "NoSuchBucket", "storage.url"),
            (501, "NotImplemented", "s3:"),
        ],
    )
    @pytest.mark.parametrize("use", ["open", "put", "list", "delete", "begin_parts"])
    def test_what_the_store_refuses_is_told_with_its_remedy(
        self, store: S3Storage, faults: Faults, status: int, code: str, remedy: str, use: str
    ) -> None:
        faults.answer(status, f"<Error><Code>{code}</Code><Message>No.</Message></Error>".encode(), times=50)
        assert remedy in str(told(USES[use], store))

    def test_a_head_without_a_right_is_told_and_never_taken_for_a_missing_object(
        self, store: S3Storage, faults: Faults
    ) -> None:
        faults.answer(403, times=50)
        assert "s3:" in str(told(USES["head"], store))

    def test_an_object_that_could_not_be_deleted_is_told(self, store: S3Storage, faults: Faults) -> None:
        faults.answer(
            200,
            b"<DeleteResult><Error><Key>k</Key><Code>AccessDenied</Code><Message>No.</Message></Error></DeleteResult>",
        )
        assert "s3:DeleteObject" in str(told(USES["delete"], store))
