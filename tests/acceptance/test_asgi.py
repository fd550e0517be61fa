"""The API as a platform without workers runs it: by its name, with settings from the environment, called by QStash."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from momentarium_cli.photos.checksum import sha256_file
from tests.acceptance.photos import event
from tests.acceptance.program import Program, program, stop
from tests.acceptance.test_s3 import in_a_bucket
from tests.acceptance.test_servers import free_port
from tests.qstash import QStashServer
from tests.seaweed import Seaweed


@pytest.fixture
def url() -> str:
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def platform(conninfo: str, seaweed: Seaweed, qstash_server: QStashServer, url: str) -> Iterator[Program]:
    with program(
        **in_a_bucket(seaweed, seaweed.new_bucket()),
        MOMENTARIUM_DATABASE_URL=conninfo,
        MOMENTARIUM_SERVER_SECRET_KEY="a key that all instances have",
        MOMENTARIUM_SERVER_PUBLIC_URL=url,
        MOMENTARIUM_QUEUE_BACKEND="qstash",
        MOMENTARIUM_QUEUE_API_SECRET="a-shared-secret-of-tests",
        QSTASH_URL=qstash_server.url,
        QSTASH_TOKEN=qstash_server.token,
        QSTASH_CURRENT_SIGNING_KEY=qstash_server.keys.current,
        QSTASH_NEXT_SIGNING_KEY=qstash_server.keys.next,
    ) as made:
        yield made


def begin(made: Program, url: str, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "uvicorn", "momentarium_cli.backend.wiring:asgi", *options]
    return subprocess.Popen(
        [*command, "--port", url.rpartition(":")[2]],
        env=made.environment,
        cwd=made.folder,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def instance(made: Program, url: str, *options: str) -> "Iterator[subprocess.Popen[str]]":
    with begin(made, url, *options) as process:
        try:
            assert process.stderr is not None
            while "Uvicorn running" not in (line := process.stderr.readline()):
                assert line, "it ended"
            yield process
        finally:
            stop(process.pid)
            process.communicate()


@pytest.mark.parametrize("options", [[], ["--lifespan", "off"]], ids=["with lifespan", "without"])
def test_photos_become_albums_by_calls_alone(
    platform: Program, url: str, qstash_server: QStashServer, tmp_path: Path, options: list[str]
) -> None:
    photos = event(tmp_path / "p", 6)
    token = platform.ok("users", "add", "ann@example.com").out.strip()
    where = ("--server", url, "--token", token)
    with instance(platform, url, *options), program() as client, qstash_server.live(speed=1):
        assert client.upload(tmp_path / "p", *where).counts == {"uploaded": 6}
        [album] = client.ok("albums", "--json", *where).json["albums"]
        assert album["photo_count"] == 6
        client.ok("export", client.folder / "out", *where)
        exported = sorted(sha256_file(path) for path in (client.folder / "out").rglob("*.jpg"))
        assert exported == sorted(map(sha256_file, photos))
    assert not (platform.data_dir / "objects").exists() and not (platform.data_dir / "postgres").exists()


def test_what_is_not_set_is_told_before_anything_is_served(url: str) -> None:
    with program() as made, begin(made, url) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Not set: database.url, storage.url (s3://) or storage.buckets, server.secret_key." in err
