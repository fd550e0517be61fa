"""Put one prepared photo into the store: its original, and its preview."""

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path
from threading import Event

from momentarium_cli.client.transport import Transport
from momentarium_cli.errors import AlreadyStored, Stopped
from momentarium_cli.models import Adopt, SignedRequest, UploadSlot
from momentarium_cli.photos.prepared import ChangedWhileRead, Prepared
from momentarium_cli.photos.scan import FileStat

_CHUNK_BYTES = 1 << 18
_FINISH_BYTES = 8 << 20  # what is left of a file when the run is stopped is sent if it is no more than this
_FICLONE = 0x40049409  # linux/fs.h: share the source's blocks with this file


class Staging:
    """A folder of the store that a client on the same file system may lay reflinks into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._devices: dict[int, bool] = {}

    def takes(self, path: Path, device: int) -> bool:
        """Whether files of the device that this one is on can be laid; tried once with this one."""
        if device not in self._devices:
            name = self.lay(path)
            self._devices[device] = name is not None
            if name is not None:
                self.clear(name)
        return self._devices[device]

    def lay(self, source: Path) -> str | None:
        """A reflink of the file, which takes no time and no space; None where there is no such thing."""
        name = secrets.token_hex(16)
        try:
            _reflink(source, self.folder / name)
        except OSError:
            self.clear(name)
            return None
        return name

    def clear(self, name: str) -> None:
        with suppress(OSError):
            (self.folder / name).unlink(missing_ok=True)


class Sender:
    """Thread-safe. `progress` is told bytes as they go, negative ones where they have to go again."""

    def __init__(
        self, transport: Transport, progress: Callable[[int], None], staging: Staging | None, stop: Event
    ) -> None:
        self._transport = transport
        self._progress = progress
        self._staging = staging
        self._stop = stop

    def send(self, path: Path, prepared: Prepared, slot: UploadSlot) -> None:
        """Store what the slot asks for. ChangedWhileRead: the file is no longer what was hashed."""
        if slot.preview is not None and prepared.preview is not None:
            self._put(slot.preview, prepared.preview)
        if slot.original is not None:
            self._original(path, prepared, slot.original)
        else:
            self._progress(prepared.size)

    def _original(self, path: Path, prepared: Prepared, request: SignedRequest) -> None:
        if self._reflink(path, prepared, request):
            return
        sent = 0

        def body(file: FileIO) -> Iterator[bytes]:
            nonlocal sent
            while chunk := file.read(_CHUNK_BYTES):
                if self._stop.is_set() and prepared.size - sent > _FINISH_BYTES:
                    raise Stopped("Stopped while a large file was being sent.")
                yield chunk
                sent += len(chunk)
                self._progress(len(chunk))
            _check_unchanged(path, file, prepared)

        try:
            with path.open("rb", buffering=0) as file:
                _check_unchanged(path, file, prepared)
                self._put(request, body(file))
        except BaseException:
            self._progress(-sent)
            raise
        self._progress(prepared.size - sent)

    def _put(self, request: SignedRequest, body: bytes | Iterator[bytes]) -> None:
        # An answer that was lost makes the next try "already stored": what is there has the signed checksum.
        with suppress(AlreadyStored):
            self._transport.send(request.method, request.url, request.headers, body)

    def _reflink(self, path: Path, prepared: Prepared, request: SignedRequest) -> bool:
        if self._staging is None or not self._staging.takes(path, prepared.stat.dev):
            return False
        staged = self._staging.lay(path)
        if staged is None:
            return False
        try:
            with path.open("rb", buffering=0) as file:
                _check_unchanged(path, file, prepared)
            adopt = Adopt(staged=staged, headers=request.headers).model_dump_json().encode()
            with suppress(AlreadyStored):
                self._transport.send("POST", request.url, {"Content-Type": "application/json"}, adopt)
        finally:
            self._staging.clear(staged)
        self._progress(prepared.size)
        return True


def _reflink(source: Path, target: Path) -> None:
    if sys.platform != "linux":
        raise OSError("reflinks are only made on Linux")
    import fcntl

    with source.open("rb") as original, target.open("xb") as clone:
        fcntl.ioctl(clone.fileno(), _FICLONE, original.fileno())


def _check_unchanged(path: Path, file: FileIO, prepared: Prepared) -> None:
    now = FileStat.of(os.fstat(file.fileno()))
    if (now.size, now.mtime_ns) != (prepared.stat.size, prepared.stat.mtime_ns):
        raise ChangedWhileRead(f"{path.name} changed while it was being uploaded")
