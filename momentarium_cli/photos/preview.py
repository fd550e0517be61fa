"""Checksum and preview of a photo from one read of its file; and what the server does with previews.

Runs in limited child processes (see `decode`): every function takes and returns values that can be pickled.
"""

import os
from dataclasses import dataclass, replace
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from momentarium_cli.models import FileParts
from momentarium_cli.photos import formats, pixels
from momentarium_cli.photos.checks import PREVIEW_SIDE, BadPreview, PreviewFacts, check_cost, check_preview, inspect
from momentarium_cli.photos.checksum import WHOLE_UP_TO_1_GIB, Cut, sha256_bytes, sha256_in_parts, sha256_open
from momentarium_cli.photos.derived import Derived, derive, encode
from momentarium_cli.photos.formats import Format, UnsupportedPhoto
from momentarium_cli.photos.hasher import AnyPath, check_unchanged, format_of, head, stat_to_read
from momentarium_cli.photos.pixels import CannotDecode
from momentarium_cli.photos.prepared import ChangedWhileRead, Prepared
from momentarium_cli.photos.raw import show_raw
from momentarium_cli.photos.scan import FileStat

__all__ = [
    "BadPreview", "CannotDecode", "ChangedWhileRead", "Derived", "Prepared", "Preview", "PreviewFacts",
    "UnsupportedPhoto", "check_preview", "derive", "inspect", "prepare", "remake",
]  # fmt: skip

QUALITY = 80
IN_MEMORY_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Preview:
    """A JPEG of at most 1,440 pixels, and the photo's own upright size; of a RAW file only its metadata knows that."""

    data: bytes
    sha256: str
    width: int | None
    height: int | None


def prepare(path: AnyPath, cut: Cut = WHOLE_UP_TO_1_GIB) -> Prepared:
    """Checksums and preview of the photo at `path`. What cannot be decoded is no failure.

    Raises ChangedWhileRead, UnsupportedPhoto (the bytes are of no format we know, or too many) and OSError.
    """
    with Path(os.fsdecode(path)).open("rb") as file:
        before = stat_to_read(file)
        part_bytes = cut.part_bytes_of(before.size)
        data = file.read(before.size + 1) if before.size <= IN_MEMORY_BYTES else None
        sha256, parts = _checksums(file, data, part_bytes)
        format_ = format_of(data if data is not None else head(file), path)
        preview, error = _attempt(file if data is None else data, format_)
        check_unchanged(file, before)
    if len(data or b"") > before.size:
        raise ChangedWhileRead("the file changed while it was read")
    prepared = _prepared(sha256, before, format_, preview, error)
    return replace(prepared, parts=FileParts(part_bytes=part_bytes, sha256s=parts)) if part_bytes else prepared


def remake(source: AnyPath | BinaryIO, *, content_type: str) -> Preview:
    """The preview of an original, as its client should have made it. Raises CannotDecode and OSError.

    `content_type` tells apart what shares its first bytes; `source` is a path or a file open for reading.
    """
    if isinstance(source, str | bytes | os.PathLike):
        with Path(os.fsdecode(source)).open("rb") as file:
            return remake(file, content_type=content_type)
    promised = formats.BY_CONTENT_TYPE.get(content_type)
    format_ = formats.identify(head(source), promised.extensions[0] if promised else "")
    if format_ is None:
        raise CannotDecode("it is of no photo format that Momentarium reads")
    source.seek(0)
    return make(source.read(), format_)


def make(source: bytes | BinaryIO, format_: Format) -> Preview:
    """The preview of a photo in memory, or of a file too large for that. Raises CannotDecode."""
    with pixels.careful():
        image, size = _shown(source, format_)
        data = encode(image, QUALITY)
    return Preview(data, sha256_bytes(data), *size)


def _attempt(source: bytes | BinaryIO, format_: Format) -> tuple[Preview | None, str | None]:
    try:
        return make(source, format_), None
    except CannotDecode as error:
        return None, str(error)


def _shown(source: bytes | BinaryIO, format_: Format) -> tuple[Image.Image, tuple[int | None, int | None]]:
    """The preview's pixels, and the photo's upright size where decoding tells it."""
    if not isinstance(source, bytes) and (format_.raw or format_ is formats.JPEG):
        raise CannotDecode("it is larger than 256 MiB, which is too large for its format")
    if isinstance(source, bytes) and format_.raw:
        return show_raw(source, format_, PREVIEW_SIDE), (None, None)
    if isinstance(source, bytes) and format_ is formats.JPEG and (reason := check_cost(source)):
        raise CannotDecode(reason)
    opened = pixels.open_image(BytesIO(source) if isinstance(source, bytes) else source, format_)
    width, height = opened.size
    shown = pixels.show(opened, PREVIEW_SIDE)
    return shown.image, (height, width) if shown.turned else (width, height)


def _checksums(file: BufferedReader, data: bytes | None, part_bytes: int | None) -> tuple[str, list[str]]:
    """Of the whole, and of the parts if there are any; of the file, or of its bytes where they are in memory."""
    if part_bytes is not None:
        return sha256_in_parts(file if data is None else BytesIO(data), part_bytes)
    return sha256_open(file) if data is None else sha256_bytes(data), []


def _prepared(sha256: str, stat: FileStat, format_: Format, preview: Preview | None, error: str | None) -> Prepared:
    if preview is None:
        return Prepared(sha256, stat.size, stat, format_.content_type, decode_error=error)
    return Prepared(
        sha256, stat.size, stat, format_.content_type, preview.data, preview.sha256, preview.width, preview.height
    )
