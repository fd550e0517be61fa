import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from momentarium_cli.backend.db.pool import Database
from tests.backend.test_qstash_jobs import called_by
from tests.cli.conftest import Cli
from tests.qstash import QStashServer
from tests.seaweed import REGION, Seaweed
from tests.servers import ApiServer, serving

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


@pytest.fixture
def called(
    tmp_path: Path, database: Database, qstash_server: QStashServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ApiServer]:
    """A server that QStash calls, as the settings say."""
    with serving(tmp_path / "data", database, lambda url: called_by(qstash_server, url, tmp_path / "data")) as server:
        settings = called_by(qstash_server, server.url, tmp_path / "data")
        monkeypatch.setenv("MOMENTARIUM_SERVER_PUBLIC_URL", server.url)
        monkeypatch.setenv("MOMENTARIUM_QUEUE_BACKEND", "qstash")
        monkeypatch.setenv("MOMENTARIUM_QUEUE_API_SECRET", settings.queue.api_secret or "")
        monkeypatch.setenv("QSTASH_URL", qstash_server.url)
        monkeypatch.setenv("QSTASH_TOKEN", qstash_server.token)
        monkeypatch.setenv("QSTASH_CURRENT_SIGNING_KEY", qstash_server.keys.current)
        monkeypatch.setenv("QSTASH_NEXT_SIGNING_KEY", qstash_server.keys.next)
        yield server


def test_where_qstash_calls_it_is_asked_and_set_up(cli: Cli, called: ApiServer, qstash_server: QStashServer) -> None:
    said = cli("doctor")
    assert said.code == 0
    names = [line[6:].partition(":")[0] for line in said.out.splitlines()[-5:]]
    assert names == ["QStash", "signing keys", "public address", "webhook", "maintenance"]
    assert len(qstash_server.service.schedules) == 1
    assert qstash_server.service.known == {}, "no message is sent"


def test_live_has_a_message_delivered_and_makes_no_job(
    cli: Cli, called: ApiServer, qstash_server: QStashServer
) -> None:
    with qstash_server.live():
        said = cli("doctor", "--live")
    assert said.code == 0
    secrecy, delivery = said.out.splitlines()[-2:]
    assert secrecy.startswith("note  secrecy: QStash shows queue.api_secret in its failure callbacks")
    assert delivery.startswith("ok    delivery: QStash delivered a message within ")
    with called.database.administration() as conn:
        assert conn.execute("select 1 from processing_jobs").fetchall() == []
    assert qstash_server.waiting == [] and qstash_server.dead_letters == []


def test_live_is_one_line_where_no_queue_calls(cli: Cli) -> None:
    said = cli("doctor", "--live")
    assert said.code == 0
    assert said.out.splitlines()[-1].startswith("ok    live: there is nothing to check live")


def test_what_of_qstash_is_not_set_is_told(cli: Cli, called: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QSTASH_TOKEN")
    monkeypatch.delenv("QSTASH_CURRENT_SIGNING_KEY")
    said = cli("doctor")
    assert said.code == 2
    assert said.out.splitlines()[-1].startswith("FAIL  QStash: queue.qstash_token and queue.api_secret must be set.")
