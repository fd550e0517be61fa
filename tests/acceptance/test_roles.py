"""Servers of one role each, on one database and one store, killed and started as they come."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.photos import event
from tests.acceptance.program import Program, ended, program
from tests.acceptance.test_servers import free_port


class Fleet:
    """Machines that share a database and a store, each with a data folder of its own."""

    def __init__(self, stack: ExitStack, conninfo: str, store: Path) -> None:
        self._stack = stack
        self._shared = {
            "MOMENTARIUM_DATABASE_URL": conninfo,
            "MOMENTARIUM_STORAGE_URL": store.as_uri(),
            "MOMENTARIUM_SERVER_SECRET_KEY": "the same on all of them",
        }

    def machine(self, **extra: str) -> Program:
        return self._stack.enter_context(program(**self._shared, **extra))

    def start(self, role: str, **extra: str) -> "subprocess.Popen[str]":
        process = self.machine(**extra).start("serve", "--role", role)
        self._stack.callback(_end, process)
        assert process.stderr is not None
        assert process.stderr.readline().startswith(("Serving on", "Working."))
        return process


def _end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


@pytest.fixture
def fleet(conninfo: str, tmp_path: Path) -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(stack, conninfo, tmp_path / "objects")


def test_the_api_takes_photos_and_workers_make_the_albums(fleet: Fleet, tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    for port in ports:
        fleet.start("api", MOMENTARIUM_SERVER_PORT=str(port))
    admin = fleet.machine()
    token = admin.ok("users", "add", "ann@example.com").out.strip()
    event(tmp_path / "p", 6)
    clients = [("--server", f"http://127.0.0.1:{port}", "--token", token) for port in ports]
    with program() as other:
        other.ok("upload", "--no-wait", *clients[0], tmp_path / "p")
        [job] = other.ok("status", "--json", *clients[1]).json["jobs"]
        assert job["status"] == "pending", "no worker yet"
        worker = fleet.start("worker")
        done = other.ok("status", "--follow", *clients[1])
        assert "completed" in done.out.splitlines()[-1] or "1 May 2024" in done.out
        assert [a["photo_count"] for a in other.ok("albums", "--json", *clients[1]).json["albums"]] == [6]
    worker.send_signal(signal.SIGTERM)
    assert ended(worker).code == 0


def test_a_role_needs_a_database_that_can_be_shared() -> None:
    with program() as made:
        for role in ("api", "worker"):
            done = made.run("serve", "--role", role)
            assert (done.code, len(done.err.splitlines())) == (2, 1)
            assert "database.url" in done.err
