"""Reads the tags of a TIFF structure, as TIFF files, EXIF blocks and most RAW formats have it (TIFF 6.0, EXIF 2.32).

Only the directories and tags that are asked for are read, each value is cut, and nothing is followed in circles:
a general EXIF library spends minutes on a crafted file of a few hundred kilobytes.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from momentarium_cli.photos.reader import Damaged, Reader

Value = str | tuple[float, ...]  # numbers, rationals as quotients; NaN where a denominator is zero
Directory = Mapping[int, Value]

MAX_ENTRIES = 2000
MAX_TEXT = 1024
MAX_NUMBERS = 16
MAX_SUB_DIRECTORIES = 8

SUB_DIRECTORIES, EXIF, GPS = 0x014A, 0x8769, 0x8825

_NUMBERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q"}
_RATIONALS = {5: "I", 10: "i"}
_TEXTS = frozenset((2, 7, 129))  # 7 (undefined) carries texts too; 129 is EXIF 3.0's UTF-8
_BYTE_ORDERS = {b"II": "<", b"MM": ">"}


@dataclass(frozen=True, slots=True)
class Tags:
    """The directories of a photo; `subs` are the further images of a RAW file."""

    image: Directory = field(default_factory=dict)
    exif: Directory = field(default_factory=dict)
    gps: Directory = field(default_factory=dict)
    subs: tuple[Directory, ...] = ()


def read_tags(reader: Reader) -> Tags:
    """The directories of the TIFF structure that begins at the reader's start. Raises Damaged."""
    start = reader.exactly(0, 8)
    order = _byte_order(start)
    image = read_directory(reader, order, struct.unpack(order + "I", start[4:])[0])
    subs = [read_directory(reader, order, at) for at in _pointers(image, SUB_DIRECTORIES)[:MAX_SUB_DIRECTORIES]]
    return Tags(image, _below(reader, order, image, EXIF), _below(reader, order, image, GPS), tuple(subs))


def read_single(reader: Reader) -> Directory:
    """The first directory alone, as each block of a CR3 is one."""
    return read_tags(reader).image


def read_directory(reader: Reader, order: str, offset: int) -> dict[int, Value]:
    """Tag number to value, of the directory at `offset`; what has no readable value is left out."""
    count = struct.unpack(order + "H", reader.exactly(offset, 2))[0]
    if count > MAX_ENTRIES:
        raise Damaged("a directory has too many entries")
    entries = reader.at(offset + 2, 12 * count)
    values: dict[int, Value] = {}
    for tag, kind, length, inline in struct.iter_unpack(order + "HHI4s", entries[: len(entries) // 12 * 12]):
        value = _value(reader, order, kind, length, inline) if tag in _WANTED else None
        if value is not None:
            values.setdefault(tag, value)
    return values


def _byte_order(start: bytes) -> str:
    try:
        return _BYTE_ORDERS[start[:2]]
    except KeyError:
        raise Damaged("an EXIF block has no byte order") from None


def _below(reader: Reader, order: str, image: Directory, tag: int) -> Directory:
    """A directory that another one points to; a pointer to nowhere is an empty one."""
    pointers = _pointers(image, tag)
    try:
        return read_directory(reader, order, pointers[0]) if pointers else {}
    except Damaged:
        return {}


def _pointers(directory: Directory, tag: int) -> list[int]:
    value = directory.get(tag, ())
    return [] if isinstance(value, str) else [int(number) for number in value if math.isfinite(number)]


def _value(reader: Reader, order: str, kind: int, length: int, inline: bytes) -> Value | None:
    if kind in _TEXTS:
        return _text(_payload(reader, order, min(length, MAX_TEXT), length, inline))
    count = min(length, MAX_NUMBERS)
    if kind in _RATIONALS:
        return _quotients(_unpack(order, 2 * count, _RATIONALS[kind], _payload(reader, order, 8 * count, 8, inline)))
    if kind in _NUMBERS:
        size = struct.calcsize(order + _NUMBERS[kind])
        return _unpack(order, count, _NUMBERS[kind], _payload(reader, order, size * count, size * length, inline))
    return None


def _payload(reader: Reader, order: str, wanted: int, whole: int, inline: bytes) -> bytes:
    """The bytes of a value: four fit into the entry itself, more lie where it points."""
    return inline[:wanted] if whole <= 4 else reader.at(struct.unpack(order + "I", inline)[0], wanted)


def _text(payload: bytes) -> str:
    return payload.split(b"\0", 1)[0].decode("utf-8", "replace").strip()


def _unpack(order: str, count: int, code: str, payload: bytes) -> tuple[float, ...] | None:
    try:
        return struct.unpack(f"{order}{count}{code}", payload)
    except struct.error:
        return None


def _quotients(numbers: tuple[float, ...] | None) -> tuple[float, ...] | None:
    if numbers is None:
        return None
    return tuple(a / b if b else math.nan for a, b in zip(numbers[::2], numbers[1::2], strict=True))


_WANTED = frozenset(
    (
        0x0001, 0x0002, 0x0003, 0x0004, 0x0005, 0x0006, 0x0007, 0x001D,  # GPS; 2 to 7 are sensor borders in RW2
        0x00FE, 0x0100, 0x0101, 0x010F, 0x0110, 0x0112, 0x0132, SUB_DIRECTORIES, EXIF, GPS,
        0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0xA002, 0xA003,
    )
)  # fmt: skip
