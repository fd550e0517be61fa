"""The way to a bucket, through a proxy and past it."""

from collections.abc import Callable, Iterator, Mapping

import pytest

from momentarium_cli.backend.storage.base import original_key
from momentarium_cli.backend.storage.s3 import S3Storage
from tests.backend.storage.stores import opened
from tests.contracts.storage import USER, digest, some_bytes
from tests.faults import Faults, faulty
from tests.seaweed import Seaweed

Open = Callable[..., S3Storage]


@pytest.fixture(scope="module")
def bucket(seaweed: Seaweed) -> str:
    return seaweed.new_bucket()


@pytest.fixture
def proxy(seaweed: Seaweed) -> Iterator[Faults]:
    with faulty(seaweed.endpoint) as running:
        yield running


@pytest.fixture
def opened_with(seaweed: Seaweed, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens the store where no variables but these tell of proxies."""

    def open_(**variables: str) -> S3Storage:
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return opened(seaweed, bucket)

    return open_


def used(store: S3Storage) -> None:
    """An object is put, looked at and read."""
    data = some_bytes()
    key = original_key(USER, digest(data))
    store.put(key, data, content_type="image/jpeg")
    assert store.head(key) is not None
    with store.open(key) as file:
        assert file.read() == data


def test_a_proxy_is_used(opened_with: Open, proxy: Faults) -> None:
    used(opened_with(HTTP_PROXY=proxy.url))
    assert [request.split("/")[0] for request in proxy.requests] == ["PUT http:", "HEAD http:", "GET http:"]


@pytest.mark.parametrize("names", ["127.0.0.1", "example.org, 127.0.0.1", "*"])
def test_what_no_proxy_names_is_asked_past_the_proxy(opened_with: Open, proxy: Faults, names: str) -> None:
    store = opened_with(HTTP_PROXY=proxy.url, NO_PROXY=names)
    used(store)
    list(store.list("originals/"))
    assert proxy.requests == []


@pytest.mark.parametrize(
    "variables",
    [{"NO_PROXY": "example.org"}, {"HTTPS_PROXY": "http://127.0.0.1:1"}, {"NO_PROXY": "*", "HTTP_PROXY": "http://x"}],
)
def test_where_no_proxy_is_in_the_way_the_wire_is_used(opened_with: Open, variables: Mapping[str, str]) -> None:
    store = opened_with(**variables)
    assert store.client._wire is not None
    used(store)
