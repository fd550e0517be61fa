"""Put one prepared photo into the store: its original, whole or in parts, and its preview."""

import os
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from threading import Event

from momentarium_cli.client.bandwidth import UNLIMITED, Bandwidth
from momentarium_cli.client.transport import Transport
from momentarium_cli.errors import AlreadyStored, MomentariumError, Stopped
from momentarium_cli.models import Adopt, SignedPart, SignedRequest, UploadSlot
from momentarium_cli.photos.prepared import ChangedWhileRead, Prepared
from momentarium_cli.photos.scan import FileStat
from momentarium_cli.wire import Piece

_FINISH_BYTES = 8 << 20  # what is left of a file when the run is stopped is sent if it is no more than this
_FICLONE = 0x40049409  # linux/fs.h: share the source's blocks with this file


class Staging:
    """A folder of the store that a client on the same file system may lay reflinks into. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._devices: dict[int, bool] = {}
        self._given_up: set[Path] = set()

    def give_up(self, path: Path) -> None:
        """The store did not take this one; what it takes to prove a large file on a slow disk may be too long."""
        self._given_up.add(path)

    def takes(self, path: Path, device: int) -> bool:
        """Whether this file can be laid: one of its device was tried once, and it was not given up."""
        if path in self._given_up:
            return False
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


def _nothing() -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True)
class _Slice:
    """Bytes of a file, and the request that stores them."""

    request: SignedRequest
    start: int
    size: int


class Sender:
    """Thread-safe. `progress` is told how many bytes of the file are dealt with, and how many were sent, as they go;
    negative ones have to go again. After `stop` no further part begins; `break_off` ends also what is on its way.
    """

    def __init__(
        self,
        transport: Transport,
        progress: Callable[[int, int], None],
        staging: Staging | None,
        stop: Event,
        break_off: Event,
        bandwidth: Bandwidth | None = None,
    ) -> None:
        self._transport = transport
        self._progress = progress
        self._staging = staging
        self._stop, self._break_off = stop, break_off
        self._bandwidth = bandwidth or Bandwidth(UNLIMITED, break_off)

    def send(
        self, path: Path, prepared: Prepared, slot: UploadSlot, part_stored: Callable[[], None] = _nothing
    ) -> None:
        """Store what the slot asks for, telling each part. ChangedWhileRead: the file is no longer what was hashed."""
        if slot.preview is not None and prepared.preview is not None:
            self._put(slot.preview, self._pieces(prepared.preview))
        if slot.original is not None:
            self._original(path, prepared, slot.original)
        elif slot.parts is not None:
            self._slices(path, prepared, [_slice(prepared, part) for part in slot.parts], part_stored)
        else:
            self._progress(prepared.size, 0)

    def _original(self, path: Path, prepared: Prepared, request: SignedRequest) -> None:
        if not self._reflink(path, prepared, request):
            self._slices(path, prepared, [_Slice(request, 0, prepared.size)])

    def _slices(
        self, path: Path, prepared: Prepared, slices: Sequence[_Slice], stored: Callable[[], None] = _nothing
    ) -> None:
        """Send these; what else there is of the file is in the store already."""
        left, unstored = prepared.size, 0  # of the file, and of what was sent of a slice

        def pass_on(size: int, sent: int = 0) -> None:
            nonlocal left
            left -= size
            self._progress(size, sent)

        def body(file: FileIO, slice_: _Slice, end: int) -> Iterator[Piece]:
            nonlocal unstored
            while (size := min(self._bandwidth.piece, left - end)) > 0:
                _check_stop(self._break_off, left)
                self._bandwidth.take(size)
                yield Piece(file, slice_.start + slice_.size - (left - end), size)
                unstored += size
                pass_on(size, size)
            _check_unchanged(path, file, prepared)

        try:
            pass_on(prepared.size - sum(slice_.size for slice_ in slices))
            with path.open("rb", buffering=0) as file:
                for slice_ in slices:
                    end, unstored = left - slice_.size, 0
                    _check_unchanged(path, file, prepared)
                    if len(slices) > 1:
                        _check_stop(self._stop, left)
                    self._put(slice_.request, body(file, slice_, end))
                    pass_on(left - end)  # a store that has it already did not read to the end
                    stored()
        except BaseException as error:
            self._progress(left - prepared.size, -unstored)
            if isinstance(error, EOFError):
                raise _changed(path) from error
            raise

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        start = 0
        while start < len(data):
            piece = data[start : start + self._bandwidth.piece]
            self._bandwidth.take(len(piece))
            yield piece
            self._progress(0, len(piece))
            start += len(piece)

    def _put(self, request: SignedRequest, body: Iterable[bytes | Piece]) -> None:
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
        except MomentariumError:
            self._staging.give_up(path)
            raise
        finally:
            self._staging.clear(staged)
        self._progress(prepared.size, prepared.size)
        return True


def _slice(prepared: Prepared, part: SignedPart) -> _Slice:
    assert prepared.parts is not None  # noqa: S101 -- it was asked to be signed in these parts
    start = (part.number - 1) * prepared.parts.part_bytes
    return _Slice(part.request, start, min(prepared.parts.part_bytes, prepared.size - start))


def _reflink(source: Path, target: Path) -> None:
    if sys.platform != "linux":
        raise OSError("reflinks are only made on Linux")
    import fcntl

    with source.open("rb") as original, target.open("xb") as clone:
        fcntl.ioctl(clone.fileno(), _FICLONE, original.fileno())


def _check_stop(stop: Event, left: int) -> None:
    if stop.is_set() and left > _FINISH_BYTES:
        raise Stopped("Stopped while a large file was being sent.")


def _check_unchanged(path: Path, file: FileIO, prepared: Prepared) -> None:
    now = FileStat.of(os.fstat(file.fileno()))
    if (now.size, now.mtime_ns) != (prepared.stat.size, prepared.stat.mtime_ns):
        raise _changed(path)


def _changed(path: Path) -> ChangedWhileRead:
    return ChangedWhileRead(f"{path.name} changed while it was being uploaded")
