"""The port to the object store.

key         what an object is called; its last part is the SHA-256 of the bytes, so a key can only ever hold those bytes
original    a photo as it was uploaded, byte for byte
preview     a JPEG of at most 1,440 px, thumb: one of at most 320 px
target      a signed request that stores one object, once: it binds method, key, content type, exact length, SHA-256
            and "only if nothing is there", and is good for five minutes
part        a slice of a large object, stored by a target of its own that binds upload, number, length and SHA-256;
            they become the object when all of them are there
download    a signed address that answers one object for an hour, with its content type and disposition bound
region      where a bucket is, for a store that has several; a store of one place has none

Nothing is ever overwritten; what is not as it was signed is not stored.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import quote

from momentarium_cli.errors import BadRequest
from momentarium_cli.models import SignedRequest

UPLOAD_SECONDS = 300
DOWNLOAD_SECONDS = 3600
DOWNLOAD_GRID_SECONDS = 300  # expiries fall on this grid, so that an address stays the same and caches work
AT_ONCE = 32  # calls of a store

_USER = "[1-9][0-9]{0,18}"
_KEY = re.compile(rf"(?:originals/{_USER}/([0-9a-f]{{64}})|(?:previews|thumbs)/{_USER}/([0-9a-f]{{64}})\.jpg)")


def original_key(user_id: int, sha256: str) -> str:
    return f"originals/{user_id}/{sha256}"


def preview_key(user_id: int, sha256: str) -> str:
    return f"previews/{user_id}/{sha256}.jpg"


def thumb_key(user_id: int, sha256: str) -> str:
    return f"thumbs/{user_id}/{sha256}.jpg"


def checksum_of(key: str) -> str:
    """The SHA-256 (hex) that a key stands for; BadRequest if it is no key of ours."""
    match = _KEY.fullmatch(key)
    if match is None:
        raise BadRequest("This is not a key of the store.", code="bad_key")
    return match.group(1) or match.group(2)


def is_key(text: str) -> bool:
    return _KEY.fullmatch(text) is not None


def disposition(filename: str | None) -> str:
    """The Content-Disposition of a download: under this name, or shown."""
    if filename is None:
        return "inline"
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='', errors='replace')}"


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What the store knows of an object: its size in bytes, and its SHA-256 (hex) unless it came in parts."""

    size: int
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """A slice of an object, counted from 1: its size in bytes and its SHA-256 (hex)."""

    number: int
    size: int
    sha256: str


class Storage(ABC):
    """All methods raise StorageUnavailable when the store is out of reach, BadRequest for a key that is none."""

    @property
    @abstractmethod
    def where(self) -> str:
        """Where the originals lie, for people."""

    # --- signed requests ---------------------------------------------------------------------------------------

    @abstractmethod
    def upload_target(self, key: str, *, content_type: str, size: int) -> SignedRequest:
        """A request that stores `size` bytes under `key`."""

    @abstractmethod
    def download_url(self, key: str, *, content_type: str, filename: str | None = None) -> str:
        """An address for a browser; with `filename` it is downloaded under that name, else shown."""

    # --- objects -----------------------------------------------------------------------------------------------

    @abstractmethod
    def head(self, key: str) -> ObjectInfo | None:
        """What lies under the key, or None."""

    def heads(self, keys: Iterable[str]) -> dict[str, ObjectInfo]:
        """What lies under those keys that hold something; all are asked for at once."""
        distinct = list(dict.fromkeys(keys))
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="head") as threads:
            found = zip(distinct, threads.map(self.head, distinct), strict=True)
            return {key: info for key, info in found if info is not None}

    def heads_at(self, regions: Mapping[str, str | None]) -> dict[str, ObjectInfo]:
        """The same, where each key's region is known."""
        keys_of: dict[str | None, list[str]] = {}
        for key, region in regions.items():
            keys_of.setdefault(region, []).append(key)
        found = (self.at(region).heads(keys) for region, keys in keys_of.items())
        return {key: info for some in found for key, info in some.items()}

    def seen_at(self, regions: Mapping[str, str | None]) -> set[str]:
        """Those keys that hold something as far as can be told now, for who only uploads again what is not seen."""
        return set(self.heads_at(regions))

    @abstractmethod
    def open(self, key: str) -> BinaryIO:
        """The object's bytes as they stream in, to be closed by the caller; NotFound if there is none."""

    def path(self, key: str) -> Path | None:
        """Where the object is a file of this machine, if it is there; None for a store that has no such files."""
        checksum_of(key)
        return None

    @abstractmethod
    def write(self, key: str, file: BinaryIO, *, size: int, content_type: str) -> None:
        """Store `size` bytes of a file; it is no error if they are there already, BadRequest if they are not the key's.
        Where it raises anything else, the same again needs the file at its beginning."""

    def put(self, key: str, data: bytes, *, content_type: str) -> None:
        """Store what we made ourselves; it is no error if it is there already."""
        self.write(key, BytesIO(data), size=len(data), content_type=content_type)

    @abstractmethod
    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; it is no error if there are none."""

    @abstractmethod
    def list(self, prefix: str) -> Iterator[str]:
        """The keys that begin with a prefix such as "originals/7/"."""

    def free_bytes(self) -> int | None:
        """How much can still be stored, where that is limited."""
        return None

    # --- large objects, in parts -------------------------------------------------------------------------------

    @abstractmethod
    def begin_parts(self, key: str, *, content_type: str) -> str:
        """Begin an upload in parts, and return its id."""

    @abstractmethod
    def part_target(self, key: str, upload_id: str, part: Part) -> SignedRequest:
        """A request that stores one part."""

    @abstractmethod
    def stored_parts(self, key: str, upload_id: str) -> dict[int, int]:
        """The sizes of the parts that are stored, by number; NotFound if there is no such upload (any more)."""

    @abstractmethod
    def complete_parts(self, key: str, upload_id: str, parts: Sequence[Part], *, content_type: str) -> None:
        """Make the object of its parts; it is no error if it is there already. NotAsDescribed: a part is missing or
        different."""

    @abstractmethod
    def abort_parts(self, key: str, upload_id: str) -> None:
        """Forget an upload in parts; it is no error if there is none."""

    # --- several places ----------------------------------------------------------------------------------------

    @property
    def regions(self) -> Mapping[str, str]:
        """The regions to choose from, each with an address whose answer tells how near it is; best first."""
        return {}

    def region_for(self, wanted: str | None) -> str | None:  # noqa: ARG002 -- stores of one place have no choice
        """Where a client that is nearest to `wanted` uploads to now."""
        return None

    def at(self, region: str | None) -> "Storage":  # noqa: ARG002 -- stores of one place are the same everywhere
        """The same store, which uses this region first and the others after it."""
        return self


class Body(Protocol):
    """A body on its way into the store. Whatever is not committed leaves nothing behind."""

    def write(self, chunks: Sequence[bytes]) -> None:
        """The next bytes, as they came; BadRequest if they are more than was signed."""

    def commit(self) -> None:
        """Store it; BadRequest if it is not what was signed, AlreadyStored if something is there."""

    def abort(self) -> None:
        """Leave nothing behind; does nothing after commit."""


class SignedFiles(Protocol):
    """A store whose signed requests come back to this server. Forbidden: the request is not one that was signed."""

    def check_upload(self, key: str, query: Mapping[str, str], headers: Mapping[str, str]) -> int:
        """The length of the body that may now come."""

    def check_download(self, key: str, query: Mapping[str, str]) -> tuple[Path, str, str | None]:
        """The file, its content type, and the name to download it under."""

    def receive(self, key: str, size: int) -> Body:
        """A place for the body; AlreadyStored if something is there."""

    def check_part(self, key: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Part:
        """The part whose body may now come."""

    def receive_part(self, upload_id: str, part: Part) -> Body:
        """A place for a part's body; NotFound if there is no such upload, AlreadyStored if the part is there."""

    def adopt(self, key: str, size: int, staged: str) -> None:
        """Take a file that a client on this file system laid into `incoming`, if it is what was signed."""

    @property
    def incoming(self) -> Path:
        """Where such clients lay files."""
