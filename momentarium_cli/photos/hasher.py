"""Checksums of photos without previews, in threads: nothing is decoded, so nothing needs a process of its own."""

import os
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Self

from momentarium_cli.models import MAX_FILE_BYTES, FileParts
from momentarium_cli.photos import formats
from momentarium_cli.photos.checksum import WHOLE_UP_TO_1_GIB, Cut, sha256_in_parts, sha256_open
from momentarium_cli.photos.formats import Format, UnsupportedPhoto
from momentarium_cli.photos.prepared import ChangedWhileRead, Prepared
from momentarium_cli.photos.scan import FileStat

AnyPath = str | bytes | os.PathLike[str]

_AHEAD = 32  # files a thread that wait to be hashed: small ones take less time than the next takes to come


class Hasher:
    """Stands in for the Decoder where no previews are made."""

    def __init__(self, workers: int | None = None) -> None:
        workers = workers or os.cpu_count() or 1
        self.ahead = _AHEAD * workers
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="hash")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def prepare(self, path: Path, cut: Cut = WHOLE_UP_TO_1_GIB) -> Future[Prepared]:
        """Fails as `hashed` does."""
        return self._threads.submit(hashed, path, cut)


def hashed(path: AnyPath, cut: Cut = WHOLE_UP_TO_1_GIB, *, reason: str | None = None) -> Prepared:
    """The photo at `path` with its checksums and without a preview, for a `reason` if there is one. Constant memory.

    Raises ChangedWhileRead, UnsupportedPhoto (the bytes are of no format we know, or too many) and OSError.
    """
    with Path(os.fsdecode(path)).open("rb") as file:
        before = stat_to_read(file)
        format_ = format_of(head(file), path)
        part_bytes = cut.part_bytes_of(before.size)
        sha256, parts = sha256_in_parts(file, part_bytes) if part_bytes else (sha256_open(file), [])
        check_unchanged(file, before)
    prepared = Prepared(sha256, before.size, before, format_.content_type, decode_error=reason)
    return replace(prepared, parts=FileParts(part_bytes=part_bytes, sha256s=parts)) if part_bytes else prepared


def stat_to_read(file: BufferedReader) -> FileStat:
    """Of a file that is about to be read. Raises UnsupportedPhoto where it is too large."""
    stat = FileStat.of(os.fstat(file.fileno()))
    if stat.size > MAX_FILE_BYTES:
        raise UnsupportedPhoto(f"it is larger than {MAX_FILE_BYTES >> 40} TiB, which no store keeps")
    return stat


def head(file: BinaryIO) -> bytes:
    """The bytes that tell the format."""
    file.seek(0)
    return file.read(formats.HEADER_BYTES)


def format_of(header: bytes, path: AnyPath) -> Format:
    suffix = os.path.splitext(os.fsdecode(path))[1]  # noqa: PTH122 - the path may be bytes
    format_ = formats.identify(header[: formats.HEADER_BYTES], suffix)
    if format_ is None:
        raise UnsupportedPhoto("the content is of no photo format that Momentarium reads")
    return format_


def check_unchanged(file: BufferedReader, before: FileStat) -> None:
    after = FileStat.of(os.fstat(file.fileno()))
    if (after.size, after.mtime_ns) != (before.size, before.mtime_ns):
        raise ChangedWhileRead("the file changed while it was read")
