"""The backend that a client finds, starts, attaches to and brings back."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import psutil
import pytest

from momentarium_cli.client.api import Api
from momentarium_cli.client.embedded import EmbeddedServer
from momentarium_cli.client.transport import Transport
from momentarium_cli.errors import MomentariumError, SettingsError
from momentarium_cli.rendezvous import Process, ServerFile
from tests.acceptance.program import Program, program, stop


@pytest.fixture(scope="module")
def machine() -> Iterator[Program]:
    with program() as made:
        yield made


def email(server: EmbeddedServer) -> str:
    transport = Transport(server)
    try:
        return Api(transport).me().email
    finally:
        transport.close()


def pid(machine: Program) -> int:
    found = machine.server
    assert found is not None
    return found.pid


def test_it_is_started_where_none_runs_and_found_where_one_does(machine: Program) -> None:
    with EmbeddedServer(machine.data_dir) as first:
        assert email(first) == "local@localhost"
        started = pid(machine)
        with EmbeddedServer(machine.data_dir) as second:
            assert (email(second), second.url, pid(machine)) == ("local@localhost", first.url, started)
    assert pid(machine) == started, "it stays for a while"


def test_the_address_and_token_are_for_their_owner_alone(machine: Program) -> None:
    with EmbeddedServer(machine.data_dir):
        assert ServerFile.path(machine.data_dir).stat().st_mode & 0o777 == 0o600
        assert machine.data_dir.stat().st_mode & 0o077 == 0


def test_it_is_detached_from_the_terminal(machine: Program) -> None:
    with EmbeddedServer(machine.data_dir):
        assert os.getsid(pid(machine)) == pid(machine)


def test_it_says_where_reflinks_may_be_laid(machine: Program) -> None:
    with EmbeddedServer(machine.data_dir) as server:
        assert server.incoming == machine.data_dir / "objects" / "incoming"


def test_it_is_brought_back_when_it_dies(machine: Program) -> None:
    with EmbeddedServer(machine.data_dir) as server:
        died = pid(machine)
        os.kill(died, signal.SIGKILL)
        assert email(server) == "local@localhost", "the call notices, revives and goes on"
        assert pid(machine) != died


def test_several_at_once_start_one(machine: Program) -> None:
    machine.end()
    urls: list[str] = []

    def use() -> None:
        with EmbeddedServer(machine.data_dir) as server:
            urls.append(server.url)

    threads = [Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(urls) == 3
    assert len(set(urls)) == 1


@pytest.fixture
def zombie() -> Iterator[psutil.Process]:
    child = subprocess.Popen([sys.executable, "-c", ""])
    process = psutil.Process(child.pid)
    while process.status() != psutil.STATUS_ZOMBIE:
        pass
    yield process
    child.wait()


def test_a_zombie_is_no_server(tmp_path: Path, zombie: psutil.Process) -> None:
    ServerFile(zombie.pid, zombie.create_time(), "http://127.0.0.1:1", "t").write(tmp_path)
    assert ServerFile.read(tmp_path) is None


def test_a_stranger_with_the_same_pid_is_no_server(tmp_path: Path) -> None:
    ServerFile(os.getpid(), 1.0, "http://127.0.0.1:1", "t").write(tmp_path)
    assert ServerFile.read(tmp_path) is None


def test_a_live_process_that_does_not_answer_is_no_server(machine: Program) -> None:
    machine.end()
    me = Process.current()
    ServerFile(me.pid, me.created, "http://127.0.0.1:1", "t").write(machine.data_dir)
    with EmbeddedServer(machine.data_dir) as server:
        assert email(server) == "local@localhost"


def test_why_it_could_not_start_is_the_error_it_was(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Set data_dir"):
        (tmp_path / "file").write_text("x")
        EmbeddedServer(tmp_path / "file" / "d").__enter__()


def test_settings_that_the_server_refuses_are_told_by_the_client(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[storage]\nurl = "ftp://x"\n')
    with program() as made, pytest.raises(MomentariumError, match=r"storage\.url") as caught:
        EmbeddedServer(made.data_dir, ["--config", str(config)]).__enter__()
    assert caught.value.exit_code == 2


def test_rubbish_in_the_file_is_no_server(tmp_path: Path) -> None:
    path = ServerFile.path(tmp_path)
    path.parent.mkdir()
    for rubbish in ("", "{", "[]", "7", json.dumps({"pid": 1}), json.dumps({"pid": "x", "created": 0, "url": 1})):
        path.write_text(rubbish)
        assert ServerFile.read(tmp_path) is None


def test_it_ends_on_a_signal_and_takes_its_database_along(machine: Program) -> None:
    with EmbeddedServer(machine.data_dir):
        stop(pid(machine))
        assert machine.server is None
        assert machine.postmaster is None
