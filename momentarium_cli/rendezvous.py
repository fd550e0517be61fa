"""How the processes that share a data folder find each other: who runs, who holds what.

Lock        a kernel lock that names its holder; the kernel lets go of it when the holder dies
Presence    who uses a thing at this moment; a process that died does not count, however it died
ServerFile  where the backend of this data folder listens, with the token for it
"""

import errno
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import psutil
from filelock import FileLock, Timeout

from momentarium_cli.errors import InsufficientStorage, LockHeld, MomentariumError, SettingsError

_NOTE_SECONDS = 0.5
_UNKNOWN = "not known by name"


@dataclass(frozen=True, slots=True)
class Process:
    """A process, told from a later one with the same id by when it was created (seconds, see `_created`)."""

    pid: int
    created: float

    @classmethod
    def current(cls) -> "Process":
        return cls(os.getpid(), _created(psutil.Process()))

    @classmethod
    def parse(cls, entry: Mapping[str, Any] | None) -> "Process | None":
        """The process that a file tells of; None for rubbish."""
        try:
            return cls(int(entry["pid"]), float(entry["created"])) if entry else None
        except (KeyError, TypeError, ValueError):
            return None

    @property
    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        try:
            process = psutil.Process(self.pid)
            same = abs(_created(process) - self.created) < 1
            return same and bool(process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True


def _created(process: psutil.Process) -> float:
    """On Linux since the machine was started, which setting the clock does not change; elsewhere since 1970."""
    if sys.platform != "linux":
        return float(process.create_time())
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_bytes().rpartition(b")")[2].split()
    except FileNotFoundError:
        raise psutil.NoSuchProcess(process.pid) from None
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")  # starttime, the 22nd field; see proc_pid_stat(5)


def private_folder(folder: Path) -> Path:
    """Make a folder, and the folders above it that are missing, for their owner alone."""
    for missing in [each for each in (folder, *folder.parents) if not each.exists()][::-1]:
        missing.mkdir(mode=0o700, exist_ok=True)
    return folder


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all; it is never readable by others in between."""
    private_folder(path.parent)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mkstemp makes it 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def cannot_use(folder: Path, error: OSError) -> MomentariumError:
    """The system's reason why a data folder cannot be written, as an error of ours."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InsufficientStorage(f"The disk that holds {folder} is full.", hint="Free some space, then run again.")
    hint = "Set data_dir to a folder you may write."
    return SettingsError(f"The data folder {folder} cannot be used: {error.strerror}.", hint=hint)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


class Lock:
    """A kernel lock on a file. What its holder says of itself lies in a second file beside it."""

    def __init__(self, path: Path) -> None:
        private_folder(path.parent)
        self._lock = FileLock(path, thread_local=False)
        self._holder = path.with_suffix(".holder.json")

    def acquire(self, *, what: str, wait: float = 0) -> Self:
        """Take the lock within `wait` seconds (-1: however long it takes), else raise LockHeld, naming the holder."""
        try:
            self._lock.acquire(timeout=wait)
        except Timeout:
            deadline = time.monotonic() + _NOTE_SECONDS
            while self.holder() == _UNKNOWN and time.monotonic() < deadline:
                time.sleep(0.02)  # who has just taken it is about to say so
            raise LockHeld(f"Another run holds the lock: {self.holder()}.", hint="Wait for it to end.") from None
        note = {"pid": os.getpid(), "what": what, "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        with suppress(OSError):  # it is a courtesy; on a full disk the lock holds all the same
            write_private(self._holder, json.dumps(note))
        return self

    def release(self) -> None:
        if self._lock.is_locked:
            with suppress(OSError):
                self._holder.unlink(missing_ok=True)
        self._lock.release()

    def holder(self) -> str:
        """One phrase about who holds it."""
        holder = _read_json(self._holder) or {}
        if not {"what", "pid", "since"} <= holder.keys():
            return _UNKNOWN
        return f"{holder['what']}, pid {holder['pid']}, since {holder['since']}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Presence:
    """A folder with one file for each process that uses something."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / f"{os.getpid()}-{uuid4().hex}.json"  # one process may use it more than once

    def enter(self) -> None:
        write_private(self._file, json.dumps(asdict(Process.current())))

    def leave(self) -> None:
        with suppress(OSError):  # what cannot be deleted tells of a process that will be dead
            self._file.unlink(missing_ok=True)

    def others(self) -> list[Process]:
        """The other processes that are there and alive; files of dead ones are cleared away."""
        found = []
        for file in self._folder.glob("*.json") if self._folder.is_dir() else ():
            process = Process.parse(_read_json(file))
            if process is None or not process.alive:
                file.unlink(missing_ok=True)
            elif process.pid != os.getpid():
                found.append(process)
        return found


@dataclass(frozen=True, slots=True)
class ServerFile:
    """What run/server.json says of the backend that serves a data folder."""

    pid: int
    created: float
    url: str
    token: str
    incoming: str | None = None  # where a client on the same file system may lay files for the store, as reflinks

    @staticmethod
    def path(data_dir: Path) -> Path:
        return data_dir / "run" / "server.json"

    @classmethod
    def read(cls, data_dir: Path) -> "ServerFile | None":
        """The server of this data folder if it is alive."""
        entry = _read_json(cls.path(data_dir))
        if entry is None:
            return None
        try:
            found = cls(**entry)
        except TypeError:
            return None
        return found if Process(found.pid, found.created).alive else None

    def write(self, data_dir: Path) -> None:
        write_private(self.path(data_dir), json.dumps(asdict(self)))


def server_lock(data_dir: Path) -> Lock:
    """Held by the one backend that serves this data folder."""
    return Lock(data_dir / "run" / "server.lock")


def server_clients(data_dir: Path) -> Presence:
    """The clients of the backend that serves this data folder; it ends some time after the last one left."""
    return Presence(data_dir / "run" / "clients")
