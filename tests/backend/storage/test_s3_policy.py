"""The documents for a bucket: what is in them, and that a SeaweedFS which holds users to them lets the store work."""

from typing import Any

import pytest

from momentarium_cli.backend.s3_doctor import examine_bucket
from momentarium_cli.backend.storage import s3_policy
from momentarium_cli.backend.storage.base import original_key, preview_key, thumb_key
from momentarium_cli.backend.storage.s3 import S3Storage
from momentarium_cli.backend.storage.s3_client import S3Options
from momentarium_cli.errors import SettingsError, StorageUnavailable
from tests.backend.storage.stores import connected
from tests.contracts.storage import USER, digest
from tests.seaweed import REGION, Seaweed

ACCESS_POINT = "arn:aws:s3:eu-west-1:123456789012:accesspoint/photos"
EVERY_REGION = "arn:aws:s3::123456789012:accesspoint/mabc.mrap"
OBJECTS = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]


def statements(options: S3Options, principal: str | None = None) -> dict[str, Any]:
    return {item["Sid"].removeprefix("Momentarium"): item for item in s3_policy.policy(options, principal)["Statement"]}


def test_rights_end_at_the_prefix() -> None:
    found = statements(S3Options(bucket="photos", prefix="some/place/"))
    assert found["Objects"]["Action"] == OBJECTS
    assert found["Objects"]["Resource"] == [
        f"arn:aws:s3:::photos/some/place/{folder}/*" for folder in ("originals", "previews", "thumbs")
    ]
    assert found["List"]["Resource"] == ["arn:aws:s3:::photos"]
    assert found["List"]["Condition"] == {"StringLike": {"s3:prefix": ["some/place/*"]}}
    assert all(item["Effect"] == "Allow" and "Principal" not in item for item in found.values())


def test_without_a_prefix_the_whole_bucket_may_be_listed() -> None:
    assert "Condition" not in statements(S3Options(bucket="photos"))["List"]


@pytest.mark.parametrize("key", [original_key, preview_key, thumb_key])
def test_every_kind_of_object_is_covered(key: Any) -> None:
    resources = statements(S3Options(bucket="photos"))["Objects"]["Resource"]
    name = f"arn:aws:s3:::photos/{key(USER, digest(b'x'))}"
    assert any(name.startswith(resource.removesuffix("*")) for resource in resources)


@pytest.mark.parametrize(
    ("region", "partition"),
    [(None, "aws"), ("eu-central-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_names_are_in_the_partition_of_the_region(region: str | None, partition: str) -> None:
    found = statements(S3Options(bucket="photos", region=region))
    assert found["List"]["Resource"] == [f"arn:{partition}:s3:::photos"]


def test_a_store_of_ones_own_has_regions_as_it_likes() -> None:
    found = statements(S3Options(bucket="photos", region="home", endpoint_url="http://127.0.0.1:1"))
    assert found["List"]["Resource"] == ["arn:aws:s3:::photos"]


def test_a_region_that_aws_does_not_have_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"storage\.region"):
        statements(S3Options(bucket="photos", region="home"))


@pytest.mark.parametrize("arn", [ACCESS_POINT, EVERY_REGION])
def test_an_access_point_has_its_own_names_for_objects(arn: str) -> None:
    found = statements(S3Options(bucket=arn, region="eu-west-1"))
    assert found["Objects"]["Resource"][0] == f"{arn}/object/originals/*"
    assert found["List"]["Resource"] == [arn]
    assert found.keys() == {"Objects", "List"}


def test_with_a_principal_it_is_a_policy_of_the_bucket() -> None:
    who = "arn:aws:iam::123456789012:user/momentarium"
    assert all(item["Principal"] == {"AWS": who} for item in statements(S3Options(bucket="photos"), who).values())


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://photos.example.org", "https://photos.example.org"),
        ("https://Photos.example.org:443/gallery/", "https://photos.example.org"),
        ("http://localhost:8787", "http://localhost:8787"),
        ("http://anna@192.168.1.2:80", "http://192.168.1.2"),
        (None, "*"),
    ],
)
def test_pages_of_the_public_address_may_read(address: str | None, origin: str) -> None:
    (rule,) = s3_policy.cors(address)["CORSRules"]
    assert rule["AllowedOrigins"] == [origin]
    assert rule["AllowedMethods"] == ["GET", "HEAD"]


@pytest.mark.parametrize("address", ["photos.example.org", "ftp://photos.example.org", "https://"])
def test_what_is_no_address_of_pages_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match=r"server\.public_url"):
        s3_policy.cors(address)


def test_unfinished_uploads_under_the_prefix_end_after_7_days() -> None:
    (rule,) = s3_policy.lifecycle(S3Options(bucket="photos", prefix="some/place/"))["Rules"]
    assert rule["Filter"] == {"Prefix": "some/place/"}
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert "Expiration" not in rule


# --- a user of a SeaweedFS who has these rights and no others --------------------------------------------------------


@pytest.fixture(scope="module")
def options(seaweed: Seaweed) -> S3Options:
    return S3Options(bucket=seaweed.new_bucket(), prefix="some/place/", endpoint_url=seaweed.endpoint, region=REGION)


@pytest.fixture(scope="module")
def store(seaweed: Seaweed, options: S3Options) -> S3Storage:
    return connected(options, seaweed.user(s3_policy.policy(options)))


def test_the_rights_are_enough_for_all_that_the_doctor_tries(store: S3Storage) -> None:
    assert [finding for finding in examine_bucket(store, None) if not finding.ok] == []


@pytest.mark.parametrize("action", [*OBJECTS[:3], "s3:ListBucket"])  # to SeaweedFS those of parts are s3:PutObject
def test_none_of_the_rights_can_be_left_out(seaweed: Seaweed, options: S3Options, action: str) -> None:
    policy = s3_policy.policy(options)
    for statement in policy["Statement"]:
        statement["Action"] = [one for one in statement["Action"] if one != action]
    less = {**policy, "Statement": [statement for statement in policy["Statement"] if statement["Action"]]}
    store = connected(options, seaweed.user(less))
    wrong = [finding.text for finding in examine_bucket(store, None) if not finding.ok]
    assert wrong
    assert all(f"refuses {action} on" in text for text in wrong)


def test_there_are_no_rights_beside_the_prefix(seaweed: Seaweed, store: S3Storage, options: S3Options) -> None:
    key = thumb_key(USER, digest(b"x"))
    beside = connected(S3Options(options.bucket, "", seaweed.endpoint, REGION), store.client._session)
    for use in (
        lambda: beside.put(key, b"x", content_type="image/jpeg"),
        lambda: beside.open(key),
        lambda: list(beside.list("")),
        lambda: beside.delete([key]),
    ):
        with pytest.raises(StorageUnavailable, match="refuses s3:"):
            use()
