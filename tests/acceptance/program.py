"""The real program in processes of its own, with a data folder and settings that nobody else has."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from momentarium_cli.client.sdk import Momentarium
from momentarium_cli.config import Settings
from momentarium_cli.photos.checksum import sha256_bytes
from momentarium_cli.rendezvous import ServerFile

REPOSITORY = Path(__file__).parents[2]
PATIENCE_SECONDS = 90


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def summary(self) -> dict[str, Any]:
        last = self.lines[-1]
        assert last["event"] == "summary", last
        counted = ("uploaded", "duplicates", "unchanged", "skipped", "failed", "pending")
        assert last["found"] == sum(last[name] for name in counted)
        return last

    @property
    def counts(self) -> dict[str, int]:
        """What is not 0."""
        names = ("uploaded", "duplicates", "unchanged", "skipped", "failed", "pending")
        return {name: self.summary[name] for name in names if self.summary[name]}


@dataclass
class Program:
    folder: Path
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def data_dir(self) -> Path:
        return self.folder / "d"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
        return kept | {
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "MOMENTARIUM_DATA_DIR": str(self.data_dir),
            "PYTHONPATH": str(REPOSITORY),
            "XDG_CONFIG_HOME": str(self.folder / "c"),
            **self.extra,
        }

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "momentarium_cli", *map(str, arguments)]

    def start(self, *arguments: object, **more: Any) -> "subprocess.Popen[str]":
        options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            self.command(*arguments), env=self.environment, text=True, cwd=self.folder, **(options | more)
        )

    def run(self, *arguments: object, **more: Any) -> Done:
        return ended(self.start(*arguments, **more))

    def ok(self, *arguments: object) -> Done:
        done = self.run(*arguments)
        assert done.code == 0, done
        return done

    def upload(self, *arguments: object) -> Done:
        """An upload that must end well, told as JSON."""
        return self.ok("upload", "--json", *arguments)

    # --- what is there

    @property
    def server(self) -> ServerFile | None:
        return ServerFile.read(self.data_dir)

    @property
    def postmaster(self) -> int | None:
        with suppress(OSError, ValueError, IndexError):
            return int((self.data_dir / "postgres" / "postmaster.pid").read_text().split("\n")[0])
        return None

    def originals(self) -> list[Path]:
        return sorted(p for p in (self.data_dir / "objects" / "originals").rglob("*") if p.is_file())

    def albums(self) -> dict[str, list[str]]:
        """The checksums of the photos of every album, by title."""
        with Momentarium(Settings(data_dir=self.data_dir)) as momentarium:
            return {
                f"{album.title} #{album.id}": [photo.sha256 for photo in momentarium.album(album.id)[1]]
                for album in momentarium.gallery()
            }

    # --- the end

    def end(self) -> None:
        """End the server of this data folder and its PostgreSQL."""
        server = self.server
        if server is not None:
            stop(server.pid)
        if (pid := self.postmaster) is not None and _is_postgres(pid):
            stop(pid, signal.SIGINT)

    def remove(self) -> None:
        self.end()
        shutil.rmtree(self.folder)


def ended(process: "subprocess.Popen[str]", patience: float = PATIENCE_SECONDS) -> Done:
    try:
        out, err = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Done(process.returncode, out or "", err or "")


def stop(pid: int, number: int = signal.SIGTERM) -> None:
    with suppress(psutil.NoSuchProcess, ProcessLookupError):
        process = psutil.Process(pid)
        os.kill(pid, number)
        deadline = time.monotonic() + 20
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                process.kill()
            time.sleep(0.02)


def _is_postgres(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return "postgres" in psutil.Process(pid).name()
    return False


@contextmanager
def program(**extra: str) -> Iterator[Program]:
    made = Program(Path(tempfile.mkdtemp(prefix="m", dir="/tmp")), extra)  # short: PostgreSQL has its socket there
    try:
        yield made
    finally:
        made.remove()


def may_mount() -> bool:
    """Whether a test can have a small disk of its own."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


def checksums(photos: Sequence[Path]) -> list[str]:
    return sorted({sha256_bytes(photo.read_bytes()) for photo in photos})


def wait_for(what: Any, seconds: float = 30) -> Any:
    """The value of `what()`, once it is true."""
    deadline = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


def assert_once(made: Program, photos: Sequence[Path]) -> None:
    """Each of these photos is in exactly one album; there may be others."""
    wanted = checksums(photos)
    assert sorted(sha for album in made.albums().values() for sha in album if sha in wanted) == wanted


def assert_whole(made: Program, photos: Sequence[Path]) -> None:
    """Every photo is stored byte for byte, and in exactly one album."""
    expected = checksums(photos)
    assert sorted(path.name for path in made.originals()) == expected
    assert checksums(made.originals()) == expected
    assert sorted(sha for album in made.albums().values() for sha in album) == expected
