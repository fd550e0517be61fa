"""Boxes of the ISO base media file format (ISO/IEC 14496-12), as HEIC, HEIF, AVIF (23008-12) and CR3 are built of.

Only what says the picture's size, its turns and where its EXIF lies is read.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from momentarium_cli.photos.reader import Damaged, Reader

MAX_BOXES = 2000
MAX_ITEMS = 5000  # a 48-megapixel HEIC has a few hundred tiles


class Box(NamedTuple):
    """A box: its type and a window on its payload, `size` bytes long."""

    kind: bytes
    body: Reader
    size: int


def boxes(reader: Reader, size: int | None = None) -> Iterator[Box]:
    """The boxes that lie one after another in `size` bytes of the reader, or to the end of the file."""
    position = 0
    for _ in range(MAX_BOXES):
        head = reader.at(position, 16)
        if len(head) < 8 or (size is not None and position + 8 > size):
            return
        length, header = int.from_bytes(head[:4], "big"), 8
        if length == 1:
            length, header = int.from_bytes(head[8:16], "big"), 16
        if length == 0:  # the rest of the file
            length = (1 << 62) if size is None else size - position
        if length < header:
            raise Damaged("a box is shorter than its header")
        yield Box(head[4:8], reader.window(position + header, length - header), length - header)
        position += length


def find(reader: Reader, path: tuple[bytes, ...], size: int | None = None) -> Box | None:
    """The first box along a path of types."""
    for box in boxes(reader, size):
        if box.kind == path[0]:
            return box if len(path) == 1 else find(box.body, path[1:], box.size)
    return None


class Picture(NamedTuple):
    """The main picture of a HEIF file: its size before any turn, and whether it is shown lying on its side."""

    width: int
    height: int
    turned: bool
    exif: Reader | None  # a window on its TIFF structure

    @property
    def shown(self) -> tuple[int, int]:
        return (self.height, self.width) if self.turned else (self.width, self.height)


def read_picture(reader: Reader) -> Picture | None:
    """Of the primary item; None if the file has none. Raises Damaged."""
    meta = next((box for box in boxes(reader) if box.kind == b"meta"), None)
    if meta is None:
        return None
    parts = {box.kind: box for box in boxes(meta.body.window(4), meta.size - 4)}
    width, height, turned = _properties(parts)
    return Picture(width, height, turned, _exif(reader, parts))


def _properties(parts: dict[bytes, Box]) -> tuple[int, int, bool]:
    """Size (`ispe`, cut by `clap`) and turn (`irot`) of the primary item; zeros where it has none."""
    if b"iprp" not in parts or b"pitm" not in parts:
        return 0, 0, False
    inside = {box.kind: box for box in boxes(parts[b"iprp"].body, parts[b"iprp"].size)}
    if b"ipco" not in inside or b"ipma" not in inside:
        return 0, 0, False
    properties = list(boxes(inside[b"ipco"].body, inside[b"ipco"].size))
    mine = _associated(inside[b"ipma"], _primary(parts[b"pitm"]))
    width = height = 0
    turned = False
    for box in (properties[index - 1] for index in mine if 0 < index <= len(properties)):
        if box.kind == b"ispe":
            width, height = box.body.uint(4, 4), box.body.uint(8, 4)
        elif box.kind == b"clap":
            width, height = _cropped(box, width, height)
        elif box.kind == b"irot":
            turned = box.body.uint(0, 1) & 1 == 1
    return width, height, turned


def _cropped(box: Box, width: int, height: int) -> tuple[int, int]:
    across, per, down, each = struct.unpack(">4I", box.body.exactly(0, 16))
    if not per or not each:
        return width, height
    return min(width, across // per), min(height, down // each)


def _primary(box: Box) -> int:
    return box.body.uint(4, 2 if box.body.uint(0, 1) == 0 else 4)


def _associated(box: Box, item: int) -> list[int]:
    """The numbers (from 1) of an item's properties, from an `ipma` box."""
    data = _Cursor(box)
    version, flags = data.take(1), data.take(3)
    for _ in range(min(data.take(4), MAX_ITEMS)):
        found = data.take(2 if version < 1 else 4)
        wide = flags & 1
        numbers = [data.take(2) & 0x7FFF if wide else data.take(1) & 0x7F for _ in range(data.take(1))]
        if found == item:
            return numbers
    return []


def _exif(reader: Reader, parts: dict[bytes, Box]) -> Reader | None:
    """A window on the TIFF structure of the item of type `Exif`."""
    if b"iinf" not in parts or b"iloc" not in parts:
        return None
    item = _exif_item(parts[b"iinf"])
    place = None if item is None else _location(parts[b"iloc"], item)
    if place is None:
        return None
    method, offset, length = place
    source = parts[b"idat"].body if method == 1 and b"idat" in parts else reader
    block = source.window(offset, length)
    skip = 4 + block.uint(0, 4)  # ExifDataBlock: the offset of the TIFF header comes first
    return block.window(skip) if block.at(skip, 2) in (b"II", b"MM") else _behind_exif_header(block)


def _behind_exif_header(block: Reader) -> Reader | None:
    """Some writers leave the offset zero although "Exif\\0\\0" stands before the TIFF header."""
    start = block.at(0, 32).find(b"Exif\0\0")
    return None if start < 0 else block.window(start + 6)


def _exif_item(box: Box) -> int | None:
    start = 6 if box.body.uint(0, 1) == 0 else 8
    for entry in boxes(box.body.window(start), box.size - start):
        head = entry.body.at(0, 14)
        wide = 2 if head[:1] == b"\x03" else 0  # version 3 has 32-bit item numbers
        if head[8 + wide : 12 + wide] == b"Exif":
            return int.from_bytes(head[4 : 6 + wide], "big")
    return None


def _location(box: Box, item: int) -> tuple[int, int, int] | None:
    """(construction method, offset, length) of an item's first extent, from an `iloc` box."""
    data = _Cursor(box)
    version = data.take(1)
    data.take(3)
    sizes, bases = data.take(1), data.take(1)
    wide = 2 if version < 2 else 4
    for _ in range(min(data.take(wide), MAX_ITEMS)):
        found = data.take(wide)
        method = data.take(2) & 15 if version else 0
        data.take(2)
        base = data.take(bases >> 4)
        extents = [
            (data.take(bases & 15 if version else 0), data.take(sizes >> 4), data.take(sizes & 15))
            for _ in range(min(data.take(2), MAX_ITEMS))
        ]
        if found == item and extents:
            return method, base + extents[0][1], extents[0][2]
    return None


class _Cursor:
    """Takes big-endian numbers from a box, one after another."""

    def __init__(self, box: Box) -> None:
        self._data = box.body.at(0, min(box.size, 1 << 20))
        self._position = 0

    def take(self, length: int) -> int:
        end = self._position + length
        if end > len(self._data):
            raise Damaged("a box ends early")
        number = int.from_bytes(self._data[self._position : end], "big")
        self._position = end
        return number
