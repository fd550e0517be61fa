"""The store that speaks S3, against a real SeaweedFS."""

from datetime import timedelta
from typing import Any

import pytest

from momentarium_cli.backend.storage import presign
from momentarium_cli.backend.storage.base import Storage, original_key, thumb_key
from momentarium_cli.backend.storage.s3 import S3Storage
from tests.backend.storage.stores import opened
from tests.contracts.storage import USER, StorageContract, digest, parts_of, plain_client, some_bytes
from tests.seaweed import Seaweed


def uploads_of(client: Any, bucket: str) -> list[str]:
    """The keys of the uploads in parts that are under way."""
    return [upload["Key"] for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]


@pytest.fixture(scope="module")
def bucket(seaweed: Seaweed) -> str:
    return seaweed.new_bucket()


@pytest.fixture(scope="module")
def client(seaweed: Seaweed) -> Any:
    """boto3's, for a test's own looks."""
    return seaweed.client()


@pytest.fixture(scope="module")
def s3(seaweed: Seaweed, bucket: str) -> S3Storage:
    return opened(seaweed, bucket)


@pytest.fixture(scope="module")
def signed_otherwise(seaweed: Seaweed, bucket: str) -> S3Storage:
    return opened(seaweed, bucket, secret_key="another secret")


class TestS3Storage(StorageContract):
    @pytest.fixture
    def store(self, s3: S3Storage) -> Storage:
        return s3

    @pytest.fixture
    def other_secret(self, signed_otherwise: S3Storage) -> Storage:
        return signed_otherwise

    @pytest.fixture(autouse=True)
    def _behind(self, client: Any, bucket: str) -> None:
        self.client, self.bucket = client, bucket

    def root_path(self, store: Storage) -> str:
        return f"/{self.bucket}"

    def leftovers(self, store: Storage) -> list[str]:
        return uploads_of(self.client, self.bucket)

    def expire(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = presign.now() - timedelta(hours=2)
        monkeypatch.setattr(presign, "now", lambda: before)


class TestUnderAPrefix:
    """Of one bucket only what is under the prefix is the store's."""

    @pytest.fixture
    def store(self, seaweed: Seaweed, bucket: str) -> S3Storage:
        return opened(seaweed, bucket, prefix="some/prefix")

    def test_signed_requests_store_and_read_there(self, store: S3Storage, client: Any, bucket: str) -> None:
        data = some_bytes()
        key = original_key(USER, digest(data))
        target = store.upload_target(key, content_type="image/jpeg", size=len(data))
        with plain_client() as http:
            assert http.put(target.url, headers=target.headers, content=data).status_code == 200
            assert http.get(store.download_url(key, content_type="image/jpeg")).content == data
        assert client.head_object(Bucket=bucket, Key=f"some/prefix/{key}")["ContentLength"] == len(data)
        info = store.head(key)
        assert info and info.sha256 == digest(data)

    def test_parts_become_an_object_there(self, store: S3Storage, client: Any, bucket: str) -> None:
        data = some_bytes()
        key, (part,) = original_key(USER, digest(data)), parts_of(data)
        upload_id = store.begin_parts(key, content_type="image/jpeg")
        assert uploads_of(client, bucket) == [f"some/prefix/{key}"]
        target = store.part_target(key, upload_id, part)
        with plain_client() as http:
            assert http.put(target.url, headers=target.headers, content=data).status_code == 200
        store.complete_parts(key, upload_id, [part], content_type="image/jpeg")
        with store.open(key) as file:
            assert file.read() == data

    def test_what_is_beside_the_prefix_is_neither_seen_nor_deleted(self, store: S3Storage, s3: S3Storage) -> None:
        data = some_bytes()
        key = thumb_key(USER, digest(data))
        s3.put(key, data, content_type="image/jpeg")
        assert store.head(key) is None
        store.put(key, data, content_type="image/jpeg")
        assert key in store.list("thumbs/")
        store.delete([key])
        assert key not in store.list("")
        assert s3.head(key) is not None
