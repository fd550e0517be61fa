"""Stores on a SeaweedFS, for tests."""

from typing import Any

from momentarium_cli.backend.storage.s3 import S3Storage
from momentarium_cli.backend.storage.s3_client import S3Options
from tests.seaweed import REGION, Seaweed


def connected(options: S3Options, session: Any) -> S3Storage:
    return S3Storage.connect(options, session=session)


def opened(
    seaweed: Seaweed, bucket: str, *, secret_key: str | None = None, url: str = "", prefix: str = ""
) -> S3Storage:
    prefix = f"{prefix}/" if prefix else ""
    options = S3Options(bucket=bucket, prefix=prefix, endpoint_url=url or seaweed.endpoint, region=REGION)
    return connected(options, seaweed.session(secret_key))
