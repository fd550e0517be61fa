"""Canon's CRW files: a heap of records with a directory at its end (CIFF specification 1.0, 1997)."""

import struct
from datetime import UTC, datetime
from typing import NamedTuple

from momentarium_cli.photos.reader import Damaged, Reader

_CAMERA, _TIME, _PICTURE = 0x080A, 0x180E, 0x1810
_ORIENTATIONS = {0: 1, 90: 6, 180: 3, 270: 8}  # of clockwise degrees
_HEAPS = (0x28, 0x30)  # the upper bits of the kinds of records that hold records
MAX_RECORDS = 1000
MAX_DEPTH = 6


class Facts(NamedTuple):
    """What a CRW says of its photo. The clock is the camera's own, so `taken` is wall time."""

    make: str
    model: str
    taken: datetime | None
    width: int
    height: int
    orientation: int  # as EXIF counts it


def read_facts(reader: Reader, size: int) -> Facts:
    """Of a file of `size` bytes. Raises Damaged."""
    start = struct.unpack("<I", reader.exactly(2, 4))[0]
    records: dict[int, bytes] = {}
    _collect(reader.window(start), size - start, records, 0)
    names = [part.decode("latin-1") for part in records.get(_CAMERA, b"").split(b"\0")] + ["", ""]
    picture = struct.unpack("<IIfi", records.get(_PICTURE, b"").ljust(16, b"\0")[:16])
    orientation = _ORIENTATIONS.get(picture[3] % 360, 1)
    return Facts(names[0], names[1], _time(records.get(_TIME, b"")), picture[0], picture[1], orientation)


def _collect(heap: Reader, size: int, records: dict[int, bytes], depth: int) -> None:
    if depth > MAX_DEPTH or size < 6:
        raise Damaged("a CRW heap is nested too deep or too short")
    directory = struct.unpack("<I", heap.exactly(size - 4, 4))[0]
    count = min(struct.unpack("<H", heap.exactly(directory, 2))[0], MAX_RECORDS)
    entries = heap.at(directory + 2, 10 * count)
    for kind, length, offset in struct.iter_unpack("<HII", entries[: len(entries) // 10 * 10]):
        if kind >> 8 in _HEAPS:
            _collect(heap.window(offset, length), length, records, depth + 1)
        elif kind & 0x3FFF in (_CAMERA, _TIME, _PICTURE) and not kind & 0xC000:
            records.setdefault(kind, heap.at(offset, min(length, 256)))


def _time(record: bytes) -> datetime | None:
    if len(record) < 4:
        return None
    return datetime.fromtimestamp(struct.unpack("<I", record[:4])[0], UTC).replace(tzinfo=None)
