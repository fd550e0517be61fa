"""A PostgreSQL of our own under data_dir: made, started, attached to, recovered and stopped.

Whoever needs it calls `start`: the first process starts it as its direct child, later ones attach to it, and the last
one to call `stop` ends it. A postmaster that died, however it died, is started again by `start`.
"""

import errno
import functools
import logging
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from momentarium_cli.backend.db.binaries import MAJOR, find_binaries
from momentarium_cli.errors import DatabaseUnavailable, InsufficientStorage, MomentariumError, SettingsError
from momentarium_cli.rendezvous import Lock, Presence, private_folder, write_private

log = logging.getLogger(__name__)

START_SECONDS = 60.0  # crash recovery after a kill takes well under a second, a full disk check longer
STOP_SECONDS = 30.0
_SOCKET_PATH_LIMIT = 107  # bytes of sockaddr_un.sun_path less its end
_NOBODY = 65534
_TUNING = (
    "max_connections=40",
    "shared_buffers=64MB",
    "io_method=sync",
    "max_wal_size=256MB",
    "random_page_cost=1.1",  # what every job asks of a whole library is in an index, and most of that in memory
)


class EmbeddedPostgres:
    """The PostgreSQL of one data folder."""

    def __init__(self, data_dir: Path, password: str) -> None:
        self.folder = data_dir / "postgres"
        self._password = password
        self._sockets = data_dir / "run" / "pg"
        self._log = data_dir / "logs" / "postgres.log"
        self._lock = Lock(data_dir / "run" / "postgres.lock")
        self._presence = Presence(data_dir / "run" / "postgres")
        self._child: subprocess.Popen[bytes] | None = None
        self._port: int | None = None  # over loopback: the same again, for whoever has its address
        self._log_start = 0  # where in the log the latest start begins

    def start(self) -> str:
        """Start it or attach to it, and wait until it answers. Returns its conninfo.

        SettingsError: no programs, another version's folder, or it may not run here. InsufficientStorage: disk full.
        """
        _forget_client_variables()
        with self._lock.acquire(what="starting PostgreSQL", wait=START_SECONDS):
            self._presence.enter()
            try:
                return self._start()
            except OSError as error:
                raise _disk_or_database(error, self.folder) from error

    def stop(self) -> None:
        """Leave it; the last one to leave ends it."""
        with self._lock.acquire(what="stopping PostgreSQL", wait=STOP_SECONDS):
            self._presence.leave()
            postmaster = self._postmaster()
            if postmaster is not None and not self._presence.others():
                self._end(postmaster)

    @property
    def running(self) -> bool:
        return self._postmaster() is not None

    def _start(self) -> str:
        binaries = find_binaries()
        self._prepare_folders()
        if not self.folder.is_dir() or not any(self.folder.iterdir()):
            self._init(binaries)
        self._check_version()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._postmaster() is None:
                self._remove_stale_pid_files()
                self._launch(binaries)
            conninfo = self._wait_until_it_answers(deadline)
            if conninfo is not None:
                return conninfo
        raise DatabaseUnavailable(f"PostgreSQL did not start within {START_SECONDS:.0f} s.", hint=f"See {self._log}.")

    def _prepare_folders(self) -> None:
        for folder in (self._sockets, self._log.parent):
            private_folder(folder)
        if _runs_as() is not None:
            os.chown(self._sockets, _NOBODY, _NOBODY)
            for folder in (self._sockets.parent, self.folder.parent):  # to be passed through, not to be listed
                folder.chmod(folder.stat().st_mode | stat.S_IXGRP | stat.S_IXOTH)

    def _init(self, binaries: Path) -> None:
        """Under another name until it is complete: one that was interrupted leaves nothing that looks like a folder."""
        begun = self.folder.with_name("postgres.new")
        shutil.rmtree(begun, ignore_errors=True)
        private_folder(begun)
        if _runs_as() is not None:
            os.chown(begun, _NOBODY, _NOBODY)
        self._run_initdb(binaries, begun)
        with suppress(FileNotFoundError):
            self.folder.rmdir()
        begun.rename(self.folder)

    def _run_initdb(self, binaries: Path, folder: Path) -> None:
        password_file = self._sockets / "password"
        write_private(password_file, self._password)
        if _runs_as() is not None:
            os.chown(password_file, _NOBODY, _NOBODY)
        options = ["-U", "postgres", "--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8"]
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        try:
            done = subprocess.run(
                [*_as_other_than_root(), str(binaries / "initdb"), "-D", str(folder), *options, *locale],
                capture_output=True,
                text=True,
                env=_environment(),
                user=_runs_as(),
                group=_runs_as(),
                check=False,
            )
        finally:
            password_file.unlink(missing_ok=True)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            raise _explained(done.stderr, f"PostgreSQL could not set up its folder {self.folder}")

    def _check_version(self) -> None:
        version = (self.folder / "PG_VERSION").read_text().strip()
        if version != MAJOR:
            raise SettingsError(
                f"{self.folder} was made by PostgreSQL {version}, this Momentarium runs PostgreSQL {MAJOR}.",
                hint="Use the Momentarium that made it, or dump and restore it, or set another data_dir.",
            )

    def _remove_stale_pid_files(self) -> None:
        """PostgreSQL refuses to start while the pid in one of these is any process's, even a stranger's or a zombie's.

        That nobody of the one before still holds its memory it checks without them.
        """
        for file in (self.folder / "postmaster.pid", *self._sockets.glob(".s.PGSQL.*.lock")):
            file.unlink(missing_ok=True)

    def _launch(self, binaries: Path) -> None:
        where = ["-k", str(self._sockets), "-c", "listen_addresses="]
        if not self._socket_usable():
            where = ["-k", "", "-c", "listen_addresses=127.0.0.1", "-p", str(self._port or _free_port())]
        tuning = [word for option in _TUNING for word in ("-c", option)]
        with self._log.open("ab") as out:
            self._log_start = out.tell()
            self._child = subprocess.Popen(
                [*_as_other_than_root(), str(binaries / "postgres"), "-D", str(self.folder), *where, *tuning],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=_environment(),
                cwd=self.folder,
                start_new_session=True,  # a Ctrl-C on the terminal is for us, not for the database
                user=_runs_as(),
                group=_runs_as(),
            )
        log.info("PostgreSQL started, pid %d", self._child.pid)

    def _socket_usable(self) -> bool:
        path = os.fsencode(self._sockets / ".s.PGSQL.5432")
        return sys.platform != "win32" and len(path) <= _SOCKET_PATH_LIMIT

    def _wait_until_it_answers(self, deadline: float) -> str | None:
        """Its conninfo, or None if it died while starting."""
        while time.monotonic() < deadline:
            if self._child is not None and self._child.poll() is not None:
                self._child = None
                last_words = self._last_words()
                self._raise_if_hopeless(last_words)
                if "could not bind" in last_words:
                    self._port = None
                time.sleep(0.2)  # the children of one that was killed may hold its memory for a moment
                return None
            if self._postmaster() is None and self._child is None:
                return None
            try:
                return self._open_database()
            except (psycopg.OperationalError, OSError):
                time.sleep(0.01)
        return None

    def _last_words(self) -> str:
        with self._log.open("rb") as file:
            file.seek(max(self._log_start, self._log.stat().st_size - 2000))
            return file.read().decode("utf-8", "replace")

    def _raise_if_hopeless(self, tail: str) -> None:
        if "No space left" in tail or "cannot be run" in tail or "ermission denied" in tail:
            raise _explained(tail, f"PostgreSQL could not start in {self.folder}")

    def _open_database(self) -> str:
        """Make our database at the first start; answers the conninfo for it."""
        server = self._server_address()
        with psycopg.connect(make_conninfo(dbname="postgres", **server), autocommit=True, connect_timeout=5) as conn:
            if not conn.execute("select 1 from pg_database where datname = 'momentarium'").fetchone():
                conn.execute("create database momentarium")
        return make_conninfo(dbname="momentarium", **server)

    def _server_address(self) -> dict[str, str]:
        lines = self._pid_file()
        if len(lines) < 6:
            raise OSError("PostgreSQL is not up yet")
        self._port = int(lines[3])
        return {"host": lines[4] or "127.0.0.1", "port": lines[3], "user": "postgres", "password": self._password}

    def _pid_file(self) -> list[str]:
        """pid, folder, start time, port, socket folder, listen address, ..."""
        try:
            return (self.folder / "postmaster.pid").read_text().split("\n")
        except OSError:
            return []

    def _postmaster(self) -> psutil.Process | None:
        """The live postmaster of this folder: no zombie, and nobody else who got its pid."""
        if self._child is not None:
            self._child.poll()  # reaps it if it is dead
        lines = self._pid_file()
        try:
            process = psutil.Process(int(lines[0]))
            if process.status() != psutil.STATUS_ZOMBIE and "postgres" in process.name() and self._is_at_home(process):
                return process
        except (IndexError, ValueError, psutil.Error):
            pass
        return None

    def _is_at_home(self, process: psutil.Process) -> bool:
        """PostgreSQL works in its data folder. Where that may not be seen, one of its name is taken for ours."""
        try:
            return Path(process.cwd()).samefile(self.folder)
        except (psutil.AccessDenied, OSError):
            return True

    def _end(self, postmaster: psutil.Process) -> None:
        with suppress(psutil.NoSuchProcess):
            postmaster.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)  # SIGINT: fast shutdown
        deadline = time.monotonic() + STOP_SECONDS
        while self._postmaster() is not None and time.monotonic() < deadline:
            time.sleep(0.005)
        if self._child is not None:
            self._child.wait(STOP_SECONDS)
            self._child = None


def _forget_client_variables() -> None:
    """PG* variables, such as PGSERVICE, would point our own connections elsewhere."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


def _environment() -> dict[str, str]:
    """Ours, without PG* variables that would point PostgreSQL elsewhere, and in a language we can read."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PG")} | {"LC_ALL": "C"}


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _as_other_than_root() -> list[str]:
    """PostgreSQL refuses to run as root. In a user namespace it sees another user and files keep their owner."""
    if not _is_root() or _runs_as() is not None:
        return []
    return ["unshare", "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}"]


def _runs_as() -> int | None:
    """The user to run PostgreSQL as where we are root and user namespaces are not allowed, as in many containers."""
    if not _is_root() or _namespaces_allowed():
        return None
    return _NOBODY


@functools.cache
def _namespaces_allowed() -> bool:
    if shutil.which("unshare") is None:
        return False
    probe = ["unshare", "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}", "true"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _explained(output: str, what: str) -> MomentariumError:
    if "No space left" in output:
        return InsufficientStorage(f"{what}: the disk is full.", hint="Free some space or set another data_dir.")
    if "ermission denied" in output and _runs_as() is not None:
        return SettingsError(
            f"{what}: PostgreSQL cannot run as root, and the user `nobody` cannot reach the folder.",
            hint="Run as an ordinary user, or set data_dir to a folder others may enter, such as /var/lib/momentarium.",
        )
    lines = [line for line in output.strip().splitlines() if line.strip()] or ["no output"]
    return DatabaseUnavailable(f"{what}: {lines[-1].strip()}")


def _disk_or_database(error: OSError, folder: Path) -> MomentariumError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InsufficientStorage(f"The disk that holds {folder} is full.", hint="Free some space or set data_dir.")
    return SettingsError(f"{folder} cannot be used: {error.strerror}.", hint="Set data_dir to a folder you may write.")
