"""The store on a disk: objects are files, and signed requests come back to this server's /files/ addresses.

A body is hashed while it is written to a temporary name; only if it is what was signed does it get its own name, by a
link that fails where something is. So a reader sees an object whole or not at all, also after a power cut.
"""

import base64
import errno
import hashlib
import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlencode
from uuid import uuid4

from momentarium_cli.backend.signing import Signer
from momentarium_cli.backend.storage.base import (
    DOWNLOAD_GRID_SECONDS,
    DOWNLOAD_SECONDS,
    UPLOAD_SECONDS,
    ObjectInfo,
    Storage,
    checksum_of,
)
from momentarium_cli.errors import (
    AlreadyStored,
    BadRequest,
    Forbidden,
    InsufficientStorage,
    MomentariumError,
    NotFound,
    StorageUnavailable,
)
from momentarium_cli.models import SignedRequest
from momentarium_cli.rendezvous import private_folder

CHECKSUM_HEADER = "x-amz-checksum-sha256"  # S3's name: one client for both stores
_SIGNED_HEADERS = ("content-type", "content-length", CHECKSUM_HEADER, "if-none-match")
_STAGED = re.compile(r"[0-9a-f]{32}")
_ABANDONED_SECONDS = 3600
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


class LocalStorage(Storage):
    """Objects under `root`; `base_url` is where this server answers /files/."""

    def __init__(self, root: Path, base_url: str, signer: Signer) -> None:
        self._root = root
        self._base_url = base_url.rstrip("/")
        self._signer = signer
        self._incoming = root / "incoming"
        try:
            private_folder(self.incoming)
        except OSError as error:
            raise _translated(error) from error
        self._clear_abandoned()

    @property
    def where(self) -> str:
        return str(self._root)

    @property
    def incoming(self) -> Path:
        return self._incoming

    # --- signed requests ---------------------------------------------------------------------------------------

    def upload_target(self, key: str, *, content_type: str, size: int) -> SignedRequest:
        headers = {
            "Content-Type": content_type,
            "Content-Length": str(size),
            CHECKSUM_HEADER: base64.b64encode(bytes.fromhex(checksum_of(key))).decode(),
            "If-None-Match": "*",
        }
        expires = int(time.time()) + UPLOAD_SECONDS
        signature = self._signer.sign("PUT", key, expires, *_signed_values(headers))
        query = urlencode({"expires": expires, "signature": signature})
        return SignedRequest(
            method="PUT",
            url=f"{self._base_url}/files/{key}?{query}",
            headers=headers,
            expires_at=datetime.fromtimestamp(expires, UTC),
        )

    def download_url(self, key: str, *, content_type: str, filename: str | None = None) -> str:
        checksum_of(key)
        latest = int(time.time()) + DOWNLOAD_SECONDS
        expires = latest - latest % DOWNLOAD_GRID_SECONDS
        named = {"name": filename} if filename else {}
        signature = self._signer.sign("GET", key, expires, content_type, filename)
        query = urlencode({"expires": expires, "type": content_type, **named, "signature": signature}, errors="replace")
        return f"{self._base_url}/files/{key}?{query}"

    def check_upload(self, key: str, query: Mapping[str, str], headers: Mapping[str, str]) -> int:
        """The length of the body that may now come; Forbidden unless the request is one that was signed."""
        checksum_of(key)
        expires = _expiry(query)
        content_type, length, *others = _signed_values(headers)
        if set(query) != {"expires", "signature"} or not self._signer.good(
            query["signature"], "PUT", key, expires, content_type, length, *others
        ):
            raise Forbidden("The request is not the one that was signed.", code="bad_signature")
        if expires <= time.time():
            raise Forbidden("The signed request has expired.", code="expired", hint="Ask for a new one.")
        return int(length or 0)

    def check_download(self, key: str, query: Mapping[str, str]) -> tuple[Path, str, str | None]:
        """The file, its content type and download name; Forbidden unless the address is one that was signed."""
        checksum_of(key)
        expires = _expiry(query)
        content_type, name = query.get("type", ""), query.get("name")
        if set(query) - {"name"} != {"expires", "type", "signature"} or not self._signer.good(
            query.get("signature", ""), "GET", key, expires, content_type, name
        ):
            raise Forbidden("The address is not one that was signed.", code="bad_signature")
        if expires <= time.time():
            raise Forbidden("The signed address has expired.", code="expired", hint="Ask for a new one.")
        path = self._path(key)
        if not path.is_file():
            raise NotFound("There is no such object.")
        return path, content_type, name

    # --- objects -----------------------------------------------------------------------------------------------

    def receive(self, key: str, size: int) -> "Incoming":
        """A place for the body of a signed request."""
        path = self._path(key)
        if path.exists():
            raise AlreadyStored("There is an object under this key already.")
        return Incoming(self.incoming / uuid4().hex, path, size=size, sha256=checksum_of(key))

    def adopt(self, key: str, size: int, staged: str) -> None:
        """Take a file that a client on this file system laid into `incoming`, if it is what was signed."""
        if not _STAGED.fullmatch(staged):
            raise BadRequest("This is not the name of a staged file.", code="bad_key")
        source = self.incoming / staged
        _check_regular(source)
        Incoming(source, self._path(key), size=size, sha256=checksum_of(key), staged=True).commit()

    def head(self, key: str) -> ObjectInfo | None:
        sha256 = checksum_of(key)
        try:
            return ObjectInfo(self._path(key).stat().st_size, sha256)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _translated(error) from error

    def open(self, key: str) -> BinaryIO:
        try:
            return self._path(key).open("rb")
        except FileNotFoundError:
            raise NotFound(f"There is no object {key}.") from None
        except OSError as error:
            raise _translated(error) from error

    def put(self, key: str, data: bytes, *, content_type: str) -> None:  # noqa: ARG002 -- files have no type
        with suppress(AlreadyStored):
            incoming = self.receive(key, len(data))
            incoming.write([data])
            incoming.commit()

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def list(self, prefix: str) -> Iterator[str]:
        for folder, _, names in os.walk(self._root):
            kind_and_user = Path(folder).relative_to(self._root).parts[:2]
            for name in sorted(names) if len(kind_and_user) == 2 else ():
                key = "/".join((*kind_and_user, name))
                if key.startswith(prefix):
                    yield key

    def free_bytes(self) -> int:
        return shutil.disk_usage(self._root).free

    def _path(self, key: str) -> Path:
        """originals/7/ab/abcd…: file managers and backups suffer from a hundred thousand files in one folder."""
        sha256 = checksum_of(key)
        kind, user, name = key.split("/")
        return self._root / kind / user / sha256[:2] / name

    def _clear_abandoned(self) -> None:
        limit = time.time() - _ABANDONED_SECONDS
        for file in self.incoming.iterdir():
            with suppress(OSError):
                if file.stat().st_mtime < limit:
                    file.unlink()


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
                self._digest = hashlib.file_digest(self._file, "sha256")
                self._written = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise _translated(error) from error

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
            raise _translated(error) from error

    def commit(self) -> None:
        """Give it its name; BadRequest if it is not what was signed, AlreadyStored if something is there."""
        try:
            self._check()
            os.fdatasync(self._file.fileno()) if hasattr(os, "fdatasync") else os.fsync(self._file.fileno())
            self._file.close()
            private_folder(self._final.parent)
            _link(self._temporary, self._final)
            _sync_folder(self._final.parent)
        except OSError as error:
            raise _translated(error) from error
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


def _check_regular(staged: Path) -> None:
    try:
        mode = staged.lstat().st_mode
    except FileNotFoundError:
        raise NotFound("There is no such staged file.") from None
    if not stat.S_ISREG(mode):
        with suppress(OSError):
            staged.unlink()
        raise BadRequest("What is staged is not a file.", code="bad_key")


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


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _signed_values(headers: Mapping[str, str]) -> list[str | None]:
    """The values of the headers that are signed, whatever the case of their names."""
    lower = {name.lower(): value for name, value in headers.items()}
    return [lower.get(name) for name in _SIGNED_HEADERS]


def _expiry(query: Mapping[str, str]) -> int:
    text = query.get("expires", "")
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,11}", text) else 0


def _translated(error: OSError) -> MomentariumError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InsufficientStorage("The disk of the store is full.", hint="Free some space, then upload again.")
    return StorageUnavailable(f"The store cannot be used: {error.strerror}.", hint="Check its folder.")
