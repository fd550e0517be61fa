"""Where each format keeps its size and its tags. No format is decoded here and no image library is used."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from momentarium_cli.photos import bmff, ciff, exif, formats, jpeg, tiff
from momentarium_cli.photos.formats import Format
from momentarium_cli.photos.reader import Damaged, Reader
from momentarium_cli.photos.tiff import Tags

_CANON = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")  # the uuid box of a CR3 that holds its metadata
_MAC_EPOCH = datetime(1904, 1, 1)
MAX_CHUNKS = 1000


@dataclass(slots=True)
class Header:
    """What a file's structure says, as far as it could be read before something was found damaged."""

    file_size: int
    width: int = 0
    height: int = 0
    shown: bool = False  # the size is the one after every turn
    tags: Tags = field(default_factory=Tags)
    camera: str | None = None
    created: datetime | None = None  # by the container's own clock; wall time
    warnings: list[str] = field(default_factory=list)

    def read_tags(self, block: Reader) -> None:
        """Takes the tags of an EXIF block; damage is noted and costs only the tags."""
        try:
            self.tags = tiff.read_tags(block)
        except Damaged as error:
            self.warnings.append(f"its EXIF data is damaged: {error}")


def read_header(format_: Format, reader: Reader, header: Header) -> None:
    """Fills the header; what was found before an exception stays in it. Raises Damaged, struct.error."""
    _READERS.get(format_.name, _raw_on_tiff)(reader, header)


def _jpeg(reader: Reader, header: Header) -> None:
    seen = False
    for segment in jpeg.segments(reader):
        if frame := jpeg.frame(reader, segment):
            header.width, header.height = frame.width, frame.height
        elif not seen and jpeg.is_exif(reader, segment):
            seen = True
            header.read_tags(reader.window(segment.offset + 6, segment.length - 6))


def _png(reader: Reader, header: Header) -> None:
    position = 8
    for _ in range(MAX_CHUNKS):
        length, kind = reader.uint(position, 4), reader.at(position + 4, 4)
        if kind == b"IHDR":
            header.width, header.height = reader.uint(position + 8, 4), reader.uint(position + 12, 4)
        elif kind == b"eXIf":
            header.read_tags(reader.window(position + 8, length))
            return
        elif kind == b"IEND":
            return
        position += 12 + length


def _gif(reader: Reader, header: Header) -> None:
    header.width, header.height = struct.unpack("<HH", reader.exactly(6, 4))


def _webp(reader: Reader, header: Header) -> None:
    """RFC 9649: chunks of four letters, a length and an even number of bytes."""
    position = 12
    for _ in range(MAX_CHUNKS):
        head = reader.at(position, 18)
        if len(head) < 8:
            return
        kind, length = head[:4], int.from_bytes(head[4:8], "little")
        if kind in _WEBP_SIZES and not header.width:
            header.width, header.height = _WEBP_SIZES[kind](head[8:].ljust(10, b"\0"))
        elif kind == b"EXIF":
            block = reader.window(position + 8, length)
            header.read_tags(block.window(6) if block.at(0, 6) == b"Exif\0\0" else block)
            return
        position += 8 + length + (length & 1)


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


_WEBP_SIZES: dict[bytes, Callable[[bytes], tuple[int, int]]] = {
    b"VP8X": lambda head: (_little(head[4:7]) + 1, _little(head[7:10]) + 1),
    b"VP8 ": lambda head: (_little(head[6:8]) & 0x3FFF, _little(head[8:10]) & 0x3FFF),
    b"VP8L": lambda head: ((_little(head[1:5]) & 0x3FFF) + 1, ((_little(head[1:5]) >> 14) & 0x3FFF) + 1),
}


def _tiff(reader: Reader, header: Header) -> None:
    header.tags = tiff.read_tags(reader)
    header.width, header.height = exif.size(header.tags.image)


def _heif(reader: Reader, header: Header) -> None:
    picture = bmff.read_picture(reader)
    if picture is None:
        raise Damaged("it holds no picture")
    (header.width, header.height), header.shown = picture.shown, True
    if picture.exif is not None:
        header.read_tags(picture.exif)


def _raw_on_tiff(reader: Reader, header: Header) -> None:
    """The first directory is often that of a small preview: the largest stated size is the photo's."""
    header.tags = tiff.read_tags(reader)
    stated = [exif.size(directory) for directory in (header.tags.image, *header.tags.subs)]
    stated.append(exif.size(header.tags.exif, 0xA002, 0xA003))
    header.width, header.height = _largest(stated)


def _largest(sizes: list[tuple[int, int]]) -> tuple[int, int]:
    return max(sizes, key=lambda size: size[0] * size[1])


def _rw2(reader: Reader, header: Header) -> None:
    """Panasonic states the borders of the sensor's picture: top 4, left 5, bottom 6, right 7."""
    header.tags = tiff.read_tags(reader)
    left, top = exif.size(header.tags.image, 5, 4)
    right, bottom = exif.size(header.tags.image, 7, 6)
    header.width, header.height = right - left, bottom - top


def _cr3(reader: Reader, header: Header) -> None:
    """Canon keeps the directories of a TIFF file apart: CMT1 the image's, CMT2 EXIF, CMT4 GPS."""
    moov = bmff.find(reader, (b"moov",))
    if moov is None:
        raise Damaged("it has no movie box")
    blocks: dict[bytes, tiff.Directory] = {}
    for box in bmff.boxes(moov.body, moov.size):
        if box.kind == b"uuid" and box.body.at(0, 16) == _CANON:
            inner = bmff.boxes(box.body.window(16), box.size - 16)
            blocks = {part.kind: tiff.read_single(part.body) for part in inner if part.kind[:3] == b"CMT"}
        elif box.kind == b"mvhd" and box.body.at(0, 1) == b"\0":
            header.created = _MAC_EPOCH + timedelta(seconds=box.body.uint(4, 4))
    header.tags = Tags(blocks.get(b"CMT1", {}), blocks.get(b"CMT2", {}), blocks.get(b"CMT4", {}))
    header.width, header.height = exif.size(header.tags.image)


def _raf(reader: Reader, header: Header) -> None:
    """Fujifilm: a whole JPEG with EXIF, and records of 2-byte number, 2-byte length for the sensor's data."""
    _jpeg(reader.window(reader.uint(84, 4), reader.uint(88, 4)), header)
    stated = [_raf_size(reader), exif.size(header.tags.exif, 0xA002, 0xA003), (header.width, header.height)]
    header.width, header.height = _largest(stated)


def _raf_size(reader: Reader) -> tuple[int, int]:
    position = reader.uint(92, 4)
    records = min(reader.uint(position, 4), 255)
    position += 4
    for _ in range(records):
        number, length = reader.uint(position, 2), reader.uint(position + 2, 2)
        if number == 0x0111 and length == 4:  # the cropped picture: height, width
            return reader.uint(position + 6, 2), reader.uint(position + 4, 2)
        position += 4 + length
    return 0, 0


def _crw(reader: Reader, header: Header) -> None:
    facts = ciff.read_facts(reader, header.file_size)
    header.camera, header.created = exif.name_camera(facts.make, facts.model), facts.taken
    header.width, header.height = facts.width, facts.height
    header.tags = Tags(image={0x0112: (facts.orientation,)})


_READERS: dict[str, Callable[[Reader, Header], None]] = {
    formats.JPEG.name: _jpeg,
    formats.PNG.name: _png,
    formats.GIF.name: _gif,
    formats.WEBP.name: _webp,
    formats.TIFF.name: _tiff,
    formats.HEIC.name: _heif,
    formats.HEIF.name: _heif,
    formats.AVIF.name: _heif,
    formats.RW2.name: _rw2,
    formats.CR3.name: _cr3,
    formats.RAF.name: _raf,
    formats.CRW.name: _crw,
}
