import base64
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import NamedTuple, get_args
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

from momentarium_cli.backend.storage import cdn
from momentarium_cli.backend.storage.base import original_key, preview_key, thumb_key
from momentarium_cli.backend.storage.cdn import Cdn, Hash, Policy
from momentarium_cli.errors import BadRequest, SettingsError
from tests.contracts.storage import OTHER, USER, digest, some_bytes
from tests.edge import edge
from tests.servers import answering, listening

KEY_ID = "K2JCJMDEHXQW5F"
URL = "https://d111.cloudfront.net"
DATA = some_bytes(5000)
KEY = original_key(USER, digest(DATA))
KEYS: Mapping[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey] = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "ec": ec.generate_private_key(ec.SECP256R1()),
}
SLOT = 1_800_000_000  # a moment at which a slot of the grid begins

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def pem(key: PrivateKey, form: PrivateFormat = PrivateFormat.PKCS8, password: bytes | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(password) if password else NoEncryption())


class Kind(NamedTuple):
    """How a distribution's addresses are signed."""

    key: str
    policy: Policy
    hash: Hash

    def cdn(self, url: str = URL) -> Cdn:
        return Cdn(url, KEY_ID, pem(KEYS[self.key]), policy=self.policy, hash=self.hash)


KINDS = [Kind(*kind) for kind in product(KEYS, get_args(Policy), get_args(Hash))]
CANNED, CUSTOM = Kind("rsa", "canned", "sha1"), Kind("ec", "custom", "sha256")
every_kind = pytest.mark.parametrize("kind", KINDS, ids="-".join)
each_policy = pytest.mark.parametrize("kind", [CANNED, CUSTOM], ids=["canned", "custom"])


@dataclass
class Bucket:
    """What edges may read. It answers with the headers that the query names, and notes what was asked of it."""

    folder: Path
    url: str
    asked: list[str] = field(default_factory=list)

    def address(self, path: str, query: Mapping[str, str]) -> str:
        self.asked.append(path)
        return str(httpx.URL(f"{self.url}/{path.removeprefix('photos/2024/')}", params=dict(query)))

    def answer(self, request: Request) -> FileResponse:
        query = request.query_params.items()
        headers = {name.removeprefix("response-"): text for name, text in query if name.startswith("response-")}
        return FileResponse(self.folder / request.path_params["key"], headers=headers)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """The same bytes under every key that a forger might try."""
    folder = tmp_path_factory.mktemp("bucket")
    for make, user in product((original_key, preview_key, thumb_key), (USER, OTHER)):
        file = folder / make(user, digest(DATA))
        file.parent.mkdir(parents=True)
        file.write_bytes(DATA)
    with listening() as (listener, url):
        bucket = Bucket(folder, url)
        with answering(Starlette(routes=[Route("/{key:path}", bucket.answer)]), listener):
            yield bucket


@pytest.fixture(scope="module")
def edges(bucket: Bucket) -> Iterator[Mapping[str, str]]:
    """The address of an edge for each kind of key."""
    with (
        edge(bucket.address, KEYS["rsa"].public_key(), KEY_ID) as of_rsa,
        edge(bucket.address, KEYS["ec"].public_key(), KEY_ID) as of_ec,
    ):
        yield {"rsa": of_rsa, "ec": of_ec}


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, verify=False) as client:
        yield client


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the clock of what signs."""
    return lambda moment: monkeypatch.setattr(cdn, "now", lambda: moment)


# --- what is signed --------------------------------------------------------------------------------------------------


@every_kind
def test_an_address_answers_the_object_with_what_was_signed(
    edges: Mapping[str, str], http: httpx.Client, kind: Kind
) -> None:
    url = kind.cdn(edges[kind.key]).url(KEY, content_type="image/heic", filename="Märchen ☃ *&?.heic")
    answer = http.get(url)
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["content-type"] == "image/heic"
    assert answer.headers["content-disposition"].startswith('attachment; filename="M_rchen _ ___.heic"')
    assert answer.headers["content-disposition"].endswith("%E2%98%83%20%2A%26%3F.heic")
    assert answer.headers["cache-control"] == "max-age=3600, immutable"


@each_policy
def test_without_a_name_it_is_shown(edges: Mapping[str, str], http: httpx.Client, kind: Kind) -> None:
    answer = http.get(kind.cdn(edges[kind.key]).url(KEY, content_type="image/jpeg"))
    assert (answer.status_code, answer.headers["content-disposition"]) == (200, "inline")


@each_policy
def test_part_of_an_object_can_be_asked_for(edges: Mapping[str, str], http: httpx.Client, kind: Kind) -> None:
    url = kind.cdn(edges[kind.key]).url(KEY, content_type="image/jpeg")
    answer = http.get(url, headers={"Range": "bytes=10-19"})
    assert (answer.status_code, answer.content) == (206, DATA[10:20])
    assert answer.headers["content-range"] == "bytes 10-19/5000"
    head = http.head(url)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "5000", b"")


@pytest.mark.parametrize("make", [preview_key, thumb_key])
def test_previews_and_thumbs_are_signed_alike(
    edges: Mapping[str, str], http: httpx.Client, make: Callable[[int, str], str]
) -> None:
    url = CANNED.cdn(edges["rsa"]).url(make(USER, digest(DATA)), content_type="image/jpeg")
    assert http.get(url).content == DATA


@every_kind
@pytest.mark.parametrize("path", ["/photos/2024", "/photos/2024/"])
def test_a_path_is_put_before_the_key(
    bucket: Bucket, edges: Mapping[str, str], http: httpx.Client, kind: Kind, path: str
) -> None:
    url = kind.cdn(edges[kind.key] + path).url(KEY, content_type="image/jpeg")
    assert urlsplit(url).path == f"/photos/2024/{KEY}"
    assert http.get(url).content == DATA
    assert bucket.asked[-1] == f"photos/2024/{KEY}"


def test_the_host_is_signed_as_browsers_send_it() -> None:
    url = CANNED.cdn("https://Photos.Example.ORG/Path").url(KEY, content_type="image/jpeg")
    assert url.startswith("https://photos.example.org/Path/originals/7/")


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("key", KEYS)
def test_a_key_comes_from_its_file_in_either_form(
    tmp_path: Path, at: Callable[[int], None], key: str, form: PrivateFormat
) -> None:
    at(SLOT)
    file = tmp_path / "key.pem"
    file.write_bytes(pem(KEYS[key], form))
    loaded = Cdn.load(URL, KEY_ID, file, policy="custom", hash="sha256").url(KEY, content_type="image/jpeg")
    assert loaded == Kind(key, "custom", "sha256").cdn().url(KEY, content_type="image/jpeg")


@pytest.mark.parametrize("key", ["", "originals/7/abc", f"/{KEY}", f"{KEY}?", f"{KEY}*", f"originals/7/../{KEY}"])
def test_what_is_no_key_is_not_signed(key: str) -> None:
    with pytest.raises(BadRequest):
        CANNED.cdn().url(key, content_type="image/jpeg")


def decoded(text: str) -> bytes:
    return base64.b64decode(text.replace("-", "+").replace("_", "=").replace("~", "/"), validate=True)


def verify(kind: Kind, signature: bytes, message: bytes) -> None:
    """Raises InvalidSignature."""
    key, digest = KEYS[kind.key].public_key(), SHA256() if kind.hash == "sha256" else SHA1()
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, message, PKCS1v15(), digest)
    else:
        key.verify(signature, message, ec.ECDSA(digest))


@every_kind
def test_the_signature_is_over_the_policy_that_cloudfront_documents(at: Callable[[int], None], kind: Kind) -> None:
    at(SLOT + 17)
    resource, _, signed = (
        kind.cdn()
        .url(KEY, content_type="image/jpeg", filename="a.jpg")
        .partition("&Expires=" if kind.policy == "canned" else "&Policy=")
    )
    assert resource == (
        f"{URL}/{KEY}?response-cache-control=max-age%3D3600%2C%20immutable"
        "&response-content-disposition=attachment%3B%20filename%3D%22a.jpg%22%3B%20filename%2A%3DUTF-8%27%27a.jpg"
        "&response-content-type=image%2Fjpeg"
    )
    tail = "&Hash-Algorithm=SHA256" if kind.hash == "sha256" else ""
    match = re.fullmatch(rf"([\w~-]+)&Signature=([\w~-]+)&Key-Pair-Id={KEY_ID}{tail}", signed, re.ASCII)
    assert match
    end = f'{{"AWS:EpochTime":{SLOT + 3600}}}'
    canned = f'{{"Statement":[{{"Resource":"{resource}","Condition":{{"DateLessThan":{end}}}}}]}}'.encode()
    if kind.policy == "canned":
        assert match[1] == str(SLOT + 3600)
        verify(kind, decoded(match[2]), canned)
    else:
        beginning = b',"DateGreaterThan":{"AWS:EpochTime":%d}' % (SLOT - 300)
        assert decoded(match[1]) == canned[:-4] + beginning + canned[-4:]
        verify(kind, decoded(match[2]), decoded(match[1]))


# --- the grid --------------------------------------------------------------------------------------------------------


@every_kind
def test_an_address_stays_the_same_for_five_minutes_whoever_signs(at: Callable[[int], None], kind: Kind) -> None:
    def seen(moments: range) -> set[str]:
        urls = set()
        for moment in moments:
            at(moment)
            urls.add(kind.cdn().url(KEY, content_type="image/jpeg"))
        return urls

    assert len(seen(range(SLOT, SLOT + 300, 60))) == 1
    assert seen(range(SLOT + 299, SLOT + 300)) == seen(range(SLOT, SLOT + 1))
    assert seen(range(SLOT + 300, SLOT + 301)) != seen(range(SLOT, SLOT + 1))


def test_an_address_ends_within_the_hour_and_not_before_55_minutes(at: Callable[[int], None]) -> None:
    cdn = CANNED.cdn()
    for moment in range(SLOT - 10, SLOT + 311):
        at(moment)
        (expires,) = parse_qs(urlsplit(cdn.url(KEY, content_type="image/jpeg")).query)["Expires"]
        assert 55 * 60 <= int(expires) - moment <= 60 * 60


@contextmanager
def edge_at(bucket: Bucket, kind: Kind, moment: float) -> Iterator[str]:
    """An edge whose clock stands still."""
    with edge(bucket.address, KEYS[kind.key].public_key(), KEY_ID, clock=lambda: moment) as url:
        yield url


@each_policy
@pytest.mark.parametrize(("seconds", "status"), [(-299, 200), (3599, 200), (3600, 403), (86400, 403)])
def test_an_address_is_good_until_it_ends(
    bucket: Bucket, http: httpx.Client, at: Callable[[int], None], kind: Kind, seconds: int, status: int
) -> None:
    at(SLOT)
    with edge_at(bucket, kind, SLOT + seconds) as url:
        assert http.get(kind.cdn(url).url(KEY, content_type="image/jpeg")).status_code == status


@pytest.mark.parametrize(("kind", "status"), [(CANNED, 200), (CUSTOM, 403)], ids=["canned", "custom"])
def test_only_a_custom_policy_has_a_beginning(
    bucket: Bucket, http: httpx.Client, at: Callable[[int], None], kind: Kind, status: int
) -> None:
    at(SLOT)
    with edge_at(bucket, kind, SLOT - 301) as url:
        assert http.get(kind.cdn(url).url(KEY, content_type="image/jpeg")).status_code == status


def test_many_threads_sign_the_same() -> None:
    keys = [original_key(USER, digest(some_bytes())) for _ in range(50)] * 8
    for kind in KINDS:
        cdn = kind.cdn()
        with ThreadPoolExecutor(8) as threads:
            urls = list(threads.map(lambda key, cdn=cdn: cdn.url(key, content_type="image/jpeg"), keys))
        assert len({url.partition("?")[0] for url in urls}) == 50
        assert len(set(urls)) <= 100  # twice 50 where the grid's line is crossed just now


# --- what is forged or spoilt ----------------------------------------------------------------------------------------

Forgery = Callable[[str], str]


def replaced(old: str, new: str) -> Forgery:
    def forge(url: str) -> str:
        assert old in url
        return url.replace(old, new)

    return forge


def changed(name: str, change: Callable[[str], str]) -> Forgery:
    """Another value of a parameter."""

    def forge(url: str) -> str:
        forged, count = re.subn(rf"(?<=[?&]{name}=)[^&]*", lambda match: change(match[0]), url)
        assert count == 1
        return forged

    return forge


def dropped(name: str) -> Forgery:
    return lambda url: re.sub(rf"(?<=[?&]){name}=[^&]*&?", "", url).rstrip("&")


def spoilt(text: str) -> str:
    return text[:20] + ("A" if text[20] != "A" else "B") + text[21:]


def widened(policy: str) -> str:
    """Good for everything, and for ever."""
    plain = re.sub(rb'"Resource":"[^"]*"', b'"Resource":"*"', decoded(policy))
    plain = re.sub(rb'(?<="DateLessThan":{"AWS:EpochTime":)[0-9]+', b"9999999999", plain)
    return base64.b64encode(plain).decode().translate(str.maketrans("+=/", "-_~"))


def turned(url: str) -> str:
    """The parameters in another order."""
    address, _, query = url.partition("?")
    first, second, *others = query.split("&")
    return f"{address}?{'&'.join([second, first, *others])}"


FORGED: dict[str, Forgery] = {
    "a spoilt signature": changed("Signature", spoilt),
    "half a signature": changed("Signature", lambda text: text[: len(text) // 8 * 4]),
    "an empty signature": changed("Signature", lambda _: ""),
    "a signature that is no base64": changed("Signature", lambda text: f"{text}!"),
    "no signature": dropped("Signature"),
    "an unknown key": changed("Key-Pair-Id", lambda text: text[:-1] + "G"),
    "no key": dropped("Key-Pair-Id"),
    "a second key": lambda url: f"{url}&Key-Pair-Id=K1",
    "another hash": lambda url: (
        url.replace("&Hash-Algorithm=SHA256", "") if "Hash" in url else f"{url}&Hash-Algorithm=SHA256"
    ),
    "an unknown hash": lambda url: f"{url.replace('&Hash-Algorithm=SHA256', '')}&Hash-Algorithm=MD5",
    "nothing signed": lambda url: url.partition("&Expires" if "&Expires" in url else "&Policy")[0],
    "no query": lambda url: url.partition("?")[0],
    "another type": replaced("image%2Fjpeg", "text%2Fhtml"),
    "another name": replaced("a.jpg", "a.exe"),
    "shown, not downloaded": replaced("attachment", "inline"),
    "kept for longer": replaced("3600", "9600"),
    "no type": dropped("response-content-type"),
    "no disposition": dropped("response-content-disposition"),
    "a header more": replaced("?response", "?response-content-encoding=gzip&response"),
    "a parameter more at the end": lambda url: f"{url}&versionId=1",
    "an empty parameter more": lambda url: f"{url}&x",
    "a parameter twice": lambda url: f"{url}&response-content-type=text%2Fhtml",
    "another order": turned,
    "the same, encoded otherwise": replaced("image%2Fjpeg", "image/jpeg"),
    "another user's photo": replaced(f"/{USER}/", f"/{OTHER}/"),
    "another photo": replaced(KEY, original_key(USER, digest(b"another"))),
    "another kind": replaced(KEY, preview_key(USER, digest(DATA))),
    "upper-case hex": lambda url: url.replace(digest(DATA), digest(DATA).upper()),
    "a path before it": replaced("/originals", "/photos/2024/originals"),
    "a slash more": replaced("/originals", "//originals"),
    "a path encoded": replaced("/originals/", "/originals%2F"),
    "another host": replaced("127.0.0.1", "localhost"),
    "a listing": replaced(KEY, ""),
}
OF_CANNED: dict[str, Forgery] = {
    "a later end": changed("Expires", lambda text: str(int(text) + 3600)),
    "an end with a sign": changed("Expires", lambda text: f"+{text}"),
    "an end with a zero": changed("Expires", lambda text: f"0{text}"),
    "an end that is no number": changed("Expires", lambda _: "never"),
    "no end": dropped("Expires"),
    "two ends": lambda url: f"{url}&Expires=9999999999",
    "a policy as well": lambda url: f"{url}&Policy=e30_",
}
OF_CUSTOM: dict[str, Forgery] = {
    "a wider policy": changed("Policy", widened),
    "a spoilt policy": changed("Policy", spoilt),
    "an empty policy": changed("Policy", lambda _: "e30_"),
    "a policy that is no base64": changed("Policy", lambda text: f"{text}%"),
    "no policy": dropped("Policy"),
    "two policies": lambda url: f"{url}&Policy=e30_",
    "an end as well": lambda url: f"{url}&Expires=9999999999",
    "an end in the policy's place": lambda url: re.sub("&Policy=[^&]*", "&Expires=9999999999", url),
}


@pytest.mark.parametrize(
    ("kind", "forgery"),
    [
        pytest.param(kind, forgery, id=f"{kind.policy}: {name}")
        for kind, more in ((CANNED, OF_CANNED), (CUSTOM, OF_CUSTOM))
        for name, forgery in (FORGED | more).items()
    ],
)
def test_a_forged_address_is_refused_before_the_bucket_is_asked(
    bucket: Bucket, edges: Mapping[str, str], http: httpx.Client, kind: Kind, forgery: Forgery
) -> None:
    url = kind.cdn(edges[kind.key]).url(KEY, content_type="image/jpeg", filename="a.jpg")
    asked = len(bucket.asked)
    forged = forgery(url)
    assert forged != url
    answer = http.get(forged)
    assert (answer.status_code, len(bucket.asked)) == (403, asked), answer.text
    assert answer.text.startswith("<?xml") and "<Code>" in answer.text
    assert http.get(url).content == DATA, "the true one still goes"


@each_policy
@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH"])
def test_an_address_is_for_reading(
    bucket: Bucket, edges: Mapping[str, str], http: httpx.Client, kind: Kind, method: str
) -> None:
    asked = len(bucket.asked)
    answer = http.request(method, kind.cdn(edges[kind.key]).url(KEY, content_type="image/jpeg"), content=b"new")
    assert (answer.status_code, len(bucket.asked)) == (403, asked)


@every_kind
def test_another_private_key_signs_nothing(edges: Mapping[str, str], http: httpx.Client, kind: Kind) -> None:
    own = rsa.generate_private_key(65537, 2048) if kind.key == "rsa" else ec.generate_private_key(ec.SECP256R1())
    forger = Cdn(edges[kind.key], KEY_ID, pem(own), policy=kind.policy, hash=kind.hash)
    assert http.get(forger.url(KEY, content_type="image/jpeg")).status_code == 403


# --- settings --------------------------------------------------------------------------------------------------------

RSA = pem(KEYS["rsa"])
BAD_URLS = [
    "", "d111.cloudfront.net", "http://d111.cloudfront.net", "ftp://d111.cloudfront.net", "https://", "https:///path",
    f"{URL}?a=b", f"{URL}/?", f"{URL}#top", f"{URL}:443", "https://me:secret@d111.cloudfront.net", f"{URL}/a b",
    f"{URL}/*", f"{URL}//a", f"{URL}/../a", f"{URL}/a%2Fb", f"{URL}/\"", f" {URL}", f"{URL}\n", "https://münchen.example",
]  # fmt: skip
BAD_KEYS: dict[str, tuple[Callable[[], bytes], str]] = {  # made only where they are used: keys take a while
    "empty": (lambda: b"", "not a private key in PEM"),
    "text": (lambda: b"not a key", "not a private key in PEM"),
    "binary": (lambda: bytes(range(256)), "not a private key in PEM"),
    "cut": (lambda: RSA[: len(RSA) // 2], "not a private key in PEM"),
    "spoilt": (lambda: RSA.replace(b"MII", b"AII", 1), "not a private key in PEM"),
    "public": (
        lambda: KEYS["rsa"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "not a private key in PEM",
    ),
    "encrypted": (lambda: pem(KEYS["rsa"], password=b"secret"), "encrypted"),
    "encrypted, older form": (lambda: pem(KEYS["rsa"], PrivateFormat.TraditionalOpenSSL, b"secret"), "encrypted"),
    "RSA of 1,024 bits": (lambda: pem(rsa.generate_private_key(65537, 1024)), "RSA 2048"),
    "RSA of 3,072 bits": (lambda: pem(rsa.generate_private_key(65537, 3072)), "RSA 2048"),
    "P-384": (lambda: pem(ec.generate_private_key(ec.SECP384R1())), "P-256"),
    "Ed25519": (lambda: pem(ed25519.Ed25519PrivateKey.generate()), "P-256"),
}


def refusal(url: str, key_id: str | None, key_file: Path | None) -> str:
    """What is said of these settings: one line, with the setting's name and a remedy, and without the key."""
    with pytest.raises(SettingsError) as raised:
        Cdn.load(url, key_id, key_file)
    assert raised.value.hint and "\n" not in str(raised.value)
    assert raised.value.message.startswith("storage.cdn_") and "BEGIN" not in str(raised.value)
    return raised.value.message


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "key.pem"
    file.write_bytes(RSA)
    return file


@pytest.mark.parametrize("url", BAD_URLS)
def test_an_address_that_cannot_be_signed_for_is_refused(key_file: Path, url: str) -> None:
    message = refusal(url, KEY_ID, key_file)
    assert "storage.cdn_url" in message and "secret" not in message


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://localhost/a", "http://[::1]:9", "https://localhost:1"]
)
def test_this_machine_needs_no_certificate(key_file: Path, url: str) -> None:
    assert Cdn.load(url, KEY_ID, key_file).url(KEY, content_type="image/jpeg").startswith(f"{url}/originals/")


@pytest.mark.parametrize("key_id", [None, "", " ", "K2J CJM", "K1&Policy=e30_", "K1\n", "-----BEGIN"])
def test_a_key_needs_its_id(key_file: Path, key_id: str | None) -> None:
    assert "storage.cdn_key_id" in refusal(URL, key_id, key_file)


@pytest.mark.parametrize(("make", "reason"), BAD_KEYS.values(), ids=BAD_KEYS.keys())
def test_a_key_that_cloudfront_does_not_take_is_refused(key_file: Path, make: Callable[[], bytes], reason: str) -> None:
    key_file.write_bytes(make())
    assert reason in refusal(URL, KEY_ID, key_file)


def test_a_key_file_that_is_missing_or_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert "not set" in refusal(URL, KEY_ID, None)
    assert f"{tmp_path / 'none.pem'} cannot be read: No such file" in refusal(URL, KEY_ID, tmp_path / "none.pem")
    assert f"{tmp_path} cannot be read: Is a directory" in refusal(URL, KEY_ID, tmp_path)
