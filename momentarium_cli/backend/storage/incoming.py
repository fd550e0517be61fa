"""A body on its way into the local store.

It is hashed while it is written to a temporary name; only if it is what was signed does it get its own name, by a link
that fails where something is. So a reader sees an object whole or not at all, also after a power cut.
"""

import errno
import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from momentarium_cli.errors import (
    AlreadyStored,
    BadRequest,
    InsufficientStorage,
    MomentariumError,
    StorageUnavailable,
)
from momentarium_cli.rendezvous import private_folder

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


class Incoming:
    """A body on its way into the store. Whatever is not committed leaves nothing behind."""

    def __init__(self, temporary: Path, final: Path, *, size: int, sha256: str, staged: bool = False) -> None:
        self._temporary, self._final = temporary, final
        self._size, self._sha256 = size, sha256
        self._written = 0
        self._digest = hashlib.sha256()
        try:
            self._file = open(temporary, "rb" if staged else "xb", buffering=0, opener=_opener)  # noqa: SIM115
            if staged:
                self._check_staged()
                self._digest = hashlib.file_digest(self._file, "sha256")
                self._written = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise translated(error) from error

    def _check_staged(self) -> None:
        """Before it is hashed: it has the size that was signed, and no other name under which it could be changed."""
        found = os.fstat(self._file.fileno())
        if found.st_size != self._size or found.st_nlink != 1:
            self.abort()
            raise BadRequest("The staged file is not as long as was signed, or has another name.", code="bad_length")

    def write(self, chunks: Sequence[bytes]) -> None:
        self._written += sum(map(len, chunks))
        if self._written > self._size:
            self.abort()
            raise BadRequest("The body is longer than was signed.", code="bad_length")
        try:
            for chunk in chunks:  # joining them would cost more than the calls
                self._digest.update(chunk)
                view = memoryview(chunk)
                while view:
                    view = view[self._file.write(view) or 0 :]
        except OSError as error:
            self.abort()
            raise translated(error) from error

    def commit(self) -> None:
        """Give it its name; BadRequest if it is not what was signed, AlreadyStored if something is there."""
        try:
            self._check()
            os.fdatasync(self._file.fileno()) if hasattr(os, "fdatasync") else os.fsync(self._file.fileno())
            self._file.close()
            _durable_folder(self._final.parent)
            _link(self._temporary, self._final)
            _sync_folder(self._final.parent)
        except OSError as error:
            raise translated(error) from error
        finally:
            self.abort()

    def abort(self) -> None:
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def _check(self) -> None:
        if self._written != self._size:
            raise BadRequest("The body is not as long as was signed.", code="bad_length")
        if self._digest.hexdigest() != self._sha256:
            raise BadRequest("The body's SHA-256 is not the one that was signed.", code="bad_digest")


def _opener(path: str, flags: int) -> int:
    """Never through a link, and never waiting for the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o600)


def _link(temporary: Path, final: Path) -> None:
    """The final name for a file, only if nothing has it: of several at once, one wins."""
    try:
        os.link(temporary, final)
    except FileExistsError:
        raise AlreadyStored("There is an object under this key already.") from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if final.exists():
            raise AlreadyStored("There is an object under this key already.") from None
        temporary.rename(final)  # no links here; who comes second at the same moment brings the same bytes


def _durable_folder(folder: Path) -> None:
    """Make it and what is above it, so that also the way to it outlives a power cut."""
    if not folder.is_dir():
        _durable_folder(folder.parent)
        private_folder(folder)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def translated(error: OSError) -> MomentariumError:
    """What the disk said, as an error of ours."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InsufficientStorage("The disk of the store is full.", hint="Free some space, then upload again.")
    return StorageUnavailable(f"The store cannot be used: {error.strerror}.", hint="Check its folder.")
