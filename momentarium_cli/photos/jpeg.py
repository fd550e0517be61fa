"""The segments of a JPEG (ITU-T T.81, annex B), read without decoding."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from momentarium_cli.photos.reader import Damaged, Reader, TooMany

SOI, EOI, SOS, APP0, APP1, APP14, COM = 0xD8, 0xD9, 0xDA, 0xE0, 0xE1, 0xEE, 0xFE
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15 without DHT, JPG, DAC
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))  # markers without a length
MAX_SEGMENTS = 1000
_NEXT_MARKER = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")  # inside a scan: neither a stuffed byte nor a restart


class Segment(NamedTuple):
    """A marker segment: `offset` and `length` are of its payload, behind the two length bytes."""

    marker: int
    offset: int
    length: int


class Frame(NamedTuple):
    """What a start-of-frame segment says."""

    width: int
    height: int
    components: int
    marker: int

    @property
    def lossy(self) -> bool:
        """Whether common decoders read it: baseline, extended or progressive Huffman."""
        return self.marker in (0xC0, 0xC1, 0xC2)


def segments(reader: Reader) -> Iterator[Segment]:
    """The segments up to and including the first SOS. Raises Damaged where they end before it."""
    position = 2
    for _ in range(MAX_SEGMENTS):
        head = reader.exactly(position, 4)
        if head[0] != 0xFF:
            raise Damaged("a JPEG segment is missing")
        if head[1] == 0xFF or head[1] in _ALONE:
            position += 1 if head[1] == 0xFF else 2
            continue
        length = int.from_bytes(head[2:], "big")
        if head[1] == EOI or length < 2:
            return
        yield Segment(head[1], position + 4, length - 2)
        if head[1] == SOS:
            return
        position += 2 + length
    raise TooMany("too many JPEG segments")


def frame(reader: Reader, segment: Segment) -> Frame | None:
    """What the segment says of the picture's size, if it is a start-of-frame segment."""
    if segment.marker not in _FRAMES or segment.length < 6:
        return None
    head = reader.exactly(segment.offset, 6)
    height, width = int.from_bytes(head[1:3], "big"), int.from_bytes(head[3:5], "big")
    return Frame(width, height, head[5], segment.marker)


def is_exif(reader: Reader, segment: Segment) -> bool:
    return segment.marker == APP1 and segment.length > 14 and reader.at(segment.offset, 6) == b"Exif\0\0"


def markers(data: bytes, start: int = 0) -> Iterator[tuple[int, int]]:
    """(marker, its offset) of a whole JPEG in memory, through all of its scans, to EOI or the end of the data."""
    position = start + 2
    while found := _NEXT_MARKER.search(data, position):
        marker = data[found.end() - 1]
        yield marker, found.end() - 2
        if marker == EOI:
            return
        position = found.end()
        if marker not in _ALONE:
            position += int.from_bytes(data[position : position + 2], "big")


def count_scans(data: bytes) -> int:
    """How many scans a JPEG in memory has; each costs a decoder a pass over the whole picture."""
    return sum(marker == SOS for marker, _ in markers(data))
