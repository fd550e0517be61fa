"""SHA-256 of files, the checksum that the store checks too."""

import hashlib
import os
from io import BufferedIOBase, RawIOBase
from pathlib import Path


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
