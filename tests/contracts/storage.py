"""What every store holds to. The forged uses of signed requests are each refused, and nothing is stored by them."""

import base64
import hashlib
import http.client
import random
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from threading import Barrier
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx
import pytest

from momentarium_cli.backend.storage.base import Part, Storage, original_key, preview_key, thumb_key
from momentarium_cli.errors import BadRequest, NotAsDescribed, NotFound
from momentarium_cli.models import MIN_PART_BYTES, SignedRequest

USER, OTHER = 7, 8
STORED = (200, 201)
REFUSED = (400, 403, 404, 405)
_CHANCE = random.Random(20240512)


def some_bytes(length: int = 1000) -> bytes:
    """Other bytes at every call, the same in every run."""
    return _CHANCE.randbytes(length)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def base64_digest(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


class Case(NamedTuple):
    """Bytes, their key, and the signed request that stores them."""

    data: bytes
    key: str
    target: SignedRequest


@dataclass(frozen=True, slots=True)
class Cut:
    """Bytes, their key, the parts that they are cut into, and the upload that takes these."""

    data: bytes
    key: str
    upload_id: str
    parts: list[Part]

    def slice(self, part: Part) -> bytes:
        start = (part.number - 1) * self.parts[0].size
        return self.data[start : start + part.size]


def parts_of(data: bytes, part_bytes: int = MIN_PART_BYTES) -> list[Part]:
    slices = (data[start : start + part_bytes] for start in range(0, len(data), part_bytes))
    return [Part(number, len(slice_), digest(slice_)) for number, slice_ in enumerate(slices, 1)]


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: Mapping[str, str]


Forgery = Callable[[Case], dict[str, Any]]


def with_header(name: str, value: str | None) -> Forgery:
    """A header that is replaced, or dropped."""

    def forge(case: Case) -> dict[str, Any]:
        kept = {key: text for key, text in case.target.headers.items() if key.lower() != name.lower()}
        return {"headers": kept if value is None else kept | {name: value}}

    return forge


def with_body(change: Callable[[bytes], bytes]) -> Forgery:
    """Another body, honest about its length and about nothing else."""

    def forge(case: Case) -> dict[str, Any]:
        body = change(case.data)
        return {"data": body, "headers": case.target.headers | {"Content-Length": str(len(body))}}

    return forge


def with_query(change: Callable[[list[tuple[str, str]]], list[tuple[str, str]]]) -> Forgery:
    def forge(case: Case) -> dict[str, Any]:
        parts = urlsplit(case.target.url)
        pairs = change(parse_qsl(parts.query, keep_blank_values=True))
        return {"url": urlunsplit(parts._replace(query=urlencode(pairs)))}

    return forge


def with_key(change: Callable[[str], str]) -> Forgery:
    return lambda case: {"url": case.target.url.replace(case.key, change(case.key))}


def _swapped(case: Case) -> dict[str, Any]:
    """Another photo, with its own true checksum."""
    other = some_bytes(len(case.data))
    return {"data": other, **with_header("x-amz-checksum-sha256", base64_digest(other))(case)}


def with_value(old: str, new: str) -> Forgery:
    """The parameters of this value have another one."""
    return with_query(lambda pairs: [(name, new if value == old else value) for name, value in pairs])


def without_value(old: str) -> Forgery:
    """The parameters of this value are dropped."""
    return with_query(lambda pairs: [(name, value) for name, value in pairs if value != old])


def _flipped(data: bytes) -> bytes:
    return bytes((data[0] ^ 1,)) + data[1:]


def _later(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Every number in the query a little larger: among them the expiry."""
    return [(name, str(int(value) + 60) if value.isdigit() else value) for name, value in pairs]


def _spoilt(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The last character of the signature is another one."""
    *others, (name, value) = sorted(pairs, key=lambda pair: "signature" in pair[0].lower())
    return [*others, (name, value[:-2] + ("A" if value[-2] != "A" else "B") + value[-1])]


FORGED: dict[str, Forgery] = {
    "another method: POST": lambda _: {"method": "POST"},
    "another method: DELETE": lambda _: {"method": "DELETE"},
    "another method: PATCH": lambda _: {"method": "PATCH"},
    "another method: GET": lambda _: {"method": "GET"},
    "another photo's key": with_key(lambda key: original_key(USER, digest(some_bytes()))),
    "another user's key": with_key(lambda key: key.replace(f"/{USER}/", f"/{OTHER}/")),
    "another kind of key": with_key(lambda key: key.replace("originals", "previews") + ".jpg"),
    "upper-case hex": with_key(lambda key: key.replace(key[-64:], key[-64:].upper())),
    "another type": with_header("Content-Type", "text/html"),
    "no type": with_header("Content-Type", None),
    "a longer body": with_body(lambda data: data + b"x"),
    "a shorter body": with_body(lambda data: data[:-1]),
    "no body": with_body(lambda data: b""),
    "other bytes of the same length": lambda case: {"data": _flipped(case.data)},
    "no checksum": with_header("x-amz-checksum-sha256", None),
    "another checksum": _swapped,
    "a spoilt checksum": with_header("x-amz-checksum-sha256", "AAAA"),
    "no If-None-Match": with_header("If-None-Match", None),
    "another If-None-Match": with_header("If-None-Match", '"abc"'),
    "a later expiry": with_query(_later),
    "a spoilt signature": with_query(_spoilt),
    "no query at all": with_query(lambda pairs: []),
    "no signature": with_query(lambda pairs: [pair for pair in pairs if "signature" not in pair[0].lower()]),
    "an empty signature": with_query(
        lambda pairs: [(name, "" if "signature" in name.lower() else value) for name, value in pairs]
    ),
    "one more parameter": with_query(lambda pairs: [*pairs, ("acl", "")]),
    "a repeated parameter": with_query(lambda pairs: [*pairs, pairs[0]]),
    "a repeated parameter of another value": with_query(lambda pairs: [(pairs[0][0], "9" * 10), *pairs]),
}

# What a part's request does not bind, for it stores no object.
_OF_OBJECTS = ("another type", "no type", "no If-None-Match", "another If-None-Match")
FORGED_PARTS = {name: forgery for name, forgery in FORGED.items() if name not in _OF_OBJECTS} | {
    "another part's number": with_value("1", "2"),
    "part 0": with_value("1", "0"),
    "no part's number": without_value("1"),
}

FORGED_DOWNLOADS = {
    name: forgery for name, forgery in FORGED.items() if "expiry" in name or "signature" in name or "parameter" in name
}

ADDED = {
    "x-amz-acl": "public-read",
    "x-amz-meta-note": "x",
    "x-amz-tagging": "a=b",
    "x-amz-storage-class": "GLACIER",
    "x-amz-website-redirect-location": "https://example.com/",
    "x-amz-grant-read": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"',
    "x-amz-copy-source": "/photos/originals/1/" + "0" * 64,
    "x-amz-security-token": "x",
    "x-amz-object-lock-legal-hold": "ON",
}

LISTINGS = ["list-type=2", "list-type=2&prefix=originals/", "versions", "uploads", "acl", "policy", "location", "cors"]

PATHS = {
    "up": "{root}/originals/{user}/../{other}/{sha}",
    "up, encoded": "{root}/originals/{user}/%2e%2e/{other}/{sha}",
    "up, encoded with its slash": "{root}/originals/{user}%2f..%2f{other}%2f{sha}",
    "up, encoded twice": "{root}/originals/{user}/%252e%252e/{other}/{sha}",
    "out of the store": "{root}/../../../../etc/passwd",
    "out of the store, encoded": "{root}/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "absolute": "{root}//etc/passwd",
    "backslash": "{root}/originals%5C{user}%5C{sha}",
    "backslash up": "{root}/originals/{user}/..%5C{other}%5C{sha}",
    "double slash": "{root}/originals//{user}/{sha}",
    "trailing slash": "{root}/originals/{user}/{sha}/",
    "NUL": "{root}/originals/{user}/{sha}%00",
    "NUL and more": "{root}/originals/{user}/{sha}%00.jpg",
    "newline": "{root}/originals/{user}/{sha}%0A",
    "upper-case hex": "{root}/originals/{user}/{SHA}",
    "incoming": "{root}/incoming/{sha}",
    "user 0": "{root}/originals/0/{sha}",
    "user 07": "{root}/originals/0{user}/{sha}",
    "user in other digits": "{root}/originals/%D9%A7/{sha}",
    "later digits of the user are others": "{root}/originals/{user}%D9%A7/{sha}",
    "short": "{root}/originals/{user}/{short}",
    "nothing": "{root}/",
}


class StorageContract(ABC):
    """Subclasses give the fixtures `store`, freshly empty or not, and `other_secret`, a store that signs with
    another secret; `root_path` is what stands before "/" and a key in an address, `leftovers` lists what is half
    stored."""

    @pytest.fixture
    @abstractmethod
    def store(self) -> Storage: ...

    @pytest.fixture
    @abstractmethod
    def other_secret(self) -> Storage: ...

    @abstractmethod
    def root_path(self, store: Storage) -> str: ...

    @abstractmethod
    def leftovers(self, store: Storage) -> list[str]: ...

    @abstractmethod
    def expire(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """From now on what the store signs has expired already."""

    @pytest.fixture
    def http(self) -> Iterator[httpx.Client]:
        """Performs signed requests as they stand."""
        with plain_client() as client:
            yield client

    @pytest.fixture
    def case(self, store: Storage) -> Case:
        return self.make(store)

    def make(self, store: Storage, data: bytes | None = None) -> Case:
        data = some_bytes() if data is None else data
        key = original_key(USER, digest(data))
        return Case(data, key, store.upload_target(key, content_type="image/jpeg", size=len(data)))

    def send(self, http: httpx.Client, case: Case, **forged: Any) -> httpx.Response:
        return http.request(
            forged.get("method", case.target.method),
            forged.get("url", case.target.url),
            headers=forged.get("headers", case.target.headers),
            content=forged.get("data", case.data),
        )

    def assert_nothing_stored(self, store: Storage, *keys: str) -> None:
        assert [key for key in keys if store.head(key) is not None] == []
        assert self.leftovers(store) == []

    def assert_holds(self, store: Storage, case: Case | Cut) -> None:
        with store.open(case.key) as file:
            assert digest(file.read()) == digest(case.data)

    # --- what is good ----------------------------------------------------------------------------------------------

    def test_what_was_signed_is_stored_byte_for_byte(self, store: Storage, http: httpx.Client, case: Case) -> None:
        assert self.send(http, case).status_code in STORED
        info = store.head(case.key)
        assert info and (info.size, info.sha256) == (len(case.data), digest(case.data))
        self.assert_holds(store, case)
        assert self.leftovers(store) == []

    def test_a_target_says_all_that_is_to_be_sent(self, case: Case) -> None:
        headers = {name.lower(): value for name, value in case.target.headers.items()}
        assert headers == {
            "content-type": "image/jpeg",
            "content-length": str(len(case.data)),
            "x-amz-checksum-sha256": base64_digest(case.data),
            "if-none-match": "*",
        }
        assert case.target.method == "PUT"
        assert 290 < case.target.expires_at.timestamp() - time.time() <= 300

    def test_a_download_is_the_object_with_the_signed_type(
        self, store: Storage, http: httpx.Client, case: Case
    ) -> None:
        self.send(http, case)
        answer = http.get(store.download_url(case.key, content_type="image/heic"))
        assert (answer.status_code, answer.content) == (200, case.data)
        assert answer.headers["content-type"] == "image/heic"
        assert answer.headers["content-disposition"].startswith("inline")

    @pytest.mark.parametrize(
        "name", ["IMG 1.jpg", 'a"b\\c;d.jpg', "Märchen ☃.jpg", "../../etc/passwd", "a\r\nSet-X: 1"]
    )
    def test_a_download_under_a_name_stays_in_its_header(self, store: Storage, http: httpx.Client, name: str) -> None:
        case = self.make(store)
        self.send(http, case)
        answer = http.get(store.download_url(case.key, content_type="image/jpeg", filename=name))
        assert (answer.status_code, answer.content) == (200, case.data)
        assert answer.headers["content-disposition"].startswith("attachment")
        assert "set-x" not in answer.headers

    def test_twenty_megabytes_stream_through(self, store: Storage, http: httpx.Client) -> None:
        case = self.make(store, some_bytes(20 << 20))
        slices = (case.data[at : at + 70_001] for at in range(0, len(case.data), 70_001))
        assert self.send(http, case, data=slices).status_code in STORED
        assert digest(http.get(store.download_url(case.key, content_type="image/jpeg")).content) == digest(case.data)

    def test_part_of_an_object_can_be_asked_for(self, store: Storage, http: httpx.Client, case: Case) -> None:
        self.send(http, case)
        url = store.download_url(case.key, content_type="image/jpeg")
        answer = http.get(url, headers={"Range": "bytes=10-19"})
        assert (answer.status_code, answer.content) == (206, case.data[10:20])

    def test_previews_and_thumbs_are_stored_alike(self, store: Storage, http: httpx.Client) -> None:
        for make in (preview_key, thumb_key):
            data = some_bytes()
            key = make(USER, digest(data))
            target = store.upload_target(key, content_type="image/jpeg", size=len(data))
            assert self.send(http, Case(data, key, target)).status_code in STORED
            assert store.head(key) is not None

    def test_an_address_of_a_download_stays_the_same_for_minutes(self, store: Storage, case: Case) -> None:
        urls = {store.download_url(case.key, content_type="image/jpeg") for _ in range(3)}
        assert len(urls) <= 2  # two where the grid's line is crossed just now

    # --- what is forged or spoilt ----------------------------------------------------------------------------------

    @pytest.mark.parametrize("forgery", FORGED.values(), ids=FORGED.keys())
    def test_a_forged_upload_is_refused_and_nothing_is_stored(
        self, store: Storage, http: httpx.Client, case: Case, forgery: Forgery
    ) -> None:
        forged = forgery(case)
        answer = self.send(http, case, **forged)
        assert answer.status_code in (*REFUSED, 411), answer.text
        body = forged.get("data", case.data)
        keys = [make(user, digest(data)) for make in (original_key, preview_key) for user in (USER, OTHER)
                for data in (case.data, body)]  # fmt: skip
        self.assert_nothing_stored(store, case.key, *keys)
        assert self.send(http, case).status_code in STORED, "the true one still goes"

    def test_a_request_signed_with_another_secret_is_refused(
        self, store: Storage, other_secret: Storage, http: httpx.Client
    ) -> None:
        case = self.make(other_secret)
        assert self.send(http, case).status_code == 403
        self.assert_nothing_stored(store, case.key)
        self.send(http, stored := self.make(store))
        assert http.get(other_secret.download_url(stored.key, content_type="image/jpeg")).status_code == 403

    def test_an_expired_request_is_refused(
        self, store: Storage, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stored = self.make(store)
        self.send(http, stored)
        with monkeypatch.context() as patch:
            self.expire(patch)
            case = self.make(store)
            download = store.download_url(stored.key, content_type="image/jpeg")
        assert self.send(http, case).status_code == 403
        self.assert_nothing_stored(store, case.key)
        assert http.get(download).status_code == 403

    def test_a_signature_for_one_use_is_no_good_for_the_other(
        self, store: Storage, http: httpx.Client, case: Case
    ) -> None:
        download = store.download_url(case.key, content_type="image/jpeg")
        assert self.send(http, case, url=download).status_code == 403
        self.assert_nothing_stored(store, case.key)
        self.send(http, case)
        assert http.get(case.target.url).status_code == 403
        assert http.delete(download).status_code in (403, 405)
        assert store.head(case.key) is not None

    @pytest.mark.parametrize("forgery", FORGED_DOWNLOADS.values(), ids=FORGED_DOWNLOADS.keys())
    def test_a_forged_download_is_refused(
        self, store: Storage, http: httpx.Client, case: Case, forgery: Forgery
    ) -> None:
        self.send(http, case)
        url = store.download_url(case.key, content_type="image/jpeg", filename="a.jpg")
        download = SignedRequest(method="GET", url=url, expires_at=case.target.expires_at)
        assert http.get(forgery(case._replace(target=download))["url"]).status_code in (400, 403)

    @pytest.mark.parametrize(
        ("old", "new"), [("image%2Fjpeg", "text%2Fhtml"), ("a.jpg", "a.exe"), (f"/{USER}/", f"/{OTHER}/")]
    )
    def test_type_name_and_owner_of_a_download_are_bound(
        self, store: Storage, http: httpx.Client, case: Case, old: str, new: str
    ) -> None:
        self.send(http, case)
        other = original_key(OTHER, digest(case.data))
        store.put(other, case.data, content_type="image/jpeg")
        url = store.download_url(case.key, content_type="image/jpeg", filename="a.jpg")
        assert old in url
        assert http.get(url.replace(old, new)).status_code in (400, 403)

    @pytest.mark.parametrize("name", ADDED)
    def test_an_added_header_is_refused(self, store: Storage, http: httpx.Client, case: Case, name: str) -> None:
        assert self.send(http, case, headers=case.target.headers | {name: ADDED[name]}).status_code in (400, 403)
        self.assert_nothing_stored(store, case.key)

    @pytest.mark.parametrize("method", ["HEAD", "PUT", "POST", "DELETE", "PATCH"])
    def test_a_download_is_good_for_nothing_but_reading(
        self, store: Storage, http: httpx.Client, case: Case, method: str
    ) -> None:
        self.send(http, case)
        url = store.download_url(case.key, content_type="image/jpeg")
        assert http.request(method, url, content=b"x" if method == "PUT" else b"").status_code in REFUSED
        self.assert_holds(store, case)

    @pytest.mark.parametrize("listing", LISTINGS)
    @pytest.mark.parametrize("use", ["upload", "download"])
    def test_no_signature_lists_or_tells_of_the_store(
        self, store: Storage, http: httpx.Client, case: Case, listing: str, use: str
    ) -> None:
        self.send(http, case)
        signed = case.target.url if use == "upload" else store.download_url(case.key, content_type="image/jpeg")
        parts = urlsplit(signed)
        for path in (f"{self.root_path(store)}/", parts.path):
            url = urlunsplit(parts._replace(path=path, query=f"{listing}&{parts.query}"))
            assert http.get(url).status_code in REFUSED

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE"])
    def test_who_has_no_signature_can_do_nothing(
        self, store: Storage, http: httpx.Client, case: Case, method: str
    ) -> None:
        self.send(http, case)
        parts = urlsplit(case.target.url)
        for path in (f"{self.root_path(store)}/", parts.path):
            for query in ("", "list-type=2", "uploads", "delete", "partNumber=1&uploadId=x"):
                url = urlunsplit(parts._replace(path=path, query=query))
                assert http.request(method, url).status_code in REFUSED
        self.assert_holds(store, case)

    @pytest.mark.parametrize("path", PATHS.values(), ids=PATHS.keys())
    @pytest.mark.parametrize("method", ["PUT", "GET"])
    def test_tricks_in_the_path_reach_nothing(self, store: Storage, case: Case, path: str, method: str) -> None:
        sha = digest(case.data)
        root = self.root_path(store)
        target = path.format(root=root, user=USER, other=OTHER, sha=sha, SHA=sha.upper(), short=sha[:-1])
        answer = raw(case.target.url, method, target, case.target.headers, case.data if method == "PUT" else b"")
        assert answer.status in REFUSED, answer
        assert b"root:" not in answer.body
        self.assert_nothing_stored(store, case.key, original_key(OTHER, sha))

    def test_a_second_upload_is_told_that_it_is_there(self, store: Storage, http: httpx.Client, case: Case) -> None:
        assert self.send(http, case).status_code in STORED
        assert self.send(http, case).status_code == 412
        assert self.leftovers(store) == []
        self.assert_holds(store, case)

    @pytest.mark.parametrize("count", [2, 8])
    def test_of_several_at_once_exactly_one_wins(self, store: Storage, count: int) -> None:
        case, start = self.make(store, some_bytes(300_000)), Barrier(count)

        def put(_: int) -> int:
            with plain_client() as http:
                start.wait()
                return self.send(http, case).status_code

        with ThreadPoolExecutor(count) as pool:
            statuses = sorted(pool.map(put, range(count)))
        assert statuses[0] in STORED
        assert set(statuses[1:]) <= {409, 412}
        assert store.head(case.key) is not None
        assert self.leftovers(store) == []

    def test_a_connection_that_breaks_leaves_nothing(self, store: Storage, http: httpx.Client) -> None:
        case = self.make(store, some_bytes(3 << 20))
        break_off(case, 2 << 20)
        self.eventually(lambda: self.leftovers(store) == [])
        self.assert_nothing_stored(store, case.key)
        assert self.send(http, case).status_code in STORED

    def test_a_body_without_a_length_is_refused(self, store: Storage, http: httpx.Client, case: Case) -> None:
        headers = {name: value for name, value in case.target.headers.items() if name != "Content-Length"}
        assert self.send(http, case, headers=headers, data=iter([case.data])).status_code in (403, 411)
        self.assert_nothing_stored(store, case.key)

    def eventually(self, holds: Callable[[], bool], seconds: float = 5) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    # --- what the server itself does -------------------------------------------------------------------------------

    def test_what_is_not_there_is_told(self, store: Storage, http: httpx.Client) -> None:
        key = original_key(USER, digest(some_bytes()))
        assert store.head(key) is None
        with pytest.raises(NotFound):
            store.open(key)
        assert http.get(store.download_url(key, content_type="image/jpeg")).status_code == 404

    def test_deleting_twice_is_no_error(self, store: Storage) -> None:
        data = some_bytes()
        key = thumb_key(USER, digest(data))
        store.put(key, data, content_type="image/jpeg")
        store.put(key, data, content_type="image/jpeg")
        store.delete([key])
        store.delete([key])
        assert store.head(key) is None

    def test_many_are_deleted_at_once(self, store: Storage) -> None:
        data = [some_bytes(100) for _ in range(1200)]
        keys = [thumb_key(USER, digest(each)) for each in data]
        there = range(0, 1200, 40)
        for index in there:
            store.put(keys[index], data[index], content_type="image/jpeg")
        assert len(store.heads(keys)) == len(there)
        store.delete(iter(keys))
        assert store.heads(keys[index] for index in there) == {}

    def test_deleting_nothing_is_no_error(self, store: Storage) -> None:
        store.delete([])

    def test_what_was_deleted_can_be_uploaded_again(self, store: Storage, http: httpx.Client, case: Case) -> None:
        self.send(http, case)
        store.delete([case.key])
        assert self.send(http, case).status_code in STORED

    def test_a_listing_has_the_keys_that_begin_with_its_prefix(self, store: Storage) -> None:
        keys = set()
        for make in (original_key, preview_key, thumb_key):
            for user in (71, 711):
                data = some_bytes()
                keys.add(key := make(user, digest(data)))
                store.put(key, data, content_type="image/jpeg")
        assert set(store.list("originals/71/")) == {key for key in keys if key.startswith("originals/71/")}
        assert set(store.list("thumbs/711/")) == {key for key in keys if key.startswith("thumbs/711/")}
        assert keys <= set(store.list(""))
        assert list(store.list("originals/999/")) == []

    def test_heads_tell_of_many_at_once(self, store: Storage) -> None:
        data = {thumb_key(USER, digest(each)): each for each in (some_bytes(100 + size) for size in range(60))}
        for key, each in data.items():
            store.put(key, each, content_type="image/jpeg")
        missing = [original_key(USER, digest(some_bytes())) for _ in range(200)]
        found = store.heads([*missing[:100], *data, *missing, *data])
        assert {key: (info.size, info.sha256) for key, info in found.items()} == {
            key: (len(each), digest(each)) for key, each in data.items()
        }
        assert store.heads([]) == {}

    def test_a_file_is_written_as_it_streams(self, store: Storage) -> None:
        data = some_bytes(20 << 20)
        key = original_key(USER, digest(data))
        for _ in range(2):  # there already is no error
            store.write(key, BytesIO(data), size=len(data), content_type="image/heic")
        info = store.head(key)
        assert info and (info.size, info.sha256) == (len(data), digest(data))
        with store.open(key) as file:
            assert digest(file.read()) == digest(data)

    def test_a_path_leads_to_the_object(self, store: Storage, case: Case) -> None:
        store.put(case.key, case.data, content_type="image/jpeg")
        path = store.path(case.key)
        assert path is None or path.read_bytes() == case.data

    def test_an_object_is_read_in_slices(self, store: Storage, http: httpx.Client, case: Case) -> None:
        self.send(http, case)
        with store.open(case.key) as file:
            assert [file.read(400), file.read(400), file.read(400), file.read(400)] == [
                case.data[:400], case.data[400:800], case.data[800:], b"",
            ]  # fmt: skip

    @pytest.mark.parametrize("change", [_flipped, lambda data: data[:-1], lambda data: data + b"x", lambda data: b""],
                             ids=["other bytes", "shorter", "longer", "none"])  # fmt: skip
    @pytest.mark.parametrize("length", [1000, 6 << 20])
    def test_a_file_that_is_not_the_keys_is_not_stored(
        self, store: Storage, length: int, change: Callable[[bytes], bytes]
    ) -> None:
        data = some_bytes(length)
        key, spoilt = original_key(USER, digest(data)), change(data)
        for size in (len(data), len(spoilt)):
            with pytest.raises(BadRequest):
                store.write(key, BytesIO(spoilt), size=size, content_type="image/jpeg")
        self.assert_nothing_stored(store, key)

    def test_a_file_of_another_size_is_not_stored(self, store: Storage, case: Case) -> None:
        for size in (len(case.data) - 1, len(case.data) + 1):
            with pytest.raises(BadRequest):
                store.write(case.key, BytesIO(case.data), size=size, content_type="image/jpeg")
        self.assert_nothing_stored(store, case.key)

    @pytest.mark.parametrize(
        "key", ["", "originals", "../secrets.json", "/etc/passwd", f"originals/7/{'A' * 64}", f"incoming/{'a' * 32}",
                f"originals/-7/{'a' * 64}", f"originals/7/{'a' * 64}\n", f"previews/7/{'a' * 64}",
                f"originals/7/{'a' * 64}\x00", f"originals/7٧/{'a' * 64}"],
    )  # fmt: skip
    def test_what_is_no_key_is_refused_everywhere(self, store: Storage, key: str) -> None:
        uses: list[Callable[[], object]] = [
            lambda: store.upload_target(key, content_type="image/jpeg", size=1),
            lambda: store.download_url(key, content_type="image/jpeg"),
            lambda: store.head(key),
            lambda: store.open(key),
            lambda: store.path(key),
            lambda: store.put(key, b"x", content_type="image/jpeg"),
            lambda: store.delete([key]),
            lambda: store.heads([key]),
            lambda: store.begin_parts(key, content_type="image/jpeg"),
            lambda: store.part_target(key, "x", Part(1, 1, "0" * 64)),
            lambda: store.stored_parts(key, "x"),
            lambda: store.complete_parts(key, "x", [Part(1, 1, "0" * 64)], content_type="image/jpeg"),
            lambda: store.abort_parts(key, "x"),
        ]
        for use in uses:
            with pytest.raises(BadRequest):
                use()

    # --- large objects, in parts -----------------------------------------------------------------------------------

    @pytest.fixture
    def cut(self, store: Storage) -> Iterator[Cut]:
        """10 MB and a little in three parts."""
        yield (made := self.cut_up(store, some_bytes(2 * MIN_PART_BYTES + 1000)))
        store.abort_parts(made.key, made.upload_id)

    @pytest.fixture
    def small(self, store: Storage) -> Iterator[Cut]:
        """One part, for the last may be of any size."""
        yield (made := self.cut_up(store, some_bytes()))
        store.abort_parts(made.key, made.upload_id)

    def cut_up(self, store: Storage, data: bytes) -> Cut:
        key = original_key(USER, digest(data))
        return Cut(data, key, store.begin_parts(key, content_type="image/jpeg"), parts_of(data))

    def part_case(self, store: Storage, cut: Cut, part: Part) -> Case:
        return Case(cut.slice(part), cut.key, store.part_target(cut.key, cut.upload_id, part))

    def send_part(self, store: Storage, http: httpx.Client, cut: Cut, part: Part) -> None:
        answer = self.send(http, self.part_case(store, cut, part))
        assert answer.status_code in STORED, answer.text

    def complete(self, store: Storage, cut: Cut, parts: list[Part] | None = None) -> None:
        store.complete_parts(cut.key, cut.upload_id, parts or cut.parts, content_type="image/jpeg")

    def test_parts_become_the_object(self, store: Storage, http: httpx.Client, cut: Cut) -> None:
        for part in reversed(cut.parts):
            self.send_part(store, http, cut, part)
        assert store.head(cut.key) is None
        self.complete(store, cut)
        info = store.head(cut.key)
        assert info and info.size == len(cut.data)
        assert info.sha256 in (None, digest(cut.data))
        self.assert_holds(store, cut)
        answer = http.get(store.download_url(cut.key, content_type="image/jpeg"))
        assert digest(answer.content) == digest(cut.data)
        assert self.leftovers(store) == []

    def test_a_part_says_all_that_is_to_be_sent(self, store: Storage, small: Cut) -> None:
        target = self.part_case(store, small, small.parts[0]).target
        assert {name.lower(): value for name, value in target.headers.items()} == {
            "content-length": str(len(small.data)),
            "x-amz-checksum-sha256": base64_digest(small.data),
        }
        assert target.method == "PUT"
        assert 290 < target.expires_at.timestamp() - time.time() <= 300

    def test_what_is_missing_is_sent_after_a_break(self, store: Storage, http: httpx.Client, cut: Cut) -> None:
        for part in (cut.parts[0], cut.parts[2]):
            self.send_part(store, http, cut, part)
        stored = store.stored_parts(cut.key, cut.upload_id)
        assert stored == {1: MIN_PART_BYTES, 3: 1000}
        for part in cut.parts:
            if part.number not in stored:
                self.send_part(store, http, cut, part)
        self.complete(store, cut)
        self.assert_holds(store, cut)

    def test_a_part_that_is_sent_twice_does_no_harm(self, store: Storage, http: httpx.Client, small: Cut) -> None:
        case = self.part_case(store, small, small.parts[0])
        assert self.send(http, case).status_code in STORED
        assert self.send(http, case).status_code in (*STORED, 412)
        assert store.stored_parts(small.key, small.upload_id) == {1: len(small.data)}
        self.complete(store, small)
        self.assert_holds(store, small)

    def test_without_all_its_parts_it_is_not_made(self, store: Storage, http: httpx.Client, cut: Cut) -> None:
        for part in cut.parts[:2]:
            self.send_part(store, http, cut, part)
        with pytest.raises(NotAsDescribed):
            self.complete(store, cut)
        assert store.head(cut.key) is None
        self.send_part(store, http, cut, cut.parts[2])
        self.complete(store, cut)
        self.assert_holds(store, cut)

    def test_with_no_part_at_all_it_is_not_made(self, store: Storage, small: Cut) -> None:
        with pytest.raises(NotAsDescribed):
            self.complete(store, small)
        assert store.head(small.key) is None

    @pytest.mark.parametrize(
        "other", [Part(1, 1000, "0" * 64), Part(1, 999, "")], ids=["another checksum", "another size"]
    )
    def test_with_a_part_that_is_different_it_is_not_made(
        self, store: Storage, http: httpx.Client, small: Cut, other: Part
    ) -> None:
        part = small.parts[0]
        self.send_part(store, http, small, part)
        with pytest.raises(NotAsDescribed):
            self.complete(store, small, [Part(1, other.size, other.sha256 or part.sha256)])
        assert store.head(small.key) is None

    def test_completing_what_is_there_already_is_no_error(self, store: Storage, http: httpx.Client, small: Cut) -> None:
        self.send_part(store, http, small, small.parts[0])
        store.put(small.key, small.data, content_type="image/jpeg")
        self.complete(store, small)
        self.complete(store, small)
        self.assert_holds(store, small)
        store.abort_parts(small.key, small.upload_id)
        self.assert_holds(store, small)
        assert self.leftovers(store) == []

    def test_an_answer_that_was_lost_lets_it_be_completed_again(
        self, store: Storage, http: httpx.Client, small: Cut
    ) -> None:
        self.send_part(store, http, small, small.parts[0])
        self.complete(store, small)
        self.complete(store, small)
        self.assert_holds(store, small)

    def test_what_is_forgotten_leaves_nothing(self, store: Storage, http: httpx.Client, small: Cut) -> None:
        case = self.part_case(store, small, small.parts[0])
        self.send(http, case)
        for _ in range(2):
            store.abort_parts(small.key, small.upload_id)
        assert self.leftovers(store) == []
        with pytest.raises(NotFound):
            store.stored_parts(small.key, small.upload_id)
        with pytest.raises((NotFound, NotAsDescribed)):
            self.complete(store, small)
        assert self.send(http, case).status_code in REFUSED
        self.assert_nothing_stored(store, small.key)

    @pytest.mark.parametrize("upload_id", ["no-such-upload", "0" * 32, "%2e%2e"])
    def test_an_upload_that_nobody_began_is_not_found(
        self, store: Storage, http: httpx.Client, case: Case, upload_id: str
    ) -> None:
        with pytest.raises(NotFound):
            store.stored_parts(case.key, upload_id)
        store.abort_parts(case.key, upload_id)
        with pytest.raises((NotFound, NotAsDescribed)):
            store.complete_parts(case.key, upload_id, parts_of(case.data), content_type="image/jpeg")
        target = store.part_target(case.key, upload_id, parts_of(case.data)[0])
        assert self.send(http, case._replace(target=target)).status_code in REFUSED
        self.assert_nothing_stored(store, case.key)

    @pytest.mark.parametrize("forgery", FORGED_PARTS.values(), ids=FORGED_PARTS.keys())
    def test_a_forged_part_is_refused_and_nothing_is_stored(
        self, store: Storage, http: httpx.Client, small: Cut, forgery: Forgery
    ) -> None:
        case = self.part_case(store, small, small.parts[0])
        answer = self.send(http, case, **forgery(case))
        assert answer.status_code in (*REFUSED, 411), answer.text
        assert store.stored_parts(small.key, small.upload_id) == {}
        assert store.head(small.key) is None
        assert self.send(http, case).status_code in STORED, "the true one still goes"

    def test_a_part_is_good_for_its_own_upload_only(self, store: Storage, http: httpx.Client, small: Cut) -> None:
        other = self.cut_up(store, small.data)
        case = self.part_case(store, small, small.parts[0])
        forged = with_value(small.upload_id, other.upload_id)(case)
        assert forged["url"] != case.target.url
        assert self.send(http, case, **forged).status_code in REFUSED
        for cut in (small, other):
            assert store.stored_parts(cut.key, cut.upload_id) == {}
        store.abort_parts(other.key, other.upload_id)

    def test_a_part_and_a_whole_are_signed_apart(self, store: Storage, http: httpx.Client, small: Cut) -> None:
        part = self.part_case(store, small, small.parts[0])
        whole = self.make(store, small.data)
        parts_only = set(parse_qsl(urlsplit(part.target.url).query)) - set(parse_qsl(urlsplit(whole.target.url).query))
        named = [pair for pair in parts_only if pair[1] in ("1", small.upload_id)]
        assert len(named) == 2
        as_whole = with_query(lambda pairs: [pair for pair in pairs if pair not in named])(part)
        as_part = with_query(lambda pairs: [*pairs, *named])(whole)
        for headers in (part.target.headers, whole.target.headers):
            assert self.send(http, part, headers=headers, **as_whole).status_code in REFUSED
            assert self.send(http, whole, headers=headers, **as_part).status_code in REFUSED
        assert store.stored_parts(small.key, small.upload_id) == {}
        assert store.head(small.key) is None

    def test_a_part_signed_with_another_secret_is_refused(
        self, store: Storage, other_secret: Storage, http: httpx.Client, small: Cut
    ) -> None:
        target = other_secret.part_target(small.key, small.upload_id, small.parts[0])
        assert self.send(http, Case(small.data, small.key, target)).status_code == 403
        assert store.stored_parts(small.key, small.upload_id) == {}

    def test_an_expired_part_is_refused(
        self, store: Storage, http: httpx.Client, small: Cut, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            self.expire(patch)
            case = self.part_case(store, small, small.parts[0])
        assert self.send(http, case).status_code == 403
        assert store.stored_parts(small.key, small.upload_id) == {}

    def test_a_part_whose_connection_breaks_is_not_stored(self, store: Storage, http: httpx.Client, cut: Cut) -> None:
        case = self.part_case(store, cut, cut.parts[0])
        break_off(case, 2 << 20)
        time.sleep(0.2)
        assert store.stored_parts(cut.key, cut.upload_id) == {}
        assert self.send(http, case).status_code in STORED

    # --- the store itself ------------------------------------------------------------------------------------------

    def test_it_says_where_it_is(self, store: Storage) -> None:
        assert store.where
        free = store.free_bytes()
        assert free is None or free > 0


def plain_client() -> httpx.Client:
    """Without what costs time and is not used: certificates and proxies."""
    return httpx.Client(timeout=30, trust_env=False, verify=False)


def raw(base: str, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """A request whose target goes out as it is written here, with the signature of `base`."""
    parts = urlsplit(base)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.putrequest(method, f"{target}?{parts.query}", skip_accept_encoding=True)
        for name, value in headers.items():
            if method == "PUT" or name.lower() != "content-length":
                connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(), dict(answer.getheaders()))
    finally:
        connection.close()


def break_off(case: Case, after: int) -> None:
    """Send a request, and go away after so many bytes of its body."""
    with begun(case) as connection:
        connection.sendall(case.data[:after])
        time.sleep(0.1)


@contextmanager
def begun(case: Case) -> Iterator[socket.socket]:
    """A connection on which a request was sent, but for its body."""
    parts = urlsplit(case.target.url)
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=10) as connection:
        lines = [f"PUT {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}"]
        lines += [f"{name}: {value}" for name, value in case.target.headers.items()]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        yield connection
