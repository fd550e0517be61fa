"""`momentarium serve` as a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from momentarium_cli.backend import server
from momentarium_cli.backend.db.embedded import EmbeddedPostgres
from momentarium_cli.config import Server, Settings
from momentarium_cli.errors import LockHeld, SettingsError
from momentarium_cli.rendezvous import ServerFile, server_clients, server_lock
from tests.folders import short_folder
from tests.processes import line, python

SERVE = """
import sys
from pathlib import Path
from momentarium_cli import logs
from momentarium_cli.backend import server
from momentarium_cli.config import Server, Settings
server.IDLE_SECONDS = server._LOOK_SECONDS = 0.3
settings = Settings(data_dir=Path(sys.argv[1]), server=Server(port=0))
logs.setup(settings.data_dir, "server")
server.serve(settings, until_idle=sys.argv[2] == "until idle", ready=lambda url: print(url, flush=True))
print("ended", flush=True)
"""


@pytest.fixture(scope="module")
def initialised() -> Iterator[Path]:
    """A data folder that served before, so that the next start is quick."""
    with short_folder() as folder:
        with python(SERVE, folder, "until idle") as child:
            assert line(child).startswith("http://127.0.0.1:")
            child.wait(30)
        yield folder


@pytest.fixture
def data_dir(initialised: Path) -> Iterator[Path]:
    yield initialised
    postgres = EmbeddedPostgres(initialised, "")
    if (left := postgres._postmaster()) is not None:
        left.send_signal(signal.SIGINT)
        eventually(lambda: not postgres.running)


@contextmanager
def served(data_dir: Path, how: str = "until told") -> "Iterator[subprocess.Popen[str]]":
    with python(SERVE, data_dir, how) as child:
        assert line(child).startswith("http://127.0.0.1:")
        yield child


def eventually(holds: Callable[[], object], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split("\n")[0])


def found(data_dir: Path) -> ServerFile:
    server_file = ServerFile.read(data_dir)
    assert server_file is not None
    return server_file


def me(data_dir: Path) -> int:
    """What the server answers to whoever read its file."""
    here = found(data_dir)
    headers = {"Authorization": f"Bearer {here.token}"}
    return httpx.get(f"{here.url}/api/me", headers=headers, timeout=20, trust_env=False).status_code


def test_it_says_where_it_listens_to_its_owner_alone(data_dir: Path) -> None:
    with served(data_dir) as child:
        assert found(data_dir).pid == child.pid
        assert ServerFile.path(data_dir).stat().st_mode & 0o077 == 0
        assert me(data_dir) == 200
        incoming = found(data_dir).incoming
        assert incoming and Path(incoming).is_dir()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_its_postgres(data_dir: Path, number: signal.Signals) -> None:
    environment = os.environ | {"MOMENTARIUM_DATA_DIR": str(data_dir), "MOMENTARIUM_SERVER_PORT": "0"}
    command = [sys.executable, "-m", "momentarium_cli", "serve"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as child:
        try:
            eventually(lambda: ServerFile.read(data_dir) is not None)
            assert me(data_dir) == 200
            child.send_signal(number)
            assert child.wait(20) == 0
        finally:
            child.kill()
    assert_nothing_left(data_dir)


def test_also_before_it_has_answered_anything(data_dir: Path) -> None:
    with served(data_dir) as child:
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=20)
    assert_nothing_left(data_dir)


def assert_nothing_left(data_dir: Path) -> None:
    assert not ServerFile.path(data_dir).exists()
    assert not EmbeddedPostgres(data_dir, "").running
    assert not list((data_dir / "run" / "postgres").iterdir())


def test_a_second_one_is_told_who_has_the_folder(data_dir: Path) -> None:
    with served(data_dir) as child, pytest.raises(LockHeld, match=rf"momentarium serve, pid {child.pid}"):
        server.serve(Settings(data_dir=data_dir), until_idle=False, ready=lambda _: None)


def test_it_ends_itself_when_its_last_client_left(data_dir: Path) -> None:
    clients = server_clients(data_dir)
    clients.enter()
    try:
        with served(data_dir, "until idle") as child:
            time.sleep(1)
            assert child.poll() is None, "somebody is there"
            clients.leave()
            output, _ = child.communicate(timeout=20)
        assert (output.strip(), child.returncode) == ("ended", 0)
    finally:
        clients.leave()
    assert ServerFile.read(data_dir) is None
    assert not EmbeddedPostgres(data_dir, "").running


def test_a_postgres_that_died_is_started_again(data_dir: Path) -> None:
    with served(data_dir):
        died = postmaster(data_dir)
        os.kill(died, signal.SIGKILL)
        eventually(lambda: (data_dir / "postgres" / "postmaster.pid").exists() and postmaster(data_dir) != died)
        eventually(lambda: me(data_dir) == 200)


def test_a_server_that_was_killed_can_be_started_again_at_once(data_dir: Path) -> None:
    with served(data_dir) as child:
        old, database = found(data_dir), postmaster(data_dir)
        child.kill()
        child.wait()
    assert ServerFile.read(data_dir) is None
    with served(data_dir):
        assert found(data_dir).token == old.token, "a client's token is good again"
        assert me(data_dir) == 200
        assert postmaster(data_dir) == database, "the database went on, and is attached to"


def test_an_address_that_cannot_be_had_is_a_settings_error(data_dir: Path) -> None:
    with served(data_dir):
        port = int(found(data_dir).url.rsplit(":", 1)[1])
        for host, number in (("127.0.0.1", port), ("127.0.0.1", 99_999), ("no.such.host.invalid", 0)):
            settings = Settings(data_dir=data_dir, server=Server(host=host, port=number))
            with pytest.raises(SettingsError, match="Cannot listen"), server._listen(settings, until_idle=False):
                pass
    with server_lock(data_dir).acquire(what="a test", wait=10):
        pass
