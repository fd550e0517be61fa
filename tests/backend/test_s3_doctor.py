"""What the doctor says of a bucket, against real servers: one that is as it should be, and many that are not."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from momentarium_cli.backend.findings import Finding
from momentarium_cli.backend.s3_doctor import clock, examine_bucket
from momentarium_cli.backend.storage import s3_policy
from momentarium_cli.backend.storage.cdn import Cdn
from momentarium_cli.backend.storage.s3 import S3Storage
from momentarium_cli.backend.storage.s3_client import S3Options
from momentarium_cli.errors import SettingsError
from tests.backend.storage.stores import connected, opened
from tests.edge import edge
from tests.faults import Fault, Faults, faulty
from tests.rclone import running_rclone
from tests.seaweed import REGION, Seaweed
from tests.servers import listening

PAGES = "https://photos.example.org/gallery"
EVERY_CHECK = [
    "clock", "store", "objects", "overwriting", "checksums", "parts", "downloads", "CORS", "public access",
    "unfinished uploads",
]  # fmt: skip


@pytest.fixture(scope="module")
def client(seaweed: Seaweed) -> Any:
    """boto3's, for a test's own looks."""
    return seaweed.client()


@pytest.fixture
def bucket(seaweed: Seaweed, client: Any) -> Iterator[str]:
    """A bucket as README and `config s3-policy` make it; whatever a test finds out, no probe is left in it."""
    name = seaweed.new_bucket()
    client.put_bucket_cors(Bucket=name, CORSConfiguration=s3_policy.cors(PAGES))
    client.put_bucket_lifecycle_configuration(
        Bucket=name, LifecycleConfiguration=s3_policy.lifecycle(S3Options(bucket=name))
    )
    yield name
    assert "Contents" not in client.list_objects_v2(Bucket=name)
    assert "Uploads" not in client.list_multipart_uploads(Bucket=name)


@pytest.fixture
def store(seaweed: Seaweed, bucket: str) -> S3Storage:
    return opened(seaweed, bucket)


@pytest.fixture
def faults(seaweed: Seaweed) -> Iterator[Faults]:
    with faulty(seaweed.endpoint) as running:
        yield running


@pytest.fixture
def forwarded(seaweed: Seaweed, bucket: str, faults: Faults) -> S3Storage:
    return opened(seaweed, bucket, url=faults.url)


def examined(store: S3Storage, public_url: str | None = PAGES) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine_bucket(store, public_url)}


def failed(found: Mapping[str, Finding]) -> list[str]:
    """The names of those that fail, each with an exit code of its own; what is told is one line and no secret."""
    for finding in found.values():
        assert finding.ok == (finding.exit_code == 0)
        assert "\n" not in finding.text
        assert "Signature=" not in finding.text
    return [name for name, finding in found.items() if not finding.ok]


def advised(found: Mapping[str, Finding]) -> list[str]:
    return [name for name, finding in found.items() if finding.advice]


# --- as it should be -------------------------------------------------------------------------------------------------


def test_all_is_well_with_a_bucket_as_it_should_be(store: S3Storage) -> None:
    found = examined(store)
    assert list(found) == EVERY_CHECK
    assert failed(found) == advised(found) == []
    assert found["objects"].text == f"{store.where}: stored, read and deleted a probe"
    assert "7 days" in found["unfinished uploads"].text
    assert "https://photos.example.org" in found["CORS"].text


def test_only_what_is_under_the_prefix_is_asked_for(seaweed: Seaweed, bucket: str, faults: Faults) -> None:
    found = examined(opened(seaweed, bucket, url=faults.url, prefix="some/place"))
    assert failed(found) == []
    touched = {request.split()[1].partition("?")[0] for request in faults.requests}
    assert all(path.startswith(f"/{bucket}/some/place/") for path in touched - {"/", f"/{bucket}", f"/{bucket}/"})


# --- nobody answers, or not us ---------------------------------------------------------------------------------------


def test_an_endpoint_that_does_not_answer_is_told_once(seaweed: Seaweed) -> None:
    with listening() as (_, url):
        pass
    found = examined(opened(seaweed, "photos", url=url))
    assert list(found) == failed(found) == ["store"]
    assert found["store"].exit_code == 5
    assert "storage.endpoint_url" in found["store"].text


def test_a_bucket_that_is_not_there_is_told(seaweed: Seaweed) -> None:
    found = examined(opened(seaweed, "nothing"))
    assert failed(found) == ["store"]
    assert found["store"].text.startswith("There is no bucket nothing. Create it, or correct storage.url")


@pytest.mark.parametrize(("access_key", "secret"), [("admin", "another secret"), ("nobody", "a secret for tests")])
def test_credentials_that_the_store_does_not_know_are_told(
    seaweed: Seaweed, bucket: str, access_key: str, secret: str
) -> None:
    options = S3Options(bucket=bucket, endpoint_url=seaweed.endpoint, region=REGION)
    found = examined(connected(options, boto3.Session(access_key, secret)))
    assert failed(found) == ["store"]
    assert "AWS_SECRET_ACCESS_KEY" in found["store"].text


@pytest.mark.parametrize(("status", "code"), [(301, "PermanentRedirect"), (400, "AuthorizationHeaderMalformed")])
def test_a_region_that_is_not_the_buckets_is_told_with_the_right_one(
    forwarded: S3Storage, faults: Faults, status: int, code: str
) -> None:
    body = f"<Error><Code>{code}</Code><Message>No.</Message><Region>eu-west-3</Region></Error>".encode()
    faults.rule = lambda _: Fault(status=status, body=body, headers={"x-amz-bucket-region": "eu-west-3"})
    found = examined(forwarded)
    assert "store" in failed(found)
    assert "Set storage.region, or its name in storage.buckets, to eu-west-3." in found["store"].text


# --- rights ----------------------------------------------------------------------------------------------------------


def test_credentials_that_may_only_read_are_told_with_what_they_lack(seaweed: Seaweed, bucket: str) -> None:
    options = S3Options(bucket=bucket, endpoint_url=seaweed.endpoint, region=REGION)
    allowed = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": arns(bucket)}
    reader = seaweed.user({"Version": "2012-10-17", "Statement": [allowed]})
    found = examined(connected(options, reader))
    assert failed(found) == ["objects"]
    assert f"refuses s3:PutObject on arn:aws:s3:::{bucket}/thumbs/" in found["objects"].text
    assert "momentarium config s3-policy" in found["objects"].text


@pytest.mark.parametrize(
    ("actions", "may"),
    [
        (["s3:GetObject"], "read"),
        (["s3:ListBucket"], "list"),
        (["s3:GetObject", "s3:ListBucket"], "read, list"),
    ],
)
def test_a_bucket_that_is_open_to_anyone_is_told(
    store: S3Storage, client: Any, bucket: str, actions: list[str], may: str
) -> None:
    anyone = {"Effect": "Allow", "Principal": "*", "Action": actions, "Resource": arns(bucket)}
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [anyone]}))
    found = examined(store)
    assert failed(found) == ["public access"]
    assert f"anyone may {may}." in found["public access"].text


def test_a_store_that_asks_nobody_for_a_signature_is_told(tmp_path: Path) -> None:
    with running_rclone(tmp_path, anonymous=True) as store:
        found = examined(store)
    assert "anyone may read, read with a forged signature, list, delete, write." in found["public access"].text
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("status", "body", "told", "advice"),
    [
        (200, "true", "the bucket blocks public access", False),
        (200, "false", "turn on Block Public Access", True),
        (404, "NoSuchPublicAccessBlockConfiguration", "turn on Block Public Access", True),
        (403, "AccessDenied", "s3:GetBucketPublicAccessBlock, which `momentarium config s3-policy` prints", False),
        (501, "NotImplemented", "is not known", False),
    ],
)
def test_whether_public_access_is_blocked_is_told_or_that_it_is_not_known(
    forwarded: S3Storage, faults: Faults, status: int, body: str, told: str, advice: bool
) -> None:
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    blocks = "".join(f"<{name}>{body}</{name}>" for name in names)
    xml = f"<PublicAccessBlockConfiguration>{blocks}</PublicAccessBlockConfiguration>" if status == 200 else ""
    answer = Fault(status=status, body=(xml or f"<Error><Code>{body}</Code></Error>").encode())
    faults.rule = lambda request: answer if "publicAccessBlock" in request else None
    finding = examined(forwarded)["public access"]
    assert finding.ok
    assert finding.advice is advice
    assert told in finding.text


# --- what the store does not do --------------------------------------------------------------------------------------


def test_a_store_that_overwrites_and_keeps_spoilt_bytes_is_told(tmp_path: Path) -> None:
    with running_rclone(tmp_path) as store:
        found = examined(store)
    assert failed(found) == ["overwriting", "checksums"]
    assert "If-None-Match" in found["overwriting"].text
    assert "x-amz-checksum-sha256" in found["checksums"].text
    assert left(tmp_path) == []


def test_a_store_that_refuses_spoilt_bytes_and_keeps_them_is_told(forwarded: S3Storage, faults: Faults) -> None:
    """What it is asked for after the bytes that it refused is there."""
    refused: list[str] = []

    def kept(request: str) -> Fault | None:
        method, path = request.split("?", maxsplit=1)[0].split()
        asked_before = [before.split("?")[0] for before in faults.requests[:-1]]
        if method != "HEAD" or asked_before[-1:] != [f"PUT {path}"] or refused:
            return None
        refused.append(path)
        return Fault(status=200)

    faults.rule = kept
    assert failed(examined(forwarded)) == ["checksums"]
    assert refused


def test_a_store_that_tells_no_checksums_is_told(forwarded: S3Storage, faults: Faults) -> None:
    faults.rule = lambda request: Fault(headers={"x-amz-checksum-sha256": "AAAA-1"}) if "HEAD" in request else None
    found = examined(forwarded)
    assert failed(found) == []
    assert "checksums" in advised(found)


# --- the clock -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shift", "told"), [(1200, "behind"), (-1200, "ahead of"), (90, "behind")])
def test_a_clock_that_is_off_is_told(forwarded: S3Storage, faults: Faults, shift: int, told: str) -> None:
    faults.rule = lambda _: Fault(headers={"Date": formatdate(time.time() + shift, usegmt=True)})
    found = examined(forwarded)
    assert failed(found) == ["clock"]
    match = re.search(rf"clock is ([\d,]+) s {told} the store's\. .*NTP", found["clock"].text)
    assert match
    assert abs(int(match[1].replace(",", "")) - abs(shift)) <= 2


def test_signatures_that_the_store_finds_too_old_are_told_as_the_clock(forwarded: S3Storage, faults: Faults) -> None:
    refusal = b"<Error><Code>RequestTimeTooSkewed</Code><Message>No.</Message></Error>"
    faults.rule = lambda request: None if request == "HEAD /" else Fault(status=403, body=refusal)
    found = examined(forwarded)
    assert failed(found) == ["store"]
    assert "Set the clock." in found["store"].text


def test_a_store_that_does_not_tell_its_time_is_no_failure(forwarded: S3Storage, faults: Faults) -> None:
    faults.rule = lambda _: Fault(headers={"Date": "soon"})
    assert advised(examined(forwarded)) == ["clock"]


def test_a_second_or_two_are_no_difference() -> None:
    assert clock(1.5) == clock(-1.5)
    with pytest.raises(SettingsError, match="61 s ahead of"):
        clock(61)


# --- browsers, CloudFront, unfinished uploads ------------------------------------------------------------------------


@pytest.mark.parametrize("public_url", ["https://elsewhere.example.org", "http://photos.example.org", None])
def test_pages_that_may_not_read_photos_are_told(store: S3Storage, public_url: str | None) -> None:
    found = examined(store, public_url)
    assert failed(found) == []
    assert advised(found) == ["CORS"]
    assert "momentarium config s3-policy --only cors" in found["CORS"].text


def test_an_address_of_the_pages_that_is_none_is_told(store: S3Storage) -> None:
    found = examined(store, "photos.example.org")
    assert failed(found) == ["CORS"]
    assert "server.public_url" in found["CORS"].text


@pytest.mark.parametrize(
    "changed",
    [
        {"Status": "Disabled"},
        {"Filter": {"Prefix": "elsewhere/"}},
        {"AbortIncompleteMultipartUpload": None, "Expiration": {"Days": 9000}},
        None,
    ],
    ids=str,
)
def test_a_bucket_that_keeps_unfinished_uploads_is_told(
    store: S3Storage, client: Any, bucket: str, changed: Mapping[str, Any] | None
) -> None:
    client.delete_bucket_lifecycle(Bucket=bucket)
    if changed is not None:
        (rule,) = s3_policy.lifecycle(S3Options(bucket=bucket))["Rules"]
        rule = {name: value for name, value in {**rule, **changed}.items() if value is not None}
        client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    found = examined(store)
    assert failed(found) == []
    assert advised(found) == ["unfinished uploads"]
    assert "momentarium config s3-policy --only lifecycle" in found["unfinished uploads"].text


@pytest.fixture
def cdn_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize("trusted", [True, False])
def test_downloads_are_tried_through_cloudfront_where_it_is_set(
    store: S3Storage, seaweed: Seaweed, cdn_key: ec.EllipticCurvePrivateKey, tmp_path: Path, trusted: bool
) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(cdn_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def origin(path: str, query: Mapping[str, str]) -> str:
        return store.client.presigner.sign("GET", path, seconds=60, params=query).url

    trusted_key = cdn_key if trusted else ec.generate_private_key(ec.SECP256R1())
    with edge(origin, trusted_key.public_key(), "K1") as url:
        cdn = Cdn.load(url, "K1", file, policy="canned", hash="sha256")
        options = store.client.options
        found = examined(S3Storage.connect(options, session=seaweed.session(), cdn=cdn))
    assert failed(found) == ([] if trusted else ["downloads"])
    if not trusted:
        assert "storage.cdn_key_id" in found["downloads"].text


# --- no probe is left ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault(status=403), Fault(lost=True)], ids=["refused", "lost"])
def test_whichever_request_fails_no_probe_is_left(
    seaweed: Seaweed, client: Any, bucket: str, faults: Faults, fault: Fault
) -> None:
    """Any request but those that delete, and those that begin an upload in parts: only their answer tells its id."""
    store = opened(seaweed, bucket, url=faults.url)
    examined(store)
    number = len(faults.requests)
    for wrong in range(1 + 2 * fault.lost, number, 4):

        def rule(request: str, wrong: int = wrong) -> Fault | None:
            return fault if len(faults.requests) == wrong and not spared(request) else None

        faults.clear()
        faults.rule = rule
        failed(examined(store))
        assert "Contents" not in client.list_objects_v2(Bucket=bucket), faults.requests[wrong - 1]
        assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket), faults.requests[wrong - 1]


def spared(request: str) -> bool:
    return request.startswith("DELETE ") or request.endswith(("?delete", "?uploads"))


def arns(bucket: str) -> list[str]:
    return [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]


def left(folder: Path) -> list[Path]:
    """The files in the buckets of a store that is a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]
