"""What a bucket must allow, as documents that `aws s3api` and IAM take: rights, browsers, unfinished uploads."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import UnknownRegionError

from momentarium_cli.backend.storage.s3_client import S3Options
from momentarium_cli.errors import SettingsError

Document = Mapping[str, Any]

_FOLDERS = ("originals", "previews", "thumbs")
_OBJECTS = (
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
)
_DOCTOR = ("s3:GetBucketPublicAccessBlock", "s3:GetLifecycleConfiguration")
_UNFINISHED_DAYS = 7
_CORS_SECONDS = 3600
_DEFAULT_PORTS = {"http": 80, "https": 443}


def policy(options: S3Options, principal: str | None = None) -> Document:
    """The least rights: an IAM policy, or with the ARN of who is given them a bucket policy."""
    bucket, start = _resource(options), options.prefix
    objects = [_resource(options, f"{start}{folder}/*") for folder in _FOLDERS]
    listing = _statement("List", ["s3:ListBucket"], [bucket], principal)
    if start:
        listing["Condition"] = {"StringLike": {"s3:prefix": [f"{start}*"]}}
    statements = [_statement("Objects", _OBJECTS, objects, principal), listing]
    if not options.bucket.startswith("arn:"):  # an access point does not tell its bucket's settings
        statements.append(_statement("Doctor", _DOCTOR, [bucket], principal))
    return {"Version": "2012-10-17", "Statement": statements}


def _statement(sid: str, actions: Any, resources: list[str], principal: str | None) -> dict[str, Any]:
    who = {"Principal": {"AWS": principal}} if principal else {}
    return {"Sid": f"Momentarium{sid}", "Effect": "Allow", **who, "Action": list(actions), "Resource": resources}


def _resource(options: S3Options, name: str = "") -> str:
    """In the partition of the region, such as "aws-cn"; an access point's ARN names its own."""
    arn = options.resource(name)
    return arn if options.bucket.startswith("arn:") else arn.replace("arn:aws:", f"arn:{_partition(options)}:", 1)


def _partition(options: S3Options) -> str:
    if options.region is None or options.endpoint_url:
        return "aws"  # which those who speak S3 say too
    try:
        found: str = boto3.Session().get_partition_for_region(options.region)
    except UnknownRegionError as error:
        raise SettingsError(f"AWS has no region {options.region}.", hint="Correct storage.region.") from error
    return found


def cors(public_url: str | None) -> Document:
    """Pages of this address may read photos, or of any where it is none. Nothing is uploaded from pages."""
    origin = origin_of(public_url) if public_url else "*"
    rule = {"AllowedOrigins": [origin], "AllowedMethods": ["GET", "HEAD"], "MaxAgeSeconds": _CORS_SECONDS}
    return {"CORSRules": [rule]}


def origin_of(public_url: str) -> str:
    """As browsers send it: "https://example.org" for "https://Example.org:443/photos"."""
    parts = urlsplit(public_url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise SettingsError(
            f"server.public_url {public_url!r} is no address.", hint="It looks like https://example.org."
        )
    default = f":{_DEFAULT_PORTS[parts.scheme]}"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower().removesuffix(default)}"


def lifecycle(options: S3Options) -> Document:
    """The parts of uploads that are never finished are deleted after a while."""
    rule = {
        "ID": "momentarium-unfinished-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": options.prefix},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _UNFINISHED_DAYS},
    }
    return {"Rules": [rule]}
