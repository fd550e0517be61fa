"""The backend on this machine: found if it runs, else started, detached from the terminal.

It ends by itself some time after its last client left; should it die while we need it, it is started again.
"""

import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

from momentarium_cli.errors import LockHeld, MomentariumError, ServerUnreachable, Temporary
from momentarium_cli.rendezvous import ServerFile, cannot_use, private_folder, server_clients

log = logging.getLogger(__name__)

START_SECONDS = 90.0
_CONNECT_SECONDS = 2.0
_LOOK_SECONDS = 0.02


class EmbeddedServer:
    """A Server (see transport) that this machine runs for itself; use it in a with-block."""

    def __init__(self, data_dir: Path, serve_options: Sequence[str] = ()) -> None:
        self._data_dir = data_dir
        self._options = list(serve_options)
        self._presence = server_clients(data_dir)
        self._found: ServerFile | None = None

    def __enter__(self) -> "EmbeddedServer":
        try:
            self._presence.enter()  # before looking, so that a server that is about to end stays
            self._found = self._find() or self._start()
        except BaseException as error:
            self._presence.leave()
            if isinstance(error, OSError):
                raise cannot_use(self._data_dir, error) from error
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._presence.leave()

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def token(self) -> str:
        return self._server.token

    @property
    def incoming(self) -> Path | None:
        """Where reflinks for the store may be laid."""
        return Path(self._server.incoming) if self._server.incoming else None

    def revive(self) -> None:
        """Find it where it is now, or start it again."""
        found = self._find()
        if found is None:
            log.warning("the server on this machine is gone, starting it again")
            found = self._start()
        self._found = found

    @property
    def _server(self) -> ServerFile:
        if self._found is None:
            raise ServerUnreachable("The server on this machine was not started.")
        return self._found

    def _find(self) -> ServerFile | None:
        """The live server of this data folder, if it answers."""
        found = ServerFile.read(self._data_dir)
        return found if found is not None and _answers(found) else None

    def _start(self) -> ServerFile:
        out = self._data_dir / "logs" / "serve.out"
        private_folder(out.parent)
        deadline = time.monotonic() + START_SECONDS
        child = self._spawn(out)
        while time.monotonic() < deadline:
            found = self._find()
            if found is not None:
                return found
            code = child.poll()
            if code == LockHeld.exit_code:  # another client's server was faster, or one is on its way out
                time.sleep(_LOOK_SECONDS * 5)
                child = self._spawn(out)
            elif code is not None:
                raise _failure(code, out)
            time.sleep(_LOOK_SECONDS)
        raise ServerUnreachable(f"The server did not start within {START_SECONDS:.0f} s.", hint=f"See {out}.")

    def _spawn(self, out: Path) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "momentarium_cli", "serve", *self._options, "--until-idle"]
        with out.open("wb") as file:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=os.environ | {"MOMENTARIUM_DATA_DIR": str(self._data_dir)},
                start_new_session=True,
                creationflags=getattr(subprocess, "DETACHED_PROCESS", 0),
            )
        # It outlives us; should it end before, somebody must take note, or it stays a zombie.
        Thread(target=child.wait, name="server", daemon=True).start()
        return child


def _answers(server: ServerFile) -> bool:
    parts = urlsplit(server.url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=_CONNECT_SECONDS):
            return True
    except OSError:
        return False


def _failure(code: int, out: Path) -> MomentariumError:
    """What the server said before it ended, as the error it was."""
    lines: list[str] = []
    with suppress(OSError):
        lines = [line for line in out.read_text("utf-8", "replace").splitlines() if line.strip()]
    said = lines[-1].removeprefix("Error: ") if lines else "it said nothing"
    for cls in _family(MomentariumError):
        if cls.exit_code == code:
            return cls(said)
    return Temporary(f"The server on this machine could not start: {said}", hint=f"See {out}.")


def _family(cls: type[MomentariumError]) -> Iterator[type[MomentariumError]]:
    for child in cls.__subclasses__():
        yield child
        yield from _family(child)
