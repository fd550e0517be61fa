"""The README's "Jobs through QStash", step by step with the real program: an API alone, a bucket, and a QStash."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.photos import event
from tests.acceptance.program import Program, program, stop
from tests.acceptance.test_s3 import in_a_bucket
from tests.acceptance.test_servers import free_port
from tests.qstash import QStashServer
from tests.seaweed import Seaweed


@pytest.fixture
def machine(conninfo: str, seaweed: Seaweed, qstash_server: QStashServer) -> Iterator[Program]:
    """The settings of step 1."""
    port = free_port()
    with program(
        **in_a_bucket(seaweed, seaweed.new_bucket()),
        QSTASH_URL=qstash_server.url,
        QSTASH_TOKEN=qstash_server.token,
        QSTASH_CURRENT_SIGNING_KEY=qstash_server.keys.current,
        QSTASH_NEXT_SIGNING_KEY=qstash_server.keys.next,
        MOMENTARIUM_QUEUE_BACKEND="qstash",
        MOMENTARIUM_QUEUE_API_SECRET="a-shared-secret-of-tests",
        MOMENTARIUM_SERVER_PUBLIC_URL=f"http://127.0.0.1:{port}",
        MOMENTARIUM_SERVER_PORT=str(port),
        MOMENTARIUM_SERVER_SECRET_KEY="another, the same on all servers",
        MOMENTARIUM_DATABASE_URL=conninfo,
    ) as made:
        yield made


@contextmanager
def serving(made: Program, *options: str, **more: str) -> Iterator[None]:
    """`more` settings are those that changed."""
    made.extra = {**made.extra, **more}
    process = made.start("serve", *options, stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Serving on")
        yield
    finally:
        stop(process.pid)
        process.communicate()


@contextmanager
def client(made: Program) -> Iterator[Program]:
    """Another machine, on which a new user has logged in."""
    token = made.ok("users", "add", "anna@example.org").out.strip()
    with program() as other:
        other.extra = {
            "MOMENTARIUM_SERVER_URL": made.extra["MOMENTARIUM_SERVER_PUBLIC_URL"],
            "MOMENTARIUM_SERVER_TOKEN": token,
        }
        yield other


def test_the_steps_lead_to_albums(machine: Program, qstash_server: QStashServer, tmp_path: Path) -> None:
    event(tmp_path / "p", 6)
    before = machine.run("doctor")
    assert before.code == 5 and "cannot be reached" in before.out.splitlines()[-1], "nobody serves yet"
    with serving(machine, "--role", "api"), qstash_server.live():
        assert "set up, for there was no schedule" in machine.ok("doctor").out
        assert "delivered a message within" in machine.ok("doctor", "--live").out
        with client(machine) as anna:
            assert anna.upload(tmp_path / "p").counts == {"uploaded": 6}
            [album] = anna.ok("albums", "--json").json["albums"]
            assert album["photo_count"] == 6
    assert {delivery.status for delivery in qstash_server.deliveries} == {200}


def test_a_new_secret_is_taken_up_without_losing_a_message(
    machine: Program, qstash_server: QStashServer, tmp_path: Path
) -> None:
    event(tmp_path / "p", 6)
    old = machine.extra["MOMENTARIUM_QUEUE_API_SECRET"]
    with serving(machine, "--role", "api"):
        machine.ok("doctor")
        with client(machine) as anna:
            anna.upload("--no-wait", tmp_path / "p")
    with serving(
        machine,
        "--role",
        "api",
        MOMENTARIUM_QUEUE_PREVIOUS_API_SECRET=old,
        MOMENTARIUM_QUEUE_API_SECRET="a-new-secret-of-tests",
    ):
        assert {delivery.status for delivery in qstash_server.deliver_now()} == {200}
        assert "set up, for it brought another secret along" in machine.ok("doctor").out
        assert {delivery.status for delivery in qstash_server.advance(130)} == {200}


def test_open_jobs_go_on_when_the_database_wakes_from_now_on(
    machine: Program, qstash_server: QStashServer, tmp_path: Path
) -> None:
    """The message of QStash, whose clock stands still, comes when it is too late."""
    event(tmp_path / "p", 6)
    with client(machine) as anna:
        with serving(machine, "--role", "api"):
            anna.upload("--no-wait", tmp_path / "p")
            assert [job["status"] for job in anna.ok("status", "--json").json["jobs"]] == ["pending"]
        with serving(machine, MOMENTARIUM_QUEUE_BACKEND="postgres"):
            assert_done(anna)
            assert [delivery.status for delivery in qstash_server.deliver_now()] == [401], "nobody listens to it"


def test_open_jobs_go_on_when_qstash_calls_from_now_on(
    machine: Program, qstash_server: QStashServer, tmp_path: Path, conninfo: str
) -> None:
    event(tmp_path / "p", 6)
    with client(machine) as anna:
        with serving(machine, "--role", "api", MOMENTARIUM_QUEUE_BACKEND="postgres"):
            anna.upload("--no-wait", tmp_path / "p")
        with serving(machine, "--role", "api", MOMENTARIUM_QUEUE_BACKEND="qstash"):
            machine.ok("doctor")
            with psycopg.connect(conninfo) as conn:
                conn.execute("update processing_jobs set woken_at = woken_at - interval '31 seconds'")
            qstash_server.advance(130)
            assert_done(anna)


def assert_done(anna: Program) -> None:
    anna.ok("status", "--follow")
    [album] = anna.ok("albums", "--json").json["albums"]
    assert album["photo_count"] == 6
