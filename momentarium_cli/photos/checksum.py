"""SHA-256 of files and of their parts, the checksum that the store checks too."""

import hashlib
import os
from dataclasses import dataclass
from io import BufferedIOBase, RawIOBase
from pathlib import Path

from momentarium_cli.models import MAX_PARTS, MAX_PUT_BYTES

_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Cut:
    """Which files go up in parts: those of more than `above` bytes, in parts of `part_bytes` or, of huge ones, more."""

    above: int = MAX_PUT_BYTES
    part_bytes: int = 64 << 20

    def part_bytes_of(self, size: int) -> int | None:
        """How large the parts of a file are; None where it goes up as a whole."""
        return max(self.part_bytes, -(-size // MAX_PARTS)) if size > self.above else None


WHOLE_UP_TO_1_GIB = Cut()


def sha256_bytes(data: bytes) -> str:
    """64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_open(file: BufferedIOBase | RawIOBase) -> str:
    """Of everything from the start of an open file; leaves its position at the end."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_file(path: str | bytes | os.PathLike[str]) -> str:
    """Of the file at `path`; raises OSError. Constant memory, whatever the size."""
    with Path(os.fsdecode(path)).open("rb") as file:
        return sha256_open(file)


def sha256_in_parts(file: BufferedIOBase, part_bytes: int) -> tuple[str, list[str]]:
    """Of the whole and of each part of an open file; one read, in constant memory."""
    file.seek(0)
    whole, sha256s = hashlib.sha256(), []
    while part := _part(file, part_bytes, whole):
        sha256s.append(part)
    return whole.hexdigest(), sha256s


def _part(file: BufferedIOBase, left: int, whole: "hashlib._Hash") -> str | None:
    """Of the next `left` bytes, or fewer where the file ends; None at its end. `whole` is fed them too."""
    part, buffer = hashlib.sha256(), memoryview(bytearray(min(_BUFFER_BYTES, left)))
    some = False
    while read := file.readinto(buffer[:left]):
        whole.update(buffer[:read])
        part.update(buffer[:read])
        left -= read
        some = True
    return part.hexdigest() if some else None
