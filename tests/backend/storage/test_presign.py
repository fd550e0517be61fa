"""What is signed for S3. boto3 is the oracle: no server here knows AWS's addresses, or signatures for all regions."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.credentials import RefreshableCredentials

from momentarium_cli.backend.storage import presign
from momentarium_cli.backend.storage.base import Part, disposition, original_key
from momentarium_cli.backend.storage.s3 import S3Storage
from momentarium_cli.backend.storage.s3_client import S3Options
from momentarium_cli.errors import SettingsError, StorageUnavailable
from tests.backend.storage.stores import connected
from tests.contracts.storage import USER, base64_digest, digest, some_bytes

ON_THE_GRID = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)  # downloads are signed from a full five minutes on
IN_AWS = S3Options(bucket="photos", region="eu-central-1")
MANY_REGIONS = S3Options(bucket="arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap")
KEY = original_key(USER, "a" * 64)
PART = Part(1, 9, "0" * 64)


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """We and boto3 sign at the same moment; with botocore[crt] boto3 has signers of its own."""

    def moment(remove_tzinfo: bool = True) -> datetime:
        return ON_THE_GRID.replace(tzinfo=None) if remove_tzinfo else ON_THE_GRID

    monkeypatch.setattr(presign, "now", lambda: ON_THE_GRID)
    monkeypatch.setattr("botocore.auth.get_current_datetime", moment)
    monkeypatch.setattr("botocore.crt.auth.get_current_datetime", moment)


SESSIONS = {
    name: boto3.Session("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", token, region_name="eu-central-1")
    for name, token in (("lasting", None), ("temporary", "a token/with+signs=="))
}

PLACES = {
    "AWS": IN_AWS,
    "AWS, first region": S3Options(bucket="photos", region="us-east-1"),
    "AWS, China": S3Options(bucket="photos", region="cn-north-1"),
    "AWS, under a prefix": S3Options(bucket="photos", region="eu-central-1", prefix="some/prefix/"),
    "a bucket with dots": S3Options(bucket="photos.example.com", region="eu-central-1"),
    "an endpoint": S3Options(bucket="photos", region="us-east-1", endpoint_url="http://127.0.0.1:8333"),
    "an endpoint with https": S3Options(bucket="photos", region="auto", endpoint_url="https://s3.example.com"),
    "an endpoint, virtual addresses": S3Options(
        bucket="photos", region="auto", endpoint_url="https://s3.example.com", addressing_style="virtual"
    ),
}


class TestOracle:
    """boto3, asked at the same moment for the same request, makes the same URL."""

    @pytest.fixture(params=SESSIONS.values(), ids=list(SESSIONS))
    def session(self, request: pytest.FixtureRequest) -> Any:
        return request.param

    @pytest.fixture(params=PLACES.values(), ids=list(PLACES))
    def options(self, request: pytest.FixtureRequest) -> S3Options:
        found = request.param
        assert isinstance(found, S3Options)
        return found

    @pytest.fixture
    def store(self, options: S3Options, session: Any, frozen: None) -> S3Storage:
        return connected(options, session)

    def oracle(self, options: S3Options, session: Any, method: str, seconds: str, **params: Any) -> str:
        style = options.addressing_style or ("path" if options.endpoint_url else "virtual")
        config = Config(signature_version="s3v4", s3={"addressing_style": style})
        client = session.client("s3", region_name=options.region, endpoint_url=options.endpoint_url, config=config)
        everything = {**params, "Bucket": options.bucket, "Key": options.prefix + params["Key"]}
        return str(client.generate_presigned_url(method, Params=everything, ExpiresIn=int(seconds)))

    def test_an_upload(self, options: S3Options, session: Any, store: S3Storage) -> None:
        data = some_bytes()
        key = original_key(USER, digest(data))
        target = store.upload_target(key, content_type="image/jpeg", size=len(data))
        theirs = self.oracle(
            options, session, "put_object", "300", Key=key, ContentType="image/jpeg", ContentLength=len(data),
            ChecksumSHA256=base64_digest(data), IfNoneMatch="*",
        )  # fmt: skip
        assert_same(target.url, theirs)
        assert target.expires_at == ON_THE_GRID + timedelta(seconds=300)

    def test_a_download(self, options: S3Options, session: Any, store: S3Storage) -> None:
        for name in (None, "IMG 1.jpg", "Märchen ☃+&=%.jpg"):
            url = store.download_url(KEY, content_type="image/heic", filename=name)
            theirs = self.oracle(
                options, session, "get_object", parsed(url)["X-Amz-Expires"], Key=KEY,
                ResponseContentType="image/heic", ResponseContentDisposition=disposition(name),
                ResponseCacheControl="private, max-age=3600, immutable",
            )  # fmt: skip
            assert_same(url, theirs)

    def test_a_part(self, options: S3Options, session: Any, store: S3Storage) -> None:
        data = some_bytes()
        key = original_key(USER, digest(data))
        target = store.part_target(key, "an+upload/id=", Part(3, len(data), digest(data)))
        theirs = self.oracle(
            options, session, "upload_part", "300", Key=key, UploadId="an+upload/id=", PartNumber=3,
            ContentLength=len(data), ChecksumSHA256=base64_digest(data),
        )  # fmt: skip
        assert_same(target.url, theirs)


def parsed(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def assert_same(ours: str, theirs: str) -> None:
    assert urlsplit(ours)[:3] == urlsplit(theirs)[:3]
    assert parsed(ours) == parsed(theirs)


# --- credentials that end ------------------------------------------------------------------------------------------


def ending(seconds: float) -> S3Storage:
    """A store whose credentials end so soon, and for as long are good again when they are renewed."""

    def renewed() -> dict[str, str]:
        end = datetime.now(UTC) + timedelta(seconds=seconds)
        return {"access_key": "ASIAEXAMPLE", "secret_key": "x", "token": "x", "expiry_time": end.isoformat()}

    session = botocore.session.Session()
    session._credentials = RefreshableCredentials.create_from_metadata(
        renewed(), renewed, "test", advisory_timeout=0, mandatory_timeout=0
    )
    return connected(IN_AWS, boto3.Session(botocore_session=session))


class TestCredentialsThatEnd:
    def test_nothing_that_is_signed_outlives_them(self) -> None:
        store, ends = ending(100), time.time() + 101
        target = store.upload_target(KEY, content_type="image/jpeg", size=9)
        part = store.part_target(KEY, "x", PART)
        for url in (target.url, part.url, store.download_url(KEY, content_type="image/jpeg")):
            assert ends - 10 < signed_until(url) <= ends
        for request in (target, part):
            assert request.expires_at.timestamp() == signed_until(request.url)

    def test_lasting_longer_than_a_url_they_change_nothing(self) -> None:
        target = ending(7200).upload_target(KEY, content_type="image/jpeg", size=9)
        assert 290 < target.expires_at.timestamp() - time.time() <= 300

    def test_in_their_last_seconds_nothing_is_signed(self) -> None:
        with pytest.raises(StorageUnavailable, match="end in a moment") as caught:
            ending(10).upload_target(KEY, content_type="image/jpeg", size=9)
        assert caught.value.retry_after


def signed_until(url: str) -> float:
    query = parsed(url)
    signed = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return signed.timestamp() + int(query["X-Amz-Expires"])


# --- Multi-Region Access Points ------------------------------------------------------------------------------------


def signed_by(options: S3Options) -> Iterator[str]:
    """An upload, a part and a download."""
    store = connected(options, SESSIONS["lasting"])
    yield store.upload_target(KEY, content_type="image/jpeg", size=9).url
    yield store.part_target(KEY, "x", PART).url
    yield store.download_url(KEY, content_type="image/jpeg")


@pytest.mark.parametrize("options", [IN_AWS, MANY_REGIONS], ids=["one region", "many regions"])
def test_all_that_was_to_be_bound_is_bound(options: S3Options) -> None:
    put, part, get = map(parsed, signed_by(options))
    assert put["X-Amz-SignedHeaders"] == "content-length;content-type;host;if-none-match;x-amz-checksum-sha256"
    assert put["X-Amz-Expires"] == "300"
    assert part["X-Amz-SignedHeaders"] == "content-length;host;x-amz-checksum-sha256"
    assert (part["partNumber"], part["uploadId"]) == ("1", "x")
    assert get["X-Amz-SignedHeaders"] == "host"
    assert (get["response-content-type"], get["response-content-disposition"]) == ("image/jpeg", "inline")


def test_an_access_point_of_many_regions_is_signed_for_all_of_them() -> None:
    for url in signed_by(MANY_REGIONS):
        assert urlsplit(url).netloc == "mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com"
        assert parsed(url)["X-Amz-Algorithm"] == "AWS4-ECDSA-P256-SHA256"
        assert parsed(url)["X-Amz-Region-Set"] == "*"


def test_without_its_signer_such_an_access_point_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presign, "HAS_CRT", False)
    with pytest.raises(SettingsError, match=r"SigV4A.*botocore\[crt\]"):
        list(signed_by(MANY_REGIONS))
