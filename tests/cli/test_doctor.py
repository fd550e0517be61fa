import json
from collections.abc import Iterator

import pytest

from tests.cli.conftest import Cli
from tests.seaweed import REGION, Seaweed

S3_CHECKS = [
    "clock", "store", "objects", "overwriting", "checksums", "parts", "downloads", "CORS", "public access",
    "unfinished uploads",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, conninfo: str) -> None:
    monkeypatch.setenv("MOMENTARIUM_DATABASE_URL", conninfo)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def bucket(seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket that the settings name."""
    name = seaweed.new_bucket()
    monkeypatch.setenv("MOMENTARIUM_STORAGE_URL", f"s3://{name}")
    monkeypatch.setenv("MOMENTARIUM_STORAGE_ENDPOINT_URL", seaweed.endpoint)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweed.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweed.secret_key)
    yield name
    assert "Contents" not in seaweed.client().list_objects_v2(Bucket=name)


def test_a_folder_is_one_check(cli: Cli) -> None:
    said = cli("doctor", "--json")
    assert said.code == 0
    checks = [check["check"] for check in json.loads(said.out)["checks"]]
    assert checks == ["data folder", "decoding", "PostgreSQL", "database", "store"]


def test_a_bucket_is_a_line_for_each_thing_that_is_tried(cli: Cli, bucket: str) -> None:
    said = cli("doctor")
    assert said.code == 0
    lines = said.out.splitlines()[-len(S3_CHECKS) :]
    assert [line[6:].partition(":")[0] for line in lines] == S3_CHECKS
    assert lines[2] == f"ok    objects: s3://{bucket}: stored, read and deleted a probe"
    assert lines[-1].startswith("note  unfinished uploads: ")


def test_what_fails_is_told_and_its_exit_code_is_the_commands(
    cli: Cli, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another secret")
    said = cli("doctor")
    assert said.code == 5
    assert said.out.splitlines()[-1].startswith("FAIL  store: The store does not accept the credentials")
    assert "another secret" not in said.out


def test_that_there_are_no_credentials_is_told(cli: Cli, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    said = cli("doctor", "--json")
    assert said.code == 2
    last = json.loads(said.out)["checks"][-1]
    assert (last["check"], last["ok"], last["advice"]) == ("store", False, False)
    assert "AWS_PROFILE" in last["text"]


def test_several_buckets_are_each_tried(
    cli: Cli, bucket: str, seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MOMENTARIUM_STORAGE_URL")
    monkeypatch.setenv("MOMENTARIUM_STORAGE_BUCKETS", f"us-east-1={bucket},eu-west-1=nothing")
    said = cli("doctor", "--json")
    found = {check["check"]: check for check in json.loads(said.out)["checks"]}
    assert said.code == 5
    assert found[f"objects of s3://{bucket}"]["ok"]
    assert found["store of s3://nothing"]["text"].startswith("There is no bucket nothing.")
