"""A server that others use, who may use it, and the commands around it."""

import json
import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from momentarium_cli.client.sdk import Momentarium
from momentarium_cli.config import Settings
from tests.acceptance.photos import JULY, event
from tests.acceptance.program import Program, assert_once, ended, program, stop, wait_for


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def url() -> str:
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def server(url: str) -> Iterator[Program]:
    """`momentarium serve`, in a process of its own."""
    with program(MOMENTARIUM_SERVER_PORT=url.rpartition(":")[2]) as made:
        process = made.start("serve")
        wait_for(lambda: made.server)
        yield made
        stop(process.pid)
        done = ended(process)
        assert done.code in (0, 143), done
        assert f"Serving on {url}" in done.err
        assert made.server is None


@pytest.fixture(scope="module")
def token(server: Program) -> str:
    return server.ok("users", "add", "ann@example.com").out.strip()


@pytest.fixture(scope="module")
def other() -> Iterator[Program]:
    """The program on another machine."""
    with program() as made:
        yield made


def test_a_server_and_its_client_work_as_one_machine_does(
    server: Program, other: Program, url: str, token: str
) -> None:
    photos = event(other.folder / "p", 6)
    where = ("--server", url, "--token", token)
    assert other.upload(other.folder / "p", *where).counts == {"uploaded": 6}
    assert other.upload(other.folder / "p", *where).counts == {"unchanged": 6}
    assert other.server is None, "no server was started where one is named"
    [album] = other.ok("albums", "list", "--json", *where).json["albums"]
    assert (album["title"], album["photo_count"]) == ("1 May 2024", 6)
    other.ok("export", other.folder / "out", *where)
    assert len(list((other.folder / "out" / "1 May 2024").iterdir())) == len(photos)


def test_users_do_not_see_each_other(server: Program, other: Program, url: str, token: str) -> None:
    second = server.ok("users", "add", "ben@example.com", "--name", "laptop").out.strip()
    assert other.ok("albums", "list", "--json", "--server", url, "--token", second).json["albums"] == []
    listed = {user["email"]: user for user in server.ok("users", "list", "--json").json["users"]}
    assert (listed["ben@example.com"]["photos"], listed["ben@example.com"]["tokens"]) == (0, 1)
    assert "ben@example.com" in server.ok("users", "list").out


def test_tokens_are_given_and_revoked(server: Program, other: Program, url: str, token: str) -> None:
    more = server.ok("users", "token", "ann@example.com", "--name", "phone", "--scope", "read").out.strip()
    where = ("--server", url, "--token", more)
    event(other.folder / "q", 6, seed=1)
    other.ok("albums", "list", *where)
    assert other.run("upload", other.folder / "q", *where).code == 4, "it may only read"
    server.ok("users", "revoke", "ann@example.com", "--name", "phone")
    done = other.run("albums", "list", *where)
    assert (done.code, done.out, len(done.err.splitlines())) == (4, "", 1)
    assert other.run("albums", "list", "--server", url, "--token", token).code == 0
    for wrong in (
        ["revoke", "ann@example.com", "--name", "phone"],
        ["token", "eve@example.com"],
        ["add", "no address"],
    ):
        assert server.run("users", *wrong).code == 2
    assert server.run("users", "add", "ann@example.com").code == 2


def test_a_wrong_token_is_4_in_one_line(server: Program, other: Program, url: str) -> None:
    done = other.run("upload", other.folder, "--server", url, "--token", "mom_wrong")
    assert (done.code, done.out, len(done.err.splitlines())) == (4, "", 1)


def test_a_server_that_is_not_there_is_5_in_one_line(other: Program) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    began = time.monotonic()
    done = other.run("upload", other.folder, "--server", address, "--token", "mom_x")
    assert (done.code, done.out, len(done.err.splitlines())) == (5, "", 1)
    assert done.err.startswith(f"Error: {address} cannot be reached")
    assert time.monotonic() - began < 15


def test_a_second_server_on_the_same_folder_is_75(server: Program) -> None:
    done = server.run("serve")
    assert done.code == 75
    assert "momentarium serve, pid" in done.err


def test_login_keeps_the_token_to_its_owner(server: Program, url: str, token: str) -> None:
    with program() as made:
        config = made.folder / "c" / "momentarium" / "config.toml"
        config.parent.mkdir(parents=True)
        config.write_text('# mine\n[organizer]\nbackend = "local"  # stays\n')
        assert made.run("login", url, "--token", "mom_wrong").code == 4
        assert "token" not in config.read_text()
        done = made.ok("login", url, "--token", token)
        assert f"Logged in to {url} as ann@example.com" in done.err
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
        assert config.read_text().startswith('# mine\n[organizer]\nbackend = "local"  # stays\n')
        made.ok("albums", "list")
        shown = made.ok("config")
        assert token not in shown.out
        assert "server.token = ***" in shown.out
        assert made.ok("config", "--json").json["settings"]["server.url"] == {
            "value": url, "from": "file", "environment": "MOMENTARIUM_SERVER_URL",
        }  # fmt: skip


def test_login_takes_the_token_from_a_pipe(server: Program, url: str, token: str) -> None:
    with program() as made:
        done = subprocess.run(
            made.command("login", url),
            input=token + "\n",
            env=made.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, ""), done
        assert len(done.stderr.splitlines()) == 1
        nothing = made.run("login", url)
        assert (nothing.code, "No token was given" in nothing.err) == (2, True)


# --- one machine ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def machine() -> Iterator[Program]:
    with program() as made:
        yield made


def test_two_uploads_at_once_are_one_and_the_other_is_told_who(machine: Program) -> None:
    photos = machine.folder / "p"
    made = event(photos, 60)
    first = machine.start("upload", "--json", photos)
    assert first.stdout is not None
    wait_for(lambda: '"found"' in (first.stdout.readline() if first.stdout else ""))
    second = machine.run("upload", photos)
    assert second.code == 75, second
    assert f"pid {first.pid}" in second.err
    assert len(second.err.splitlines()) == 1
    third = machine.run("upload", "--lock-wait", "--json", photos)
    assert (third.code, third.counts) == (0, {"unchanged": 60})
    assert ended(first).code == 0
    assert_once(machine, made)


def test_two_at_once_start_one_server(machine: Program) -> None:
    machine.end()
    both = [machine.start("albums", "list", "--json") for _ in range(3)]
    told = [ended(process) for process in both]
    assert [done.code for done in told] == [0, 0, 0], told
    assert len({done.out for done in told}) == 1


def test_a_cancelled_job_ends_the_upload_with_6_and_can_be_retried(machine: Program) -> None:
    photos = event(machine.folder / "q", 6, JULY, seed=3)
    process = machine.start("upload", machine.folder / "q")
    with Momentarium(Settings(data_dir=machine.data_dir)) as momentarium:
        job = wait_for(lambda: next((j for j in momentarium.api.jobs() if not j.status.ended), None))
        momentarium.api.cancel(job.id)
    done = ended(process)
    assert done.code == 6, done
    assert f"job {job.id}: failed" in done.err
    status = machine.run("status")
    assert (status.code, "cancelled" in status.out.lower()) == (6, True), status
    assert machine.run("cancel", job.id).code == 2
    assert machine.ok("retry", job.id, "--json").json["job"]["status"] == "pending"
    wait_for(lambda: machine.run("status", job.id, "--json").json["jobs"][0]["status"] == "completed")
    assert machine.run("retry", job.id).code == 2
    assert_once(machine, photos)


def test_doctor_finds_everything_well(machine: Program) -> None:
    checks = machine.ok("doctor", "--json").json["checks"]
    assert all(check["ok"] for check in checks)
    assert {check["check"] for check in checks} == {"data folder", "PostgreSQL", "database", "store", "decoding"}
    assert "FAIL" not in machine.ok("doctor").out


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [("STORAGE_URL", "ftp://x", 2), ("DATABASE_URL", "postgresql://127.0.0.1:1/x", 5), ("ORGANIZER_BACKEND", "me", 2)],
)
def test_doctor_names_what_is_wrong(machine: Program, name: str, value: str, code: int) -> None:
    broken = Program(machine.folder, {f"MOMENTARIUM_{name}": value})
    done = broken.run("doctor")
    assert done.code == code, done
    assert "FAIL" in done.out or done.err.startswith("Error: ")


@pytest.mark.parametrize("command", [["upload", "."], ["albums", "list"], ["status"], ["serve"], ["users", "list"]])
def test_a_data_folder_that_cannot_be_used_is_2_in_one_line(machine: Program, command: list[str]) -> None:
    (machine.folder / "file").write_text("x")
    broken = Program(machine.folder, {"MOMENTARIUM_DATA_DIR": str(machine.folder / "file" / "below")})
    done = broken.run(*command)
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1), done
    assert "Set data_dir" in done.err


def test_a_pipe_that_is_closed_early_is_no_matter(machine: Program) -> None:
    event(machine.folder / "pipe", 1, JULY, seed=8)
    process = machine.start("upload", "--json", machine.folder / "pipe")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["event"] == "started"
    process.stdout.close()
    process.stdout = None
    done = ended(process)
    assert done.err == ""
    assert done.code in (0, 1, 141, -signal.SIGPIPE)


def test_a_dead_server_is_no_obstacle(machine: Program) -> None:
    server = wait_for(lambda: machine.server or machine.run("status").code is None)
    os.kill(server.pid, signal.SIGKILL)
    machine.ok("albums", "list")
    assert machine.server is not None
    assert machine.server.pid != server.pid


def test_rubbish_in_place_of_the_server_file_is_no_obstacle(machine: Program) -> None:
    machine.end()
    path = machine.data_dir / "run" / "server.json"
    for rubbish in (
        "",
        "{}",
        "[1]",
        "null",
        json.dumps({"pid": os.getpid(), "created": 1.0, "url": "x", "token": "y"}),
    ):
        path.write_text(rubbish)
        Path(path).chmod(0o600)
        if rubbish == "":
            machine.ok("albums", "list")
            machine.end()
    machine.ok("albums", "list")
