"""The store on a disk: objects are files, and signed requests come back to this server's /files/ addresses."""

import base64
import os
import re
import shutil
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
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
    Part,
    Storage,
    checksum_of,
    is_key,
)
from momentarium_cli.backend.storage.incoming import Incoming, translated
from momentarium_cli.errors import (
    AlreadyStored,
    BadRequest,
    Forbidden,
    NotAsDescribed,
    NotFound,
)
from momentarium_cli.models import SignedRequest
from momentarium_cli.rendezvous import private_folder

CHECKSUM_HEADER = "x-amz-checksum-sha256"  # S3's name: one client for both stores
_SIGNED_HEADERS = ("content-type", "content-length", CHECKSUM_HEADER, "if-none-match")
_UNSIGNED = re.compile(r"x-amz-", re.IGNORECASE)
_STAGED = re.compile(r"[0-9a-f]{32}")
_ABANDONED_SECONDS = 3600
_COPY_BYTES = 1 << 20


class LocalStorage(Storage):
    """Objects under `root`. `base_url` is where this server answers /files/; "" leaves addresses relative to it."""

    def __init__(self, root: Path, base_url: str, signer: Signer) -> None:
        self._root = root
        self._base_url = base_url.rstrip("/")
        self._signer = signer
        self._incoming = root / "incoming"
        self._parts = root / "parts"
        try:
            private_folder(self.incoming)
        except OSError as error:
            raise translated(error) from error
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
        return self._target(key, headers, {})

    def _target(self, key: str, headers: dict[str, str], more: Mapping[str, str]) -> SignedRequest:
        expires = int(time.time()) + UPLOAD_SECONDS
        signature = self._signer.sign("PUT", key, expires, *_signed_values(headers), *more.values())
        query = urlencode({"expires": expires, **more, "signature": signature})
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
        return self._checked(key, query, headers, ())

    def check_part(self, key: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Part:
        """The part whose body may now come; Forbidden unless the request is one that was signed."""
        size = self._checked(key, query, headers, ("upload", "part"))
        return Part(int(query["part"]), size, base64.b64decode(headers[CHECKSUM_HEADER]).hex())

    def _checked(self, key: str, query: Mapping[str, str], headers: Mapping[str, str], more: Sequence[str]) -> int:
        checksum_of(key)
        expires = _expiry(query)
        values = _signed_values(headers)
        added = [name for name in headers if _UNSIGNED.match(name) and name.lower() != CHECKSUM_HEADER]
        if (
            added
            or set(query) != {"expires", "signature", *more}
            or not self._signer.good(query["signature"], "PUT", key, expires, *values, *(query[name] for name in more))
        ):
            raise Forbidden("The request is not the one that was signed.", code="bad_signature")
        if expires <= time.time():
            raise Forbidden("The signed request has expired.", code="expired", hint="Ask for a new one.")
        return int(values[_SIGNED_HEADERS.index("content-length")] or 0)

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
        path = self.path(key)
        if not path.is_file():
            raise NotFound("There is no such object.")
        return path, content_type, name

    # --- objects -----------------------------------------------------------------------------------------------

    def receive(self, key: str, size: int) -> "Incoming":
        """A place for the body of a signed request."""
        path = self.path(key)
        if path.exists():
            raise AlreadyStored("There is an object under this key already.")
        return Incoming(self.incoming / uuid4().hex, path, size=size, sha256=checksum_of(key))

    def adopt(self, key: str, size: int, staged: str) -> None:
        """Take a file that a client on this file system laid into `incoming`, if it is what was signed."""
        if not _STAGED.fullmatch(staged):
            raise BadRequest("This is not the name of a staged file.", code="bad_key")
        source = self.incoming / staged
        _check_regular(source)
        Incoming(source, self.path(key), size=size, sha256=checksum_of(key), staged=True).commit()

    def head(self, key: str) -> ObjectInfo | None:
        sha256 = checksum_of(key)
        try:
            return ObjectInfo(self.path(key).stat().st_size, sha256)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise translated(error) from error

    def open(self, key: str) -> BinaryIO:
        try:
            return self.path(key).open("rb")
        except FileNotFoundError:
            raise NotFound(f"There is no object {key}.") from None
        except OSError as error:
            raise translated(error) from error

    def path(self, key: str) -> Path:
        """originals/7/ab/abcd…: file managers and backups suffer from a hundred thousand files in one folder."""
        sha256 = checksum_of(key)
        kind, user, name = key.split("/")
        return self._root / kind / user / sha256[:2] / name

    def write(self, key: str, file: BinaryIO, *, size: int, content_type: str) -> None:  # noqa: ARG002 -- files have no type
        with suppress(AlreadyStored):
            _copy([file], self.receive(key, size))

    def delete(self, keys: Iterable[str]) -> None:
        try:
            for path in [self.path(key) for key in keys]:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise translated(error) from error

    def list(self, prefix: str) -> Iterator[str]:
        for folder, _, names in os.walk(self._root):
            kind_and_user = Path(folder).relative_to(self._root).parts[:2]
            for name in sorted(names) if len(kind_and_user) == 2 else ():
                key = "/".join((*kind_and_user, name))
                if key.startswith(prefix) and is_key(key):
                    yield key

    def free_bytes(self) -> int:
        return shutil.disk_usage(self._root).free

    # --- large objects, in parts: each a file of its own until they become one ----------------------------------

    def begin_parts(self, key: str, *, content_type: str) -> str:  # noqa: ARG002 -- files have no type
        checksum_of(key)
        upload_id = uuid4().hex
        try:
            private_folder(self._parts / upload_id)
        except OSError as error:
            raise translated(error) from error
        return upload_id

    def part_target(self, key: str, upload_id: str, part: Part) -> SignedRequest:
        checksum_of(key)
        headers = {
            "Content-Length": str(part.size),
            CHECKSUM_HEADER: base64.b64encode(bytes.fromhex(part.sha256)).decode(),
        }
        return self._target(key, headers, {"upload": upload_id, "part": str(part.number)})

    def receive_part(self, upload_id: str, part: Part) -> "Incoming":
        path = self._upload(upload_id) / _part_name(part)
        if path.exists():
            raise AlreadyStored("This part is stored already.")
        return Incoming(self.incoming / uuid4().hex, path, size=part.size, sha256=part.sha256)

    def stored_parts(self, key: str, upload_id: str) -> dict[int, int]:
        checksum_of(key)
        return {int(file.stem): file.stat().st_size for file in self._upload(upload_id).iterdir()}

    def complete_parts(self, key: str, upload_id: str, parts: Sequence[Part], *, content_type: str) -> None:  # noqa: ARG002 -- files have no type
        if self.head(key) is None:
            stored = {file.name: file.stat().st_size for file in self._upload(upload_id).iterdir()}
            if stored != {_part_name(part): part.size for part in parts}:
                raise NotAsDescribed("Some parts are not stored as described.", hint="Upload the file again.")
            self._join(key, upload_id, parts)
        self.abort_parts(key, upload_id)

    def _join(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        try:
            with suppress(AlreadyStored), ExitStack() as stack:
                files = (stack.enter_context((self._upload(upload_id) / _part_name(part)).open("rb")) for part in parts)
                _copy(files, self.receive(key, sum(part.size for part in parts)))
        except BadRequest as error:
            self.abort_parts(key, upload_id)
            raise NotAsDescribed("The parts are not those of the file.", hint="Upload the file again.") from error
        except OSError as error:
            raise translated(error) from error

    def abort_parts(self, key: str, upload_id: str) -> None:
        checksum_of(key)
        with suppress(NotFound):
            shutil.rmtree(self._upload(upload_id), ignore_errors=True)

    def _upload(self, upload_id: str) -> Path:
        folder = self._parts / upload_id
        if not _STAGED.fullmatch(upload_id) or not folder.is_dir():
            raise NotFound("There is no such upload in parts.")
        return folder

    def _clear_abandoned(self) -> None:
        limit = time.time() - _ABANDONED_SECONDS
        for file in self.incoming.iterdir():
            with suppress(OSError):
                if file.stat().st_mtime < limit:
                    file.unlink()


def _copy(files: Iterable[BinaryIO], incoming: Incoming) -> None:
    """One file after another into the store."""
    try:
        for file in files:
            while chunk := file.read(_COPY_BYTES):
                incoming.write([chunk])
        incoming.commit()
    finally:
        incoming.abort()


def _part_name(part: Part) -> str:
    return f"{part.number}.{part.sha256}"


def _check_regular(staged: Path) -> None:
    try:
        mode = staged.lstat().st_mode
    except FileNotFoundError:
        raise NotFound("There is no such staged file.") from None
    if not stat.S_ISREG(mode):
        with suppress(OSError):
            staged.unlink()
        raise BadRequest("What is staged is not a file.", code="bad_key")


def _signed_values(headers: Mapping[str, str]) -> list[str | None]:
    """The values of the headers that are signed, whatever the case of their names."""
    lower = {name.lower(): value for name, value in headers.items()}
    return [lower.get(name) for name in _SIGNED_HEADERS]


def _expiry(query: Mapping[str, str]) -> int:
    text = query.get("expires", "")
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,11}", text) else 0
